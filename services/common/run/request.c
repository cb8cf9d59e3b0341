/* SPDX-License-Identifier: Apache-2.0
 *
 * request: an open request is a slot with a subscription to its own reply subject, whose last token is the
 * slot's index and generation. One wildcard subscription for all would be cheaper, but libnats hides the
 * subject of a "nobody listens" answer, so that only the subscription says whose it is. Deadlines are in a
 * heap by slot; one loop timer serves the nearest. A timer that is too early (its request was answered) only
 * looks and sets itself again.
 */
#include "run/request.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/heap.h"
#include "base/mem.h"
#include "base/slots.h"

#define TOKEN_DIGITS 16u
#define PREFIX_BYTES (BUS_SUBJECT_BYTES - 1 - TOKEN_DIGITS)
#define REPLY_BYTES (PREFIX_BYTES + 1 + TOKEN_DIGITS + 1)

struct open_request {
	struct requests *of;
	struct bus_sub *sub;
	uint32_t index; /* its slot */
	void (*on_reply)(void *ctx, int err, const struct bus_msg *m);
	void *ctx;
};

struct requests {
	struct loop *loop;
	struct bus *bus;
	struct slots open;
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

	bus_unsubscribe(r->bus, q.sub);
	heap_drop(&r->deadlines, index);
	slots_drop(&r->open, index);
	q.on_reply(q.ctx, err, m);
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
		end_request(r, top->item, ERR_TIMEOUT, NULL);
	if (top != NULL && top->key < r->armed_ns)
		set_timer(r, top->key);
}

static void on_reply(void *ctx, const struct bus_msg *m)
{
	struct open_request *q = ctx;

	if (m->no_responders)
		end_request(q->of, q->index, ERR_NO_NODE, NULL);
	else
		end_request(q->of, q->index, 0, m);
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
		end_request(r, top->item, ERR_CLOSED, NULL);
	heap_done(&r->deadlines);
	slots_done(&r->open);
	mem_free(r);
}

/* Take a slot with a subscription and a place in the heap. NULL: none is left, or no memory (*ret_err). */
static struct open_request *open_slot(struct requests *r, char reply[REPLY_BYTES], int *ret_err)
{
	uint32_t index = SLOT_NONE;
	struct open_request *q;

	*ret_err = r->open.used == r->open.max ? ERR_BUSY : ERR_NO_MEMORY;
	if (r->open.used < r->open.max)
		index = slots_take(&r->open);
	if (index == SLOT_NONE)
		return NULL;
	q = slots_at(&r->open, index);
	q->of = r;
	q->index = index;
	(void)snprintf(reply, REPLY_BYTES, "%s.%08" PRIx32 "%08" PRIx32, r->prefix, index,
		slots_id(&r->open, index).generation);
	if (heap_reserve(&r->deadlines, index + 1) == 0)
		q->sub = bus_subscribe(r->bus, reply, NULL, on_reply, q);
	if (q->sub != NULL)
		return q;
	slots_drop(&r->open, index);
	return NULL;
}

int requests_send(struct requests *r, const char *subject, struct span data, int64_t timeout_ns,
	void (*on_answer)(void *ctx, int err, const struct bus_msg *m), void *ctx)
{
	char reply[REPLY_BYTES];
	struct open_request *q;
	int64_t due_ns;
	int err;

	CHECK(on_answer != NULL);
	if (r->closing || r->bus->state == BUS_CLOSED)
		return ERR_CLOSED;
	q = open_slot(r, reply, &err);
	if (q == NULL)
		return err;
	err = bus_publish(r->bus, subject, reply, span_of(NULL, 0), data);
	if (err < 0) {
		bus_unsubscribe(r->bus, q->sub);
		slots_drop(&r->open, q->index);
		return err;
	}
	q->on_reply = on_answer;
	q->ctx = ctx;
	if (__builtin_add_overflow(r->loop->now_ns, timeout_ns, &due_ns))
		due_ns = INT64_MAX - 1;
	heap_set(&r->deadlines, q->index, due_ns);
	if (due_ns < r->armed_ns)
		set_timer(r, due_ns);
	return 0;
}
