/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu: see gpu.h.
 */
#include "gpu-node/gpu.h"

#include <stdio.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/log.h"

#define AGAIN_NS (60 * NS_PER_S)
#define PATIENCE_NS (20 * NS_PER_S) /* a driver that compiles for longer is not waited for */

void gpu_init(struct gpu *g, const struct gpu_conf *conf)
{
	*g = (struct gpu){ .conf = conf };
	g->child = (struct child_conf){
		.program = conf->device_program,
		.cache_dir = conf->cache_dir,
		.threads = conf->threads,
		.watchdog_ns = conf->watchdog_ns,
	};
	snprintf(g->why, sizeof(g->why), "looking for OpenCL devices");
}

static struct loop *loop_of(const struct gpu *g)
{
	return &node_daemon(g->node)->loop;
}

/* Reports of children */

/* The process is ready when it knows what it has: tasks that came earlier would go down the ladder. */
static void release_if_known(struct gpu *g)
{
	for (unsigned i = 0; i < g->children_n; i++)
		if (g->children[i].state == CHILD_STARTING)
			return;
	daemon_release(node_daemon(g->node));
}

static void on_patience(void *ctx, int64_t now_ns)
{
	struct gpu *g = ctx;

	(void)now_ns;
	daemon_release(node_daemon(g->node));
}

static void on_state(void *ctx, const struct child *c)
{
	struct gpu *g = ctx;

	(void)c;
	node_offer_changed(g->node);
	release_if_known(g);
}

static void on_done(void *ctx, const struct child_job *job, struct span body)
{
	struct gpu *g = ctx;

	node_done(g->node, job->task, job->attempt, body);
}

static void on_failed(void *ctx, const struct child_job *job, const struct fail *why)
{
	struct gpu *g = ctx;

	node_failed(g->node, job->task, job->attempt, why);
}

static void on_progress(void *ctx, const struct child_job *job, uint32_t permille)
{
	struct gpu *g = ctx;

	node_progress(g->node, job->task, job->attempt, permille, NULL);
}

/* Finding the devices */

static void open_children(struct gpu *g, const struct listing_row *rows, unsigned n)
{
	const struct child_hooks hooks = { on_state, on_done, on_failed, on_progress, g };

	g->children = mem_alloc(n * sizeof(g->children[0]));
	if (g->children == NULL) {
		snprintf(g->why, sizeof(g->why), "%s", err_row(ERR_NO_MEMORY)->text);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (listing_wants(g->conf->devices, &rows[i]))
			child_open(&g->children[g->children_n++], loop_of(g), &g->child, &hooks,
				&rows[i]);
	if (g->children_n > 0)
		return;
	mem_free(g->children);
	g->children = NULL;
}

static void look_again(struct gpu *g)
{
	log_warn("no device to work with", "why", LOG_STR(g->why));
	if (loop_timer_set(loop_of(g), &g->again, loop_of(g)->now_ns + AGAIN_NS) < 0)
		log_error("the timer for looking again cannot be set");
}

static void on_list(void *ctx, const struct listing_row *rows, unsigned n, const struct fail *why)
{
	struct gpu *g = ctx;

	if (why->code != 0)
		snprintf(g->why, sizeof(g->why), "%s", why->detail);
	else if (n == 0)
		snprintf(g->why, sizeof(g->why), "no OpenCL device");
	else
		snprintf(g->why, sizeof(g->why), "no OpenCL device is meant by devices = %s",
			g->conf->devices);
	if (n > 0)
		open_children(g, rows, n);
	if (g->children_n == 0)
		look_again(g);
	node_offer_changed(g->node);
	release_if_known(g);
}

static void look(struct gpu *g)
{
	struct fail why = { 0 };

	if (listing_start(&g->listing, g->conf->device_program, g->conf->cache_dir, &why) < 0)
		on_list(g, NULL, 0, &why);
}

static void on_again(void *ctx, int64_t now_ns)
{
	(void)now_ns;
	look(ctx);
}

/* Operations of the backend */

static int open_backend(void *self, struct node *n, struct fail *why)
{
	struct gpu *g = self;

	(void)why; /* no device is no reason not to start: the offer tells it */
	g->node = n;
	listing_init(&g->listing, loop_of(g));
	g->listing.on_end = on_list;
	g->listing.ctx = g;
	g->again.on_due = on_again;
	g->again.ctx = g;
	g->patience.on_due = on_patience;
	g->patience.ctx = g;
	/* Without the timer nothing is held: then it is ready at once. */
	if (loop_timer_set(loop_of(g), &g->patience, loop_of(g)->now_ns + PATIENCE_NS) == 0)
		daemon_hold(node_daemon(n));
	look(g);
	return 0;
}

static void close_backend(void *self)
{
	struct gpu *g = self;

	loop_timer_stop(loop_of(g), &g->again);
	loop_timer_stop(loop_of(g), &g->patience);
	listing_done(&g->listing);
	for (unsigned i = 0; i < g->children_n; i++)
		child_close(&g->children[i]);
	mem_free(g->children);
	g->children = NULL;
	g->children_n = 0;
}

/* How soon a child would be done with one job more, in units that only compare: the jobs before it, then the
 * measured speed for its kind. */
static bool is_better(const struct child *a, const struct child *b, enum gpu_kind kind)
{
	if (a->jobs_n != b->jobs_n)
		return a->jobs_n < b->jobs_n;
	if (kind == GPU_MONTECARLO)
		return a->facts.montecarlo_per_s > b->facts.montecarlo_per_s;
	return a->facts.matmul_mflops > b->facts.matmul_mflops;
}

static bool serves(const struct child *c, enum gpu_kind kind)
{
	return c->state == CHILD_READY && c->facts.is_ready[kind];
}

static struct child *choose(const struct gpu *g, enum gpu_kind kind)
{
	struct child *best = NULL;

	for (unsigned i = 0; i < g->children_n; i++) {
		struct child *c = &g->children[i];

		if (serves(c, kind) && child_has_room(c) &&
			(best == NULL || is_better(c, best, kind)))
			best = c;
	}
	return best;
}

/* Why no child serves a kind; "" if one does. */
static const char *why_not(const struct gpu *g, enum gpu_kind kind)
{
	const char *why = g->children_n == 0 ? g->why : "";

	for (unsigned i = 0; i < g->children_n; i++) {
		const struct child *c = &g->children[i];

		if (serves(c, kind))
			return "";
		if (c->state == CHILD_READY)
			why = c->facts.why[kind];
		else if (c->why[0] != '\0')
			why = c->why;
		else
			why = "the device is starting";
	}
	return why;
}

static int find_kind(struct span name, enum gpu_kind *ret)
{
	for (unsigned k = 0; k < GPU_KINDS; k++) {
		if (span_is(name, gpu_kind_name(k))) {
			*ret = k;
			return 0;
		}
	}
	return ERR_UNSUPPORTED;
}

static int start(void *self, const struct job *job, struct fail *why)
{
	struct gpu *g = self;
	struct child_job mine = {
		.task = job->task,
		.attempt = job->attempt,
		.deadline_ns = job->deadline_ns,
	};
	struct child *c;

	if (find_kind(job->kind, &mine.kind) < 0)
		return fail_set(why, ERR_UNSUPPORTED, "kind", 0,
			"this node has no model and runs no such kind");
	c = choose(g, mine.kind);
	if (c == NULL) {
		const char *text = why_not(g, mine.kind);

		return text[0] != '\0' ? fail_set(why, ERR_DEVICE, NULL, 0, "%s", text)
				       : fail_set(why, ERR_BUSY, NULL, CHILD_JOBS,
						 "every device has its queue full");
	}
	mine.body = mem_dup(job->raw);
	mine.body_len = job->raw.len;
	if (mine.body == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	if (child_put(c, &mine) == 0)
		return 0;
	mem_free(mine.body);
	return fail_set(why, ERR_BUSY, NULL, CHILD_JOBS, "every device has its queue full");
}

static void cancel(void *self, struct ulid task, uint32_t attempt)
{
	struct gpu *g = self;

	for (unsigned i = 0; i < g->children_n; i++)
		if (child_cancel(&g->children[i], task, attempt))
			return;
}

/* Every device with its state; longer than the limit is cut off. NULL without memory. */
static const char *device_text(const struct gpu *g, struct arena *a)
{
	const char *text = g->children_n > 0 ? "" : g->why;

	for (unsigned i = 0; i < g->children_n && text != NULL; i++) {
		const struct child *c = &g->children[i];

		text = arena_fmt(a, "%s%s%s: %s", text, i > 0 ? "; " : "", c->row.name,
			child_state_name(c->state));
	}
	return text;
}

static void count(const struct gpu *g, struct offer *o)
{
	uint32_t ready = 0, failed = 0, jobs = 0, waiting = 0;

	for (unsigned i = 0; i < g->children_n; i++) {
		const struct child *c = &g->children[i];

		ready += c->state == CHILD_READY;
		failed += c->state == CHILD_ENDING || c->state == CHILD_RESTING;
		jobs += c->jobs_n;
		waiting += c->jobs_n > 1 ? c->jobs_n - 1 : 0;
	}
	o->slots = ready * CHILD_JOBS;
	o->queued = waiting;
	o->health = ready > 0 ? 1000 - 1000 * failed / g->children_n
			      : 1000; /* none ready: the kinds tell why */
	o->load = ready > 0 ? 1000 * jobs / o->slots : 0;
}

static int offer(void *self, struct arena *a, struct offer *o)
{
	const struct gpu *g = self;
	struct kind_offer *kinds = arena_alloc(a, (GPU_KINDS + 1) * sizeof(kinds[0]));
	const char *device = device_text(g, a);

	if (kinds == NULL || device == NULL)
		return ERR_NO_MEMORY;
	for (unsigned k = 0; k < GPU_KINDS; k++) {
		const char *why = why_not(g, k);

		kinds[k] = (struct kind_offer){
			.kind = span_str(gpu_kind_name(k)),
			.ready = why[0] == '\0',
			.why = span_str(why),
			.price_ucr = g->conf->price_ucr,
		};
	}
	kinds[GPU_KINDS] = (struct kind_offer){
		.kind = SPAN_LIT("llm.chat"),
		.why = SPAN_LIT("no model is loaded"),
		.price_ucr = g->conf->price_ucr,
	};
	o->kinds = kinds;
	o->kinds_n = GPU_KINDS + 1;
	o->device = fmt_clip(span_str(device), LIMIT_TEXT_BYTES);
	count(g, o);
	return 0;
}

const struct backend_ops gpu_ops = {
	.name = "gpu",
	.rung = RUNG_GPU,
	.open = open_backend,
	.offer = offer,
	.start = start,
	.cancel = cancel,
	.close = close_backend,
};
