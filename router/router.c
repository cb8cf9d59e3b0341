/* SPDX-License-Identifier: Apache-2.0
 *
 * router: steps and time.
 */
#include "router/router.h"

#include "router/image.h"
#include "router/machine.h"

#include "base/pure.h"

#define DAY_NS (24 * 3600 * NS_PER_S)
#define ARENA_MAX (4u << 20)
#define IMAGE_MAX (2u * LIMIT_MESSAGE_BYTES)

void router_conf_default(struct router_conf *conf)
{
	*conf = (struct router_conf){
		.tasks_max = 131072,
		.bodies_max = 256u << 20,
		.results_max = 100000,
		.results_bytes_max = 64u << 20,
		.tenants_max = 4096,
		.keep_ns = DAY_NS,
		.keep_max_ns = 7 * DAY_NS,
		.lease_ns = 30 * NS_PER_S,
		.deadline_ns = 600 * NS_PER_S,
		.human_deadline_ns = 24 * 3600 * NS_PER_S,
		.start_within_ns = { 0, 60 * NS_PER_S, 30 * NS_PER_S, 30 * NS_PER_S, 30 * NS_PER_S,
			60 * NS_PER_S },
		.retry = { .attempts_max = { 0, 10, 3, 3, 1, 3 },
			.backoff_ns = NS_PER_S,
			.backoff_max_ns = 100 * NS_PER_S, },
		.settle_ns = NS_PER_S,
		.split_parts = 8,
		.speculation = true,
		.late = { .after_us = 500000, .share_percent = 10 },
		.registry = { .nodes_max = 16384,
			.kinds_max = 1024,
			.suspect_ns = 15 * NS_PER_S,
			.down_ns = 30 * NS_PER_S,
			.forget_ns = 600 * NS_PER_S, },
		.streams = { .max = 16384,
			.bytes_max = 1 << 20,
			.all_bytes_max = 32 << 20,
			.beat_ns = 2 * NS_PER_S,
			.keep_ns = 60 * NS_PER_S, },
		.answers = { .bytes_max = 16 << 20, .ttl_ns = 3600 * NS_PER_S },
		.seed = 1,
		.incarnation = 1,
	};
}

struct router *router_new(const struct router_conf *conf, int64_t now_ns)
{
	struct router *r = mem_alloc(sizeof *r);

	if (r == NULL)
		return NULL;
	r->conf = *conf;
	r->policy = place_policy_at(conf->policy);
	CHECK(r->policy != NULL);
	r->started_ns = now_ns;
	prng_seed(&r->prng, conf->seed);
	arena_init(&r->arena, ARENA_MAX);
	buf_init(&r->image, IMAGE_MAX);
	r->next_row = 1;
	stragglers_init(&r->stragglers);
	tasks_init(&r->tasks, conf->tasks_max + conf->results_max, conf->key_seed);
	streams_init(&r->streams, &conf->streams);
	tenants_init(&r->tenants, conf->tenants_max);
	r->tenants.weights = conf->weights;
	r->tenants.weights_n = conf->weights_n;
	r->conf.answers.seed = conf->seed;
	if (answers_init(&r->answers, &r->conf.answers) < 0 ||
		registry_init(&r->registry, &conf->registry) < 0 ||
		waits_init(&r->waits, conf->registry.kinds_max, conf->tasks_max) < 0) {
		router_free(r);
		return NULL;
	}
	r->registry.on_change = rung_on_change;
	r->registry.ctx = r;
	return r;
}

void router_free(struct router *r)
{
	if (r == NULL)
		return;
	waits_done(&r->waits);
	stragglers_done(r);
	streams_done(&r->streams);
	answers_done(&r->answers);
	tasks_done(&r->tasks);
	registry_done(&r->registry);
	tenants_done(&r->tenants);
	arena_done(&r->arena);
	buf_done(&r->image);
	mem_free(r);
}

/* --- the table's rows --------------------------------------------------------------------------------- */

struct task *router_add_known(struct router *r, uint32_t tenant, struct ulid id)
{
	struct task *t = tasks_add(&r->tasks, id);

	if (t != NULL) {
		t->tenant = tenant;
		tenant_at(&r->tenants, tenant)->tasks++;
		t->accepted_ns = r->now_ns;
		t->rung_ns = r->now_ns;
	}
	return t;
}

struct task *router_add_task(struct router *r, uint32_t tenant)
{
	struct ulid id = ulid_make(r->now_ns / NS_PER_MS, &r->prng);

	return router_open(r) < r->conf.tasks_max ? router_add_known(r, tenant, id) : NULL;
}

void router_count_open(struct router *r, struct task *t)
{
	CHECK(!t->is_counted);
	t->is_counted = true;
	t->counted_bytes = t->body_len;
	tenants_open(&r->tenants, t->tenant, t->counted_bytes);
}

void router_count_end(struct router *r, struct task *t)
{
	CHECK(t->is_counted);
	t->is_counted = false;
	tenants_end(&r->tenants, t->tenant, t->counted_bytes, r->now_ns);
}

void router_drop_task(struct router *r, struct task *t)
{
	uint32_t tenant = t->tenant;

	flow_drop(r, t);
	tasks_drop(&r->tasks, t);
	tenant_at(&r->tenants, tenant)->tasks--;
	tenants_drop_idle(&r->tenants, tenant, r->now_ns);
}

/* --- cancel, drain, time ------------------------------------------------------------------------------- */

static int cancel(struct router *r, const struct router_event *e)
{
	struct task *t = tasks_find(&r->tasks, e->task);
	struct fail why = { 0 };

	if (t == NULL || !span_eq(router_tenant(r, t->tenant), e->who))
		return ERR_UNKNOWN;
	if (state_is_final(t->state))
		return 0;
	fail_set(&why, ERR_CANCELLED, NULL, 0, NULL);
	finish(r, t, TASK_CANCEL, &why);
	return 0;
}

static int drain(struct router *r, const struct router_event *e)
{
	uint32_t node = registry_find(&r->registry, e->node);

	if (node == NODE_NOBODY)
		return ERR_UNKNOWN;
	registry_drain(&r->registry, node, e->on);
	r->out->on_down(r->out->ctx, e->node, &(struct down){ .kind = DOWN_DRAIN, .on = e->on },
		true);
	return 0;
}

/* On a node what is being computed is kept again: that is newer than the order. */
static void purge(struct router *r, struct span tenant)
{
	struct down d = { .kind = DOWN_PURGE, .tenant = tenant };

	answers_purge(r, tenant);
	r->out->on_down(r->out->ctx, SPAN_LIT("all"), &d, true);
}

/* Look at one task whose time has come, and say when to look again. */
static void task_due(struct router *r, struct task *t)
{
	if (state_is_final(t->state)) {
		finish_forget(r, t);
		return;
	}
	if (r->now_ns >= t->deadline_ns) {
		deadline_over(r, t);
		return;
	}
	tasks_wake_by(&r->tasks, t, t->deadline_ns);
	switch ((enum state)t->state) {
	case STATE_QUEUED:
		rung_due(r, t);
		break;
	case STATE_ASSIGNED:
	case STATE_RUNNING:
		twin_due(r, t);
		straggler_due(r, t);
		if (r->now_ns >= t->lease_ns)
			report_lost(r, t, "no sign of life within the lease");
		else
			tasks_wake_by(&r->tasks, t, t->lease_ns);
		break;
	case STATE_NONE:
	case STATE_SPLIT:
	case STATE_SUCCEEDED:
	case STATE_FAILED:
	case STATE_CANCELLED:
	case STATE_EXPIRED:
	case STATE_DEAD:
		break;
	}
}

static void tick(struct router *r)
{
	const struct heap_row *top;
	uint32_t node;

	while ((node = registry_tick(&r->registry, r->now_ns)) != NODE_NOBODY)
		report_node_lost(r, node, "the node is down");
	while ((top = heap_top(&r->tasks.due)) != NULL && top->key <= r->now_ns) {
		struct task *t = tasks_at(&r->tasks, top->item);

		heap_drop(&r->tasks.due, t->index);
		task_due(r, t);
	}
	flow_tick(r);
	if (!r->settled && r->now_ns >= r->started_ns + r->conf.settle_ns) {
		r->settled = true;
		waits_touch_all(&r->waits);
	}
}

int router_step(struct router *r, int64_t now_ns, const struct router_event *e,
	const struct router_out *out)
{
	int err = 0;

	r->now_ns = now_ns;
	r->out = out;
	switch (e->kind) {
	case ROUTER_SUBMIT:
		router_submit(r, e);
		break;
	case ROUTER_UP:
		err = report_up(r, e->who, e->up);
		break;
	case ROUTER_CANCEL:
		err = cancel(r, e);
		break;
	case ROUTER_DRAIN:
		err = drain(r, e);
		break;
	case ROUTER_REPLAY:
		err = router_replay(r, e);
		break;
	case ROUTER_FORGET:
		err = router_forget(r, e);
		break;
	case ROUTER_PAUSE:
		err = pause_begin(r, e);
		break;
	case ROUTER_RESUME:
		err = pause_end(r, e);
		break;
	case ROUTER_PURGE:
		purge(r, e->who);
		break;
	case ROUTER_BACK:
		r->back_ns = now_ns;
		break;
	case ROUTER_TICK:
		tick(r);
		break;
	}
	rung_dispatch(r);
	stragglers_turn(r);
	image_touched(r);
	finish_evict(r);
	r->out = NULL;
	return err;
}

int64_t router_wake(const struct router *r)
{
	const struct heap_row *top = heap_top(&r->tasks.due);
	int64_t wake = registry_wake(&r->registry), late = stragglers_wake(r);
	int64_t beat = streams_wake(&r->streams);

	if (top != NULL && top->key < wake)
		wake = top->key;
	if (late < wake)
		wake = late;
	if (beat < wake)
		wake = beat;
	if (!r->settled && r->started_ns + r->conf.settle_ns < wake)
		wake = r->started_ns + r->conf.settle_ns;
	if (!list_is_empty(&r->tasks.ended)) {
		const struct task *t = CONTAINER(r->tasks.ended.next, struct task, kept);

		if (finish_forget_ns(r, t) < wake)
			wake = finish_forget_ns(r, t);
	}
	return wake;
}

/* --- read access -------------------------------------------------------------------------------------- */

const struct router_counts *router_counts(const struct router *r)
{
	return &r->counts;
}

const struct tasks *router_tasks(const struct router *r)
{
	return &r->tasks;
}

const struct registry *router_registry(const struct router *r)
{
	return &r->registry;
}

const struct streams *router_streams(const struct router *r)
{
	return &r->streams;
}

const struct answers *router_answers(const struct router *r)
{
	return &r->answers;
}

struct cache_view router_cache(const struct router *r, int64_t now_ns)
{
	return answers_view(r, now_ns);
}

const struct place_policy *router_policy(const struct router *r)
{
	return r->policy;
}

int64_t router_started_ns(const struct router *r)
{
	return r->started_ns;
}

uint64_t router_incarnation(const struct router *r)
{
	return r->conf.incarnation;
}

int router_image_err(const struct router *r)
{
	return r->image_err;
}

void router_next_row(struct router *r, uint64_t row)
{
	if (row > r->next_row)
		r->next_row = row;
}

const struct task *router_key(const struct router *r, struct span tenant, struct span key)
{
	uint32_t i = tenants_find(&r->tenants, tenant);

	return i == SLOT_NONE ? NULL : tasks_find_key(&r->tasks, i, key);
}

struct span router_node_name(const struct router *r, const struct task *t)
{
	struct span name = registry_name(&r->registry, t->node);

	return name.len > 0 || t->node != NODE_NOBODY || t->was_on == NULL ? name
									   : span_str(t->was_on);
}

struct span router_tenant(const struct router *r, uint32_t tenant)
{
	return span_str(tenant_at(&r->tenants, tenant)->name);
}

void router_expect(const struct router *r, struct ulid id)
{
	map_expect(&r->tasks.by_id, ulid_hash(id));
}

const struct task *router_task(const struct router *r, struct span tenant, bool operator_,
	struct ulid id)
{
	const struct task *t = tasks_find(&r->tasks, id);

	if (t == NULL || (!operator_ && !span_eq(router_tenant(r, t->tenant), tenant)))
		return NULL;
	return t;
}

uint32_t router_open(const struct router *r)
{
	const uint32_t *c = r->tasks.count;

	return c[STATE_QUEUED] + c[STATE_ASSIGNED] + c[STATE_RUNNING] + c[STATE_SPLIT];
}
