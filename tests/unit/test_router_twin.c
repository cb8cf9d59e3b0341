/* SPDX-License-Identifier: Apache-2.0
 *
 * Two attempts of one task: what becomes of them, whatever happens to either.
 */
#include <stdio.h>

#include "tests/support/test.h"
#include "tests/support/twins.h"
#include "wire/journal.h"

/* --- what becomes of the two ----------------------------------------------------------------------- */

static void test_the_twin_wins(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	char node[KIT_TEXT];
	struct explain_note note;

	snprintf(node, sizeof node, "%s", kit_node(k, t));
	kit_look_away(k);
	twins_up(k, t, UP_ACCEPT, 0);
	assert_true(kit_none(k, SAID_EVENT, EVENT_CHANGE));
	twins_up(k, t, UP_DONE, 0);
	twins_called_back(k, node, 1);
	const struct kit_said *end = kit_next(k, SAID_EVENT, EVENT_END);

	assert_int_equal(end->state, STATE_SUCCEEDED);
	assert_int_equal(t->attempt, 2);
	assert_int_equal(t->attempts, 2);
	assert_true(span_is(router_node_name(k->r, t), twins_other(node)));
	assert_int_equal(k->r->counts.twins_won, 1);
	assert_int_equal(kit_steps(t, STEP_OUTRUN, &note), 1);
	assert_int_equal(note.attempt, 1);
	/* It is known as slow now. */
	const struct node *n =
		registry_node(&k->r->registry, registry_find(&k->r->registry, span_str(node)));

	assert_true(n->kinds[0].seen_us > 100000);
	/* What it says now is stale, and the task stays as it ended. */
	uint64_t stale = k->r->counts.stale;

	kit_up_from(k, node, &(struct up){ .kind = UP_DONE, .task = t->id, .attempt = 1 });
	assert_int_equal(k->r->counts.stale, stale + 1);
	assert_true(kit_none(k, SAID_EVENT, EVENT_END));
}

static void test_the_first_wins(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	struct explain_note note;

	kit_look_away(k);
	kit_done(k, t, (struct span){ NULL, 0 });
	twins_called_back(k, twins_other(span_is(router_node_name(k->r, t), "a") ? "a" : "b"), 2);
	assert_int_equal(kit_next(k, SAID_EVENT, EVENT_END)->state, STATE_SUCCEEDED);
	assert_int_equal(t->attempt, 1);
	assert_int_equal(k->r->counts.twins_won, 0);
	assert_int_equal(kit_steps(t, STEP_OUTRUN, &note), 1);
	assert_int_equal(note.attempt, 2);
	assert_null(t->twin);
}

/* A second attempt that ended with the first one's first chunk was given out, but the stream is not its. */
static void test_the_end_says_whose_chunks_are(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	const struct up chunk = { .kind = UP_CHUNK,
		.task = t->id,
		.attempt = t->attempt,
		.chunk_seq = 1,
		.data = SPAN_LIT("data") };
	struct result end;

	kit_up_from(k, kit_node(k, t), &chunk);
	assert_null(t->twin);
	kit_done(k, t, SPAN_LIT("body"));
	finish_result(k->r, t, &end);
	assert_int_equal(end.state, STATE_SUCCEEDED);
	assert_int_equal(end.chunks, 1);
	assert_int_equal(end.attempt, 1);
	assert_int_equal(end.attempts, 2);
}

/* Progress comes from the current attempt alone; the twin's counts once it is current. */
static void test_progress_of_one(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	struct up u = { .kind = UP_PROGRESS, .task = t->id, .attempt = 2, .permille = 700 };

	kit_look_away(k);
	kit_up_from(k, twins_node(k, t), &u);
	assert_true(kit_none(k, SAID_EVENT, EVENT_PROGRESS));
	assert_int_equal(t->permille, 0);
	kit_fails(k, t, ERR_IO);
	assert_int_equal(t->permille, 700);
	kit_up_from(k, kit_node(k, t), &u);
	assert_false(kit_none(k, SAID_EVENT, EVENT_PROGRESS));
}

static void test_the_first_fails(void **state)
{
	static const int codes[] = { ERR_IO, ERR_LOST, ERR_DEVICE, ERR_UNSUPPORTED, ERR_BUG };
	struct kit *k = *state;

	for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
		struct task *t = twins_task(k);
		const char *twin = twins_node(k, t);

		kit_look_away(k);
		kit_fails(k, t, codes[i]);
		assert_null(t->twin);
		assert_int_equal(t->state, STATE_ASSIGNED); /* the twin was not accepted yet */
		assert_int_equal(t->attempt, 2);
		assert_string_equal(kit_node(k, t), twin);
		assert_true(kit_none(k, SAID_DOWN, DOWN_ASSIGN));
		assert_int_equal(kit_next(k, SAID_EVENT, EVENT_CHANGE)->attempt, 2);
		assert_int_equal(t->tries, 1);
		assert_int_equal(kit_steps(t, STEP_TWIN, NULL), 2);
		kit_up(k, UP_ACCEPT, t);
		assert_int_equal(t->state, STATE_RUNNING);
		kit_done(k, t, (struct span){ NULL, 0 });
		assert_int_equal(t->state, STATE_SUCCEEDED);
	}
}

/* What would fail again everywhere ends the task, the twin too. */
static void test_fault_of_the_client(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	const char *twin = twins_node(k, t);

	kit_look_away(k);
	kit_fails(k, t, ERR_INVALID);
	assert_int_equal(t->state, STATE_FAILED);
	twins_called_back(k, twin, 2);
}

static void test_the_first_is_lost(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);
	const char *twin = twins_node(k, t);

	/* The twin's node speaks, that of the first does not, until its lease is over. */
	for (int i = 0; i < 30; i++) {
		kit_pass(k, SEC);
		if (t->twin != NULL)
			twins_up(k, t, UP_PROGRESS, 0);
		else
			kit_up(k, UP_PROGRESS, t);
	}
	assert_null(t->twin);
	assert_string_equal(kit_node(k, t), twin);
	assert_int_equal(t->state, STATE_RUNNING);
	assert_int_equal(kit_steps(t, STEP_LOST, NULL), 1);
	assert_int_equal(t->attempts, 2);
}

static void test_the_first_is_refused(void **state)
{
	struct kit *k = *state;
	struct task *t;

	twins_know(k);
	t = kit_submit(k, "util.echo");
	kit_pass(k, TWINS_AGE + SEC);
	kit_refuses(k, t, ERR_BUSY, 0); /* that was long on its way */
	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_int_equal(t->attempt, 2);
	assert_int_equal(t->tries, 0);
}

/* Its node says goodbye before it began. */
static void test_the_first_never_began(void **state)
{
	struct kit *k = *state;
	struct task *t;

	twins_know(k);
	t = kit_submit(k, "util.echo");
	kit_pass(k, TWINS_AGE + SEC);
	kit_up_from(k, kit_node(k, t),
		&(struct up){ .kind = UP_BYE, .incarnation = k->incarnation });
	assert_int_equal(t->state, STATE_ASSIGNED);
	assert_int_equal(t->attempt, 2);
	assert_null(t->twin);
}

/* The twin goes; the first goes on, and may get one more. */
static void twin_goes(struct kit *k, void (*how)(struct kit *k, struct task *t))
{
	struct task *t = twins_task(k);
	const char *node = kit_node(k, t);

	kit_look_away(k);
	how(k, t);
	assert_null(t->twin);
	assert_int_equal(t->state, STATE_RUNNING);
	assert_int_equal(t->attempt, 1);
	assert_string_equal(kit_node(k, t), node);
	assert_true(kit_none(k, SAID_EVENT, EVENT_CHANGE));
	assert_int_equal(t->tries, 0);
	kit_offer(k, "c cpu slots=4");
	kit_pass(k, SEC);
	assert_non_null(t->twin);
	assert_string_equal(twins_node(k, t), "c");
	kit_up_from(k, "c", &(struct up){ .kind = UP_FAILED, .task = t->id, .attempt = 3 });
	kit_offer(k, "d cpu slots=4");
	kit_pass(k, SEC);
	assert_null(t->twin); /* two in its life */
	kit_done(k, t, (struct span){ NULL, 0 });
	assert_int_equal(t->state, STATE_SUCCEEDED);
}

static void fails(struct kit *k, struct task *t)
{
	twins_up(k, t, UP_FAILED, ERR_IO);
	assert_int_equal(kit_steps(t, STEP_FAILED, NULL), 1);
}

static void refuses(struct kit *k, struct task *t)
{
	const struct node *n = registry_node(&k->r->registry, t->twin->node);

	twins_up(k, t, UP_REFUSE, ERR_BUSY);
	assert_int_equal(kit_steps(t, STEP_REFUSED, NULL), 1);
	assert_int_equal(n->fit, FIT_ABLE);
}

static void refuses_for_good(struct kit *k, struct task *t)
{
	uint32_t node = t->twin->node;

	twins_up(k, t, UP_REFUSE, ERR_DEVICE);
	assert_int_equal(t->avoid_n, 1);
	assert_int_equal(t->avoid[0], node);
}

static void is_not_listed(struct kit *k, struct task *t)
{
	char line[32];

	kit_pass(k, 3 * SEC);
	assert_non_null(t->twin);
	snprintf(line, sizeof line, "%s cpu slots=4", twins_node(k, t));
	kit_offer(k, line);
	assert_int_equal(kit_steps(t, STEP_LOST, NULL), 1);
}

static void node_says_goodbye(struct kit *k, struct task *t)
{
	kit_up_from(k, twins_node(k, t),
		&(struct up){ .kind = UP_BYE, .incarnation = k->incarnation });
	assert_int_equal(kit_steps(t, STEP_LOST, NULL), 1);
}

static void node_is_restarted(struct kit *k, struct task *t)
{
	char line[32];

	snprintf(line, sizeof line, "%s cpu slots=4 draining", twins_node(k, t));
	k->incarnation++;
	kit_offer(k, line);
	k->incarnation--;
	assert_int_equal(kit_steps(t, STEP_LOST, NULL), 1);
}

static void node_is_silent(struct kit *k, struct task *t)
{
	for (int i = 0; i < 30; i++) {
		kit_pass(k, SEC);
		kit_up(k, UP_PROGRESS, t);
	}
	kit_look_away(k);
	assert_int_equal(kit_steps(t, STEP_LOST, NULL), 1);
}

static void test_the_twin_goes(void **state)
{
	static void (*const hows[])(struct kit * k, struct task * t) = { fails, refuses,
		refuses_for_good, is_not_listed, node_says_goodbye, node_is_restarted,
		node_is_silent };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(hows); i++) {
		struct kit *k = kit_new(NULL);

		twin_goes(k, hows[i]);
		kit_free(k);
	}
}

/* Its lease is extended by any word, also by a place in the list of an offer. */
static void test_the_twin_is_listed(void **state)
{
	struct kit *k = *state;
	struct task *t = twins_task(k);

	for (int i = 0; i < 9; i++) {
		struct attempt_ref first = { .task = t->id, .attempt = 1 },
				   second = { .task = t->id, .attempt = 2 };
		bool on_a = strcmp(kit_node(k, t), "a") == 0;

		kit_pass(k, 5 * SEC);
		kit_offer_running(k, "a cpu slots=4", on_a ? &first : &second, 1);
		kit_offer_running(k, "b cpu slots=4", on_a ? &second : &first, 1);
	}
	assert_non_null(t->twin);
	assert_int_equal(t->attempt, 1);
	assert_int_equal(k->r->counts.stale, 0);
}

static void test_ends_of_the_task_end_both(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("util.echo");

	struct task *t = twins_task(k);
	const char *node = kit_node(k, t);

	kit_look_away(k);
	assert_int_equal(kit_step(k, &(struct router_event){ .kind = ROUTER_CANCEL,
					     .who = SPAN_LIT("t"),
					     .task = t->id }),
		0);
	assert_int_equal(t->state, STATE_CANCELLED);
	twins_called_back(k, twins_other(node), 2);
	twins_called_back(k, node, 1);
	assert_int_equal(kit_steps(t, STEP_OUTRUN, NULL), 0);

	twins_know(k);
	s.deadline_ms = (k->now_ns + 5 * SEC) / MS;
	t = kit_submit_as(k, "t", &s);
	node = kit_node(k, t);
	kit_pass(k, 4 * SEC);
	assert_non_null(t->twin);
	kit_look_away(k);
	kit_pass(k, 2 * SEC);
	assert_int_equal(t->state, STATE_EXPIRED);
	twins_called_back(k, twins_other(node), 2);
	twins_called_back(k, node, 1);
}

/* --- a new router, and little memory ----------------------------------------------------------------- */

static void test_a_new_router_knows_both(void **state)
{
	struct kit *k = *state;

	kit_keep(k);
	for (int i = 0; i < 3; i++) {
		struct task *t = twins_task(k);
		char first[KIT_TEXT];
		struct ulid id = t->id;

		if (i > 0)
			twins_up(k, t, UP_ACCEPT, 0);
		snprintf(first, sizeof first, "%s", kit_node(k, t));
		kit_restart(k);
		t = tasks_find(&k->r->tasks, id);
		assert_non_null(t->twin);
		assert_int_equal(t->twins, 1);
		assert_string_equal(kit_node(k, t), first);
		assert_string_equal(twins_node(k, t), twins_other(first));
		twins_offer(k);
		kit_look_away(k);
		if (i == 1) { /* the first is lost, the twin goes on as accepted */
			kit_fails(k, t, ERR_IO);
			assert_int_equal(t->state, STATE_RUNNING);
			kit_restart(k);
			t = tasks_find(&k->r->tasks, id);
			assert_null(t->twin);
			assert_int_equal(t->attempt, 2);
			kit_done(k, t, (struct span){ NULL, 0 });
		} else {
			twins_up(k, t, UP_DONE, 0);
			twins_called_back(k, first, 1);
		}
		assert_int_equal(t->state, STATE_SUCCEEDED);
		assert_int_equal(router_open(k->r), 0);
	}
}

/* Rows that no router wrote. */
static void test_rows_that_cannot_be(void **state)
{
	struct kit *k = *state;
	struct task *t;
	struct router *r;
	struct arena a;
	struct task_state s;
	struct fail why = { 0 };
	struct journal_image image;
	CLEANUP(buf_done) struct buf b = { 0 };

	kit_keep(k);
	t = twins_task(k);
	image = k->images.of[t->row];
	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	assert_int_equal(task_state_decode(&a, image.state, &s, &why), 0);
	assert_int_equal(s.twin.attempt, 2);
	assert_true(span_is(s.twin.node, twins_node(k, t)));
	r = router_new(&k->conf, k->now_ns);
	for (int i = 0; i < 2; i++) {
		struct task_state bad = s;

		if (i == 0)
			bad.state = STATE_QUEUED;
		else
			bad.twin.attempt = bad.attempt;
		buf_reset(&b);
		task_state_put(&b, &bad);
		image.state = buf_span(&b);
		assert_int_equal(router_restore(r, &image, &why), ERR_INVALID);
		assert_string_equal(why.field, "twin");
	}
	/* Both on the same node: one is enough. */
	s.twin.node = s.node;
	buf_reset(&b);
	task_state_put(&b, &s);
	image.state = buf_span(&b);
	assert_int_equal(router_restore(r, &image, &why), 0);
	router_resume(r, k->now_ns, &k->out);
	assert_null(tasks_find(&r->tasks, t->id)->twin);
	router_free(r);
	arena_done(&a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_twin_wins),
		TEST(test_the_first_wins),
		TEST(test_the_end_says_whose_chunks_are),
		TEST(test_progress_of_one),
		TEST(test_the_first_fails),
		TEST(test_fault_of_the_client),
		TEST(test_the_first_is_lost),
		TEST(test_the_first_is_refused),
		TEST(test_the_first_never_began),
		cmocka_unit_test(test_the_twin_goes),
		TEST(test_the_twin_is_listed),
		TEST(test_ends_of_the_task_end_both),
		TEST(test_a_new_router_knows_both),
		TEST(test_rows_that_cannot_be),
	};

	return cmocka_run_group_tests_name("router_twin", tests, NULL, NULL);
}
