/* SPDX-License-Identifier: Apache-2.0
 *
 * Equal tasks under way: what becomes of those that follow, whatever befalls the one that they follow.
 */
#include "router/answers.h"

#include "tests/support/answers_kit.h"

static void test_followers_have_the_result(void **state)
{
	struct kit *k = *state;
	struct task *t[4];

	kit_offer(k, "a cpu kinds=text.stats slots=9");
	for (int i = 0; i < 4; i++)
		t[i] = ask(k, "t", "text.stats", "");
	assert_string_equal(kit_node(k, t[0]), "a");
	kit_up(k, UP_ACCEPT, t[0]);
	for (int i = 1; i < 4; i++) {
		assert_true(answers_is_follower(t[i]));
		assert_int_equal(t[i]->state, STATE_QUEUED);
		assert_int_equal(kit_steps(t[i], STEP_CACHE, NULL), 1);
	}
	cancel(k, t[2]);
	for (int i = 0; i < 7; i++) { /* no clock of a rung runs for them */
		kit_pass(k, 10 * SEC);
		kit_offer_running(k, "a cpu kinds=text.stats slots=9",
			&(struct attempt_ref){ t[0]->id, t[0]->attempt, 0, false }, 1);
	}
	assert_int_equal(t[1]->state, STATE_QUEUED);
	kit_done(k, t[0], SPAN_LIT("one"));
	assert_true(is_hit(t[1]) && is_hit(t[3]));
	assert_int_equal(t[2]->state, STATE_CANCELLED);
	assert_memory_equal(t[3]->result, "one", 3);
	assert_int_equal(k->r->answers.followed, 2);
	assert_int_equal(k->r->counts.placed, 1);
}

/* What befalls the first of three equal tasks, and what the second does then. */
static void test_followers_go_on(void **state)
{
	enum what { CANCEL, EXPIRE, PAUSE, FAIL, LOSE };
	static const struct {
		enum what what;
		bool follows; /* the third follows the second */
	} cases[] = { { CANCEL, true }, { EXPIRE, true }, { PAUSE, true }, { FAIL, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kit *k = kit_new(keep_results);
		struct submit s = task_of("text.stats", "");
		struct task *t[3];

		kit_offer(k, "a cpu kinds=text.stats slots=9");
		if (cases[i].what == EXPIRE)
			s.deadline_ms = k->now_ns / MS + 1000;
		t[0] = kit_submit_as(k, "t", &s);
		t[1] = ask(k, "t", "text.stats", "");
		t[2] = ask(k, "t", "text.stats", "");
		assert_true(answers_is_follower(t[1]) && answers_is_follower(t[2]));
		if (cases[i].what == CANCEL)
			cancel(k, t[0]);
		else if (cases[i].what == EXPIRE)
			kit_pass(k, 1001 * MS);
		else if (cases[i].what == PAUSE)
			tell(k, ROUTER_PAUSE, t[0]);
		else
			kit_fails(k, t[0], ERR_INVALID);
		assert_string_equal(kit_node(k, t[1]), "a");
		assert_int_equal(answers_is_follower(t[2]), cases[i].follows);
		kit_done(k, t[1], SPAN_LIT("second"));
		assert_int_equal(t[2]->state, cases[i].follows ? STATE_SUCCEEDED : STATE_ASSIGNED);
		kit_free(k);
	}
}

/* It would come later, or be another's choice. */
static void test_who_does_not_follow(void **state)
{
	static const struct {
		const char *what, *params, *tenant;
		struct submit s;
		bool follows;
	} cases[] = {
		{ "the same", "", "t", { .max_price_ucr = 5, .priority = 3 }, true },
		{ "less urgent", "", "t", { .max_price_ucr = 5 }, true },
		{ "more urgent", "", "t", { .max_price_ucr = 5, .priority = 4 }, false },
		{ "poorer", "", "t", { .max_price_ucr = 4, .priority = 3 }, true },
		{ "richer", "", "t", { .max_price_ucr = 6, .priority = 3 }, false },
		{ "private", "cache.mode=off", "t", { .max_price_ucr = 5 }, false },
		{ "another tenant", "", "u", { .max_price_ucr = 5 }, false },
		{ "other rungs", "", "t", { .allow = { { RUNG_CPU }, 1 } }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kit *k = kit_new(keep_results);
		struct submit first = task_of("image.filter", ""), s = cases[i].s;
		struct task *t;

		kit_offer(k, "g gpu kinds=image.filter slots=1");
		ask(k, "v", "image.filter", "radius=16"); /* it is full */
		first.priority = 3;
		first.max_price_ucr = 5;
		kit_submit_as(k, "t", &first);
		s.kind = first.kind;
		s.body = body_of(cases[i].params);
		t = kit_submit_as(k, cases[i].tenant, &s);
		if (answers_is_follower(t) != cases[i].follows)
			fail_msg("%s", cases[i].what);
		kit_free(k);
	}
}

/* What waits for its turn is followed by its own tenant only, what is on a node by all who share. */
static void test_tenants_follow_what_runs(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu kinds=text.stats slots=2");
	ask(k, "v", "text.stats", "top=1");
	struct task *first = ask(k, "t", "text.stats", "cache.mode=shared");
	struct task *waits = ask(k, "t", "text.stats", "top=2;cache.mode=shared");
	struct task *follows = ask(k, "u", "text.stats", "cache.mode=shared");
	struct task *alone = ask(k, "u", "text.stats", "top=2;cache.mode=shared");

	assert_true(answers_is_follower(follows));
	assert_true(waits->lane != NULL && alone->lane != NULL);
	kit_done(k, first, SPAN_LIT("x"));
	assert_true(is_hit(follows));
}

static void test_paused_followers(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu kinds=text.stats slots=9");
	struct task *first = ask(k, "t", "text.stats", "");
	struct task *t = ask(k, "t", "text.stats", "");

	tell(k, ROUTER_PAUSE, t);
	assert_false(answers_is_follower(t));
	kit_done(k, first, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_QUEUED);
	kit_pass(k, 70 * SEC);
	kit_offer(k, "a cpu kinds=text.stats slots=9");
	tell(k, ROUTER_RESUME, t);
	assert_string_equal(kit_node(k, t), "a");
}

/* Its own deadline ends a follower, too. */
static void test_followers_expire(void **state)
{
	struct kit *k = *state;
	struct submit s = task_of("text.stats", "");

	kit_offer(k, "a cpu kinds=text.stats slots=9");
	struct task *first = ask(k, "t", "text.stats", "");

	s.deadline_ms = k->now_ns / MS + 1000;
	struct task *t = kit_submit_as(k, "t", &s);

	kit_pass(k, 1001 * MS);
	assert_int_equal(t->state, STATE_EXPIRED);
	kit_done(k, first, SPAN_LIT("x"));
	assert_int_equal(k->r->answers.followed, 0);
}

/* After a restart nothing is kept, nobody follows, and all end. */
static void test_restart(void **state)
{
	struct kit *k = *state;
	struct ulid ids[3];

	kit_keep(k);
	kit_offer(k, "a cpu kinds=text.stats slots=9");
	kit_done(k, ask(k, "t", "text.stats", "top=1"), SPAN_LIT("x"));
	ids[0] = ask(k, "t", "text.stats", "top=1")->id; /* ends as it is accepted */
	ids[1] = ask(k, "t", "text.stats", "")->id;
	ids[2] = ask(k, "t", "text.stats", "")->id;
	assert_true(answers_is_follower(tasks_find(&k->r->tasks, ids[2])));
	kit_restart(k);
	kit_offer(k, "a cpu kinds=text.stats slots=9");
	kit_pass(k, 35 * SEC); /* it holds nothing: that is lost */
	kit_offer(k, "a cpu kinds=text.stats slots=9");
	kit_pass(k, 2 * SEC);
	for (int i = 1; i < 3; i++) {
		struct task *t = tasks_find(&k->r->tasks, ids[i]);

		assert_string_equal(kit_node(k, t), "a");
		kit_done(k, t, SPAN_LIT("y"));
		assert_int_equal(t->state, STATE_SUCCEEDED);
	}
	assert_int_equal(router_open(k->r), 0);
	assert_false(is_hit(ask(k, "t", "text.stats", "top=1")));
}

/* With any memory missing a task goes its own way, or is refused. */
static void test_lack_of_memory(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 60; n++) {
		struct kit *k = kit_new(keep_results);
		struct task *t;

		kit_offer(k, "a cpu kinds=text.stats slots=9");
		t = ask(k, "t", "text.stats", "");
		mem_fail_at(n, false);
		kit_done(k, t, SPAN_LIT("a result that is longer than the body of its task"));
		mem_fail_at(0, false);
		t = ask(k, "t", "text.stats", "top=9");
		mem_fail_at(n, false);
		struct submit s = task_of("text.stats", "");

		kit_submit_as(k, "t", &s);
		kit_submit_as(k, "t", &s);
		mem_fail_at(0, false);
		kit_free(k);
		assert_int_equal(mem_held(), 0);
	}
}

/* Whatever happens in whatever order, the books agree (after each step), and in the end all have ended. */
static void test_random(void **state)
{
	struct kit *k = *state;
	static const char *const params[] = { "", "", "cache.mode=shared", "cache.mode=off",
		"top=3" };
	struct ulid ids[400];
	unsigned n = 0;
	struct prng p;

	prng_seed(&p, 11);
	for (int i = 0; i < 3000; i++) {
		struct task *t = n == 0 ? NULL : tasks_find(&k->r->tasks, ids[prng_below(&p, n)]);
		unsigned what = (unsigned)prng_below(&p, 12);

		kit_look_away(k);
		if (what < 4 && n < ARRAY_LEN(ids)) {
			struct submit s = task_of("text.stats", params[prng_below(&p, 5)]);

			s.priority = (uint32_t)prng_below(&p, 3);
			s.fast = prng_chance(&p, 1, 2);
			if (kit_submit_as(k, prng_chance(&p, 1, 3) ? "u" : "t", &s) != NULL)
				ids[n++] = k->reply.task;
		} else if (what == 4) {
			kit_offer(k, "a cpu kinds=text.stats slots=3");
		} else if (what == 5) {
			kit_pass(k, (int64_t)prng_below(&p, 400 * MS));
		} else if (what == 6 && prng_chance(&p, 1, 4)) {
			purge(k, prng_chance(&p, 1, 2) ? "" : "t");
		} else if (t != NULL && !state_is_final(t->state)) {
			if (what == 7)
				cancel(k, t);
			else if (what == 8)
				tell(k, ROUTER_PAUSE, t);
			else if (what == 9 || t->paused_ns != 0)
				tell(k, ROUTER_RESUME, t);
			else if (kit_node(k, t)[0] != '\0' && what == 10)
				kit_fails(k, t, ERR_LOST);
			else if (kit_node(k, t)[0] != '\0')
				kit_done(k, t, SPAN_LIT("done"));
		}
	}
	kit_look_away(k);
	kit_pass(k, 700 * SEC);
	assert_int_equal(router_open(k->r), 0);
	if (k->r->answers.hits < 5 || k->r->answers.followed < 5)
		fail_msg("%d hits, %d followed", (int)k->r->answers.hits,
			(int)k->r->answers.followed);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, answers_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_followers_have_the_result),
		cmocka_unit_test(test_followers_go_on),
		TEST(test_who_does_not_follow),
		TEST(test_tenants_follow_what_runs),
		TEST(test_paused_followers),
		TEST(test_followers_expire),
		TEST(test_restart),
		cmocka_unit_test(test_lack_of_memory),
		TEST(test_random),
	};

	return cmocka_run_group_tests_name("router follow", tests, NULL, NULL);
}
