/* SPDX-License-Identifier: Apache-2.0
 *
 * backend_cpu: a job that is held is a struct cpu_run: asleep (a timer), in the pool, or ended. Only the
 * owner thread touches the list; a pool thread touches its run's input, output and two atomic words.
 */
#include "cpu-node/backend_cpu.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cpu-node/kinds.h"
#include "cpu-node/machine.h"
#include "run/daemon.h"

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
	bool asleep;
	int64_t bytes;      /* of the input, as counted in held_bytes */
	uint32_t permille;  /* as last reported */
	struct arena input; /* of body */
	struct body body;
	struct arena scratch; /* of the call */
	struct buf out;
	struct fail why;
	bool ran; /* set by the pool thread */
	_Atomic bool cancel;
	_Atomic uint32_t progress;
};

const struct conf_row cpu_rows[] = {
	CONF_INCLUDE(struct cpu_conf, node, node_rows),
#define AT(member) offsetof(struct cpu_conf, member)
	{ "threads", CONF_INT, AT(threads), "0", 0, 256, NULL,
		"threads that compute; 0: one for each processor" },
	{ "slots", CONF_INT, AT(slots), "256", 1, LIMIT_OFFER_SLOTS, NULL,
		"attempts held at once, running or waiting" },
	{ "queue_bytes", CONF_BYTES, AT(queue_bytes), "64M", 1 << 20, INT64_C(1) << 40, NULL,
		"memory for the inputs of attempts held" },
	{ "price_ucr", CONF_INT, AT(price_ucr), "0", 0, INT64_MAX, NULL,
		"price of an attempt in micro-credits" },
	{ 0 },
#undef AT
};

void cpu_backend_init(struct cpu_backend *b, const struct cpu_conf *conf)
{
	*b = (struct cpu_backend){ .conf = conf };
	list_init(&b->runs);
	arena_init(&b->arena, CALL_ARENA_BYTES);
	buf_init(&b->out, LIMIT_BODY_BYTES);
}

static void report(struct cpu_backend *b, const struct ulid *task, uint32_t attempt,
	const struct fail *why, const struct buf *out)
{
	if (why->code < 0)
		node_failed(b->node, *task, attempt, why);
	else
		node_done(b->node, *task, attempt, buf_span(out));
}

/* Small jobs, at once: nothing is copied, and nothing allocated once the buffers have their size. */
static void run_inline(struct cpu_backend *b, const struct cpu_kind *kind, const struct job *job)
{
	static const _Atomic bool never = false;
	_Atomic uint32_t permille = 0;
	struct fail why;
	struct cpu_call call = {
		.kind = job->row,
		.in = job->body,
		.attempt = job->attempt,
		.arena = &b->arena,
		.out = &b->out,
		.why = &why,
		.cancel = &never,
		.permille = &permille,
	};

	why.code = 0;
	arena_reset(&b->arena);
	buf_reset(&b->out);
	cpu_kind_run(kind, &call);
	report(b, &job->task, job->attempt, &why, &b->out);
}

/* Runs that are held. */

static void run_free(struct cpu_run *run)
{
	arena_done(&run->input);
	arena_done(&run->scratch);
	buf_done(&run->out);
	mem_free(run);
}

/* Report the run's end and forget it. */
static void run_end(struct cpu_run *run)
{
	struct cpu_backend *b = run->backend;
	struct ulid task = run->task;

	if (atomic_load(&run->cancel))
		(void)fail_set(&run->why, ERR_CANCELLED, NULL, 0, NULL);
	else if (!run->ran)
		(void)fail_set(&run->why, ERR_CLOSED, NULL, 0, NULL);
	list_drop(&run->link);
	b->runs_n--;
	b->held_bytes -= run->bytes;
	report(b, &task, run->attempt, &run->why, &run->out);
	run_free(run);
}

static void on_run(struct work_job *job)
{
	struct cpu_run *run = CONTAINER(job, struct cpu_run, work);
	struct cpu_call call = {
		.kind = run->row,
		.in = &run->body,
		.attempt = run->attempt,
		.arena = &run->scratch,
		.out = &run->out,
		.why = &run->why,
		.cancel = &run->cancel,
		.permille = &run->progress,
	};

	run->ran = true;
	if (!cpu_is_cancelled(&call))
		cpu_kind_run(run->kind, &call);
	arena_done(&run->scratch);
}

static void on_end(struct work_job *job)
{
	CONTAINER(job, struct cpu_run, work)->backend->pooled_n--;
	run_end(CONTAINER(job, struct cpu_run, work));
}

static int post(struct cpu_run *run)
{
	int r = work_post(run->backend->pool, &run->work);

	run->backend->pooled_n += r == 0;
	return r;
}

static void wake(void *ctx, int64_t now_ns)
{
	struct cpu_run *run = ctx;
	int r;

	(void)now_ns;
	run->asleep = false;
	if (run->bytes <= (int64_t)run->kind->inline_bytes) {
		on_run(&run->work);
		run_end(run);
		return;
	}
	r = post(run);
	if (r < 0) {
		run->ran = true;
		(void)fail_set(&run->why, r, NULL, 0, NULL);
		run_end(run);
	}
}

/* A copy of the job, or NULL. */
static struct cpu_run *run_new(struct cpu_backend *b, const struct cpu_kind *kind,
	const struct job *job, struct fail *why)
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
	run->bytes = (int64_t)job->raw.len;
	list_init(&run->link);
	arena_init(&run->input, INPUT_ARENA_BYTES);
	arena_init(&run->scratch, CALL_ARENA_BYTES);
	buf_init(&run->out, LIMIT_BODY_BYTES);
	if (body_decode(&run->input, job->raw, &run->body, why) < 0) {
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
		uint32_t permille = atomic_load_explicit(&run->progress, memory_order_relaxed);

		if (permille == run->permille)
			continue;
		run->permille = permille;
		node_progress(b->node, run->task, run->attempt, permille, NULL);
	}
	if (b->runs_n > 0)
		set_beat(b, now_ns + BEAT_NS);
}

/* Hold the job: asleep for delay_ns, or in the pool. */
static int hold(struct cpu_backend *b, const struct cpu_kind *kind, const struct job *job,
	int64_t delay_ns, struct fail *why)
{
	struct cpu_run *run;
	int r;

	if (b->runs_n >= b->conf->slots)
		return fail_set(why, ERR_BUSY, "slots", b->conf->slots, NULL);
	if (b->held_bytes + (int64_t)job->raw.len > b->conf->queue_bytes)
		return fail_set(why, ERR_BUSY, "queue_bytes", b->conf->queue_bytes, NULL);
	run = run_new(b, kind, job, why);
	if (run == NULL)
		return why->code;
	run->asleep = delay_ns > 0;
	r = run->asleep ? loop_timer_set(b->loop, &run->sleep, b->loop->now_ns + delay_ns)
			: post(run);
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

/* backend_ops */

static int cpu_start(void *self, const struct job *job, struct fail *why)
{
	struct cpu_backend *b = self;
	const struct cpu_kind *kind = job->row == NULL ? NULL : cpu_kind_find(job->kind);
	int64_t delay_ns;

	if (kind == NULL)
		return fail_set(why, ERR_UNSUPPORTED, "kind", 0, "this node has no such kind");
	delay_ns = kind->delay_ns == NULL ? 0 : kind->delay_ns(job->row, job->body);
	if (delay_ns > 0 || job->raw.len > kind->inline_bytes)
		return hold(b, kind, job, delay_ns, why);
	run_inline(b, kind, job);
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
	if (run->asleep) {
		loop_timer_stop(run->backend->loop, &run->sleep);
		run_end(run);
	}
}

static void cpu_cancel(void *self, struct ulid task, uint32_t attempt)
{
	struct cpu_run *run = find_run(self, task, attempt);

	if (run != NULL)
		run_cancel(run);
}

static int cpu_open(void *self, struct node *n, struct fail *why)
{
	struct cpu_backend *b = self;

	b->node = n;
	b->loop = &node_daemon(n)->loop;
	b->beat = (struct loop_timer){ .on_due = on_beat, .ctx = b };
	b->processors = machine_processors();
	machine_device(b->device, sizeof(b->device));
	b->threads = b->conf->threads > 0 ? (unsigned)b->conf->threads : b->processors;
	b->pool = work_open(b->loop, b->threads, (uint32_t)b->conf->slots);
	if (b->pool == NULL)
		return fail_set(why, ERR_NO_MEMORY, "threads", b->threads, "no pool of threads");
	return 0;
}

static int cpu_offer(void *self, struct arena *a, struct offer *o)
{
	const struct cpu_backend *b = self;
	size_t n = 0;

	while (cpu_kind_at((unsigned)n) != NULL)
		n++;
	o->kinds = arena_alloc(a, n * sizeof(*o->kinds));
	if (o->kinds == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		o->kinds[i].kind = span_str(cpu_kind_at((unsigned)i)->name);
		o->kinds[i].ready = true;
		o->kinds[i].price_ucr = b->conf->price_ucr;
	}
	o->kinds_n = n;
	o->slots = (uint32_t)b->conf->slots;
	o->queued = b->pooled_n > b->threads ? b->pooled_n - b->threads : 0;
	o->device = span_str(b->device);
	o->health = 1000;
	o->load = machine_load(b->processors);
	return 0;
}

static void cpu_close(void *self)
{
	struct cpu_backend *b = self;
	struct list *next;

	if (b->loop != NULL)
		loop_timer_stop(b->loop, &b->beat);
	for (struct list *l = b->runs.next; l != &b->runs; l = next) {
		next = l->next;
		run_cancel(CONTAINER(l, struct cpu_run, link));
	}
	work_close(b->pool);
	b->pool = NULL;
	arena_done(&b->arena);
	buf_done(&b->out);
}

const struct backend_ops cpu_backend_ops = {
	.name = "cpu",
	.rung = RUNG_CPU,
	.open = cpu_open,
	.offer = cpu_offer,
	.start = cpu_start,
	.cancel = cpu_cancel,
	.close = cpu_close,
};
