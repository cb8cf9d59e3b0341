/* SPDX-License-Identifier: Apache-2.0
 *
 * image: out at the end of each step, in when a router starts or a kept task is asked for.
 *
 * A row is open as long as the machine needs it to go on: also a part that has ended, until its parent lets it
 * go. A restart brings the open rows back (router_restore, in the order of their numbers, so that parents come
 * first), then router_resume puts each task where its state says: into a queue, or back on its node with a full
 * lease, since the silence was the router's own.
 */
#include "router/image.h"

#include "router/machine.h"
#include "router/view.h"
#include "wire/journal.h"

#include "base/pure.h"

#define HASH_SEED 29u

/* --- out ---------------------------------------------------------------------------------------------- */

static bool is_kept(const struct task *t)
{
	return !list_is_empty(&t->kept);
}

static void put_order(struct buf *b, const struct router *r, const struct task *t)
{
	struct task_order o = {
		.kind = span_str(registry_kind_at(&r->registry, t->kind)->name),
		.tenant = router_tenant(r, t->tenant),
		.key = span_str(t->key),
		.stream = span_str(t->stream),
		.model = span_str(t->model),
		.body = span_of(t->body, t->body_len),
		.ladder = t->ladder,
		.max_price_ucr = t->max_price_ucr,
		.start_within_ns = t->start_within_ns,
		.keep_ns = t->keep_ns,
		.accepted_ns = t->accepted_ns,
		.deadline_is_wall = t->deadline_is_wall && !is_kept(t),
		.priority = t->priority,
		.role = t->role,
		.part = t->part,
		.depth = t->depth,
	};

	/* Of an open row it holds whatever is done to the clock. */
	o.deadline_ns = t->deadline_ns + (o.deadline_is_wall ? r->skew_ns : 0);
	if (t->key != NULL)
		o.hash = span_of(t->hash, TASK_HASH);
	if (t->parent != TASK_NONE && !is_kept(t))
		o.parent = tasks_at(&r->tasks, t->parent)->id;
	task_order_put(b, &o);
}

static struct split_state split_of(const struct split *s)
{
	return (struct split_state){
		.parts = s->parts,
		.parts_n = s->parts_n,
		.plan = s->plan,
		.join = s->join,
		.join_body = span_of(s->join_body, s->join_len),
		.join_kind = span_str(s->join_kind),
		.fan_in = s->fan_in,
		.level_at = s->level_at,
		.released = s->released,
	};
}

/* The steps so far, encoded into b. */
static void put_steps(struct buf *b, const struct router *r, struct arena *a, const struct task *t)
{
	struct view v = { .router = r, .arena = a };
	struct explain_view x = { .steps_n = 0 };

	if (view_steps(&v, t, &x))
		explain_steps_put(b, &x);
	else
		b->err = ERR_NO_MEMORY;
}

static void put_state(struct buf *b, const struct router *r, const struct task *t,
	struct span steps)
{
	struct split_state split;
	struct task_state s = {
		.state = t->state,
		.node = router_node_name(r, t),
		.steps = steps,
		.result = span_of(t->result, t->result_len),
		.rung_ns = t->rung_ns,
		.retry_ns = t->retry_ns,
		.started_ns = t->started_ns,
		.ended_ns = t->ended_ns,
		.price_ucr = t->price_ucr,
		.spent_ucr = t->spent_ucr,
		.run_us = t->run_us,
		.cache_hit = t->cache_hit,
		.cache_age_ms = t->cache_age_ms,
		.cache_near = t->cache_near,
		.seq = t->seq_kept,
		.chunks = state_is_final(t->state) ? t->chunks : 0,
		.rung_at = t->rung_at,
		.tries = t->tries,
		.attempt = t->attempt,
		.attempts = t->attempts,
		.steps_dropped = t->explain.dropped,
		.twins = t->twins,
		.paused_ns = t->paused_ns,
	};

	if (t->fail != NULL)
		s.fail = *t->fail;
	if (t->twin != NULL)
		s.twin = (struct twin_state){ t->twin->attempt, twin_node_name(r, t),
			t->twin->is_started };
	if (t->split != NULL) {
		split = split_of(t->split);
		s.split = &split;
		s.parts_done = t->split->parts_done;
	}
	task_state_put(b, &s);
}

/* Encode both into the router's buffer; *ret_cut is where the state starts. 0 or ERR_NO_MEMORY. */
static int encode(const struct router *r, struct arena *a, struct buf *b, const struct task *t,
	bool with_order, size_t *ret_cut)
{
	size_t cut;

	buf_reset(b);
	arena_reset(a);
	put_steps(b, r, a, t);
	/* The steps stand inside the state: a copy out of the way of what follows. */
	struct span steps = span_of(arena_str(a, buf_span(b)), b->len);

	if (buf_err(b) < 0 || steps.at == NULL)
		return ERR_NO_MEMORY;
	buf_reset(b);
	if (with_order)
		put_order(b, r, t);
	cut = b->len;
	put_state(b, r, t, steps);
	*ret_cut = cut;
	return buf_err(b);
}

static void hand_out(struct router *r, struct task *t)
{
	bool first = t->row == 0;
	struct journal_image image = {
		.life = is_kept(t) ? JOURNAL_KEPT : JOURNAL_OPEN,
		.task = t->id,
		.tenant = router_tenant(r, t->tenant),
		.key = span_str(t->key),
	};
	size_t cut = 0;

	if (first)
		t->row = r->next_row++;
	image.row = t->row;
	if (image.life == JOURNAL_KEPT)
		image.forget_ns = finish_forget_ns(r, t);
	int err = encode(r, &r->arena, &r->image, t, first || is_kept(t), &cut);

	if (err == 0) {
		image.order = span_of(r->image.at, cut);
		image.state = span_of(r->image.at + cut, r->image.len - cut);
		err = r->out->on_image(r->out->ctx, &image);
	}
	if (err < 0 && r->image_err == 0)
		r->image_err = err;
}

void image_touched(struct router *r)
{
	while (!list_is_empty(&r->tasks.touched)) {
		struct task *t = CONTAINER(r->tasks.touched.next, struct task, touched);

		list_drop(&t->touched);
		if (r->out->on_image != NULL)
			hand_out(r, t);
	}
}

void image_gone(struct router *r, const struct task *t)
{
	const struct journal_image gone = { .row = t->row, .life = JOURNAL_GONE };
	int err =
		t->row == 0 || r->out->on_image == NULL ? 0 : r->out->on_image(r->out->ctx, &gone);

	if (err < 0 && r->image_err == 0)
		r->image_err = err;
}

int router_hash(struct router *r, uint64_t *ret)
{
	*ret = 0;
	for (uint32_t i = 0; i < r->tasks.slots.cap; i++) {
		const struct task *t =
			slots_is_taken(&r->tasks.slots, i) ? tasks_at(&r->tasks, i) : NULL;
		size_t cut;

		if (t == NULL || t->row == 0 || is_kept(t))
			continue;
		int err = encode(r, &r->arena, &r->image, t, true, &cut);

		if (err < 0)
			return err;
		*ret += span_hash(buf_span(&r->image), HASH_SEED + ulid_hash(t->id));
	}
	return 0;
}

/* --- in ----------------------------------------------------------------------------------------------- */

static char *text(struct span s, bool *ok)
{
	char *copy = s.len == 0 ? NULL : mem_str(s);

	*ok = *ok && (s.len == 0 || copy != NULL);
	return copy;
}

static unsigned char *bytes(struct span s, uint32_t *ret_len, bool *ok)
{
	unsigned char *copy = s.len == 0 ? NULL : mem_dup(s);

	*ok = *ok && (s.len == 0 || copy != NULL);
	*ret_len = copy == NULL ? 0 : (uint32_t)s.len;
	return copy;
}

static bool restore_order(struct router *r, struct task *t, const struct task_order *o,
	bool with_body)
{
	bool ok = true;

	t->ladder = o->ladder;
	t->priority = (uint8_t)o->priority;
	t->role = (uint8_t)o->role;
	t->part = o->part;
	t->depth = (uint8_t)o->depth;
	t->max_price_ucr = o->max_price_ucr;
	t->start_within_ns = o->start_within_ns;
	t->keep_ns = o->keep_ns;
	t->accepted_ns = o->accepted_ns;
	t->deadline_is_wall = o->deadline_is_wall;
	t->deadline_ns = o->deadline_ns - (o->deadline_is_wall ? r->skew_ns : 0);
	t->stream = text(o->stream, &ok);
	t->model = text(o->model, &ok);
	if (with_body) { /* also one of no bytes */
		t->body = mem_dup(o->body);
		t->body_len = (uint32_t)o->body.len;
		ok = ok && t->body != NULL;
	}
	return ok && (o->key.len == 0 || tasks_set_key(&r->tasks, t, o->key,
						 (const unsigned char *)o->hash.at) == 0);
}

static bool restore_split(struct task *t, const struct task_state *s)
{
	const struct split_state *from = s->split;
	struct split *to;
	uint32_t join_len;
	bool ok = true;

	if (from == NULL)
		return true;
	to = t->split = mem_alloc(sizeof *to);
	if (to == NULL)
		return false;
	to->plan = from->plan;
	to->join = from->join;
	to->released = from->released;
	to->fan_in = from->fan_in;
	to->level_at = from->level_at;
	to->parts_done = s->parts_done;
	span_copy(from->join_kind, to->join_kind, sizeof to->join_kind);
	to->join_body = bytes(from->join_body, &join_len, &ok);
	to->join_len = join_len;
	if (from->parts_n == 0)
		return ok;
	to->parts = mem_dup(span_of(from->parts, from->parts_n * sizeof *from->parts));
	to->parts_n = to->parts == NULL ? 0 : (uint32_t)from->parts_n;
	return ok && to->parts != NULL;
}

static bool restore_state(struct router *r, struct task *t, const struct task_state *s)
{
	bool ok = true;

	r->tasks.count[t->state]--;
	t->state = (uint8_t)s->state;
	r->tasks.count[t->state]++;
	t->rung_at = (uint8_t)s->rung_at;
	t->tries = (uint8_t)s->tries;
	t->attempt = s->attempt;
	t->attempts = s->attempts;
	t->rung_ns = s->rung_ns;
	t->retry_ns = s->retry_ns;
	t->started_ns = s->started_ns;
	t->ended_ns = s->ended_ns;
	t->price_ucr = s->price_ucr;
	t->spent_ucr = s->spent_ucr;
	t->run_us = s->run_us;
	t->cache_hit = s->cache_hit;
	t->cache_age_ms = s->cache_age_ms;
	t->cache_near = (uint16_t)s->cache_near;
	t->twins = (uint8_t)s->twins;
	t->paused_ns = state_is_final(s->state) ? 0 : s->paused_ns;
	t->seq = t->seq_kept = s->seq;
	t->chunks = s->chunks;
	t->explain.dropped =
		(uint16_t)(s->steps_dropped > UINT16_MAX ? UINT16_MAX : s->steps_dropped);
	t->was_on = text(s->node, &ok);
	t->told = bytes(s->steps, &t->told_len, &ok);
	t->result = bytes(s->result, &t->result_len, &ok);
	if (s->fail.code != 0)
		finish_note_fail(t, &s->fail);
	if (s->twin.attempt != 0)
		ok = twin_restore(r, t, s->twin.attempt, s->twin.node, s->twin.started) && ok;
	return restore_split(t, s) && ok;
}

/* Its tenant's and its kind's place. NULL and *why. */
static struct task *place_for(struct router *r, const struct journal_image *image,
	const struct task_order *o, struct fail *why)
{
	uint32_t kind = registry_kind_known(&r->registry, o->kind);
	uint32_t tenant;
	struct task *t = NULL;

	if (tasks_find(&r->tasks, image->task) != NULL) {
		fail_set(why, ERR_CONFLICT, "task", 0, "a task stands in two rows");
		return NULL;
	}
	tenant = kind == KIND_UNKNOWN ? SLOT_NONE : tenants_need(&r->tenants, o->tenant, r->now_ns);
	if (tenant != SLOT_NONE)
		t = router_add_known(r, tenant, image->task);
	if (t == NULL) {
		fail_set(why, ERR_NO_MEMORY, "task", 0, "no room for a task of the journal");
		return NULL;
	}
	t->kind = kind;
	t->row = image->row;
	return t;
}

static void note_newest(struct router *r, const struct task *t)
{
	const int64_t moments[] = { t->accepted_ns, t->rung_ns, t->started_ns, t->paused_ns,
		t->ended_ns };

	for (unsigned i = 0; i < ARRAY_LEN(moments); i++)
		if (moments[i] > r->newest_ns)
			r->newest_ns = moments[i];
}

int64_t router_newest_ns(const struct router *r)
{
	return r->newest_ns;
}

int router_restore(struct router *r, const struct journal_image *image, struct fail *why)
{
	struct task_order order;
	struct task_state state = { .state = STATE_NONE };
	struct task *t, *parent = NULL;
	int err;

	if (image->life == JOURNAL_KEPT)
		finish_make_room(r);
	arena_reset(&r->arena);
	err = task_order_decode(&r->arena, image->order, &order, why);
	if (err == 0)
		err = task_state_decode(&r->arena, image->state, &state, why);
	if (err == 0 && state.rung_at >= order.ladder.n)
		err = fail_set(why, ERR_INVALID, "rung_at", order.ladder.n - 1, NULL);
	if (err == 0 && state.twin.attempt != 0 &&
		((state.state != STATE_ASSIGNED && state.state != STATE_RUNNING) ||
			state.twin.attempt == state.attempt))
		err = fail_set(why, ERR_INVALID, "twin", 0, "a second attempt without a first one");
	if (err == 0 && order.role > ROLE_JOIN)
		err = fail_set(why, ERR_INVALID, "role", ROLE_JOIN, NULL);
	if (err == 0 && image->life == JOURNAL_KEPT && !state_is_final(state.state))
		err = fail_set(why, ERR_INVALID, "state", 0, "a kept task has ended");
	if (err == 0 && !ulid_is_zero(order.parent)) {
		parent = tasks_find(&r->tasks, order.parent);
		if (parent == NULL)
			err = fail_set(why, ERR_INVALID, "parent", 0, "a part without its parent");
	}
	if (err < 0)
		return err;
	t = place_for(r, image, &order, why);
	if (t == NULL)
		return why->code;
	if (parent != NULL)
		t->parent = parent->index;
	/* An open row keeps the order it came with; finish() lets the body go. */
	bool with_body = state.state != STATE_SUCCEEDED &&
			 (!state_is_final(state.state) || order.role == ROLE_TASK);

	if (!restore_order(r, t, &order, with_body) || !restore_state(r, t, &state)) {
		router_drop_task(r, t);
		return fail_set(why, ERR_NO_MEMORY, "task", 0, "no room for a task of the journal");
	}
	if (image->row >= r->next_row)
		r->next_row = image->row + 1;
	note_newest(r, t);
	if (!state_is_final(t->state))
		router_count_open(r, t);
	if (image->life == JOURNAL_KEPT)
		finish_keep(r, t);
	return 0;
}

/* Back on its node, which is expected to speak up, with a full lease. */
static void resume_attempt(struct router *r, struct task *t)
{
	uint32_t node = registry_expect(&r->registry, r->now_ns, span_str(t->was_on));

	t->assigned_ns = r->now_ns;
	t->lease_ns = r->now_ns + r->conf.lease_ns;
	if (node == NODE_NOBODY) { /* no room: as if it were lost, without blame */
		task_move(&r->tasks, t, TASK_BACK);
		rung_again(r, t, 0);
		return;
	}
	t->node = node;
	tasks_wake_by(&r->tasks, t, t->lease_ns);
	if (t->paused_ns != 0) {
		pause_hold(r, t);
		return;
	}
	list_push(&registry_node(&r->registry, node)->tasks, &t->on_node);
	registry_busy(&r->registry, node, 1);
	straggler_watch(r, t);
}

static void resume(struct router *r, struct task *t)
{
	int64_t delay = t->retry_ns > r->now_ns ? t->retry_ns - r->now_ns : 0;

	tasks_wake_by(&r->tasks, t, t->deadline_ns);
	if (t->state == STATE_ASSIGNED || t->state == STATE_RUNNING) {
		resume_attempt(r, t);
		twin_resume(r, t);
	} else if (t->state == STATE_QUEUED && task_rung(t) == RUNG_SPLIT)
		split_begin(r, t);
	else if (t->state == STATE_QUEUED)
		rung_again(r, t, delay);
}

void router_resume(struct router *r, int64_t now_ns, const struct router_out *out)
{
	r->now_ns = now_ns;
	r->started_ns = now_ns;
	r->out = out;
	for (uint32_t i = 0; i < r->tasks.slots.cap; i++) {
		struct task *t = slots_is_taken(&r->tasks.slots, i) ? tasks_at(&r->tasks, i) : NULL;

		if (t != NULL && t->row != 0 && !state_is_final(t->state))
			resume(r, t);
	}
	image_touched(r);
	r->out = NULL;
}
