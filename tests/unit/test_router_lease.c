/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases: reports and offers that come late, nodes that come back, and an outage in which nobody could be heard.
 */
#include "tests/support/core_rig.h"
#include "tests/support/router_kit.h"
#include "tests/support/test.h"

/* --- what waited on its way ----------------------------------------------------------------------------- */

static struct task *begin(struct kit *k)
{
	struct task *t;

	k->tells_time = true;
	kit_offer(k, "a cpu");
	t = kit_submit(k, "util.echo");
	kit_up(k, UP_ACCEPT, t);
	return t;
}

static void lists(struct kit *k, const struct task *t)
{
	kit_offer_running(k, "a cpu", &(struct attempt_ref){ .task = t->id, .attempt = 1 }, 1);
}

/* A report that comes behind the deadline, and before the tick that looks at it: nothing is tried again. */
static void test_failure_behind_the_deadline(void **state)
{
	struct kit *k = *state;

	for (int i = 0; i < 20; i++) {
		kit_offer(k, "a cpu slots=4");
		struct task *t = kit_submit(k, "util.echo");

		kit_up(k, UP_ACCEPT, t);
		k->now_ns = t->deadline_ns + i * SEC;
		kit_fails(k, t, ERR_IO);
		assert_int_equal(t->state, STATE_EXPIRED);
		assert_int_equal(kit_steps(t, STEP_FAILED, NULL), 1);
		assert_int_equal(kit_steps(t, STEP_RETRY, NULL), 0);
		assert_int_equal(kit_next(k, SAID_EVENT, EVENT_END)->code, ERR_EXPIRED);
	}
	/* What would fail everywhere says more. */
	kit_offer(k, "a cpu slots=4");
	struct task *t = kit_submit(k, "util.echo");

	k->now_ns = t->deadline_ns + 1;
	kit_fails(k, t, ERR_INVALID);
	assert_int_equal(t->state, STATE_FAILED);
}

/* The lease is renewed by what was, when it was. */
static void test_a_queued_offer_renews_from_when_it_left(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	kit_pass(k, 15 * SEC);
	k->delay_ns = 12 * SEC;
	lists(k, t);
	kit_pass(k, 17 * SEC);
	assert_int_equal(t->state, STATE_RUNNING);
	kit_pass(k, 2 * SEC);
	assert_int_equal(k->r->counts.lost, 1);
}

/* It never takes away what was renewed by something that left later. */
static void test_a_queued_offer_shortens_no_lease(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	kit_pass(k, 15 * SEC);
	kit_up(k, UP_PROGRESS, t);
	k->delay_ns = 14 * SEC;
	lists(k, t);
	kit_pass(k, 29 * SEC);
	assert_int_equal(t->state, STATE_RUNNING);
}

/* One that left before the attempt was given out cannot list it. */
static void test_a_queued_offer_loses_nothing(void **state)
{
	struct kit *k = *state;
	struct task *t;

	k->tells_time = true;
	kit_offer(k, "a cpu");
	kit_pass(k, 3 * SEC);
	t = kit_submit(k, "util.echo");
	kit_up(k, UP_ACCEPT, t);
	kit_pass(k, 5 * SEC);
	k->delay_ns = 6 * SEC;
	kit_offer(k, "a cpu");
	assert_int_equal(t->state, STATE_RUNNING);
	k->delay_ns = 0;
	kit_offer(k, "a cpu");
	assert_int_equal(k->r->counts.lost, 1);
}

/* What a dead node said while it lived does not make it live. */
static void test_old_offers_are_dropped(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);
	uint64_t stale = k->r->counts.stale;

	kit_pass(k, 16 * SEC);
	k->delay_ns = 16 * SEC;
	lists(k, t);
	kit_pass(k, 5 * SEC);
	lists(k, t);
	assert_int_equal(k->r->counts.stale, stale + 2);
	kit_pass(k, 9 * SEC);
	assert_int_equal(k->r->counts.lost, 1);
	assert_int_equal(t->state, STATE_QUEUED);
}

/* --- nodes that come back ------------------------------------------------------------------------------- */

static void test_who_is_back_within_the_lease_keeps_its_attempt(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	kit_offer(k, "b cpu"); /* who could have it */
	kit_pass(k, 29 * SEC);
	kit_look_away(k);
	lists(k, t);
	kit_pass(k, 29 * SEC);
	assert_true(kit_none(k, SAID_DOWN, DOWN_CANCEL));
	kit_done(k, t, SPAN_LIT("x"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_int_equal(t->attempt, 1);
	assert_int_equal(k->r->counts.lost, 0);
}

static void test_who_is_back_later_is_called_off(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	kit_pass(k, 30 * SEC);
	assert_int_equal(k->r->counts.lost, 1);
	kit_look_away(k);
	lists(k, t);
	assert_int_equal(kit_next(k, SAID_DOWN, DOWN_CANCEL)->attempt, 1);
	assert_int_equal(k->r->counts.lost, 1);
	assert_int_equal(t->tries, 1);
}

/* --- an outage ------------------------------------------------------------------------------------------- */

static void say_offer(struct core_rig *g, uint64_t seq, const struct attempt_ref *running)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct attempt_ref list = { .attempt = 0 };
	struct kind_offer kind = { .kind = SPAN_LIT("util.echo"), .ready = true };
	struct offer o = {
		.incarnation = 1,
		.seq = seq,
		.rung = RUNG_CPU,
		.kinds = &kind,
		.kinds_n = 1,
		.slots = 4,
		.health = 1000,
		.running = &list,
	};

	if (running != NULL) {
		list = *running;
		o.running_n = 1;
	}
	buf_init(&b, 4096);
	ups_put(&b, &(struct up){ .kind = UP_OFFER, .offer = &o });
	core_say(g, "spu.up.n0", NULL, buf_span(&b));
}

static struct ulid submit(struct core_rig *g)
{
	struct submit s = { .kind = SPAN_LIT("util.echo") };
	struct submit_reply r;

	say_offer(g, 1, NULL);
	r = core_submit(g, "t", &s);
	assert_int_equal(r.fail.code, 0);
	return r.task;
}

/* So long, second by second. */
static void pass(struct core_rig *g, int64_t ns)
{
	for (; ns > 0; ns -= SEC) {
		g->now_ns += SEC;
		core_pump(g);
	}
}

static const struct task *find(struct core_rig *g, struct ulid id)
{
	return router_task(router_core_machine(g->core), SPAN_LIT("t"), false, id);
}

static void outage(struct core_rig *g, int64_t ns)
{
	pass(g, 3 * SEC);
	router_core_bus(g->core, BUS_LOST);
	pass(g, ns);
	assert_true(router_core_wake(g->core) == INT64_MAX); /* nothing falls due meanwhile */
	router_core_bus(g->core, BUS_UP);
	pass(g, 3 * SEC);
}

/* Those who held on have lost nothing. */
static void test_an_outage_takes_nothing_away(void **state)
{
	struct core_rig *g = *state;
	struct ulid id = submit(g);
	const struct router_counts *n = router_counts(router_core_machine(g->core));

	outage(g, 3600 * SEC);
	assert_int_equal(find(g, id)->state, STATE_ASSIGNED);
	say_offer(g, 2, &(struct attempt_ref){ .task = id, .attempt = 1 });
	pass(g, 29 * SEC);
	assert_int_equal(n->lost, 0);
	/* and from now on silence is the node's own */
	pass(g, SEC);
	assert_int_equal(n->lost, 1);
	assert_int_equal(find(g, id)->tries, 1);
}

/* Nodes stop what they do not hear of for a lease: neither the task nor the node pays for that. */
static void test_an_outage_punishes_nobody(void **state)
{
	struct core_rig *g = *state;
	struct ulid id = submit(g);
	const struct task *t;
	const struct node *n;

	outage(g, 60 * SEC);
	say_offer(g, 2, NULL);
	t = find(g, id);
	assert_int_equal(t->tries, 0);
	assert_int_equal(t->avoid_n, 0);
	n = registry_node(router_registry(router_core_machine(g->core)), 0);
	assert_int_equal(n->lost, 0);
	assert_int_equal(n->load.bad_milli, 0);
	pass(g, 2 * SEC);
	assert_int_equal(t->attempt, 2);
	/* this one was begun after it */
	pass(g, 3 * SEC);
	say_offer(g, 3, NULL);
	assert_int_equal(find(g, id)->tries, 1);
	assert_int_equal(n->lost, 1);
}

/* What was begun before, for a lease. */
static void test_how_long_nobody_is_to_blame(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	kit_pass(k, SEC);
	kit_step(k, &(struct router_event){ .kind = ROUTER_BACK });
	assert_true(report_is_blameless(k->r, t->assigned_ns));
	assert_true(report_is_blameless(k->r, k->now_ns));
	kit_pass(k, SEC);
	assert_false(report_is_blameless(k->r, k->now_ns));
	kit_pass(k, 28 * SEC);
	assert_true(report_is_blameless(k->r, t->assigned_ns));
	kit_pass(k, SEC);
	assert_false(report_is_blameless(k->r, t->assigned_ns));
}

/* A router that starts while there is no bus: what its journal tells of is not lost by waiting. */
static void test_a_start_without_a_bus(void **state)
{
	struct core_rig *g = *state;
	struct ulid id = submit(g);

	router_core_close(g->core);
	g->router_bus->state = BUS_LOST;
	core_open(g);
	pass(g, 600 * SEC);
	g->router_bus->state = BUS_UP;
	router_core_bus(g->core, BUS_UP);
	say_offer(g, 2, &(struct attempt_ref){ .task = id, .attempt = 1 });
	pass(g, 20 * SEC);
	assert_int_equal(find(g, id)->state, STATE_ASSIGNED);
	assert_int_equal(find(g, id)->attempt, 1);
}

int main(void)
{
#define KIT(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
#define CORE(f) cmocka_unit_test_setup_teardown(f, core_set_up, core_tear_down)
	const struct CMUnitTest tests[] = {
		KIT(test_failure_behind_the_deadline),
		KIT(test_a_queued_offer_renews_from_when_it_left),
		KIT(test_a_queued_offer_shortens_no_lease),
		KIT(test_a_queued_offer_loses_nothing),
		KIT(test_old_offers_are_dropped),
		KIT(test_who_is_back_within_the_lease_keeps_its_attempt),
		KIT(test_who_is_back_later_is_called_off),
		CORE(test_an_outage_takes_nothing_away),
		CORE(test_an_outage_punishes_nobody),
		KIT(test_how_long_nobody_is_to_blame),
		CORE(test_a_start_without_a_bus),
	};

	return cmocka_run_group_tests_name("router lease", tests, NULL, NULL);
}
