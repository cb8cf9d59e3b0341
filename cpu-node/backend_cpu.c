/* SPDX-License-Identifier: Apache-2.0
 *
 * backend_cpu: what the node asks of its backend; small jobs are done here at once, the others are runs (runs.h).
 */
#include "cpu-node/backend_cpu.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/machine.h"
#include "cpu-node/runs.h"
#include "run/cache_view.h"
#include "run/daemon.h"
#include "run/keys.h"

#define DICTS_BYTES ((size_t)16 << 20) /* of dictionaries that are ready */

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
	{ "cache_bytes", CONF_BYTES, AT(cache_bytes), "16M", 0, INT64_C(1) << 40, NULL,
		"memory for results that are kept for equal tasks; 0: none" },
	{ "cache_ttl", CONF_TIME, AT(cache_ttl_ns), "1h", NS_PER_MS, 366 * 86400 * NS_PER_S, NULL,
		"how long a result is kept" },
	CONF_INCLUDE(struct cpu_conf, tokenizers, tokenizers_rows),
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

/* A job that runs on the owner thread. */
struct inline_run {
	struct cpu_backend *backend;
	const struct job *job;
};

static void chunk_inline(const struct cpu_call *call, void *ctx, struct span data)
{
	const struct inline_run *run = ctx;

	(void)call;
	node_chunk(run->backend->node, run->job->task, run->job->attempt, data);
}

/* Small jobs, at once: nothing is copied, and nothing allocated once the buffers have their size. key: where the
 * result is kept, or NULL. */
static void run_inline(struct cpu_backend *b, const struct cpu_kind *kind, const struct job *job,
	const struct cache_key *key)
{
	static const _Atomic bool never = false;
	_Atomic uint32_t permille = 0;
	struct inline_run run = { b, job };
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
		.tokenizers = &b->tokenizers,
		.dicts = b->dicts,
		.chunk = chunk_inline,
		.chunk_ctx = &run,
	};

	why.code = 0;
	arena_reset(&b->arena);
	buf_reset(&b->out);
	cpu_kind_run(kind, &call);
	if (key != NULL && why.code == 0)
		results_put(&b->results, b->loop->now_ns, key, buf_span(&b->out));
	runs_report(b, &job->task, job->attempt, &why, &b->out);
	node_count_cache(b->node, &b->results.cache.stats);
}

/* backend_ops */

static int cpu_start(void *self, const struct job *job, struct fail *why)
{
	struct cpu_backend *b = self;
	const struct cpu_kind *kind = job->row == NULL ? NULL : cpu_kind_find(job->kind);
	struct cache_key key;
	struct span result;
	int64_t delay_ns, age_ms;
	int keeps;

	if (kind == NULL)
		return fail_set(why, ERR_UNSUPPORTED, "kind", 0, "this node has no such kind");
	keeps = results_key(&b->results, job, &key, why);
	if (keeps < 0)
		return keeps;
	if (keeps > 0 && results_get(&b->results, b->loop->now_ns, &key, &result, &age_ms)) {
		runs_report_before(b, &job->task, job->attempt, result, age_ms);
		return 0;
	}
	delay_ns = kind->delay_ns == NULL ? 0 : kind->delay_ns(job->row, job->body);
	if (delay_ns > 0 || job->raw.len > kind->inline_bytes)
		return runs_hold(b, kind, job, delay_ns, keeps > 0 ? &key : NULL, why);
	run_inline(b, kind, job, keeps > 0 ? &key : NULL);
	return 0;
}

static void cpu_cancel(void *self, struct ulid task, uint32_t attempt)
{
	runs_cancel(self, task, attempt);
}

static int cpu_pause(void *self, struct ulid task, uint32_t attempt)
{
	return runs_pause(self, task, attempt);
}

static void cpu_resume(void *self, struct ulid task, uint32_t attempt)
{
	runs_resume(self, task, attempt);
}

static int open_rest(struct cpu_backend *b, struct fail *why)
{
	b->dicts = zip_dicts_new(DICTS_BYTES);
	if (b->dicts == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	b->threads = b->conf->threads > 0 ? (unsigned)b->conf->threads : b->processors;
	if (results_open(&b->results, b->conf->cache_bytes, b->conf->cache_ttl_ns, keys_random(),
		    why) < 0) {
		zip_dicts_free(b->dicts);
		return why->code;
	}
	if (runs_open(b) < 0) {
		results_close(&b->results);
		zip_dicts_free(b->dicts);
		return fail_set(why, ERR_NO_MEMORY, "threads", b->threads, "no pool of threads");
	}
	return 0;
}

static int cpu_open(void *self, struct node *n, struct fail *why)
{
	struct cpu_backend *b = self;
	int r = tokenizers_open(&b->tokenizers, &b->conf->tokenizers, why);

	if (r < 0)
		return r;
	b->node = n;
	b->loop = &node_daemon(n)->loop;
	b->processors = machine_processors();
	machine_device(b->device, sizeof(b->device));
	r = open_rest(b, why);
	if (r < 0)
		tokenizers_close(&b->tokenizers);
	return r;
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
		o->kinds[i].pauses = (cpu_kind_at((unsigned)i)->traits & CPU_PAUSES) != 0;
		o->kinds[i].price_ucr = b->conf->price_ucr;
	}
	o->kinds_n = n;
	o->slots = (uint32_t)b->conf->slots;
	o->queued = b->turns.waiting + (b->pooled_n > b->threads ? b->pooled_n - b->threads : 0);
	o->device = span_str(b->device);
	o->health = 1000;
	o->load = machine_load(b->processors);
	if (b->results.is_on)
		o->cache = cache_view_of(&b->results.cache, b->loop->now_ns);
	return 0;
}

static void cpu_purge(void *self, struct span tenant)
{
	struct cpu_backend *b = self;

	results_purge(&b->results, tenant);
	node_count_cache(b->node, &b->results.cache.stats);
	node_offer_changed(b->node);
}

static void cpu_close(void *self)
{
	struct cpu_backend *b = self;

	runs_close(b);
	results_close(&b->results);
	zip_dicts_free(b->dicts);
	tokenizers_close(&b->tokenizers);
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
	.pause = cpu_pause,
	.resume = cpu_resume,
	.close = cpu_close,
	.purge = cpu_purge,
};
