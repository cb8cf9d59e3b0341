/* SPDX-License-Identifier: Apache-2.0
 *
 * request: an open request is a slot. Every slot that was ever used keeps one subscription,
 * "<prefix>.<slot>.*", and each request in it has a reply subject of its own, whose last token is the slot's
 * generation: an answer names its request, and a late or second one finds nothing. libnats hides the subject
 * of a "nobody listens" answer, and only the subscription says which slot it is for; it can only be for the
 * request that is there, as a slot whose request ended without an answer gives its subscription up. So a
 * request that is answered costs one message each way, and no SUB and UNSUB. Deadlines are in a heap by slot;
 * one loop timer serves the nearest. A timer that is too early (its request was answered) only looks and sets
 * itself again.
 */
#include "run/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "base/mem.h"
#include "base/slots.h"

#define TOKEN_DIGITS 8u
#define PREFIX_BYTES (BUS_SUBJECT_BYTES - 2 * (1 + TOKEN_DIGITS))
#define REPLY_BYTES (BUS_SUBJECT_BYTES + 1)

/* What a slot keeps from request to request. */
struct line {
	struct requests *of;
	struct bus_sub *sub;
	uint32_t index; /* the slot's */
};

struct open_request {
	char token[TOKEN_DIGITS + 1]; /* the last of its reply subject: the slot's generation */
	void (*on_reply)(void *ctx, int err, const struct bus_msg *m);
	void *ctx;
};

struct requests {
	struct loop *loop;
	struct bus *bus;
	struct slots open;
	struct slots lines; /* one for every slot of `open` that was used, at the same index */
	struct heap deadlines;
	struct loop_timer timer;
	int64_t armed_ns; /* what the timer is set to; INT64_MAX: for ever, which keeps its place in the loop */
	bool closing;
	char prefix[PREFIX_BYTES + 1];
};

/* End the request in a slot. Its slot is free before the caller is told, who may send the next one. */
static void end_request(struct requests *r, uint32_t index, int err, const struct bus_msg *m)
{
	struct open_request q = *(struct open_request *)slots_at(&r->open, index);

	heap_drop(&r->deadlines, index);
	slots_drop(&r->open, index);
	q.on_reply(q.ctx, err, m);
}

/* Whatever still comes for the slot's requests is for nobody. */
static void drop_sub(struct requests *r, uint32_t index)
{
	struct line *line = slots_at(&r->lines, index);

	bus_unsubscribe(r->bus, line->sub);
	line->sub = NULL;
}

static void end_unanswered(struct requests *r, uint32_t index, int err)
{
	drop_sub(r, index);
	end_request(r, index, err, NULL);
}

static void set_timer(struct requests *r, int64_t due_ns)
{
	r->armed_ns = due_ns;
	CHECK(loop_timer_set(r->loop, &r->timer, due_ns) == 0);
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct requests *r = ctx;
	const struct heap_row *top;

	/* At once, so that what the callbacks send finds a timer. */
	set_timer(r, INT64_MAX);
	while ((top = heap_top(&r->deadlines)) != NULL && top->key <= now_ns)
		end_unanswered(r, top->item, ERR_TIMEOUT);
	if (top != NULL && top->key < r->armed_ns)
		set_timer(r, top->key);
}

/* Is it the reply subject of the request in the slot? The subscription vouches for all but the last token. */
static bool is_answer_to(const struct open_request *q, struct span subject)
{
	return subject.len > TOKEN_DIGITS &&
	       memcmp(subject.at + subject.len - TOKEN_DIGITS, q->token, TOKEN_DIGITS) == 0;
}

static void on_reply(void *ctx, const struct bus_msg *m)
{
	struct line *line = ctx;
	struct requests *r = line->of;

	if (!slots_is_taken(&r->open, line->index))
		return;
	if (m->no_responders)
		end_request(r, line->index, ERR_NO_NODE, NULL);
	else if (is_answer_to(slots_at(&r->open, line->index), m->subject))
		end_request(r, line->index, 0, m);
}

struct requests *requests_new(struct loop *l, struct bus *b, const char *prefix, uint32_t max)
{
	struct requests *r = mem_alloc(sizeof(*r));
	size_t prefix_len = strlen(prefix);

	if (r == NULL)
		return NULL;
	r->loop = l;
	r->bus = b;
	r->timer.on_due = on_due;
	r->timer.ctx = r;
	r->armed_ns = INT64_MAX;
	slots_init(&r->open, sizeof(struct open_request), max);
	slots_init(&r->lines, sizeof(struct line), max);
	heap_init(&r->deadlines);
	if (prefix_len <= PREFIX_BYTES && bus_is_subject(prefix) &&
		loop_timer_set(l, &r->timer, INT64_MAX) == 0) {
		memcpy(r->prefix, prefix, prefix_len + 1);
		return r;
	}
	requests_free(r);
	return NULL;
}

void requests_free(struct requests *r)
{
	const struct heap_row *top;

	if (r == NULL)
		return;
	r->closing = true;
	loop_timer_stop(r->loop, &r->timer);
	while ((top = heap_top(&r->deadlines)) != NULL)
		end_unanswered(r, top->item, ERR_CLOSED);
	for (uint32_t i = 0; i < r->lines.used; i++)
		drop_sub(r, i);
	heap_done(&r->deadlines);
	slots_done(&r->lines);
	slots_done(&r->open);
	mem_free(r);
}

/* The line of a slot, subscribed. Slots are numbered from 0 without gaps and lines are never given back, so a
 * slot that is used for the first time takes the line with its number. */
static struct line *open_line(struct requests *r, uint32_t index)
{
	char pattern[REPLY_BYTES];
	struct line *line;

	if (index >= r->lines.used) {
		uint32_t taken = slots_take(&r->lines);

		if (taken == SLOT_NONE)
			return NULL;
		CHECK(taken == index);
	}
	line = slots_at(&r->lines, index);
	line->of = r;
	line->index = index;
	if (line->sub != NULL)
		return line;
	(void)snprintf(pattern, sizeof(pattern), "%s.%" PRIx32 ".*", r->prefix, index);
	line->sub = bus_subscribe(r->bus, pattern, NULL, on_reply, line);
	return line->sub == NULL ? NULL : line;
}

/* Take a slot with a line and a place in the heap. SLOT_NONE: none is left, or no memory (*ret_err). */
static uint32_t open_slot(struct requests *r, char reply[REPLY_BYTES], int *ret_err)
{
	uint32_t index = SLOT_NONE;
	struct open_request *q;

	*ret_err = r->open.used == r->open.max ? ERR_BUSY : ERR_NO_MEMORY;
	if (r->open.used < r->open.max)
		index = slots_take(&r->open);
	if (index == SLOT_NONE)
		return SLOT_NONE;
	if (heap_reserve(&r->deadlines, index + 1) < 0 || open_line(r, index) == NULL) {
		slots_drop(&r->open, index);
		return SLOT_NONE;
	}
	q = slots_at(&r->open, index);
	(void)snprintf(q->token, sizeof(q->token), "%08" PRIx32,
		slots_id(&r->open, index).generation);
	(void)snprintf(reply, REPLY_BYTES, "%s.%" PRIx32 ".%s", r->prefix, index, q->token);
	return index;
}

int requests_send(struct requests *r, const char *subject, struct span data, int64_t timeout_ns,
	void (*on_answer)(void *ctx, int err, const struct bus_msg *m), void *ctx)
{
	char reply[REPLY_BYTES];
	struct open_request *q;
	uint32_t index;
	int64_t due_ns;
	int err;

	CHECK(on_answer != NULL);
	if (r->closing || r->bus->state == BUS_CLOSED)
		return ERR_CLOSED;
	index = open_slot(r, reply, &err);
	if (index == SLOT_NONE)
		return err;
	err = bus_publish(r->bus, subject, reply, span_of(NULL, 0), data);
	if (err < 0) {
		slots_drop(&r->open, index);
		return err;
	}
	q = slots_at(&r->open, index);
	q->on_reply = on_answer;
	q->ctx = ctx;
	if (__builtin_add_overflow(r->loop->now_ns, timeout_ns, &due_ns))
		due_ns = INT64_MAX - 1;
	heap_set(&r->deadlines, index, due_ns);
	if (due_ns < r->armed_ns)
		set_timer(r, due_ns);
	return 0;
}
