/* SPDX-License-Identifier: Apache-2.0
 *
 * The queues of waiting tasks: the order within a tenant's lane, and whose turn it is between them.
 */
#include "router/wait.h"

#include "base/err.h"
#include "base/mem.h"
#include "tests/support/test.h"

#define WAITING 200
#define KINDS 3
#define TENANTS 5

struct rig {
	struct waits waits;
	struct tenants tenants;
	struct task tasks[WAITING];
	uint32_t tenant[TENANTS];
};

static int set_up(void **state)
{
	struct rig *g = mem_alloc(sizeof *g);

	assert_non_null(g);
	tenants_init(&g->tenants, TENANTS);
	for (uint32_t i = 0; i < TENANTS; i++)
		g->tenant[i] = tenants_need(&g->tenants, span_of("abcde" + i, 1), 0);
	*state = g;
	return waits_init(&g->waits, KINDS, WAITING);
}

static int tear_down(void **state)
{
	struct rig *g = *state;

	waits_done(&g->waits);
	tenants_done(&g->tenants);
	mem_free(g);
	return 0;
}

static struct task *make(struct rig *g, unsigned i, unsigned tenant, uint32_t kind)
{
	struct task *t = &g->tasks[i];

	*t = (struct task){
		.index = i,
		.kind = kind,
		.tenant = g->tenant[tenant],
		.ladder = { .n = 1, .rung = { RUNG_CPU } },
	};
	list_init(&t->queued);
	return t;
}

static struct task *push(struct rig *g, unsigned i, unsigned tenant, uint32_t kind)
{
	struct task *t = make(g, i, tenant, kind);

	assert_int_equal(wait_push(&g->waits, t, &g->tenants), 0);
	return t;
}

/* Serve the one whose turn it is; NULL if there is none. */
static struct task *serve(struct rig *g, int64_t us)
{
	struct lane *l = waits_turn(&g->waits);
	struct task *t = l == NULL ? NULL : lane_next(l);

	if (t == NULL)
		return NULL;
	wait_drop(&g->waits, t);
	waits_pay(&g->waits, tenant_at(&g->tenants, t->tenant), RUNG_CPU, us);
	return t;
}

/* --- within a lane --------------------------------------------------------------------------------------- */

/* The most urgent of the heads of the levels, the slow way. */
static struct task *model_next(struct task *tasks, uint32_t n, bool *taken)
{
	struct task *best = NULL;

	for (uint32_t p = 0; p <= LIMIT_PRIORITY; p++)
		for (uint32_t i = 0; i < n; i++) {
			struct task *t = &tasks[i];

			if (taken[i] || t->priority != p)
				continue;
			if (best == NULL || t->rung_ns - t->priority * WAIT_AGE_NS <
						    best->rung_ns - best->priority * WAIT_AGE_NS)
				best = t;
			break; /* only the head of a level counts */
		}
	if (best != NULL)
		taken[best->index] = true;
	return best;
}

static void the_most_urgent_goes_first(void **state)
{
	struct rig *g = *state;
	struct prng p;

	rand_start(&p);
	for (int round = 0; round < 50; round++) {
		bool taken[WAITING] = { false };
		uint32_t n = 1 + (uint32_t)prng_below(&p, WAITING);
		struct lane *l;
		struct task *t;

		for (uint32_t i = 0; i < n; i++) {
			t = make(g, i, 0, 1);
			t->priority = (uint8_t)prng_below(&p, WAIT_LEVELS);
			t->rung_ns = (int64_t)i * WAIT_AGE_NS / 20;
			assert_int_equal(wait_push(&g->waits, t, &g->tenants), 0);
		}
		l = waits_turn(&g->waits);
		while ((t = lane_next(l)) != NULL) {
			assert_ptr_equal(t, model_next(g->tasks, n, taken));
			if (prng_chance(&p, 1, 2))
				wait_drop(&g->waits, t);
		}
		assert_null(model_next(g->tasks, n, taken));
		for (uint32_t i = 0; i < n; i++)
			wait_drop(&g->waits, &g->tasks[i]);
		assert_null(waits_turn(&g->waits));
		assert_int_equal(g->waits.lanes.used, 0);
	}
}

/* Whatever leaves during a look, nobody is given who has left, and nobody is left out who stays. */
static void tasks_may_leave_during_a_look(void **state)
{
	struct rig *g = *state;
	struct prng p;

	rand_start(&p);
	for (int round = 0; round < 200; round++) {
		bool seen[WAITING] = { false }, stays[WAITING];
		struct lane *l;
		struct task *t;

		for (unsigned i = 0; i < WAITING; i++) {
			t = make(g, i, 0, 0);
			t->priority = (uint8_t)prng_below(&p, 3);
			t->rung_ns = i;
			stays[i] = true;
			assert_int_equal(wait_push(&g->waits, t, &g->tenants), 0);
		}
		l = waits_turn(&g->waits);
		while (l->n > 0 && (t = lane_next(l)) != NULL) {
			unsigned gone = (unsigned)prng_below(&p, WAITING);

			assert_true(stays[t->index] && !seen[t->index]);
			seen[t->index] = true;
			wait_drop(&g->waits, &g->tasks[gone]);
			stays[gone] = false;
		}
		for (unsigned i = 0; i < WAITING; i++) {
			assert_true(seen[i] || !stays[i]);
			wait_drop(&g->waits, &g->tasks[i]);
		}
		assert_null(waits_turn(&g->waits));
	}
}

static void waiting_twice_is_refused(void **state)
{
	struct rig *g = *state;
	struct task *t = push(g, 0, 0, 0);

	expect_assert_failure(assert_int_equal(wait_push(&g->waits, t, &g->tenants), 0));
	wait_drop(&g->waits, t);
	wait_drop(&g->waits, t);
	t->priority = WAIT_LEVELS;
	expect_assert_failure(assert_int_equal(wait_push(&g->waits, t, &g->tenants), 0));
}

/* --- between lanes ---------------------------------------------------------------------------------------- */

static void a_greedy_tenant_does_not_hold_up_another(void **state)
{
	struct rig *g = *state;
	unsigned until = 0;

	for (unsigned i = 0; i < WAITING - 1; i++)
		push(g, i, 0, 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(serve(g, SHARE_QUANTUM_US)->tenant, g->tenant[0]);
	push(g, WAITING - 1, 1, 0);
	while (serve(g, SHARE_QUANTUM_US)->tenant == g->tenant[0])
		until++;
	assert_true(until <= 1);
}

/* One tenant wants one kind, another one another kind, of the same nodes. */
static void queues_of_a_class_share_one_standing(void **state)
{
	struct rig *g = *state;
	unsigned got[2] = { 0 };

	for (unsigned i = 0; i < 150; i++)
		push(g, i, 0, 0);
	for (unsigned i = 150; i < 200; i++)
		push(g, i, 1, 2);
	for (unsigned i = 0; i < 80; i++)
		got[serve(g, SHARE_QUANTUM_US)->tenant == g->tenant[1]]++;
	assert_int_equal(got[0], 40);
	assert_int_equal(got[1], 40);
}

static void weights_are_kept(void **state)
{
	struct rig *g = *state;
	unsigned got[2] = { 0 };

	share_init(&tenant_at(&g->tenants, g->tenant[1])->of[RUNG_CPU].share, 3);
	for (unsigned i = 0; i < 60; i++)
		push(g, i, 0, 0);
	for (unsigned i = 60; i < WAITING; i++)
		push(g, i, 1, 0);
	for (unsigned i = 0; i < 120; i++)
		got[serve(g, SHARE_QUANTUM_US)->tenant == g->tenant[1]]++;
	assert_int_equal(got[0], 30);
	assert_int_equal(got[1], 90);
}

/* Who paid too much in advance stands further ahead when it comes back. */
static void what_is_given_back_moves_the_lane(void **state)
{
	struct rig *g = *state;

	push(g, 0, 0, 0);
	push(g, 1, 0, 0);
	push(g, 2, 1, 0);
	push(g, 3, 1, 0);
	assert_int_equal(serve(g, 100 * SHARE_QUANTUM_US)->index, 0);
	assert_int_equal(serve(g, 2 * SHARE_QUANTUM_US)->index, 2);
	waits_give_back(&g->waits, tenant_at(&g->tenants, g->tenant[0]), RUNG_CPU,
		100 * SHARE_QUANTUM_US);
	assert_int_equal(serve(g, 1)->index, 1);
}

/* Who cannot use its turn lets the others go by, and is looked at again. */
static void one_that_cannot_be_served_is_passed_by(void **state)
{
	struct rig *g = *state;
	struct lane *l;

	push(g, 0, 0, 0);
	push(g, 1, 1, 0);
	l = waits_turn(&g->waits);
	assert_int_equal(lane_next(l)->index, 0);
	lane_pass(&g->waits, l, true);
	assert_int_equal(serve(g, 1)->index, 1);
	assert_null(waits_turn(&g->waits));
	push(g, 2, 1, 0);
	assert_int_equal(serve(g, 1)->index, 2);
	l = waits_turn(&g->waits);
	assert_int_equal(lane_next(l)->index, 0);
	assert_null(lane_next(l));
}

static void what_comes_during_a_look_is_looked_at(void **state)
{
	struct rig *g = *state;
	struct lane *l;

	push(g, 0, 0, 0);
	l = waits_turn(&g->waits);
	assert_int_equal(lane_next(l)->index, 0);
	assert_null(lane_next(l));
	lane_pass(&g->waits, l, false);
	push(g, 1, 0, 0);
	l = waits_turn(&g->waits);
	assert_int_equal(lane_next(l)->index, 0);
	assert_int_equal(lane_next(l)->index, 1);
	wait_rest(l->wait);
	assert_null(waits_turn(&g->waits));
	waits_touch(&g->waits, 0, RUNG_CPU);
	assert_non_null(waits_turn(&g->waits));
}

/* All sorts of deeds: in the end all were served once, and nothing is left. */
static void nothing_is_lost(void **state)
{
	struct rig *g = *state;
	struct prng p;

	rand_start(&p);
	for (int round = 0; round < 100; round++) {
		unsigned pushed = 0, served = 0;

		while (served < WAITING) {
			struct lane *l;

			if (pushed < WAITING && prng_chance(&p, 1, 2))
				push(g, pushed++, (unsigned)prng_below(&p, TENANTS),
					(uint32_t)prng_below(&p, KINDS));
			if (prng_chance(&p, 1, 4) && (l = waits_turn(&g->waits)) != NULL)
				lane_pass(&g->waits, l, prng_chance(&p, 1, 2));
			if (prng_chance(&p, 1, 4))
				waits_touch_all(&g->waits);
			if (prng_chance(&p, 1, 3) && serve(g, (int64_t)prng_below(&p, 50000)))
				served++;
		}
		assert_null(waits_turn(&g->waits));
		assert_int_equal(g->waits.lanes.used, 0);
	}
}

static void without_memory_it_does_not_wait(void **state)
{
	struct rig *g = *state;

	for (unsigned n = 1; n <= 4; n++) {
		struct task *t = make(g, 0, 0, 1);
		int err;

		mem_fail_at(n, n % 2 == 0);
		err = wait_push(&g->waits, t, &g->tenants);
		mem_fail_at(0, 0);
		assert_true(err == 0 || err == ERR_NO_MEMORY);
		assert_int_equal(t->lane != NULL, err == 0);
		wait_drop(&g->waits, t);
		assert_null(waits_turn(&g->waits));
		assert_int_equal(g->waits.lanes.used, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_most_urgent_goes_first),
		TEST(tasks_may_leave_during_a_look),
		TEST(waiting_twice_is_refused),
		TEST(a_greedy_tenant_does_not_hold_up_another),
		TEST(queues_of_a_class_share_one_standing),
		TEST(weights_are_kept),
		TEST(what_is_given_back_moves_the_lane),
		TEST(one_that_cannot_be_served_is_passed_by),
		TEST(what_comes_during_a_look_is_looked_at),
		TEST(nothing_is_lost),
		TEST(without_memory_it_does_not_wait),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
