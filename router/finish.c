/* SPDX-License-Identifier: Apache-2.0
 *
 * finish: how a task ends, what its tenant hears, and what is kept of it.
 */
#include "router/machine.h"

#include "base/pure.h"

#define CACHE_LINE 64u
#define SEQ_AHEAD 64u /* events between two images that differ in nothing else */

void note_step(struct router *r, struct task *t, struct explain_note note)
{
	note.at_us = (r->now_ns - t->accepted_ns) / NS_PER_US;
	explain_add(&t->explain, &note);
	task_touch(&r->tasks, t);
}

void finish_note_fail(struct task *t, const struct fail *why)
{
	if (t->fail == NULL)
		t->fail = mem_alloc(sizeof *t->fail);
	if (t->fail != NULL) /* without memory the end says the code and its text only */
		*t->fail = *why;
}

/* --- events ------------------------------------------------------------------------------------------ */

static void hand_out(struct router *r, struct task *t, struct event *e)
{
	char id[ULID_TEXT + 1];

	e->task = t->id;
	e->seq = t->seq;
	if (t->stream == NULL)
		ulid_text(t->id, id);
	r->out->on_event(r->out->ctx, router_tenant(r, t->tenant),
		t->stream == NULL ? id : t->stream, e, t->fast);
}

static void send(struct router *r, struct task *t, struct event *e)
{
	t->seq++;
	if (t->seq > t->seq_kept) {
		t->seq_kept = t->seq + SEQ_AHEAD;
		task_touch(&r->tasks, t);
	}
	hand_out(r, t, e);
}

static struct span node_name(struct router *r, const struct task *t)
{
	return registry_name(&r->registry, t->node);
}

/* Parts are their parent's business, and `fast` tasks tell their end only. */
static bool is_quiet(const struct task *t)
{
	return t->role != ROLE_TASK || t->fast;
}

void event_change(struct router *r, struct task *t, const char *reason)
{
	struct event e = { .kind = EVENT_CHANGE };

	if (is_quiet(t))
		return;
	e.state = t->state;
	e.rung = task_rung(t);
	e.attempt = t->attempt;
	e.reason = span_str(reason);
	e.paused = t->paused_ns != 0;
	if (t->state == STATE_ASSIGNED || t->state == STATE_RUNNING)
		e.node = node_name(r, t);
	send(r, t, &e);
}

void event_progress(struct router *r, struct task *t)
{
	struct event e = { .kind = EVENT_PROGRESS };

	if (is_quiet(t))
		return;
	e.permille = t->permille;
	e.note = span_str(t->note);
	send(r, t, &e);
}

void event_chunk(struct router *r, struct task *t, uint64_t seq, struct span data)
{
	struct event e = { .kind = EVENT_CHUNK,
		.chunk_seq = seq,
		.data = data,
		.attempt = t->attempt };

	send(r, t, &e);
}

/* It is no news, so it does not count: its number is that of the last event. */
void event_beat(struct router *r, struct task *t, uint32_t attempt, uint64_t chunks)
{
	struct event e = { .kind = EVENT_BEAT, .chunk_seq = chunks, .attempt = attempt };

	hand_out(r, t, &e);
}

void finish_result(const struct router *r, const struct task *t, struct result *ret)
{
	*ret = (struct result){
		.state = t->state,
		.body = span_of(t->result, t->result_len),
		.rung = task_rung(t),
		.attempts = t->attempts,
		.attempt = t->attempt,
		.price_ucr = t->spent_ucr + (t->state == STATE_SUCCEEDED ? t->price_ucr : 0),
		.run_us = t->run_us,
		.cache_hit = t->cache_hit,
		.cache_age_ms = t->cache_age_ms,
		.cache_near = t->cache_near,
		.total_us = (t->ended_ns - t->accepted_ns) / NS_PER_US,
		.chunks = t->chunks,
	};
	ret->node = router_node_name(r, t);
	if (t->state == STATE_SUCCEEDED)
		return;
	if (t->fail != NULL)
		ret->fail = *t->fail;
	else
		ret->fail.code = ERR_NO_MEMORY; /* the reason itself found no memory */
}

/* --- the end ----------------------------------------------------------------------------------------- */

static void count(struct router *r, const struct task *t)
{
	uint64_t *const by_state[STATES] = {
		[STATE_SUCCEEDED] = &r->counts.succeeded,
		[STATE_FAILED] = &r->counts.failed,
		[STATE_CANCELLED] = &r->counts.cancelled,
		[STATE_EXPIRED] = &r->counts.expired,
		[STATE_DEAD] = &r->counts.dead,
	};

	if (t->role == ROLE_TASK)
		(*by_state[t->state])++;
}

/* A running attempt is called back from its node. */
static void call_back(struct router *r, struct task *t, const char *why)
{
	if (list_is_empty(&t->on_node))
		return;
	report_order_cancel(r, node_name(r, t), t->id, t->attempt, why, t->fast);
	report_detach(r, t);
}

static void announce(struct router *r, struct task *t)
{
	struct event e = { .kind = EVENT_END };
	const struct journal_record record = {
		.kind = JOURNAL_ENDED,
		.task = t->id,
		.at_ns = r->now_ns,
		.attempt = t->attempt,
		.result = &e.result,
	};

	finish_result(r, t, &e.result);
	r->out->on_record(r->out->ctx, &record);
	if (t->role == ROLE_TASK)
		send(r, t, &e);
}

void finish(struct router *r, struct task *t, enum task_event e, const struct fail *why)
{
	rung_leave(r, t);
	if (why == NULL)
		twin_outrun(r, t);
	else
		twin_end(r, t, err_row(why->code)->text);
	call_back(r, t, why == NULL ? "done" : err_row(why->code)->text);
	t->paused_ns = 0;
	task_move(&r->tasks, t, e);
	if (why != NULL) {
		finish_note_fail(t, why);
	} else {
		mem_free(t->fail); /* of an earlier attempt */
		t->fail = NULL;
	}
	t->ended_ns = r->now_ns;
	router_count_end(r, t);
	heap_drop(&r->tasks.due, t->index);
	if (why == NULL || t->role != ROLE_TASK) { /* else it may be replayed */
		mem_free(t->body);
		t->body = NULL;
		t->body_len = 0;
	}
	count(r, t);
	announce(r, t);
	flow_end(r, t);
	if (t->split != NULL)
		split_release(r, t);
	if (t->role == ROLE_TASK)
		finish_keep(r, t);
	else
		split_child_ended(r, t);
	answers_end(r, t);
}

/* --- what is kept ------------------------------------------------------------------------------------ */

int finish_check_keep(const struct router *r, int64_t keep_ms, struct fail *why)
{
	int64_t most_ms = r->conf.keep_max_ns / NS_PER_MS;

	return keep_ms <= most_ms ? 0
				  : fail_set(why, ERR_INVALID, "keep_ms", most_ms,
					    "no ended task is kept for so long");
}

int64_t finish_forget_ns(const struct router *r, const struct task *t)
{
	int64_t keep_ns = t->keep_ns > 0 ? t->keep_ns : r->conf.keep_ns;

	return keep_ns > INT64_MAX - t->ended_ns ? INT64_MAX : t->ended_ns + keep_ns;
}

void finish_keep(struct router *r, struct task *t)
{
	if (t->keep_ns > 0) {
		list_push(&r->tasks.ended_own, &t->kept);
		tasks_wake_by(&r->tasks, t, finish_forget_ns(r, t));
	} else {
		list_push(&r->tasks.ended, &t->kept);
	}
	t->kept_bytes = task_bytes(t);
	r->tasks.ended_n++;
	r->tasks.ended_bytes += t->kept_bytes;
}

/* The oldest was written long ago, and one of the next steps drops it: bring near what that touches. Of the one
 * behind it only the record, which tells the rest. */
static void expect_drop(const struct router *r, const struct task *t)
{
	const struct task *next = CONTAINER(t->kept.next, struct task, kept);

	map_expect(&r->tasks.by_id, ulid_hash(t->id));
	__builtin_prefetch(t->result);
	__builtin_prefetch(t->stream);
	__builtin_prefetch(t->explain.block);
	if (&next->kept == &r->tasks.ended || &next->kept == &r->tasks.ended_own)
		return;
	for (size_t at = 0; at < sizeof *next; at += CACHE_LINE)
		__builtin_prefetch((const char *)next + at);
}

void finish_forget(struct router *r, struct task *t)
{
	r->counts.evicted++;
	router_drop_task(r, t);
}

static struct task *first_of(const struct list *ended)
{
	return list_is_empty(ended) ? NULL : CONTAINER(ended->next, struct task, kept);
}

/* Which goes next for want of room. */
static struct task *oldest(const struct tasks *ts)
{
	struct task *usual = first_of(&ts->ended), *own = first_of(&ts->ended_own);

	return usual == NULL || (own != NULL && own->ended_ns < usual->ended_ns) ? own : usual;
}

static bool has_room(const struct router *r)
{
	return r->tasks.ended_n <= r->conf.results_max &&
	       r->tasks.ended_bytes <= r->conf.results_bytes_max;
}

void finish_make_room(struct router *r)
{
	struct task *t;

	while ((t = oldest(&r->tasks)) != NULL &&
		(r->tasks.ended_n >= r->conf.results_max || !has_room(r)))
		finish_forget(r, t);
}

void finish_evict(struct router *r)
{
	struct task *t;
	bool dropped = false;

	while ((t = first_of(&r->tasks.ended)) != NULL &&
		r->now_ns >= t->ended_ns + r->conf.keep_ns)
		finish_forget(r, t);
	while ((t = oldest(&r->tasks)) != NULL && !has_room(r)) {
		finish_forget(r, t);
		dropped = true;
	}
	if (dropped && t != NULL)
		expect_drop(r, t);
}
