/* SPDX-License-Identifier: Apache-2.0
 *
 * What the router keeps of results: who gets what, who does not, for how long.
 */
#include <stdio.h>

#include "tests/support/answers_kit.h"

static void test_equal_task_ends_at_once(void **state)
{
	struct kit *k = *state;
	struct explain_note note;
	struct result result;

	kit_offer(k, "a cpu kinds=text.stats price=0");
	kit_done(k, ask(k, "t", "text.stats", ""), SPAN_LIT("what came of it"));
	kit_pass(k, 2500 * MS);
	kit_look_away(k);
	struct task *t = ask(k, "t", "text.stats", "top=10;trace.id=4;trace.id=5");

	assert_false(is_hit(t)); /* a fact more is another request */
	kit_done(k, t, SPAN_LIT("other"));
	kit_look_away(k);
	t = ask(k, "t", "text.stats", "top=010");
	assert_true(is_hit(t));
	assert_true(kit_none(k, SAID_DOWN, DOWN_ASSIGN));
	assert_string_equal(kit_next(k, SAID_EVENT, EVENT_END)->text, "what came of it");
	finish_result(k->r, t, &result);
	assert_true(result.cache_hit);
	assert_int_equal(result.cache_age_ms, 2500);
	assert_int_equal(result.cache_near, 0);
	assert_int_equal(result.rung, RUNG_CPU);
	assert_int_equal(result.attempts, 0);
	assert_int_equal(result.node.len, 0);
	assert_int_equal(kit_steps(t, STEP_CACHE, &note), 1);
	assert_true(span_is(note.reason, "an equal task's result, 2.5 s old"));
	assert_int_equal(k->r->answers.hits, 1);
	assert_int_equal(k->r->answers.misses, 2);
	assert_int_equal(k->r->counts.succeeded, 3);
}

/* Who may have what: the first task is done, then the second is asked. */
static const struct {
	const char *what;
	const char *tenant[2], *kind, *params[2], *node;
	enum rung allow[2]; /* RUNG_NONE: all */
	bool hit;
} who_has_it[] = {
	{ "the same", { "t", "t" }, "text.stats", { "", "" }, "cpu", { 0 }, true },
	{ "another tenant", { "t", "u" }, "text.stats", { "", "" }, "cpu", { 0 }, false },
	{ "both share", { "t", "u" }, "text.stats", { "cache.mode=shared", "cache.mode=shared" },
		"cpu", { 0 }, true },
	{ "one shares", { "t", "u" }, "text.stats", { "cache.mode=shared", "" }, "cpu", { 0 },
		false },
	{ "the other shares", { "t", "t" }, "text.stats", { "", "cache.mode=shared" }, "cpu", { 0 },
		false },
	{ "private", { "t", "t" }, "text.stats", { "cache.mode=off", "" }, "cpu", { 0 }, false },
	{ "to be computed anew", { "t", "t" }, "text.stats", { "", "cache.mode=off" }, "cpu", { 0 },
		false },
	{ "another question", { "t", "t" }, "text.stats", { "top=1", "top=2" }, "cpu", { 0 },
		false },
	{ "not worth it", { "t", "t" }, "util.echo", { "cache.mode=own", "cache.mode=own" }, "cpu",
		{ 0 }, false },
	{ "by chance", { "t", "t" }, "llm.chat", { "prompt=hi", "prompt=hi" }, "api", { 0 },
		false },
	{ "not by chance", { "t", "t" }, "llm.chat",
		{ "prompt=hi;temperature_milli=0", "temperature_milli=0;prompt=hi" }, "api", { 0 },
		true },
	{ "by chance, but wanted", { "t", "t" }, "llm.chat",
		{ "prompt=hi;cache.mode=own", "prompt=hi;cache.mode=own" }, "api", { 0 }, true },
	{ "other randomness", { "t", "t" }, "llm.chat",
		{ "prompt=hi;cache.mode=own", "prompt=hi;cache.mode=own;temperature_milli=1" },
		"api", { 0 }, false },
	{ "a rung that is not allowed", { "t", "t" }, "llm.chat",
		{ "prompt=hi;cache.mode=own", "prompt=hi;cache.mode=own" }, "api",
		{ RUNG_NONE, RUNG_GPU }, false },
	{ "allowed from below", { "t", "t" }, "llm.chat",
		{ "prompt=hi;cache.mode=own", "prompt=hi;cache.mode=own" }, "api",
		{ RUNG_API, RUNG_NONE }, true },
	{ "the second best", { "t", "t" }, "llm.chat",
		{ "prompt=hi;cache.mode=own", "prompt=hi;cache.mode=own" }, "human",
		{ RUNG_NONE, RUNG_NONE }, false },
	{ "which is the best there", { "t", "t" }, "llm.chat",
		{ "prompt=hi;cache.mode=own", "prompt=hi;cache.mode=own" }, "human",
		{ RUNG_NONE, RUNG_HUMAN }, true },
	{ "a person", { "t", "t" }, "human.ask", { "prompt=hi", "prompt=hi" }, "human", { 0 },
		false },
	{ "what is wrong", { "t", "t" }, "llm.chat", { "cache.mode=own", "cache.mode=own" }, "api",
		{ 0 }, false },
};

static void test_who_has_it(void **state)
{

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(who_has_it); i++) {
		struct kit *k = kit_new(keep_results);
		char line[64];
		struct task *t[2];

		snprintf(line, sizeof line, "n %s slots=4 kinds=%s", who_has_it[i].node,
			who_has_it[i].kind);
		kit_offer(k, line);
		for (int j = 0; j < 2; j++) {
			struct submit s = task_of(who_has_it[i].kind, who_has_it[i].params[j]);

			if (who_has_it[i].allow[j] != RUNG_NONE)
				s.allow = (struct ladder){ { (uint8_t)who_has_it[i].allow[j] }, 1 };
			t[j] = kit_submit_as(k, who_has_it[i].tenant[j], &s);
			if (j == 0)
				kit_done(k, t[j], SPAN_LIT("x"));
		}
		if (is_hit(t[1]) != who_has_it[i].hit)
			fail_msg("%s", who_has_it[i].what);
		kit_free(k);
	}
}

static void test_wrong_words_are_refused(void **state)
{
	struct kit *k = *state;
	struct submit s = task_of("text.stats", "cache.mode=on");

	kit_submit_as(k, "t", &s);
	assert_int_equal(k->reply.fail.code, ERR_INVALID);
	assert_string_equal(k->reply.fail.field, "cache.mode");
	s = task_of("llm.chat", "prompt=hi;cache.near=a bit");
	kit_submit_as(k, "t", &s);
	assert_string_equal(k->reply.fail.field, "cache.near");
	/* what is no body is for its node to refuse */
	s = kit_task("text.stats");
	s.body = SPAN_LIT("\xff\xff");
	assert_non_null(kit_submit_as(k, "t", &s));
	assert_int_equal(router_open(k->r), 1);
}

static void test_old_results_go(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu kinds=text.stats,text.language slots=9");
	kit_done(k, ask(k, "t", "text.stats", ""), SPAN_LIT("x"));
	/* this one was old already when its node gave it */
	struct task *t = ask(k, "t", "text.language", "");

	kit_up_from(k, "a",
		&(struct up){
			.kind = UP_DONE,
			.task = t->id,
			.attempt = t->attempt,
			.body = SPAN_LIT("y"),
			.cache_hit = true,
			.cache_age_ms = 300000,
		});
	kit_pass(k, 299 * SEC);
	kit_offer(k, "a cpu kinds=text.stats,text.language slots=9");
	t = ask(k, "t", "text.language", "");
	assert_true(is_hit(t));
	assert_int_equal(t->cache_age_ms, 599000);
	kit_pass(k, SEC);
	assert_false(is_hit(ask(k, "t", "text.language", "")));
	assert_true(is_hit(ask(k, "t", "text.stats", "")));
	kit_pass(k, 300 * SEC);
	assert_false(is_hit(ask(k, "t", "text.stats", "")));
}

static void test_purge(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu kinds=text.stats slots=9");
	kit_done(k, ask(k, "t", "text.stats", ""), SPAN_LIT("x"));
	kit_done(k, ask(k, "u", "text.stats", ""), SPAN_LIT("y"));
	kit_done(k, ask(k, "u", "text.stats", "cache.mode=shared"), SPAN_LIT("z"));
	assert_int_equal(router_cache(k->r, k->now_ns).entries, 3);
	purge(k, "u");
	assert_true(is_hit(ask(k, "t", "text.stats", "")));
	assert_true(is_hit(ask(k, "t", "text.stats", "cache.mode=shared")));
	assert_false(is_hit(ask(k, "u", "text.stats", "")));
	purge(k, "");
	assert_false(is_hit(ask(k, "t", "text.stats", "")));
	assert_false(is_hit(ask(k, "t", "text.stats", "cache.mode=shared")));
	assert_int_equal(router_cache(k->r, k->now_ns).entries, 0);
	assert_int_equal(router_cache(k->r, k->now_ns).purged, 3);
}

/* A result by reference is given only to whom the store keeps it for long enough, and to nobody else's tenant. */
static void test_references(void **state)
{
	struct kit *k = *state;
	unsigned char hash[32] = { 1 };
	const struct item item = { .blob = span_of(hash, sizeof hash), .size = 1 << 20 };
	struct submit s = task_of("text.stats", "");
	struct buf b;

	buf_init(&b, 4096);
	body_put(&b, &item);
	kit_offer(k, "a cpu kinds=text.stats slots=9");
	kit_done(k, ask(k, "t", "text.stats", ""), buf_span(&b));
	assert_true(is_hit(ask(k, "t", "text.stats", "")));
	s.keep_ms = 26 * 3600 * 1000;
	assert_false(is_hit(kit_submit_as(k, "t", &s)));
	kit_done(k, ask(k, "t", "text.stats", "cache.mode=shared"), buf_span(&b));
	assert_false(is_hit(ask(k, "u", "text.stats", "cache.mode=shared")));
	buf_done(&b);
}

static void test_near_prompts(void **state)
{
	struct kit *k = *state;
	struct explain_note note;
	struct task *t;

	kit_offer(k, "a api kinds=llm.chat slots=9");
	t = ask(k, "t", "llm.chat",
		"prompt=What is the capital of France?;cache.mode=own;cache.near=yes");
	kit_done(k, t, SPAN_LIT("Paris"));
	t = ask(k, "t", "llm.chat",
		"prompt=what is capital of France;cache.mode=own;cache.near=yes");
	assert_true(is_hit(t));
	assert_int_equal(t->cache_near, 727);
	assert_int_equal(kit_steps(t, STEP_CACHE, &note), 1);
	assert_int_equal(k->r->answers.near_hits, 1);
	/* word for word it is no near match */
	t = ask(k, "t", "llm.chat",
		"prompt=What is the capital of France?;cache.mode=own;cache.near=yes");
	assert_true(is_hit(t) && t->cache_near == 0);
	/* who does not ask for it, asks something else, or is somebody else */
	assert_false(
		is_hit(ask(k, "t", "llm.chat", "prompt=what is capital of France;cache.mode=own")));
	assert_false(is_hit(ask(k, "t", "llm.chat",
		"prompt=what is capital of France;cache.mode=own;cache.near=yes;system=be brief")));
	assert_false(is_hit(ask(k, "t", "llm.chat",
		"prompt=what is not the capital of France;cache.mode=own;cache.near=yes")));
	assert_false(is_hit(ask(k, "u", "llm.chat",
		"prompt=what is capital of France;cache.mode=own;cache.near=yes")));
	purge(k, "t");
	assert_false(is_hit(ask(k, "t", "llm.chat",
		"prompt=what is the capital of france;cache.mode=own;cache.near=yes")));
}

static void no_near(struct router_conf *conf)
{
	keep_results(conf);
	conf->answers.near = false;
}

static void nothing_kept(struct router_conf *conf)
{
	conf->answers.bytes_max = 0;
}

static void test_off(void **state)
{
	struct kit *k = kit_new(no_near);

	(void)state;
	kit_offer(k, "a api kinds=llm.chat slots=9");
	kit_done(k, ask(k, "t", "llm.chat", "prompt=the hat;cache.mode=own;cache.near=yes"),
		SPAN_LIT("x"));
	assert_false(is_hit(ask(k, "t", "llm.chat", "prompt=hat;cache.mode=own;cache.near=yes")));
	kit_free(k);
	k = kit_new(nothing_kept);
	kit_offer(k, "a cpu kinds=text.stats slots=9");
	kit_done(k, ask(k, "t", "text.stats", ""), SPAN_LIT("x"));
	assert_false(is_hit(ask(k, "t", "text.stats", "")));
	assert_string_equal(kit_node(k, ask(k, "t", "text.stats", "")), "a");
	assert_int_equal(router_cache(k->r, k->now_ns).bytes_max, 0);
	kit_free(k);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, answers_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_equal_task_ends_at_once),
		cmocka_unit_test(test_who_has_it),
		TEST(test_wrong_words_are_refused),
		TEST(test_old_results_go),
		TEST(test_purge),
		TEST(test_references),
		TEST(test_near_prompts),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests_name("router answers", tests, NULL, NULL);
}
