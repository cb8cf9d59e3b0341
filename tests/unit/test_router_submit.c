/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking tasks in, and what is kept of them: refusals, keys, deadlines, cancelling, ceilings, lack of memory.
 */
#include <stdio.h>

#include "tests/support/router_kit.h"
#include "tests/support/router_model.h"
#include "tests/support/test.h"

static int cancel(struct kit *k, const char *tenant, struct ulid task)
{
	return kit_step(k, &(struct router_event){
				   .kind = ROUTER_CANCEL,
				   .who = span_str(tenant),
				   .task = task,
			   });
}

static void refused(struct kit *k, const struct submit *s, int code, const char *field)
{
	uint64_t refused = k->r->counts.refused;
	uint32_t open = router_open(k->r);

	kit_look_away(k);
	kit_submit_as(k, "t", s);
	assert_int_equal(k->reply.fail.code, code);
	assert_string_equal(k->reply.fail.field, field);
	assert_true(k->reply.fail.detail[0] != '\0');
	assert_true(ulid_is_zero(k->reply.task));
	assert_int_equal(k->r->counts.refused, refused + 1);
	assert_int_equal(router_open(k->r), open);
	assert_int_equal(k->said_n, 0);
}

static void test_unknown_kind(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("no.such");

	refused(k, &s, ERR_UNKNOWN, "kind");
	/* Offered by somebody it is a kind like others. */
	kit_offer(k, "a cpu kinds=no.such");
	struct task *t = kit_submit(k, "no.such");

	assert_string_equal(kit_node(k, t), "a");
	assert_int_equal(t->ladder.n, 4);
}

static void test_item_that_breaks_a_limit(void **state)
{
	struct kit *k = *state;
	struct submit s = { 0 };

	fail_set(&s.fail, ERR_TOO_BIG, "body", 5, NULL);
	refused(k, &s, ERR_TOO_BIG, "body");
}

static void test_deadlines(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");
	int64_t now_ms = k->now_ns / MS, most_ms = (int64_t)LIMIT_DEADLINE_DAYS * 24 * 3600 * 1000;

	s.deadline_ms = now_ms;
	refused(k, &s, ERR_EXPIRED, "deadline_ms");
	s.deadline_ms = 1;
	refused(k, &s, ERR_EXPIRED, "deadline_ms");
	s.deadline_ms = now_ms + most_ms + 1;
	refused(k, &s, ERR_INVALID, "deadline_ms");
	s.deadline_ms = INT64_MAX;
	refused(k, &s, ERR_INVALID, "deadline_ms");
	s.deadline_ms = now_ms + most_ms;
	assert_non_null(kit_submit_as(k, "t", &s));
	assert_int_equal(cancel(k, "t", k->reply.task), 0);
	kit_offer(k, "a cpu");
	s.deadline_ms = now_ms + 10000;
	struct task *runs = kit_submit_as(k, "t", &s);
	struct task *waits = kit_submit_as(k, "t", &s);

	kit_up(k, UP_ACCEPT, runs);
	kit_pass(k, 9999 * MS);
	assert_int_equal(runs->state, STATE_RUNNING);
	kit_look_away(k);
	kit_pass(k, MS);
	assert_int_equal(runs->state, STATE_EXPIRED);
	assert_int_equal(waits->state, STATE_EXPIRED);
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->attempt, runs->attempt);
	assert_int_equal(k->r->counts.expired, 2);
}

static void test_default_deadlines(void **state)
{
	struct kit *k = *state;

	assert_int_equal(kit_submit(k, "util.echo")->deadline_ns, k->now_ns + 600 * SEC);
	assert_int_equal(kit_submit(k, "llm.chat")->deadline_ns, k->now_ns + 24 * 3600 * SEC);
}

/* What a language model used is added up, and how it was done is a step of the explain record. */
static void test_usage(void **state)
{
	struct kit *k = *state;
	struct up done = {
		.kind = UP_DONE,
		.usage = { 1024, 30, 4096 },
		.note = SPAN_LIT("prompt 5,120 -> 1,024 tokens, by selection"),
	};
	struct explain_note note;

	kit_offer(k, "a cpu");
	for (unsigned i = 1; i <= 2; i++) {
		struct task *t = kit_submit(k, "util.echo");

		done.task = t->id;
		done.attempt = t->attempt;
		kit_up_from(k, "a", &done);
		assert_int_equal(t->state, STATE_SUCCEEDED);
		assert_int_equal(kit_steps(t, STEP_DONE, &note), 1);
		assert_true(span_eq(note.reason, done.note));
		assert_int_equal(note.attempt, 1);
		/* again, it is stale: nothing is counted twice */
		kit_up_from(k, "a", &done);
		assert_int_equal(k->r->counts.tokens_in, i * 1024);
		assert_int_equal(k->r->counts.tokens_out, i * 30);
		assert_int_equal(k->r->counts.tokens_saved, i * 4096);
	}
	struct task *plain = kit_submit(k, "util.echo");

	kit_done(k, plain, (struct span){ NULL, 0 });
	assert_int_equal(kit_steps(plain, STEP_DONE, NULL), 0);
}

static void test_idempotency(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");
	struct ulid first;

	s.key = SPAN_LIT("key");
	first = kit_submit_as(k, "t", &s)->id;
	assert_false(k->reply.existing);
	assert_true(ulid_eq(kit_submit_as(k, "t", &s)->id, first));
	assert_true(k->reply.existing);
	assert_int_equal(k->reply.state, STATE_QUEUED);
	assert_int_equal(k->r->counts.accepted, 1);
	/* Another tenant's key is another key. */
	assert_false(ulid_eq(kit_submit_as(k, "other", &s)->id, first));
	s.priority = 3;
	refused(k, &s, ERR_CONFLICT, "key");
	/* The end is told, too, even when the deadline has passed meanwhile. */
	s.priority = 0;
	s.deadline_ms = 1;
	cancel(k, "t", first);
	kit_submit_as(k, "t", &s);
	assert_int_equal(k->reply.state, STATE_CANCELLED);
}

static void test_cancel_is_the_tenants(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "a cpu");
	struct task *t = kit_submit(k, "util.echo");

	assert_int_equal(cancel(k, "other", t->id), ERR_UNKNOWN);
	assert_int_equal(cancel(k, "t", (struct ulid){ 1, 1 }), ERR_UNKNOWN);
	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_int_equal(cancel(k, "t", t->id), 0);
	assert_int_equal(t->state, STATE_CANCELLED);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->to, "a");
	kit_look_away(k);
	assert_int_equal(cancel(k, "t", t->id), 0);
	assert_int_equal(k->said_n, 0);
	assert_int_equal(k->r->counts.cancelled, 1);
}

static void test_drain(void **state)
{
	struct kit *k = *state;
	struct router_event e = { .kind = ROUTER_DRAIN, .node = SPAN_LIT("a"), .on = true };

	assert_int_equal(kit_step(k, &e), ERR_UNKNOWN);
	kit_offer(k, "a cpu slots=2");
	struct task *t = kit_submit(k, "util.echo");

	assert_int_equal(kit_step(k, &e), 0);
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_DRAIN)->code, 1);
	kit_offer(k, "a cpu slots=2"); /* the operator's word outlasts offers */
	struct task *waits = kit_submit(k, "util.echo");

	assert_int_equal(waits->state, STATE_QUEUED);
	kit_done(k, t, SPAN_LIT(""));
	e.on = false;
	kit_step(k, &e);
	assert_string_equal(kit_node(k, waits), "a");
}

/* --- ceilings ----------------------------------------------------------------------------------- */

static void few(struct router_conf *conf)
{
	conf->tasks_max = 3;
	conf->tenants_max = 2;
	conf->results_max = 2;
	conf->results_bytes_max = 8192;
	conf->registry.nodes_max = 2;
	conf->keep_ns = 100 * SEC;
}

static struct kit *smaller(void **state)
{
	kit_free(*state);
	*state = kit_new(few);
	return *state;
}

static void test_too_many_tasks(void **state)
{
	struct kit *k = smaller(state);
	struct submit s = kit_task("util.echo");
	struct task *t = kit_submit(k, "util.echo");

	kit_submit(k, "util.echo");
	kit_submit(k, "util.echo");
	refused(k, &s, ERR_BUSY, "tasks");
	assert_int_equal(k->reply.fail.limit, 3);
	assert_true(k->reply.fail.retry_after_ms > 0);
	cancel(k, "t", t->id);
	kit_submit(k, "util.echo");
}

static void test_too_many_tenants(void **state)
{
	struct kit *k = smaller(state);
	struct submit s = kit_task("util.echo");
	char name[32];

	kit_submit_as(k, "one", &s);
	kit_submit_as(k, "two", &s);
	kit_submit_as(k, "three", &s);
	assert_int_equal(k->reply.fail.code, ERR_BUSY);
	assert_string_equal(k->reply.fail.field, "tenants");
	/* They are forgotten with their last task: any number of names may come one after the other. */
	kit_pass(k, 800 * SEC);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "tenant%d", i);
		assert_non_null(kit_submit_as(k, name, &s));
		cancel(k, name, k->reply.task);
		kit_pass(k, 101 * SEC);
	}
	/* One whose every submit is refused is not even remembered. */
	s.deadline_ms = 1;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "tenant%d", i);
		kit_submit_as(k, name, &s);
		assert_int_equal(k->reply.fail.code, ERR_EXPIRED);
	}
}

static void test_results_are_kept_by_number_and_age(void **state)
{
	struct kit *k = smaller(state);
	struct ulid ids[3];

	for (int i = 0; i < 3; i++) {
		ids[i] = kit_submit(k, "util.echo")->id;
		cancel(k, "t", ids[i]);
		k->now_ns += SEC;
	}
	assert_null(tasks_find(&k->r->tasks, ids[0]));
	assert_non_null(tasks_find(&k->r->tasks, ids[1]));
	kit_pass(k, 98 * SEC - MS);
	assert_non_null(tasks_find(&k->r->tasks, ids[1]));
	kit_pass(k, MS);
	assert_null(tasks_find(&k->r->tasks, ids[1]));
	assert_non_null(tasks_find(&k->r->tasks, ids[2]));
	assert_int_equal(k->r->counts.evicted, 2);
}

static void test_results_are_kept_by_bytes(void **state)
{
	static const unsigned char result[5000];
	struct kit *k = smaller(state);
	struct task *t;

	kit_offer(k, "a cpu");
	t = kit_submit(k, "util.echo");
	struct ulid id = t->id;

	kit_done(k, t, span_of(result, sizeof result));
	assert_non_null(tasks_find(&k->r->tasks, id));
	t = kit_submit(k, "util.echo");
	kit_done(k, t, span_of(result, sizeof result));
	assert_null(tasks_find(&k->r->tasks, id));
	assert_int_equal(k->r->tasks.ended_n, 1);
}

static struct task *end_with_keep(struct kit *k, int64_t keep_ms)
{
	struct submit s = kit_task("util.echo");
	struct task *t;

	s.keep_ms = keep_ms;
	t = kit_submit_as(k, "t", &s);
	assert_int_equal(cancel(k, "t", t->id), 0);
	return t;
}

static bool is_kept(const struct kit *k, struct ulid id)
{
	return tasks_find(&k->r->tasks, id) != NULL;
}

static void few_results(struct router_conf *conf)
{
	conf->results_max = 3;
	conf->keep_ns = 100 * SEC;
	conf->keep_max_ns = 1000 * SEC;
}

/* Whoever ended first: each goes when its own time has come, and the machine is woken for it. */
static void test_a_task_is_kept_as_long_as_it_asks(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");
	struct ulid longer, usual, shorter;

	kit_free(k);
	*state = k = kit_new(few_results);
	s.keep_ms = 1000001;
	refused(k, &s, ERR_INVALID, "keep_ms");
	assert_int_equal(k->reply.fail.limit, 1000000);
	s.keep_ms = INT64_MAX;
	refused(k, &s, ERR_INVALID, "keep_ms");
	longer = end_with_keep(k, 1000000)->id;
	usual = end_with_keep(k, 0)->id;
	shorter = end_with_keep(k, 50000)->id;
	assert_int_equal(router_wake(k->r), k->now_ns + 50 * SEC);
	kit_pass(k, 50 * SEC - MS);
	assert_true(is_kept(k, shorter));
	kit_pass(k, MS);
	assert_false(is_kept(k, shorter));
	kit_pass(k, 50 * SEC - MS);
	assert_true(is_kept(k, usual));
	kit_pass(k, MS);
	assert_false(is_kept(k, usual));
	kit_pass(k, 900 * SEC - MS);
	assert_true(is_kept(k, longer));
	kit_pass(k, MS);
	assert_false(is_kept(k, longer));
	assert_int_equal(k->r->counts.evicted, 3);
}

/* For want of room the oldest goes, whatever it asked for. */
static void test_the_oldest_goes_for_want_of_room(void **state)
{
	struct kit *k = *state;
	struct ulid ids[6];

	kit_free(k);
	*state = k = kit_new(few_results);
	for (int i = 0; i < 6; i++) {
		ids[i] = end_with_keep(k, i % 2 == 0 ? 900000 : 0)->id;
		k->now_ns += SEC;
		for (int n = 0; n <= i; n++)
			assert_int_equal(is_kept(k, ids[n]), n > i - 3);
	}
}

static void test_a_replay_is_kept_alike(void **state)
{
	struct kit *k = *state;
	struct ulid again;
	const struct task *t = end_with_keep(k, 90000);

	assert_int_equal(kit_step(k, &(struct router_event){ .kind = ROUTER_REPLAY,
					     .who = SPAN_LIT("t"),
					     .task = t->id,
					     .ret_task = &again }),
		0);
	assert_int_equal(tasks_find(&k->r->tasks, again)->keep_ns, 90 * SEC);
}

static int replay(struct kit *k, struct ulid task, struct fail *ret_why)
{
	struct ulid again;

	*ret_why = (struct fail){ 0 };
	return kit_step(k, &(struct router_event){ .kind = ROUTER_REPLAY,
				   .who = SPAN_LIT("t"),
				   .task = task,
				   .ret_task = &again,
				   .why = ret_why });
}

static void little(struct router_conf *conf)
{
	conf->of_tenant = (struct admit_limits){ .tasks = 4, .bytes = 1000 };
	conf->bodies_max = 2000;
}

static void test_a_replay_is_a_submit_too(void **state)
{
	struct kit *k;
	struct submit s = kit_task("util.echo");
	char body[400] = "";
	struct fail why;
	struct ulid large, small;

	kit_free(*state);
	*state = k = kit_new(little);
	s.body = span_of(body, sizeof body);
	kit_submit_as(k, "t", &s);
	large = k->reply.task;
	cancel(k, "t", large);
	s.body = span_of(body, 1);
	kit_submit_as(k, "t", &s);
	small = k->reply.task;
	cancel(k, "t", small);
	/* Two go into the tenant's bytes, and four of any length. */
	assert_int_equal(replay(k, large, &why), 0);
	assert_int_equal(replay(k, large, &why), 0);
	assert_int_equal(replay(k, large, &why), ERR_BUSY);
	assert_string_equal(why.field, "tenant.bytes");
	assert_true(why.retry_after_ms > 0);
	assert_int_equal(replay(k, small, &why), 0);
	assert_int_equal(replay(k, small, &why), 0);
	assert_int_equal(replay(k, small, &why), ERR_BUSY);
	assert_string_equal(why.field, "tenant.tasks");
	assert_int_equal(why.limit, 4);
	assert_int_equal(router_open(k->r), 4);
}

static void slowly(struct router_conf *conf)
{
	conf->of_tenant = (struct admit_limits){ .rate = 2, .burst = 1 };
	conf->tenants_max = 2;
}

/* Who is forgotten with its last task may not submit the faster for it. */
static void test_a_rate_outlives_the_last_task(void **state)
{
	struct kit *k;
	struct submit s = kit_task("util.echo");

	kit_free(*state);
	*state = k = kit_new(slowly);
	s.keep_ms = 1;
	for (int i = 0; i < 5; i++) {
		assert_non_null(kit_submit_as(k, "t", &s));
		cancel(k, "t", k->reply.task);
		kit_pass(k, 10 * MS);
		assert_null(tasks_find(&k->r->tasks, k->reply.task));
		refused(k, &s, ERR_BUSY, "tenant.rate");
		kit_pass(k, SEC);
	}
	/* It takes nobody's place for that longer than it must. */
	assert_non_null(kit_submit_as(k, "one", &s));
	assert_non_null(kit_submit_as(k, "two", &s));
}

static void test_too_many_nodes(void **state)
{
	struct kit *k = smaller(state);

	kit_offer(k, "a cpu");
	kit_offer(k, "b cpu");
	kit_offer(k, "c cpu");
	assert_int_equal(registry_find(&k->r->registry, SPAN_LIT("c")), NODE_NOBODY);
	assert_int_equal(k->r->counts.offers_refused, 1);
}

/* --- lack of memory ----------------------------------------------------------------------------- */

/* A life of tasks in all ways, under any failing request; the rules are checked after every step. */
static int whole_life(void *arg)
{
	struct router_conf conf;
	struct kit *k = arg;
	struct submit s = kit_task("llm.chat");

	router_conf_default(&conf);
	conf.settle_ns = 0;
	*k = (struct kit){ .now_ns = KIT_START_NS, .incarnation = 1, .out = k->out };
	k->r = router_new(&conf, k->now_ns);
	if (k->r == NULL)
		return ERR_NO_MEMORY;
	kit_offer(k, "c cpu kinds=task.split,text.extract,util.echo why=x model=y slots=3");
	s.key = SPAN_LIT("key");
	s.stream = SPAN_LIT("stream");
	kit_submit_as(k, "t", &s);
	if (k->reply.fail.code == 0)
		assert_non_null(tasks_find(&k->r->tasks, k->reply.task));
	else
		assert_int_equal(k->reply.fail.code, ERR_BUSY);
	for (uint32_t i = 0; i < k->r->tasks.slots.cap; i++) {
		struct task *t =
			slots_is_taken(&k->r->tasks.slots, i) ? tasks_at(&k->r->tasks, i) : NULL;

		if (t == NULL || t->state != STATE_ASSIGNED)
			continue;
		kit_up_from(k, "c",
			&(struct up){
				.kind = UP_PROGRESS,
				.task = t->id,
				.attempt = t->attempt,
				.note = SPAN_LIT("n"),
			});
		kit_done(k, t,
			SPAN_LIT("\x0a\x0e\x0a\x0ctext.extract\x0a\x0e\x0a\x0ctext."
				 "extract\x12\x0e\x0a\x0ctext.extract"));
	}
	s = kit_task("util.echo");
	for (int i = 0; i < 4; i++)
		kit_submit_as(k, "t", &s);
	kit_offer(k, "d cpu kinds=util.echo");
	k->incarnation = 2;
	kit_offer(k, "c cpu kinds=util.echo");
	kit_pass(k, 40 * SEC);
	kit_pass(k, 25 * 3600 * SEC);
	assert_int_equal(router_open(k->r), 0);
	router_free(k->r);
	return 0;
}

static void test_no_memory(void **state)
{
	struct kit *k = *state;

	router_free(k->r);
	assert_true(nth_alloc(whole_life, k) > 40);
	k->r = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_kind),
		TEST(test_item_that_breaks_a_limit),
		TEST(test_deadlines),
		TEST(test_default_deadlines),
		TEST(test_usage),
		TEST(test_idempotency),
		TEST(test_cancel_is_the_tenants),
		TEST(test_drain),
		TEST(test_too_many_tasks),
		TEST(test_too_many_tenants),
		TEST(test_results_are_kept_by_number_and_age),
		TEST(test_results_are_kept_by_bytes),
		TEST(test_a_task_is_kept_as_long_as_it_asks),
		TEST(test_the_oldest_goes_for_want_of_room),
		TEST(test_a_replay_is_kept_alike),
		TEST(test_a_rate_outlives_the_last_task),
		TEST(test_a_replay_is_a_submit_too),
		TEST(test_too_many_nodes),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("router_submit", tests, NULL, NULL);
}
