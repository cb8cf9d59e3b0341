/* SPDX-License-Identifier: Apache-2.0
 *
 * crush_csv: one pass tells the columns that never change, the next one writes the rows without them.
 */
#include "policy/crush.h"

#include "base/buf.h"
#include "base/err.h"
#include "policy/csv.h"
#include "policy/text.h"

#include "base/pure.h"

#define COLUMNS 64u

struct columns {
	struct csv csv;
	struct span names[COLUMNS];
	struct span values[COLUMNS]; /* of the first row */
	bool same[COLUMNS];          /* in all rows */
	uint32_t same_n;
};

static struct span next_line(struct span *rest)
{
	size_t next;
	struct span line = text_line(*rest, &next);

	*rest = span_part(*rest, next, rest->len);
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static void read_cells(const struct csv *csv, struct span line, struct span cells[COLUMNS])
{
	size_t at = 0;

	for (uint32_t i = 0; i < csv->cells && csv_cell(csv, line, &at, &cells[i]);)
		i++;
}

/* Which columns need not be said in each row? None if there are no names to say them by. */
static void find_same(struct columns *c, struct span rest)
{
	struct span cells[COLUMNS];

	c->same_n = 0;
	if (!c->csv.named || c->csv.cells > COLUMNS)
		return;
	read_cells(&c->csv, next_line(&rest), c->names);
	read_cells(&c->csv, next_line(&rest), c->values);
	for (uint32_t i = 0; i < c->csv.cells; i++)
		c->same[i] = true;
	while (rest.len > 0) {
		read_cells(&c->csv, next_line(&rest), cells);
		for (uint32_t i = 0; i < c->csv.cells; i++)
			c->same[i] = c->same[i] && span_eq(cells[i], c->values[i]);
	}
	for (uint32_t i = 0; i < c->csv.cells; i++)
		c->same_n += c->same[i];
	if (c->same_n == c->csv.cells) /* rows would be empty */
		c->same_n = 0;
}

static void say_cells(struct buf *b, const struct columns *c, const struct span cells[COLUMNS])
{
	bool first = true;

	for (uint32_t i = 0; i < c->csv.cells; i++) {
		if (c->same[i])
			continue;
		if (!first)
			buf_byte(b, c->csv.sign);
		first = false;
		buf_add(b, cells[i]);
	}
}

/* "id,name; in each unit=EUR,weight=5" */
static void say_head(struct buf *b, const struct columns *c)
{
	const char *between = "; in each ";

	say_cells(b, c, c->names);
	for (uint32_t i = 0; i < c->csv.cells; i++) {
		if (!c->same[i])
			continue;
		buf_str(b, between);
		buf_add(b, c->names[i]);
		buf_byte(b, '=');
		buf_add(b, c->values[i]);
		between = ",";
	}
}

/* What the line is without the columns that are the same in all; the line itself if there are none. */
static int without_same(struct guard *g, struct buf *b, const struct columns *c, struct span line,
	bool head, struct span *ret)
{
	struct span cells[COLUMNS];
	unsigned char *to;

	*ret = line;
	if (c->same_n == 0)
		return 0;
	buf_reset(b);
	if (head) {
		say_head(b, c);
	} else {
		read_cells(&c->csv, line, cells);
		say_cells(b, c, cells);
	}
	to = buf_err(b) < 0 ? NULL : arena_raw(g->units.arena, b->len);
	if (to == NULL)
		return ERR_NO_MEMORY;
	if (b->len > 0)
		memcpy(to, b->at, b->len);
	*ret = span_of(to, b->len);
	return 0;
}

static int add_rows(struct guard *g, struct buf *b, const struct columns *c, struct span rest)
{
	uint32_t first = g->units.n;

	while (rest.len > 0) {
		struct span line = next_line(&rest), text;
		bool head = g->units.n == first;
		struct unit *u;

		if (without_same(g, b, c, line, head, &text) < 0)
			return ERR_NO_MEMORY;
		u = guard_add(g, text, line, UNIT_ROW);
		if (u == NULL)
			return ERR_NO_MEMORY;
		if (!head && c->csv.named)
			u->needs = first;
	}
	return 0;
}

int crush_csv(struct guard *g, struct span text)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct columns c;

	buf_init(&b, text.len + 4096);
	if (csv_len(text, &c.csv) == 0)
		return crush_lines(g, text);
	find_same(&c, text);
	return add_rows(g, &b, &c, text);
}
