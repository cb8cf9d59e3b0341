/* SPDX-License-Identifier: Apache-2.0
 *
 * toy: a backend whose work is waiting. What it gives back names the attempt, so that the oracle can tell
 * whose result was taken.
 */
#include "sim.h"

#include <stdio.h>

#include "base/fmt.h"

static const char *const kinds_of[RUNGS][4] = {
	[RUNG_CPU] = { "util.echo", "image.filter", "task.split", "task.reduce" },
	[RUNG_GPU] = { "image.filter", "llm.chat", "compute.matmul", NULL },
	[RUNG_API] = { "llm.chat", NULL },
	[RUNG_HUMAN] = { "llm.chat", "human.ask", NULL },
};

static bool chance(struct toy *t, uint32_t milli)
{
	return prng_below(&t->world->prng, 1000) < milli;
}

static int toy_open(void *self, struct node *n, struct fail *why)
{
	struct toy *t = self;

	(void)why;
	t->node = n;
	return 0;
}

static int toy_offer(void *self, struct arena *a, struct offer *o)
{
	struct toy *t = self;

	o->kinds = arena_alloc(a, 5 * sizeof *o->kinds);
	if (o->kinds == NULL)
		return ERR_NO_MEMORY;
	for (int i = 0; i < 4 && kinds_of[t->rung][i] != NULL; i++)
		o->kinds[o->kinds_n++] = (struct kind_offer){
			.kind = span_str(kinds_of[t->rung][i]),
			.ready = t->ready,
			.why = span_str(t->ready ? "" : "no model"),
			.price_ucr = t->price_ucr,
			.pauses = t->pauses,
		};
	o->slots = t->slots;
	o->health = 1000;
	return 0;
}

static struct toy_job *free_job(struct toy *t)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (!t->jobs[i].taken)
			return &t->jobs[i];
	return NULL;
}

/* What the router makes itself: a planner gets its task in an item, a join each part's result in one. */
static void check_nested(const struct job *job)
{
	bool splits = span_is(job->kind, "task.split");

	if (!splits && !span_is(job->kind, "task.reduce"))
		return;
	CHECK(splits ? job->body->items_n == 1 : job->body->items_n >= 1);
	for (size_t i = 0; i < job->body->items_n; i++) {
		CHECK(span_is(job->body->items[i].name, splits ? "task" : "part"));
		CHECK(span_is(job->body->items[i].media, BODY_MEDIA));
	}
}

static int toy_begin(void *self, const struct job *job, struct fail *why)
{
	struct toy *t = self;
	struct toy_job *j = free_job(t);
	bool calm = t->world->now_ns >= t->world->weather.faults_end_ns;

	check_nested(job);
	if (j == NULL || (!calm && chance(t, t->world->weather.refuse)))
		return fail_set(why, ERR_BUSY, NULL, 0, "the toy is busy");
	*j = (struct toy_job){ .task = job->task, .attempt = job->attempt, .taken = true };
	j->end_ns = t->world->now_ns + (int64_t)prng_below(&t->world->prng, 3 * SEC) *
					       (t->world->now_ns < t->slow_until_ns ? 10 : 1);
	j->splits = span_is(job->kind, "task.split");
	if (!j->splits && prng_below(&t->world->prng, 2) == 0) {
		j->chunks = 1 + (uint32_t)prng_below(&t->world->prng, 60);
		j->chunk = 1;
		j->chunk_ns = t->world->now_ns + (int64_t)prng_below(&t->world->prng, SEC);
	}
	if (!calm) {
		j->fails = chance(t, t->world->weather.fail);
		if (chance(t, t->world->weather.hang))
			j->end_ns = INT64_MAX;
	}
	return 0;
}

/* A plan of a few echoes and a join. */
static void put_plan(struct toy *t, struct buf *b)
{
	struct part part = { .kind = SPAN_LIT("util.echo") };
	uint64_t parts = 1 + prng_below(&t->world->prng, 5);

	for (uint64_t i = 0; i < parts; i++)
		split_plan_put_part(b, &part);
	part.kind = SPAN_LIT("task.reduce");
	part.fan_in = 2;
	split_plan_put_join(b, &part);
}

/* What names its attempt and itself, sometimes several at once. */
static void send_chunks(struct toy *t, struct toy_job *j)
{
	uint64_t burst = 1 + prng_below(&t->world->prng, 8);
	char text[32];

	while (burst-- > 0 && j->chunks > 0) {
		int n = snprintf(text, sizeof text, "%u %llu", j->attempt,
			(unsigned long long)j->chunk++);

		j->chunks--;
		node_chunk(t->node, j->task, j->attempt, span_of(text, (size_t)n));
	}
	j->chunk_ns = t->world->now_ns + (int64_t)prng_below(&t->world->prng, 400 * MS);
}

/* No two tasks have the same. */
static void put_result(struct buf *b, const struct toy_job *j)
{
	char id[ULID_TEXT + 1];

	ulid_text(j->task, id);
	body_put_int(b, "attempt", j->attempt);
	body_put_param(b, SPAN_LIT("task"), span_str(id));
}

static void end_job(struct toy *t, struct toy_job *j)
{
	static const int codes[] = { ERR_IO, ERR_LOST, ERR_DEVICE, ERR_UNSUPPORTED, ERR_INVALID,
		ERR_BUSY };
	struct toy_job job = *j;
	struct fail why = { 0 };
	struct buf b;

	j->taken = false;
	if (job.fails) {
		fail_set(&why, codes[prng_below(&t->world->prng, ARRAY_LEN(codes))], NULL, 0,
			"the toy broke");
		node_failed(t->node, job.task, job.attempt, &why);
		return;
	}
	buf_init(&b, 65536);
	if (job.splits)
		put_plan(t, &b);
	else
		put_result(&b, &job);
	node_done(t->node, job.task, job.attempt, buf_span(&b));
	buf_done(&b);
}

static struct toy_job *find_job(struct toy *t, struct ulid task, uint32_t attempt)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (t->jobs[i].taken && t->jobs[i].attempt == attempt &&
			ulid_eq(t->jobs[i].task, task))
			return &t->jobs[i];
	return NULL;
}

static void toy_cancel(void *self, struct ulid task, uint32_t attempt)
{
	struct toy *t = self;
	struct toy_job *j = find_job(t, task, attempt);
	struct fail why = { 0 };

	if (j == NULL)
		return;
	j->taken = false;
	fail_set(&why, ERR_CANCELLED, NULL, 0, NULL);
	node_failed(t->node, task, attempt, &why);
}

/* Now and then one cannot, though its kind says so. */
static int toy_pause(void *self, struct ulid task, uint32_t attempt)
{
	struct toy *t = self;
	struct toy_job *j = find_job(t, task, attempt);

	CHECK(t->pauses && j != NULL && j->paused_ns == 0);
	if (prng_chance(&t->world->prng, 1, 10))
		return ERR_UNSUPPORTED;
	j->paused_ns = t->world->now_ns;
	t->world->pauses++;
	return 0;
}

static void toy_resume(void *self, struct ulid task, uint32_t attempt)
{
	struct toy *t = self;
	struct toy_job *j = find_job(t, task, attempt);

	CHECK(j != NULL && j->paused_ns != 0);
	if (j->end_ns != INT64_MAX)
		j->end_ns += t->world->now_ns - j->paused_ns;
	j->paused_ns = 0;
}

static void toy_close(void *self)
{
	struct toy *t = self;

	memset(t->jobs, 0, sizeof t->jobs);
}

#define OPS(class)                                                                                 \
	{                                                                                          \
		"toy", class, toy_open, toy_offer, toy_begin, toy_cancel, toy_pause, toy_resume,   \
			toy_close                                                                  \
	}
const struct backend_ops toy_ops[RUNGS] = {
	[RUNG_CPU] = OPS(RUNG_CPU),
	[RUNG_GPU] = OPS(RUNG_GPU),
	[RUNG_API] = OPS(RUNG_API),
	[RUNG_HUMAN] = OPS(RUNG_HUMAN),
};

void toy_start(struct toy *t)
{
	struct fail why = { 0 };
	struct node_core_conf conf = {
		.name = t->name,
		.incarnation = (uint64_t)(t->world->now_ns / MS) << 20 | ++t->starts,
		.slots_max = t->slots,
		.offer_every_ns = 5 * SEC,
		.drain_ns = SEC,
		.now = world_clock,
		.now_ctx = t->world,
		.ops = &toy_ops[t->rung],
		.self = t,
	};

	t->bus = bus_mem_open(t->world->net, t->name);
	CHECK(t->bus != NULL);
	conf.bus = t->bus;
	t->node = node_core_open(&conf, &why);
	CHECK(t->node != NULL);
}

/* As by SIGKILL: nothing is said, nothing is kept. */
void toy_crash(struct toy *t)
{
	struct bus *bus = t->bus;

	node_core_close(t->node);
	bus_close(bus);
	t->node = NULL;
	t->bus = NULL;
	t->leaving = false;
	t->knows_cut = false;
}

void toy_leave(struct toy *t)
{
	t->leaving = true;
	node_core_stop(t->node);
}

void toy_notice_cut(struct toy *t)
{
	bool cut = t->world->now_ns < t->cut_until_ns;

	if (cut == t->knows_cut)
		return;
	t->knows_cut = cut;
	node_core_bus(t->node, cut ? BUS_LOST : BUS_UP);
}

static bool is_working(const struct toy_job *j)
{
	return j->taken && j->paused_ns == 0;
}

int64_t toy_wake(const struct toy *t)
{
	int64_t wake = INT64_MAX;

	if (t->node == NULL)
		return t->back_ns;
	wake = node_core_wake(t->node);
	if (t->knows_cut && t->cut_until_ns < wake)
		wake = t->cut_until_ns;
	for (int i = 0; i < JOBS_MAX; i++)
		if (is_working(&t->jobs[i]) && t->jobs[i].end_ns < wake)
			wake = t->jobs[i].end_ns;
	for (int i = 0; i < JOBS_MAX; i++)
		if (is_working(&t->jobs[i]) && t->jobs[i].chunks > 0 && t->jobs[i].chunk_ns < wake)
			wake = t->jobs[i].chunk_ns;
	return wake;
}

void toy_turn(struct toy *t)
{
	if (t->node == NULL) {
		if (t->world->now_ns >= t->back_ns)
			toy_start(t);
		return;
	}
	for (int i = 0; i < JOBS_MAX; i++) {
		struct toy_job *j = &t->jobs[i];

		if (is_working(j) && j->chunks > 0 && j->chunk_ns <= t->world->now_ns)
			send_chunks(t, j);
		if (is_working(j) && j->end_ns <= t->world->now_ns)
			end_job(t, j);
	}
	if (t->knows_cut)
		toy_notice_cut(t);
	node_core_turn(t->node);
	if (t->leaving && node_core_has_left(t->node)) {
		toy_crash(t);
		t->back_ns = t->world->now_ns + (int64_t)prng_below(&t->world->prng, 5 * SEC);
	}
}
