/* SPDX-License-Identifier: Apache-2.0
 *
 * submit: what a submit must satisfy, in order: its key, its deadline, how long it is to be kept, its rungs, a graph's
 * parts, room. Who is refused has cost nothing.
 */
#include "router/graph.h"
#include "router/graph_body.h"
#include "router/machine.h"

#include "base/pure.h"

#define DAY_NS (24 * 3600 * NS_PER_S)
#define RETRY_AFTER_MS 1000

/* The rungs of the kind's ladder that the submitter allows, in the ladder's order. */
static struct ladder allowed(const struct ladder *all, const struct ladder *allow)
{
	struct ladder l = { .n = 0 };

	for (uint8_t i = 0; i < all->n; i++) {
		bool is_in = allow->n == 0;

		for (uint8_t k = 0; k < allow->n; k++)
			is_in = is_in || allow->rung[k] == all->rung[i];
		if (is_in)
			l.rung[l.n++] = all->rung[i];
	}
	return l;
}

/* Copy what the task keeps of the submit. */
static int fill(struct router *r, struct task *t, const struct router_event *e)
{
	const struct submit *s = e->submit;

	t->priority = (uint8_t)s->priority;
	t->fast = s->fast;
	t->max_price_ucr = s->max_price_ucr;
	t->start_within_ns = peer_ns(s->start_within_ms, LIMIT_DEADLINE_DAYS * DAY_NS);
	deadline_set(r, t, s->deadline_ms);
	t->keep_ns = s->keep_ms * NS_PER_MS;
	t->body = mem_dup(s->body);
	t->body_len = (uint32_t)s->body.len;
	t->stream = s->stream.len > 0 ? mem_str(s->stream) : NULL;
	t->model = e->model.len > 0 ? mem_str(e->model) : NULL;
	if (t->body == NULL || (s->stream.len > 0 && t->stream == NULL) ||
		(e->model.len > 0 && t->model == NULL))
		return ERR_NO_MEMORY;
	return s->key.len > 0 ? tasks_set_key(&r->tasks, t, s->key, e->hash) : 0;
}

static int refuse_busy(struct fail *why, const char *what, int64_t limit)
{
	int r = fail_set(why, ERR_BUSY, what, limit, "the router holds all it may");

	why->retry_after_ms = RETRY_AFTER_MS;
	return r;
}

/* Is this key known? Then *reply is filled and 1 is returned (or CONFLICT). */
static int repeat(const struct router *r, uint32_t tenant, const struct router_event *e,
	struct submit_reply *reply)
{
	const struct task *t =
		e->submit->key.len > 0 ? tasks_find_key(&r->tasks, tenant, e->submit->key) : NULL;

	if (t == NULL)
		return 0;
	if (memcmp(t->hash, e->hash, TASK_HASH) != 0)
		return fail_set(&reply->fail, ERR_CONFLICT, "key", 0, NULL);
	reply->task = t->id;
	reply->existing = true;
	reply->state = t->state;
	return 1;
}

int submit_has_room(const struct router *r, uint32_t tenant, uint64_t body_bytes, struct fail *why)
{
	struct tenant *n = tenant_at(&r->tenants, tenant);
	const struct admit_load load = {
		.tasks = n->open,
		.all_tasks = router_open(r),
		.tasks_max = r->conf.tasks_max,
		.bytes = n->open_bytes,
		.all_bytes = r->tenants.open_bytes,
		.bytes_max = r->conf.bodies_max,
		.weight = n->of[RUNG_NONE].share.weight,
		.end_gap_ns = n->end_gap_ns,
	};

	return admit_task(&r->conf.of_tenant, &load, body_bytes, &n->rate, r->now_ns, why);
}

/* 0: accepted, *ret is the task; 1: known already; else refused, reply->fail says why. */
static int accept_as(struct router *r, uint32_t tenant, uint32_t kind, const struct router_event *e,
	struct task **ret)
{
	struct fail *why = &e->reply->fail;
	struct ladder ladder =
		allowed(&registry_kind_at(&r->registry, kind)->ladder, &e->submit->allow);
	struct task *t;
	int err = repeat(r, tenant, e, e->reply);

	if (err != 0)
		return err;
	err = deadline_check(r, e->submit->deadline_ms, why);
	if (err == 0)
		err = finish_check_keep(r, e->submit->keep_ms, why);
	if (err < 0)
		return err;
	if (ladder.n == 0)
		return fail_set(why, ERR_INVALID, "allow", 0,
			"the kind has none of these rungs on its ladder");
	if (span_is(e->submit->kind, GRAPH_KIND)) {
		err = graph_check(r, &ladder, e->submit->body, why);
		if (err < 0)
			return err;
	}
	err = answers_ask(r, kind, e, why);
	if (err < 0)
		return err;
	err = submit_has_room(r, tenant, e->submit->body.len, why);
	if (err < 0)
		return err;
	t = router_add_task(r, tenant);
	if (t == NULL)
		return refuse_busy(why, "tasks", r->conf.tasks_max);
	t->kind = kind;
	t->ladder = ladder;
	if (fill(r, t, e) < 0) {
		tasks_drop(&r->tasks, t);
		tenant_at(&r->tenants, tenant)->tasks--;
		return refuse_busy(why, "memory", 0);
	}
	router_count_open(r, t);
	*ret = t;
	return 0;
}

static int accept_task(struct router *r, const struct router_event *e, struct task **ret)
{
	const struct submit *s = e->submit;
	struct fail *why = &e->reply->fail;
	uint32_t kind, tenant;
	int err;

	if (s->fail.code != 0) {
		*why = s->fail;
		return s->fail.code;
	}
	kind = registry_kind(&r->registry, s->kind);
	if (kind == KIND_UNKNOWN)
		return fail_set(why, ERR_UNKNOWN, "kind", 0,
			"there is no kind %.*s, and no node offers one of that name",
			(int)s->kind.len, (const char *)s->kind.at);
	tenant = tenants_need(&r->tenants, e->who, r->now_ns);
	if (tenant == SLOT_NONE)
		return refuse_busy(why, "tenants", r->conf.tenants_max);
	err = accept_as(r, tenant, kind, e, ret);
	tenants_drop_idle(&r->tenants, tenant, r->now_ns);
	return err;
}

void router_record_accepted(struct router *r, const struct task *t, const struct router_event *e)
{
	const struct journal_record record = {
		.kind = JOURNAL_ACCEPTED,
		.task = t->id,
		.at_ns = r->now_ns,
		.tenant = e->who,
		.submit = e->submit,
	};

	r->out->on_record(r->out->ctx, &record);
}

void router_submit(struct router *r, const struct router_event *e)
{
	struct submit_reply *reply = e->reply;
	struct task *t = NULL;
	int err;

	*reply = (struct submit_reply){ .key = e->submit->key };
	err = accept_task(r, e, &t);
	if (err < 0)
		r->counts.refused++;
	if (t == NULL)
		return;
	r->counts.accepted++;
	reply->task = t->id;
	reply->state = STATE_QUEUED;
	router_record_accepted(r, t, e);
	task_touch(&r->tasks, t);
	tasks_wake_by(&r->tasks, t, t->deadline_ns);
	if (!answers_take(r, t))
		rung_arrive(r, t);
}
