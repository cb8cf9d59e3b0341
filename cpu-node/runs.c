/* SPDX-License-Identifier: Apache-2.0
 *
 * runs: a job that is held is a struct cpu_run: asleep (a timer), waiting for its tenant's turn, in the pool, following
 * an equal one, parked (it stands still, and needs no thread), or ended. Only the owner thread touches the list; a
 * pool thread touches its run's input, output, pieces (told.h), state and the atomic words.
 */
#include "cpu-node/runs.h"

#include <time.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"

#define BEAT_NS (200 * NS_PER_MS)
/* A decoded body and its bytes: 1,024 items and 64 parameters are below 100 KiB. */
#define INPUT_ARENA_BYTES ((size_t)LIMIT_BODY_BYTES + (256u << 10))

struct cpu_run {
	struct work_job work;
	struct list link; /* in backend->runs */
	struct cpu_backend *backend;
	const struct cpu_kind *kind;
	const struct kind_row *row;
	struct ulid task;
	uint32_t attempt;
	struct loop_timer sleep;
	/* FOLLOWS: an equal one does the work. */
	enum { ASLEEP, WAITS, POOLED, FOLLOWS, PARKED } where;
	struct turn turn;  /* WAITS, POOLED */
	int64_t worked_us; /* on a thread, this turn; set by the pool thread */
	int64_t wake_ns; /* ASLEEP: when it ends; PARKED: how much of it was left, 0: it was in the pool */
	int64_t bytes;      /* of the input, as counted in held_bytes: of what was copied */
	bool small;         /* it may run on the owner thread */
	uint32_t permille;  /* as last reported */
	struct arena input; /* of body */
	struct body body;
	struct arena scratch; /* of the call */
	struct buf out;
	struct fail why;
	struct told told;        /* pieces of the result */
	bool ran;                /* set by the pool thread */
	bool stands;             /* the same: it has not ended, it was to pause */
	void *state;             /* of the function, in scratch */
	struct result_of result; /* if equal requests may have it, too */
	char tenant[LIMIT_TOKEN_BYTES + 1];
	_Atomic bool cancel;
	_Atomic bool pause;
	_Atomic uint32_t progress;
};

void runs_report(struct cpu_backend *b, const struct ulid *task, uint32_t attempt,
	const struct fail *why, struct buf *out)
{
	if (why->code < 0)
		node_failed(b->node, *task, attempt, why);
	else
		node_done_buf(b->node, *task, attempt, out);
}

void runs_report_before(struct cpu_backend *b, const struct ulid *task, uint32_t attempt,
	struct span result, int64_t age_ms)
{
	node_done_before(b->node, *task, attempt, result, age_ms);
	node_count_cache(b->node, &b->results.cache.stats);
}

static void run_free(struct cpu_run *run)
{
	arena_done(&run->input);
	arena_done(&run->scratch);
	buf_done(&run->out);
	told_done(&run->told);
	mem_free(run);
}

static struct cpu_run *run_of(struct flight *f)
{
	return CONTAINER(f, struct cpu_run, result.flight);
}

static void forget(struct cpu_run *run)
{
	struct cpu_backend *b = run->backend;

	list_drop(&run->link);
	b->runs_n--;
	b->held_bytes -= run->bytes;
	run_free(run);
}

/* The end of a run is that of the runs that follow it, if it has a result or an error that equal requests would
 * meet again. */
static void end_followers(struct cpu_run *run)
{
	struct cpu_backend *b = run->backend;
	struct flight *f;

	if (run->why.code < 0 && (err_row(run->why.code)->retry || run->why.code == ERR_CANCELLED))
		return;
	for (f = flight_pop(&run->result.flight); f != NULL; f = flight_pop(&run->result.flight)) {
		struct cpu_run *follower = run_of(f);

		if (run->why.code < 0)
			node_failed(b->node, follower->task, follower->attempt, &run->why);
		else
			runs_report_before(b, &follower->task, follower->attempt,
				buf_span(&run->out), 0);
		forget(follower);
	}
}

/* Report the run's end and forget it. Returns the run that has to do its work now, or NULL. */
static struct cpu_run *run_end_one(struct cpu_run *run)
{
	struct cpu_backend *b = run->backend;
	struct flight *next;

	told_serve(&b->told); /* pieces come before the end */
	if (atomic_load(&run->cancel))
		(void)fail_set(&run->why, ERR_CANCELLED, NULL, 0, NULL);
	else if (!run->ran)
		(void)fail_set(&run->why, ERR_CLOSED, NULL, 0, NULL);
	if (run->why.code == 0)
		results_keep(&b->results, b->loop->now_ns, &run->result, buf_span(&run->out));
	end_followers(run); /* first: the report may take the result over */
	runs_report(b, &run->task, run->attempt, &run->why, &run->out);
	node_count_cache(b->node, &b->results.cache.stats);
	next = flight_leave(&b->results.flights, &run->result.flight);
	forget(run);
	return next == NULL ? NULL : run_of(next);
}

static int post(struct cpu_run *run);

static void run_end(struct cpu_run *run)
{
	while (run != NULL) {
		int r;

		run = run_end_one(run);
		if (run == NULL)
			return;
		r = post(run);
		if (r == 0)
			return;
		run->ran = true;
		(void)fail_set(&run->why, r, NULL, 0, NULL);
	}
}

/* On a pool thread; while too much waits for the owner thread, it waits too. */
static void chunk_pooled(const struct cpu_call *call, void *ctx, struct span data)
{
	static const struct timespec pause = { .tv_nsec = NS_PER_MS };
	struct cpu_run *run = ctx;

	while (told_put(&run->backend->told, &run->told, data) < 0 && !cpu_is_cancelled(call))
		nanosleep(&pause, NULL);
}

static void on_piece(struct told *t, struct span piece)
{
	struct cpu_run *run = CONTAINER(t, struct cpu_run, told);

	if (!atomic_load(&run->cancel))
		node_chunk(run->backend->node, run->task, run->attempt, piece);
}

static void chunk_here(const struct cpu_call *call, void *ctx, struct span data)
{
	const struct cpu_run *run = ctx;

	(void)call;
	node_chunk(run->backend->node, run->task, run->attempt, data);
}

static void compute(struct cpu_run *run,
	void (*chunk)(const struct cpu_call *call, void *ctx, struct span data))
{
	struct cpu_call call = {
		.kind = run->row,
		.in = &run->body,
		.attempt = run->attempt,
		.arena = &run->scratch,
		.out = &run->out,
		.why = &run->why,
		.cancel = &run->cancel,
		.permille = &run->progress,
		.tokenizers = &run->backend->tokenizers,
		.pause = &run->pause,
		.state = &run->state,
		.dicts = run->backend->dicts,
		.chunk = chunk,
		.chunk_ctx = run,
	};

	run->ran = true;
	run->stands = cpu_is_paused(&call);
	if (!cpu_is_cancelled(&call) && !run->stands)
		run->stands = cpu_kind_run(run->kind, &call) == CPU_PAUSED;
	if (!run->stands)
		arena_done(&run->scratch);
}

static int64_t thread_us(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_run(struct work_job *job)
{
	struct cpu_run *run = CONTAINER(job, struct cpu_run, work);
	int64_t from_us = thread_us();

	compute(run, chunk_pooled);
	run->worked_us = thread_us() - from_us;
}

/* As many as there are threads, and one more, so that none of them waits for us; the others wait for their turns
 * here. */
static void fill_pool(struct cpu_backend *b)
{
	while (b->pooled_n <= b->threads) {
		struct turn *t = turns_take(&b->turns);
		struct cpu_run *run;
		int r;

		if (t == NULL)
			return;
		run = CONTAINER(t, struct cpu_run, turn);
		r = work_post(b->pool, &run->work);
		CHECK(r == 0); /* there is room, and a pool that closes has nobody waiting */
		run->where = POOLED;
		b->pooled_n++;
	}
}

static int post(struct cpu_run *run)
{
	struct cpu_backend *b = run->backend;
	int r = turns_put(&b->turns, &run->turn, span_str(run->tenant));

	if (r == 0) {
		run->where = WAITS;
		fill_pool(b);
	}
	return r;
}

static void give_up(struct cpu_run *run, int code)
{
	run->ran = true;
	(void)fail_set(&run->why, code, NULL, 0, NULL);
	run_end(run);
}

/* post for who cannot be refused any more. */
static void post_or_end(struct cpu_run *run)
{
	int r = post(run);

	if (r < 0)
		give_up(run, r);
}

/* It stands still. */
static void park(struct cpu_run *run)
{
	run->where = PARKED;
	run->wake_ns = 0;
	if (!atomic_load(&run->pause)) /* it was resumed before it stood */
		post_or_end(run);
}

static void on_end(struct work_job *job)
{
	struct cpu_run *run = CONTAINER(job, struct cpu_run, work);
	struct cpu_backend *b = run->backend;

	b->pooled_n--;
	turns_end(&b->turns, &run->turn, run->worked_us);
	if (run->stands && !atomic_load(&run->cancel))
		park(run);
	else
		run_end(run);
	fill_pool(b);
}

static void wake(void *ctx, int64_t now_ns)
{
	struct cpu_run *run = ctx;

	(void)now_ns;
	if (run->small) {
		compute(run, chunk_here);
		run_end(run);
		return;
	}
	post_or_end(run);
}

static int sleep_for(struct cpu_run *run, int64_t ns)
{
	struct loop *l = run->backend->loop;

	run->where = ASLEEP;
	run->wake_ns = l->now_ns + ns;
	return loop_timer_set(l, &run->sleep, run->wake_ns);
}

/* A copy of the job, or NULL. */
static struct cpu_run *run_new(struct cpu_backend *b, const struct cpu_kind *kind,
	const struct job *job, const struct cache_key *key, struct fail *why)
{
	struct cpu_run *run = mem_alloc(sizeof(*run));

	if (run == NULL) {
		(void)fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	run->work = (struct work_job){ .on_run = on_run, .on_end = on_end };
	run->sleep = (struct loop_timer){ .on_due = wake, .ctx = run };
	run->backend = b;
	run->kind = kind;
	run->row = job->row;
	run->task = job->task;
	run->attempt = job->attempt;
	run->bytes = job->is_kept ? 0 : (int64_t)job->raw.len;
	run->small = job->raw.len <= kind->inline_bytes;
	list_init(&run->link);
	flight_init(&run->result.flight);
	span_copy(job->tenant, run->tenant, sizeof(run->tenant));
	run->result.kind = job->row;
	run->result.body = &run->body;
	run->result.is_cached = key != NULL;
	run->result.scope =
		key == NULL || key->scope.len == 0 ? (struct span){ 0 } : span_str(run->tenant);
	arena_init(&run->input, INPUT_ARENA_BYTES);
	arena_init(&run->scratch, CALL_ARENA_BYTES);
	buf_init(&run->out, node_result_max(b->node));
	told_init(&run->told);
	if (job->is_kept)
		run->body = *job->body;
	else if (body_decode(&run->input, job->raw, &run->body, why) < 0) {
		run_free(run);
		return NULL;
	}
	return run;
}

/* Without a timer there are no reports of progress for a while; the results come all the same. */
static void set_beat(struct cpu_backend *b, int64_t due_ns)
{
	int r = loop_timer_set(b->loop, &b->beat, due_ns);

	(void)r;
}

static void on_beat(void *ctx, int64_t now_ns)
{
	struct cpu_backend *b = ctx;

	for (struct list *l = b->runs.next; l != &b->runs; l = l->next) {
		struct cpu_run *run = CONTAINER(l, struct cpu_run, link);
		struct flight *leader = run->result.flight.leader;
		struct cpu_run *works = leader == NULL ? run : run_of(leader);
		uint32_t permille = atomic_load_explicit(&works->progress, memory_order_relaxed);

		if (permille == run->permille)
			continue;
		run->permille = permille;
		node_progress(b->node, run->task, run->attempt, permille, NULL);
	}
	if (b->runs_n > 0)
		set_beat(b, now_ns + BEAT_NS);
}

/* Have the work done: by itself, or by the run of an equal request that is at it already. */
static int begin(struct cpu_run *run, const struct cache_key *key, int64_t delay_ns)
{
	struct cpu_backend *b = run->backend;
	struct result_of *leader = key == NULL ? NULL : results_leader(&b->results, key);
	int r;

	if (leader != NULL) {
		flight_follow(&run->result.flight, &leader->flight);
		run->where = FOLLOWS;
		return 0;
	}
	r = delay_ns > 0 ? sleep_for(run, delay_ns) : post(run);
	if (r == 0 && key != NULL)
		flight_lead(&b->results.flights, &run->result.flight, key->hash);
	return r;
}

int runs_hold(struct cpu_backend *b, const struct cpu_kind *kind, const struct job *job,
	int64_t delay_ns, const struct cache_key *key, struct fail *why)
{
	struct cpu_run *run;
	int r;

	if (b->runs_n >= b->conf->slots)
		return fail_set(why, ERR_BUSY, "slots", b->conf->slots, NULL);
	if (!job->is_kept && b->held_bytes + (int64_t)job->raw.len > b->conf->queue_bytes)
		return fail_set(why, ERR_BUSY, "queue_bytes", b->conf->queue_bytes, NULL);
	run = run_new(b, kind, job, key, why);
	if (run == NULL)
		return why->code;
	r = begin(run, key, delay_ns);
	if (r < 0) {
		run_free(run);
		return fail_set(why, r, NULL, 0, NULL);
	}
	list_push(&b->runs, &run->link);
	b->held_bytes += run->bytes;
	if (b->runs_n++ == 0)
		set_beat(b, b->loop->now_ns + BEAT_NS);
	return 0;
}

static struct cpu_run *find_run(struct cpu_backend *b, struct ulid task, uint32_t attempt)
{
	for (struct list *l = b->runs.next; l != &b->runs; l = l->next) {
		struct cpu_run *run = CONTAINER(l, struct cpu_run, link);

		if (run->attempt == attempt && ulid_eq(run->task, task))
			return run;
	}
	return NULL;
}

/* A run of the pool ends when its thread has seen the mark. */
static void run_cancel(struct cpu_run *run)
{
	atomic_store(&run->cancel, true);
	if (run->where == ASLEEP)
		loop_timer_stop(run->backend->loop, &run->sleep);
	if (run->where == POOLED)
		return;
	turns_end(&run->backend->turns, &run->turn, 0);
	run_end(run);
}

/* One that was not cancelled yet, or NULL. */
static struct cpu_run *any_run(struct cpu_backend *b)
{
	for (struct list *l = b->runs.next; l != &b->runs; l = l->next) {
		struct cpu_run *run = CONTAINER(l, struct cpu_run, link);

		if (!atomic_load(&run->cancel))
			return run;
	}
	return NULL;
}

void runs_cancel(struct cpu_backend *b, struct ulid task, uint32_t attempt)
{
	struct cpu_run *run = find_run(b, task, attempt);

	if (run != NULL)
		run_cancel(run);
}

int runs_pause(struct cpu_backend *b, struct ulid task, uint32_t attempt)
{
	struct cpu_run *run = find_run(b, task, attempt);

	if (run == NULL) /* it has ended just now */
		return 0;
	if ((run->kind->traits & CPU_PAUSES) == 0 || !list_is_empty(&run->result.flight.followers))
		return ERR_UNSUPPORTED;
	(void)flight_leave(&b->results.flights, &run->result.flight);
	if (run->where == POOLED) {
		atomic_store(&run->pause, true);
		return 0;
	}
	turns_end(&b->turns, &run->turn, 0);
	if (run->where != ASLEEP)
		run->wake_ns = 0;
	else {
		loop_timer_stop(b->loop, &run->sleep);
		run->wake_ns -= b->loop->now_ns;
		if (run->wake_ns < 1)
			run->wake_ns = 1;
	}
	run->where = PARKED;
	return 0;
}

void runs_resume(struct cpu_backend *b, struct ulid task, uint32_t attempt)
{
	struct cpu_run *run = find_run(b, task, attempt);
	int r;

	if (run == NULL)
		return;
	atomic_store(&run->pause, false);
	if (run->where != PARKED)
		return;
	if (run->wake_ns == 0) {
		post_or_end(run);
		return;
	}
	r = sleep_for(run, run->wake_ns);
	if (r < 0)
		give_up(run, r);
}

int runs_open(struct cpu_backend *b)
{
	b->beat = (struct loop_timer){ .on_due = on_beat, .ctx = b };
	turns_init(&b->turns, (uint32_t)b->conf->slots);
	if (told_open(&b->told, b->loop, (uint32_t)b->conf->slots, on_piece) == 0)
		b->pool = work_open(b->loop, b->threads, b->threads + 1);
	if (b->pool != NULL)
		return 0;
	told_close(&b->told);
	return ERR_NO_MEMORY;
}

void runs_close(struct cpu_backend *b)
{
	struct cpu_run *run;

	if (b->loop != NULL)
		loop_timer_stop(b->loop, &b->beat);
	for (run = any_run(b); run != NULL; run = any_run(b)) /* one's end may be another's */
		run_cancel(run);
	work_close(b->pool);
	b->pool = NULL;
	turns_done(&b->turns);
	told_close(&b->told);
}
