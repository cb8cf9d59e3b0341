/* SPDX-License-Identifier: Apache-2.0
 *
 * The split rung: a plan, its parts, their join, and every way in which one of them can go wrong.
 */
#include "tests/support/router_kit.h"
#include "tests/support/test.h"
#include "wire/body.h"

#define WORKER "c cpu kinds=task.split,text.extract,task.reduce slots=16"

/* The open child in this role with this number, or NULL. */
static struct task *child(struct kit *k, const struct task *parent, enum task_role role,
	uint32_t part)
{
	for (uint32_t i = 0; i < k->r->tasks.slots.cap; i++) {
		struct task *t =
			slots_is_taken(&k->r->tasks.slots, i) ? tasks_at(&k->r->tasks, i) : NULL;

		if (t != NULL && t->parent == parent->index && t->role == role && t->part == part &&
			!state_is_final(t->state))
			return t;
	}
	return NULL;
}

/* A plan of n parts of a kind, and a join. */
static void put_plan(struct buf *b, size_t n, const char *kind, const char *join)
{
	struct part part = { .kind = span_str(kind) };

	buf_init(b, 1 << 20);
	for (size_t i = 0; i < n; i++)
		split_plan_put_part(b, &part);
	part.kind = span_str(join);
	split_plan_put_join(b, &part);
	assert_int_equal(buf_err(b), 0);
}

static void plan(struct kit *k, struct task *parent, size_t n, const char *kind, const char *join)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	put_plan(&b, n, kind, join);
	kit_done(k, child(k, parent, ROLE_PLAN, 0), buf_span(&b));
}

static struct task *begin(struct kit *k)
{
	struct task *t;

	kit_offer(k, WORKER);
	t = kit_submit(k, "llm.chat");
	assert_int_equal(t->state, STATE_SPLIT);
	assert_non_null(child(k, t, ROLE_PLAN, 0));
	return t;
}

static struct task *begin_parts(struct kit *k, size_t n)
{
	struct task *t = begin(k);

	plan(k, t, n, "text.extract", "task.reduce");
	return t;
}

/* The parts' results go into one body: the more there are, the less of each. */
static void test_room_for_results(void **state)
{
	struct kit *k = *state;
	static const struct {
		size_t parts;
		int room;
	} rows[] = { { 1, 458752 }, { 7, 65536 }, { 16, 28672 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct task *t;

		kit_look_away(k);
		t = begin_parts(k, rows[i].parts);
		assert_int_equal(kit_next(k, SAID_DOWN, DOWN_ASSIGN)->code, 0); /* the plan's */
		for (size_t n = 0; n < rows[i].parts; n++)
			assert_int_equal(kit_next(k, SAID_DOWN, DOWN_ASSIGN)->code, rows[i].room);
		while (t->split->parts_done < rows[i].parts)
			kit_done(k, child(k, t, ROLE_PART, t->split->parts_done), SPAN_LIT(""));
		kit_done(k, child(k, t, ROLE_JOIN, 0), SPAN_LIT(""));
	}
}

static void test_plan_parts_join(void **state)
{
	struct kit *k = *state;
	struct task *t = begin_parts(k, 3);

	assert_int_equal(t->split->parts_n, 3);
	for (uint32_t i = 3; i-- > 0;) {
		assert_int_equal(t->permille, (2 - i) * 1000 / 4);
		kit_done(k, child(k, t, ROLE_PART, i), SPAN_LIT(""));
	}
	struct task *join = child(k, t, ROLE_JOIN, 0);

	assert_non_null(join);
	assert_int_equal(t->state, STATE_SPLIT);
	kit_look_away(k);
	kit_done(k, join, SPAN_LIT("all"));
	assert_int_equal(t->state, STATE_SUCCEEDED);
	assert_true(span_is(span_of(t->result, t->result_len), "all"));
	assert_string_equal(kit_next(k, SAID_EVENT, EVENT_END)->text, "all");
	assert_true(kit_none(k, SAID_EVENT, EVENT_END)); /* parts tell nothing */
	assert_int_equal(router_open(k->r), 0);
	assert_int_equal(k->r->counts.succeeded, 1);
	assert_int_equal(kit_steps(t, STEP_SPLIT, NULL), 2);
	assert_int_equal(kit_steps(t, STEP_JOIN, NULL), 1);
}

/* One after the other, each child fails for good: the task then waits for a person. */
static void test_each_child_may_fail(void **state)
{
	struct kit *k = *state;

	for (int which = 0; which < 3; which++) {
		struct task *t = begin(k);
		struct task *victim = child(k, t, ROLE_PLAN, 0);

		if (which > 0) {
			plan(k, t, 2, "text.extract", "task.reduce");
			victim = child(k, t, ROLE_PART, 1);
		}
		if (which > 1) {
			kit_done(k, child(k, t, ROLE_PART, 0), SPAN_LIT(""));
			kit_done(k, child(k, t, ROLE_PART, 1), SPAN_LIT(""));
			victim = child(k, t, ROLE_JOIN, 0);
		}
		kit_fails(k, victim, ERR_INVALID);
		assert_int_equal(t->state, STATE_QUEUED);
		assert_int_equal(task_rung(t), RUNG_HUMAN);
		assert_int_equal(router_open(k->r), 1 + (uint32_t)which);
		assert_int_equal(registry_node(&k->r->registry, 0)->load.busy, 0);
	}
}

/* A task.map is its parts: it fails with them, and waits for a planner as a task waits for a node. */
/* A plan of n parts with so many units each, and a join of so many results at once. */
static struct task *begin_tree(struct kit *k, size_t n, uint32_t fan_in, uint64_t units)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct part part = { .kind = SPAN_LIT("text.extract"),
		.units = units,
		.unit = units > 0 ? SPAN_LIT("byte") : SPAN_LIT("") };
	struct task *t = kit_submit(k, "task.map");

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < n; i++)
		split_plan_put_part(&b, &part);
	part = (struct part){ .kind = SPAN_LIT("task.reduce"), .fan_in = fan_in };
	split_plan_put_join(&b, &part);
	kit_done(k, child(k, t, ROLE_PLAN, 0), buf_span(&b));
	return t;
}

/* Every part and inner join ends, in any order within its level; how many there were. */
static uint32_t end_parts(struct kit *k, struct task *t)
{
	uint32_t n = 0, permille = 0;

	while (child(k, t, ROLE_JOIN, 0) == NULL) {
		uint32_t end = t->split->parts_n;

		for (; n < end; n++)
			kit_done(k, child(k, t, ROLE_PART, n), SPAN_LIT(""));
		assert_true(t->permille >= permille && t->permille < 1000);
		permille = t->permille;
	}
	return n;
}

static void test_results_are_joined_in_a_tree(void **state)
{
	static const uint32_t rows[][4] = { /* parts, fan-in, with inner joins, steps of them */
		{ 1, 2, 1, 0 }, { 2, 2, 2, 0 }, { 3, 2, 5, 1 }, { 9, 3, 12, 1 }, { 10, 3, 16, 2 },
		{ 16, 2, 30, 3 }, { 7, 0, 7, 0 }, { 7, 7, 7, 0 }, { 7, 8, 7, 0 }
	};
	struct kit *k = *state;

	kit_offer(k, WORKER);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct task *t = begin_tree(k, rows[i][0], rows[i][1], 0);

		assert_int_equal(t->split->parts_n, rows[i][0]);
		assert_int_equal(end_parts(k, t), rows[i][2]);
		assert_int_equal(kit_steps(t, STEP_JOIN, NULL), rows[i][3] + 1);
		kit_done(k, child(k, t, ROLE_JOIN, 0), SPAN_LIT("all"));
		assert_int_equal(t->state, STATE_SUCCEEDED);
		assert_int_equal(router_open(k->r), 0);
	}
}

static void test_inner_join_may_fail(void **state)
{
	struct kit *k = *state;
	struct task *t;

	kit_offer(k, WORKER);
	t = begin_tree(k, 4, 2, 0);
	for (uint32_t i = 0; i < 4; i++)
		kit_done(k, child(k, t, ROLE_PART, i), SPAN_LIT(""));
	kit_done(k, child(k, t, ROLE_PART, 5), SPAN_LIT(""));
	kit_fails(k, child(k, t, ROLE_PART, 4), ERR_INVALID);
	assert_int_equal(t->state, STATE_FAILED);
	assert_int_equal(router_open(k->r), 0);
}

static void read_planner(struct kit *k, const struct task *t, struct arena *a, struct body *ret)
{
	const struct task *plan = child(k, t, ROLE_PLAN, 0);

	assert_int_equal(body_decode(a, span_of(plan->body, plan->body_len), ret, NULL), 0);
}

/* Does the last step of the split have these words? */
static bool says(const struct task *t, const char *words)
{
	struct explain_note note = { .reason = { 0 } };

	return kit_steps(t, STEP_SPLIT, &note) > 0 &&
	       memmem(note.reason.at, note.reason.len, words, strlen(words)) != NULL;
}

/* What parts took is told to the next plan of such work, and to no other. */
static void test_pace_is_learned(void **state)
{
	struct kit *k = *state;
	struct arena a;
	struct body body;
	struct task *t;

	arena_init(&a, 1 << 20);
	kit_offer(k, WORKER);
	t = begin_tree(k, 2, 0, 1000);
	assert_true(says(t, "not known yet"));
	assert_int_equal(end_parts(k, t), 2);
	assert_non_null(t->split->pace);
	kit_done(k, child(k, t, ROLE_JOIN, 0), SPAN_LIT("all"));
	assert_null(t->split->pace);
	t = kit_submit(k, "task.map");
	read_planner(k, t, &a, &body);
	assert_true(span_is(body_param(&body, "split.unit")->value, "byte"));
	assert_true(body_param(&body, "split.unit_ps")->value.at[0] != '0');
	assert_non_null(body_param(&body, "split.nodes"));
	t = kit_submit(k, "llm.chat");
	read_planner(k, t, &a, &body);
	assert_null(body_param(&body, "split.unit_ps"));
	t = begin_tree(k, 2, 0, 1000);
	assert_true(says(t, " ps before"));
	arena_done(&a);
}

static void test_map_ends_with_its_parts(void **state)
{
	struct kit *k = *state;
	struct task *t = kit_submit(k, "task.map");

	assert_int_equal(t->state, STATE_SPLIT);
	kit_offer(k, WORKER);
	kit_fails(k, child(k, t, ROLE_PLAN, 0), ERR_INVALID);
	assert_int_equal(t->state, STATE_FAILED);
	assert_int_equal(t->fail->code, ERR_INVALID);
	t = kit_submit(k, "task.map");
	plan(k, t, 2, "text.extract", "task.reduce");
	kit_fails(k, child(k, t, ROLE_PART, 1), ERR_INVALID);
	assert_int_equal(t->state, STATE_FAILED);
	assert_int_equal(router_open(k->r), 0);
	t = kit_submit(k, "task.map");
	plan(k, t, 1, "no.such.kind", "task.reduce");
	assert_int_equal(t->state, STATE_FAILED);
	assert_int_equal(t->fail->code, ERR_UNKNOWN);
	assert_int_equal(router_open(k->r), 0);
}

static void test_cancel_of_the_parent(void **state)
{
	struct kit *k = *state;
	struct task *t = begin_parts(k, 3);
	struct task *done = child(k, t, ROLE_PART, 0);

	kit_done(k, done, SPAN_LIT(""));
	kit_look_away(k);
	assert_int_equal(kit_step(k,
				 &(struct router_event){
					 .kind = ROUTER_CANCEL,
					 .who = SPAN_LIT("t"),
					 .task = t->id,
				 }),
		0);
	assert_int_equal(t->state, STATE_CANCELLED);
	assert_int_equal(router_open(k->r), 0);
	kit_next(k, SAID_DOWN, DOWN_CANCEL);
	kit_next(k, SAID_DOWN, DOWN_CANCEL);
	assert_true(kit_none(k, SAID_DOWN, DOWN_CANCEL));
	assert_int_equal(done->state, STATE_SUCCEEDED);
}

static void test_cancel_of_a_part(void **state)
{
	struct kit *k = *state;
	struct task *t = begin_parts(k, 3);
	struct task *part = child(k, t, ROLE_PART, 2);

	kit_step(k, &(struct router_event){
			    .kind = ROUTER_CANCEL,
			    .who = SPAN_LIT("t"),
			    .task = part->id,
		    });
	assert_int_equal(task_rung(t), RUNG_HUMAN);
	assert_int_equal(router_open(k->r), 1);
}

/* The deadline of all of them is one: the parent has expired, whoever is looked at first. */
static void test_expiry(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("llm.chat");
	struct task *spare[3];
	struct task *t;

	kit_offer(k, WORKER);
	for (int i = 0; i < 3; i++) /* so that the children's slots come before the parent's */
		spare[i] = kit_submit(k, "text.extract");
	s.allow = (struct ladder){ { RUNG_SPLIT }, 1 };
	s.deadline_ms = k->now_ns / MS + 5000;
	t = kit_submit_as(k, "t", &s);
	for (int i = 0; i < 3; i++)
		kit_done(k, spare[i], SPAN_LIT(""));
	k->r->conf.results_max = 0;
	kit_pass(k, 0);
	k->r->conf.results_max = 100;
	plan(k, t, 2, "text.extract", "task.reduce");
	assert_true(child(k, t, ROLE_PART, 0)->index < t->index);
	kit_pass(k, 4 * SEC);
	assert_int_equal(t->state, STATE_SPLIT);
	kit_pass(k, SEC);
	assert_int_equal(t->state, STATE_EXPIRED);
	assert_int_equal(t->fail->code, ERR_EXPIRED);
	assert_int_equal(router_open(k->r), 0);
}

static void gives_up(struct kit *k, struct span bytes)
{
	struct task *t = begin(k);

	kit_done(k, child(k, t, ROLE_PLAN, 0), bytes);
	assert_int_equal(task_rung(t), RUNG_HUMAN);
	assert_int_equal(t->state, STATE_QUEUED);
}

static void test_plans_that_cannot_be_used(void **state)
{
	struct kit *k = *state;
	static const struct {
		size_t n;
		const char *kind, *join;
	} plans[] = { { 0, "text.extract", "task.reduce" },
		{ LIMIT_PARTS + 1, "text.extract", "task.reduce" },
		{ 2, "no.such.kind", "task.reduce" } };

	gives_up(k, SPAN_LIT("\xff\xff garbage"));
	gives_up(k, SPAN_LIT(""));
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		put_plan(&b, plans[i].n, plans[i].kind, plans[i].join);
		gives_up(k, buf_span(&b));
	}
}

static void test_join_of_no_known_kind(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	plan(k, t, 1, "text.extract", "no.such.join");
	if (t->state == STATE_SPLIT)
		kit_done(k, child(k, t, ROLE_PART, 0), SPAN_LIT(""));
	assert_int_equal(task_rung(t), RUNG_HUMAN);
}

static void small(struct router_conf *conf)
{
	conf->tasks_max = 4;
}

static void test_no_room_for_parts(void **state)
{
	struct kit *k = *state;

	kit_free(k);
	*state = k = kit_new(small);
	struct task *t = begin(k);

	plan(k, t, 4, "text.extract", "task.reduce");
	assert_int_equal(task_rung(t), RUNG_HUMAN);
	assert_int_equal(router_open(k->r), 1);
}

static void test_results_too_large_to_join(void **state)
{
	static const unsigned char much[LIMIT_BODY_BYTES / 2 + 100];
	struct kit *k = *state;
	struct task *t = begin_parts(k, 2);

	kit_done(k, child(k, t, ROLE_PART, 0), span_of(much, sizeof much));
	kit_done(k, child(k, t, ROLE_PART, 1), span_of(much, sizeof much));
	assert_int_equal(task_rung(t), RUNG_HUMAN);
}

static void test_parts_of_parts_of_parts(void **state)
{
	struct kit *k = *state;
	struct task *t = begin(k);

	for (int depth = 1; depth <= LIMIT_SPLIT_DEPTH; depth++) {
		plan(k, t, 1, "llm.chat", "task.reduce");
		t = child(k, t, ROLE_PART, 0);
		assert_non_null(t);
		assert_int_equal(t->depth, depth);
		if (depth < LIMIT_SPLIT_DEPTH)
			assert_int_equal(t->state, STATE_SPLIT);
	}
	assert_int_equal(t->state, STATE_QUEUED);
	assert_int_equal(task_rung(t), RUNG_HUMAN);
}

static void test_nobody_can_plan(void **state)
{
	struct kit *k = *state;

	kit_offer(k, "h human kinds=llm.chat slots=4");
	assert_string_equal(kit_node(k, kit_submit(k, "llm.chat")), "h");
	kit_offer(k, WORKER " draining");
	assert_string_equal(kit_node(k, kit_submit(k, "llm.chat")), "h");
	kit_offer(k, WORKER);
	kit_up_from(k, "c", &(struct up){ .kind = UP_BYE, .incarnation = 1 });
	assert_string_equal(kit_node(k, kit_submit(k, "llm.chat")), "h");
}

/* Where a task may not go, its parts may not go either; CPU nodes do the splitting. */
static void test_parts_keep_to_the_allow_list(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("llm.chat");
	struct task *part;

	kit_offer(k, WORKER);
	kit_offer(k, "api api kinds=llm.chat");
	s.allow = (struct ladder){ { RUNG_SPLIT, RUNG_HUMAN }, 2 };
	struct task *t = kit_submit_as(k, "t", &s);

	plan(k, t, 1, "llm.chat", "task.reduce");
	part = child(k, t, ROLE_PART, 0);
	assert_non_null(part);
	for (uint8_t i = 0; i < part->ladder.n; i++)
		assert_true(part->ladder.rung[i] != RUNG_API && part->ladder.rung[i] != RUNG_GPU);
}

/* One budget: what the children cost is the task's price, and together they stay below its limit. */
static void test_one_budget(void **state)
{
	struct kit *k = *state;
	struct submit s = kit_task("llm.chat");
	struct result res;

	kit_offer(k, WORKER " price=10");
	s.max_price_ucr = 50;
	struct task *t = kit_submit_as(k, "t", &s);

	plan(k, t, 3, "text.extract", "task.reduce");
	for (uint32_t i = 0; i < 3; i++)
		kit_done(k, child(k, t, ROLE_PART, i), SPAN_LIT(""));
	kit_done(k, child(k, t, ROLE_JOIN, 0), SPAN_LIT(""));
	finish_result(k->r, t, &res);
	assert_int_equal(res.state, STATE_SUCCEEDED);
	assert_int_equal(res.price_ucr, 50);
	/* Not enough for three parts and a join at 10 each. */
	s.max_price_ucr = 49;
	t = kit_submit_as(k, "t", &s);
	plan(k, t, 3, "text.extract", "task.reduce");
	assert_int_equal(child(k, t, ROLE_PART, 0)->state, STATE_QUEUED);
}

static void one_attempt(struct router_conf *conf)
{
	conf->retry.attempts_max[RUNG_CPU] = 1;
}

/* A loss may end others on the same node: the walk over its attempts must bear that. */
static void test_loss_of_one_calls_off_its_siblings(void **state)
{
	struct kit *k = *state;

	kit_free(k);
	*state = k = kit_new(one_attempt);
	struct task *t = begin_parts(k, 4);

	kit_pass(k, 3 * SEC);
	kit_offer(k, WORKER);
	assert_int_equal(task_rung(t), RUNG_HUMAN);
	assert_int_equal(router_open(k->r), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_room_for_results),
		TEST(test_plan_parts_join),
		TEST(test_each_child_may_fail),
		TEST(test_map_ends_with_its_parts),
		TEST(test_results_are_joined_in_a_tree),
		TEST(test_inner_join_may_fail),
		TEST(test_pace_is_learned),
		TEST(test_cancel_of_the_parent),
		TEST(test_cancel_of_a_part),
		TEST(test_expiry),
		TEST(test_plans_that_cannot_be_used),
		TEST(test_join_of_no_known_kind),
		TEST(test_no_room_for_parts),
		TEST(test_results_too_large_to_join),
		TEST(test_parts_of_parts_of_parts),
		TEST(test_nobody_can_plan),
		TEST(test_parts_keep_to_the_allow_list),
		TEST(test_one_budget),
		TEST(test_loss_of_one_calls_off_its_siblings),
	};

	return cmocka_run_group_tests_name("router_split", tests, NULL, NULL);
}
