/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: one row per subject in use this turn, in the order of their first item. Most items go to the subject
 * of the item before, so that one is looked at first; a small open-addressed table of row numbers finds the
 * others. Rows keep their buffers between turns: the first ones whole, since busy processes fill few subjects
 * with much, the others only small ones.
 */
#include "run/outbox.h"

#include "base/limits.h"
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

struct outbox {
	struct bus *bus;
	struct row *open; /* between put and put_end */
	uint32_t last;    /* row of the last item */
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
	for (unsigned i = 0; i < OUTBOX_SUBJECTS; i++)
		buf_init(&o->rows[i].buf, LIMIT_MESSAGE_BYTES);
	return o;
}

void outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	for (unsigned i = 0; i < OUTBOX_SUBJECTS; i++)
		buf_done(&o->rows[i].buf);
	mem_free(o);
}

static void send_row(struct outbox *o, struct row *row)
{
	/* A row whose items were all taken back is empty: an empty message would say nothing. */
	if (row->items > 0 &&
		bus_publish(o->bus, row->subject, NULL, span_of(NULL, 0), buf_span(&row->buf)) < 0)
		o->refused++;
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
		return 0;
	}
	b->len = row->item;
	b->err = 0;
	return r;
}

unsigned outbox_send(struct outbox *o)
{
	unsigned refused;

	CHECK(o->open == NULL);
	send_all(o);
	refused = o->refused;
	o->refused = 0;
	return refused;
}
