/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: one row per subject in use this turn, in the order of their first item. Most items go to the subject
 * of the item before, so that one is looked at first; a small open-addressed table of row numbers finds the
 * others. Rows keep their buffers between turns: the first ones whole, since busy processes fill few subjects
 * with much, the others only small ones.
 */
#include "run/outbox.h"

#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"

#define CELLS (OUTBOX_SUBJECTS * 2u) /* a power of two, at most half full */
#define ROWS_KEPT 8u                 /* rows that keep buffers of any size */
#define SMALL_BYTES 4096u            /* what the others keep */

struct row {
	struct buf buf;
	uint64_t hash;
	size_t item;    /* where the open item starts */
	uint32_t items; /* closed ones */
	char subject[BUS_SUBJECT_BYTES + 1];
};

/* A message that waits for its mark. */
struct sealed {
	struct list link;
	uint64_t mark; /* UNSEALED: the next seal says */
	size_t len;
	unsigned char *data;
	char subject[];
};

#define UNSEALED UINT64_MAX

struct outbox {
	struct bus *bus;
	bool holds;
	struct list sealed; /* in order; those without a mark at the end */
	size_t bytes;       /* of closed items that have not left */
	struct row *open;   /* between put and put_end */
	uint32_t last;      /* row of the last item */
	uint32_t n;
	unsigned refused;
	uint16_t cells[CELLS]; /* row + 1; 0: free */
	struct row rows[OUTBOX_SUBJECTS];
};

struct outbox *outbox_new(struct bus *bus)
{
	struct outbox *o = mem_alloc(sizeof(*o));

	if (o == NULL)
		return NULL;
	o->bus = bus;
	list_init(&o->sealed);
	for (unsigned i = 0; i < OUTBOX_SUBJECTS; i++)
		buf_init(&o->rows[i].buf, LIMIT_MESSAGE_BYTES);
	return o;
}

struct outbox *outbox_new_held(struct bus *bus)
{
	struct outbox *o = outbox_new(bus);

	if (o != NULL)
		o->holds = true;
	return o;
}

static void sealed_free(struct outbox *o, struct sealed *s)
{
	o->bytes -= s->len;
	list_drop(&s->link);
	mem_free(s->data);
	mem_free(s);
}

void outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	while (!list_is_empty(&o->sealed))
		sealed_free(o, CONTAINER(o->sealed.next, struct sealed, link));
	for (unsigned i = 0; i < OUTBOX_SUBJECTS; i++)
		buf_done(&o->rows[i].buf);
	mem_free(o);
}

static int publish(struct outbox *o, const char *subject, struct span data)
{
	return bus_publish(o->bus, subject, NULL, span_of(NULL, 0), data);
}

/* The row's bytes move into the sealed message: nothing is copied but the subject. */
static int hold_row(struct outbox *o, struct row *row)
{
	size_t subject = strlen(row->subject) + 1;
	struct sealed *s = mem_alloc(sizeof(*s) + subject);

	if (s == NULL)
		return ERR_NO_MEMORY;
	memcpy(s->subject, row->subject, subject);
	s->mark = UNSEALED;
	s->data = buf_take(&row->buf, &s->len);
	list_init(&s->link);
	list_push(&o->sealed, &s->link);
	return 0;
}

static int pass_row(struct outbox *o, struct row *row)
{
	return o->holds ? hold_row(o, row) : publish(o, row->subject, buf_span(&row->buf));
}

static void send_row(struct outbox *o, struct row *row)
{
	size_t len = row->buf.len;
	/* A row whose items were all taken back is empty: an empty message would say nothing. */
	int err = row->items > 0 ? pass_row(o, row) : 0;

	o->refused += err < 0;
	if (!o->holds || err < 0)
		o->bytes -= len;
	buf_reset(&row->buf);
	row->items = 0;
}

/* Send everything and forget the subjects. */
static void send_all(struct outbox *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		send_row(o, &o->rows[i]);
		if (i >= ROWS_KEPT && o->rows[i].buf.cap > SMALL_BYTES)
			buf_done(&o->rows[i].buf);
	}
	if (o->n > 0)
		memset(o->cells, 0, sizeof(o->cells));
	o->n = 0;
}

/* The row of subject, a new one if there is none. */
static struct row *row_of(struct outbox *o, const char *subject, size_t len)
{
	uint64_t hash = span_hash(span_of(subject, len), 0);
	uint32_t at = (uint32_t)hash & (CELLS - 1);
	struct row *row;

	for (; o->cells[at] != 0; at = (at + 1) & (CELLS - 1)) {
		row = &o->rows[o->cells[at] - 1];
		if (row->hash == hash && memcmp(row->subject, subject, len + 1) == 0) {
			o->last = o->cells[at] - 1u;
			return row;
		}
	}
	if (o->n == OUTBOX_SUBJECTS) {
		send_all(o);
		at = (uint32_t)hash & (CELLS - 1);
	}
	o->last = o->n++;
	o->cells[at] = (uint16_t)o->n;
	row = &o->rows[o->last];
	row->hash = hash;
	memcpy(row->subject, subject, len + 1);
	return row;
}

struct buf *outbox_put(struct outbox *o, const char *subject, size_t room)
{
	struct row *row = &o->rows[o->last];

	CHECK(o->open == NULL);
	if (o->n == 0 || strcmp(row->subject, subject) != 0) {
		size_t len = strlen(subject);

		CHECK(len <= BUS_SUBJECT_BYTES);
		row = row_of(o, subject, len);
	}
	if (row->items > 0 && (row->items >= LIMIT_ITEMS_PER_MESSAGE || room > LIMIT_BATCH_BYTES ||
				      row->buf.len > LIMIT_BATCH_BYTES - room))
		send_row(o, row);
	row->item = row->buf.len;
	o->open = row;
	return &row->buf;
}

int outbox_put_end(struct outbox *o, struct buf *b)
{
	struct row *row = o->open;
	int r = buf_err(b);

	CHECK(row != NULL && b == &row->buf);
	o->open = NULL;
	if (r == 0) {
		row->items++;
		o->bytes += b->len - row->item;
		return 0;
	}
	b->len = row->item;
	b->err = 0;
	return r;
}

static unsigned take_refused(struct outbox *o)
{
	unsigned refused = o->refused;

	o->refused = 0;
	return refused;
}

unsigned outbox_send(struct outbox *o)
{
	CHECK(o->open == NULL && !o->holds);
	send_all(o);
	return take_refused(o);
}

void outbox_seal(struct outbox *o, uint64_t mark)
{
	CHECK(o->open == NULL && o->holds && mark != UNSEALED);
	send_all(o);
	for (struct list *l = o->sealed.prev; l != &o->sealed; l = l->prev) {
		struct sealed *s = CONTAINER(l, struct sealed, link);

		if (s->mark != UNSEALED)
			break;
		s->mark = mark;
	}
}

unsigned outbox_release(struct outbox *o, uint64_t mark)
{
	while (!list_is_empty(&o->sealed)) {
		struct sealed *s = CONTAINER(o->sealed.next, struct sealed, link);

		if (s->mark > mark)
			break;
		if (publish(o, s->subject, span_of(s->data, s->len)) < 0)
			o->refused++;
		sealed_free(o, s);
	}
	return take_refused(o);
}

size_t outbox_bytes(const struct outbox *o)
{
	return o->bytes;
}

bool outbox_holds(const struct outbox *o)
{
	return o->n > 0 || !list_is_empty(&o->sealed);
}
