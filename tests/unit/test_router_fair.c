/* SPDX-License-Identifier: Apache-2.0
 *
 * Tenants beside each other on the router machine, under virtual time: what one does must not delay another.
 */
#include <stdio.h>

#include "tests/support/router_kit.h"
#include "tests/support/router_model.h"
#include "tests/support/test.h"

#define NODES 4
#define SLOTS 2

/* A mesh of nodes whose tasks take a time that a task's priority tells: so many milliseconds, plus one. */
struct mesh {
	struct kit *k;
	int64_t victim_worst_ns;
	unsigned victim_ended;
	int64_t busy_ns[4]; /* node time by tenant */
};

static const char *const tenants[] = { "a", "b", "c", "d" };

static void offer_all(struct kit *k, const char *kinds)
{
	for (int i = 0; i < NODES; i++) {
		char line[96];

		snprintf(line, sizeof line, "n%d cpu slots=%d kinds=%s", i, SLOTS, kinds);
		kit_offer(k, line);
	}
}

static struct task *hand_over(struct mesh *m, unsigned tenant, const char *kind)
{
	struct submit s = kit_task(kind);

	s.fast = true;
	return kit_submit_as(m->k, tenants[tenant], &s);
}

/* How long an attempt of this tenant's takes. */
static int64_t length(const int64_t *lengths, const struct mesh *m, const struct task *t)
{
	struct span name = router_tenant(m->k->r, t->tenant);

	return lengths[name.at[0] - 'a'];
}

/* End those attempts whose time has come. */
static void work(struct mesh *m, const int64_t *lengths)
{
	struct tasks *ts = &m->k->r->tasks;

	for (uint32_t i = 0; i < ts->slots.cap; i++) {
		struct task *t = slots_is_taken(&ts->slots, i) ? tasks_at(ts, i) : NULL;
		int64_t took;

		if (t == NULL || (t->state != STATE_ASSIGNED && t->state != STATE_RUNNING))
			continue;
		took = m->k->now_ns - t->assigned_ns;
		if (took < length(lengths, m, t))
			continue;
		m->busy_ns[router_tenant(m->k->r, t->tenant).at[0] - 'a'] += took;
		if (router_tenant(m->k->r, t->tenant).at[0] == 'b') {
			int64_t waited = m->k->now_ns - t->accepted_ns;

			m->victim_ended++;
			if (waited > m->victim_worst_ns)
				m->victim_worst_ns = waited;
		}
		kit_done(m->k, t, SPAN_LIT("x"));
		kit_look_away(m->k);
	}
}

static void run_for(struct mesh *m, const int64_t *lengths, int64_t ns, const char *kinds)
{
	for (int64_t end = m->k->now_ns + ns; m->k->now_ns < end;) {
		kit_pass(m->k, 5 * MS);
		work(m, lengths);
		if (m->k->now_ns / (5 * MS) % 400 == 0) /* every two seconds a sign of life */
			offer_all(m->k, kinds);
		kit_look_away(m->k);
	}
}

/* One hands over 600 tasks at once, the other one at a time: it waits for one slot, not for the 600. The kinds
 * are the same ones, or differ and only the nodes are the same. */
static void test_greedy_tenant(void **state)
{
	static const char *const greedy_kind[] = { "util.echo", "text.compress" };
	const int64_t lengths[] = { 50 * MS, 50 * MS, 0, 0 };

	for (size_t i = 0; i < ARRAY_LEN(greedy_kind); i++) {
		struct mesh m = { .k = *state };

		offer_all(m.k, "util.echo,text.compress");
		for (int n = 0; n < 600; n++)
			assert_non_null(hand_over(&m, 0, greedy_kind[i]));
		run_for(&m, lengths, SEC, "util.echo,text.compress");
		for (int n = 0; n < 20; n++) {
			hand_over(&m, 1, "util.echo");
			run_for(&m, lengths, 200 * MS, "util.echo,text.compress");
		}
		assert_int_equal(m.victim_ended, 20);
		/* Its own 50 ms, one task of the other's before it, and the steps of the clock. */
		assert_true(m.victim_worst_ns <= 50 * MS + 50 * MS + 15 * MS);
		run_for(&m, lengths, 4 * SEC, "util.echo,text.compress");
		assert_int_equal(router_open(m.k->r), 0);
	}
}

/* Node time is shared and not tasks: whose tasks take four times as long gets a quarter as many done. */
static void test_node_time_is_shared(void **state)
{
	const int64_t lengths[] = { 40 * MS, 160 * MS, 0, 0 };
	struct mesh m = { .k = *state };

	offer_all(m.k, "util.echo,text.compress");
	for (int i = 0; i < 1200; i++) {
		hand_over(&m, 0, "util.echo");
		hand_over(&m, 1, "text.compress");
	}
	run_for(&m, lengths, 10 * SEC, "util.echo,text.compress");
	assert_true(m.busy_ns[0] > 30 * SEC && m.busy_ns[1] > 30 * SEC);
	assert_in_range(m.busy_ns[0] * 100 / (m.busy_ns[0] + m.busy_ns[1]), 45, 55);
}

static const struct tenant_weight weights[] = { { "c", 3 }, { "d", 1 } };

static void with_weights(struct router_conf *conf)
{
	conf->weights = weights;
	conf->weights_n = ARRAY_LEN(weights);
}

static void test_weights(void **state)
{
	const int64_t lengths[] = { 50 * MS, 50 * MS, 50 * MS, 50 * MS };
	struct mesh m = { .k = kit_new(with_weights) };

	(void)state;
	offer_all(m.k, "util.echo");
	for (int i = 0; i < 1300; i++) {
		hand_over(&m, 2, "util.echo");
		hand_over(&m, 3, "util.echo");
	}
	run_for(&m, lengths, 10 * SEC, "util.echo");
	assert_in_range(m.busy_ns[2] * 100 / (m.busy_ns[2] + m.busy_ns[3]), 72, 78);
	kit_free(m.k);
}

/* Many tasks that nobody can do now, each with a need of its own, do not keep others from idle nodes. */
static void test_tasks_nobody_can_do(void **state)
{
	const int64_t lengths[] = { 50 * MS, 50 * MS, 0, 0 };
	struct mesh m = { .k = *state };
	struct submit s = kit_task("util.echo");

	kit_offer(m.k, "dear cpu slots=1 price=1000000 kinds=util.echo");
	for (int i = 0; i < 200; i++) {
		s.max_price_ucr = i;
		s.priority = 9;
		kit_submit_as(m.k, "a", &s);
	}
	s.max_price_ucr = 1000;
	s.priority = 0;
	for (int i = 0; i < 4; i++)
		kit_submit_as(m.k, "b", &s);
	kit_offer(m.k, "n0 cpu slots=4 price=1000 kinds=util.echo");
	run_for(&m, lengths, 60 * MS, "text.compress");
	assert_int_equal(m.victim_ended, 4);
}

/* --- limits --------------------------------------------------------------------------------------------- */

static void few(struct router_conf *conf)
{
	conf->tasks_max = 90;
	conf->bodies_max = 900;
	conf->of_tenant =
		(struct admit_limits){ .tasks = 50, .bytes = 400, .rate = 60, .burst = 60 };
}

static void assert_refused(struct mesh *m, unsigned tenant, struct span body, const char *field)
{
	struct submit s = kit_task("util.echo");

	s.body = body;
	assert_null(kit_submit_as(m->k, tenants[tenant], &s));
	assert_int_equal(m->k->reply.fail.code, ERR_BUSY);
	assert_string_equal(m->k->reply.fail.field, field);
	assert_true(m->k->reply.fail.retry_after_ms > 0);
}

static void test_limits_of_a_tenant(void **state)
{
	static const unsigned char zeros[401];
	struct mesh m = { .k = kit_new(few) };
	struct task *first;

	(void)state;
	first = hand_over(&m, 0, "util.echo");
	for (int i = 1; i < 50; i++)
		assert_non_null(hand_over(&m, 0, "util.echo"));
	assert_refused(&m, 0, SPAN_LIT(""), "tenant.tasks");
	assert_refused(&m, 1, span_of(zeros, 401), "tenant.bytes");
	for (int i = 0; i < 30; i++)
		assert_non_null(hand_over(&m, 1, "util.echo"));
	kit_step(m.k, &(struct router_event){ .kind = ROUTER_CANCEL,
			      .who = SPAN_LIT("a"),
			      .task = first->id });
	assert_non_null(hand_over(&m, 0, "util.echo"));
	kit_free(m.k);
}

static void test_rate_of_a_tenant(void **state)
{
	struct mesh m = { .k = kit_new(few) };
	unsigned refused = 0;

	(void)state;
	kit_offer(m.k, "n cpu slots=40 kinds=util.echo");
	for (int i = 0; i < 70; i++) {
		struct task *t = hand_over(&m, 0, "util.echo");

		refused += t == NULL;
		assert_true(t != NULL || strcmp(m.k->reply.fail.field, "tenant.rate") == 0);
		if (t != NULL)
			kit_done(m.k, t, SPAN_LIT("x"));
	}
	assert_int_equal(refused, 10);
	assert_non_null(hand_over(&m, 1, "util.echo"));
	kit_pass(m.k, 100 * MS);
	assert_non_null(hand_over(&m, 0, "util.echo"));
	kit_free(m.k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_greedy_tenant),
		TEST(test_node_time_is_shared),
		cmocka_unit_test(test_weights),
		TEST(test_tasks_nobody_can_do),
		cmocka_unit_test(test_limits_of_a_tenant),
		cmocka_unit_test(test_rate_of_a_tenant),
	};

	return cmocka_run_group_tests_name("router_fair", tests, NULL, NULL);
}
