/* SPDX-License-Identifier: Apache-2.0
 *
 * request: an open request is a slot; its index and generation are the last token of its reply subject, so
 * a late answer finds nothing. Deadlines are in a heap by slot; one loop timer serves the nearest. A timer
 * that is too early (its request was answered) only looks and sets itself again.
 */
#include "run/request.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/heap.h"
#include "base/mem.h"
#include "base/slots.h"

#define TOKEN_DIGITS 16u
#define PREFIX_BYTES (BUS_SUBJECT_BYTES - 1 - TOKEN_DIGITS)

struct open_request {
	void (*on_reply)(void *ctx, int err, const struct bus_msg *m);
	void *ctx;
};

struct requests {
	struct loop *loop;
	struct bus *bus;
	struct bus_sub *sub;
	struct slots open;
	struct heap deadlines;
	struct loop_timer timer;
	int64_t armed_ns; /* what the timer is set to; INT64_MAX: for ever, which keeps its place in the loop */
	size_t prefix_len;
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

/* The token's 16 lower-case hexadecimal digits; false if it is something else. */
static bool parse_token(struct span s, struct slot_id *ret)
{
	uint64_t x = 0;

	if (s.len != TOKEN_DIGITS)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.at[i];

		if (c >= '0' && c <= '9')
			x = x << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			x = x << 4 | (c - 'a' + 10u);
		else
			return false;
	}
	*ret = (struct slot_id){ .index = (uint32_t)(x >> 32), .generation = (uint32_t)x };
	return true;
}

static void on_reply(void *ctx, const struct bus_msg *m)
{
	struct requests *r = ctx;
	struct slot_id id;

	if (!parse_token(span_part(m->subject, r->prefix_len + 1, SIZE_MAX), &id) ||
	    slots_find(&r->open, id) == NULL)
		return;
	if (m->no_responders)
		end_request(r, id.index, ERR_NO_NODE, NULL);
	else
		end_request(r, id.index, 0, m);
}

struct requests *requests_new(struct loop *l, struct bus *b, const char *prefix, uint32_t max)
{
	struct requests *r = mem_alloc(sizeof(*r));
	char pattern[PREFIX_BYTES + 3];

	if (r == NULL)
		return NULL;
	r->loop = l;
	r->bus = b;
	r->timer.on_due = on_due;
	r->timer.ctx = r;
	r->armed_ns = INT64_MAX;
	slots_init(&r->open, sizeof(struct open_request), max);
	heap_init(&r->deadlines);
	r->prefix_len = strlen(prefix);
	if (r->prefix_len <= PREFIX_BYTES && bus_is_subject(prefix) &&
	    loop_timer_set(l, &r->timer, INT64_MAX) == 0) {
		memcpy(r->prefix, prefix, r->prefix_len + 1);
		(void)snprintf(pattern, sizeof(pattern), "%s.*", prefix);
		r->sub = bus_subscribe(b, pattern, NULL, on_reply, r);
	}
	if (r->sub != NULL)
		return r;
	requests_free(r);
	return NULL;
}

void requests_free(struct requests *r)
{
	const struct heap_row *top;

	if (r == NULL)
		return;
	r->closing = true;
	bus_unsubscribe(r->bus, r->sub);
	loop_timer_stop(r->loop, &r->timer);
	while ((top = heap_top(&r->deadlines)) != NULL)
		end_request(r, top->item, ERR_CLOSED, NULL);
	heap_done(&r->deadlines);
	slots_done(&r->open);
	mem_free(r);
}

int requests_send(struct requests *r, const char *subject, struct span data, int64_t timeout_ns,
                  void (*on_answer)(void *ctx, int err, const struct bus_msg *m), void *ctx)
{
	char reply[PREFIX_BYTES + 1 + TOKEN_DIGITS + 1];
	struct open_request *q;
	struct slot_id id;
	uint32_t index;
	int64_t due_ns;
	int err;

	CHECK(on_answer != NULL);
	if (r->closing)
		return ERR_CLOSED;
	if (r->open.used == r->open.max)
		return ERR_BUSY;
	index = slots_take(&r->open);
	if (index == SLOT_NONE)
		return ERR_NO_MEMORY;
	id = slots_id(&r->open, index);
	(void)snprintf(reply, sizeof(reply), "%s.%08" PRIx32 "%08" PRIx32, r->prefix, id.index, id.generation);
	err = heap_reserve(&r->deadlines, index + 1);
	if (err == 0)
		err = bus_publish(r->bus, subject, reply, span_of(NULL, 0), data);
	if (err < 0) {
		slots_drop(&r->open, index);
		return err;
	}
	q = slots_at(&r->open, index);
	*q = (struct open_request){ .on_reply = on_answer, .ctx = ctx };
	if (__builtin_add_overflow(r->loop->now_ns, timeout_ns, &due_ns))
		due_ns = INT64_MAX - 1;
	heap_set(&r->deadlines, index, due_ns);
	if (due_ns < r->armed_ns)
		set_timer(r, due_ns);
	return 0;
}
