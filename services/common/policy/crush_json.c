/* SPDX-License-Identifier: Apache-2.0
 *
 * crush_json: two passes over an array: which members its objects have and which of them never change; then the rows.
 */
#include "policy/crush.h"

#include "base/buf.h"
#include "base/err.h"
#include "policy/json_scan.h"

#include "base/pure.h"

#define COLUMNS 64u
#define ROWS_MIN 3u
#define CHUNK_BYTES 240u /* elements that are no objects are kept or left so many bytes at a time */

struct column {
	struct span key;
	struct span value; /* of the first object that has it */
	uint32_t n;        /* objects that have it */
	bool same;         /* all have the same value */
	bool in_row;       /* seen in the object that is being read */
};

struct table {
	struct column columns[COLUMNS];
	uint32_t columns_n;
	uint32_t rows;
};

static struct column *column_of(struct table *t, struct span key, uint32_t guess)
{
	if (guess < t->columns_n && span_eq(t->columns[guess].key, key))
		return &t->columns[guess];
	for (uint32_t i = 0; i < t->columns_n; i++) {
		if (span_eq(t->columns[i].key, key))
			return &t->columns[i];
	}
	return NULL;
}

static bool see_member(struct table *t, const struct json_scan_member *m, uint32_t guess)
{
	struct column *c = column_of(t, m->key, guess);

	if (c == NULL) {
		if (t->columns_n == COLUMNS)
			return false;
		c = &t->columns[t->columns_n++];
		*c = (struct column){ .key = m->key, .value = m->value, .same = true };
	}
	if (c->in_row) /* twice the same key */
		return false;
	c->in_row = true;
	c->n++;
	c->same = c->same && span_eq(c->value, m->value);
	return true;
}

/* Are the elements objects that are alike? */
static bool see_table(struct table *t, struct json_scan elements)
{
	struct json_scan members;
	struct json_scan_member m;
	uint64_t cells = 0;

	t->columns_n = t->rows = 0;
	for (; json_scan_enter(&elements, &members); t->rows++) {
		for (uint32_t i = 0; i < t->columns_n; i++)
			t->columns[i].in_row = false;
		for (uint32_t i = 0; json_scan_next(&members, &m); i++, cells++) {
			if (!see_member(t, &m, i))
				return false;
		}
		json_scan_leave(&elements, &members);
	}
	if (json_scan_next(&elements, &m)) /* no object */
		return false;
	return t->rows >= ROWS_MIN && t->columns_n > 0 &&
	       2 * cells >= (uint64_t)t->rows * t->columns_n;
}

static bool is_constant(const struct table *t, const struct column *c)
{
	return c->same && c->n == t->rows;
}

/* The bytes of b in the arena, as a unit. */
static struct unit *add_built(struct guard *g, const struct buf *b, struct span source,
	enum unit_kind kind)
{
	unsigned char *to = buf_err(b) < 0 ? NULL : arena_raw(g->units.arena, b->len);

	if (to == NULL)
		return NULL;
	if (b->len > 0)
		memcpy(to, b->at, b->len);
	return guard_add(g, span_of(to, b->len), source, kind);
}

/* "key":57 rows of "id","name"; in each "currency":"EUR" */
static void say_head(struct buf *b, const struct table *t, struct span key)
{
	const char *between = " of ";
	bool constant = false;

	buf_add(b, key);
	if (key.len > 0)
		buf_byte(b, ':');
	buf_fmt(b, "%u rows", (unsigned)t->rows);
	for (uint32_t i = 0; i < t->columns_n; i++) {
		constant = constant || is_constant(t, &t->columns[i]);
		if (is_constant(t, &t->columns[i]))
			continue;
		buf_str(b, between);
		buf_add(b, t->columns[i].key);
		between = ",";
	}
	between = "; in each ";
	for (uint32_t i = 0; constant && i < t->columns_n; i++) {
		if (!is_constant(t, &t->columns[i]))
			continue;
		buf_str(b, between);
		buf_add(b, t->columns[i].key);
		buf_byte(b, ':');
		json_scan_minify(b, t->columns[i].value);
		between = ",";
	}
}

static void say_row(struct buf *b, struct table *t, struct json_scan *members)
{
	struct span cells[COLUMNS] = { 0 };
	struct json_scan_member m;
	bool first = true;

	for (uint32_t i = 0; json_scan_next(members, &m); i++)
		cells[column_of(t, m.key, i) - t->columns] = m.value;
	for (uint32_t i = 0; i < t->columns_n; i++) {
		if (is_constant(t, &t->columns[i]))
			continue;
		if (!first)
			buf_byte(b, ',');
		first = false;
		json_scan_minify(b, cells[i]);
	}
}

static bool all_constant(const struct table *t)
{
	for (uint32_t i = 0; i < t->columns_n; i++) {
		if (!is_constant(t, &t->columns[i]))
			return false;
	}
	return true;
}

static int add_table(struct guard *g, struct buf *b, struct table *t, struct span key,
	struct span source, struct json_scan elements)
{
	uint32_t head = g->units.n;
	struct json_scan members;
	bool whole = all_constant(t);

	buf_reset(b);
	say_head(b, t, key);
	if (add_built(g, b, whole ? source : span_part(source, 0, 1), UNIT_ROW) == NULL)
		return ERR_NO_MEMORY;
	while (!whole && json_scan_enter(&elements, &members)) {
		const unsigned char *from = members.rest.at - 1;
		struct unit *u;

		buf_reset(b);
		say_row(b, t, &members);
		json_scan_leave(&elements, &members);
		u = add_built(g, b, span_of(from, (size_t)(elements.rest.at - from)), UNIT_ROW);
		if (u == NULL)
			return ERR_NO_MEMORY;
		u->needs = head;
	}
	return 0;
}

/* Elements that are no table, several to a unit. */
static int add_chunks(struct guard *g, struct buf *b, struct span key, struct json_scan elements)
{
	struct json_scan_member m;
	const unsigned char *from = NULL, *to = NULL;

	buf_reset(b);
	buf_add(b, key);
	if (key.len > 0)
		buf_byte(b, ':');
	while (json_scan_next(&elements, &m)) {
		if (from == NULL)
			from = m.value.at;
		else
			buf_byte(b, ',');
		to = m.value.at + m.value.len;
		json_scan_minify(b, m.value);
		if (b->len < CHUNK_BYTES)
			continue;
		if (add_built(g, b, span_of(from, (size_t)(to - from)), UNIT_JSON) == NULL)
			return ERR_NO_MEMORY;
		buf_reset(b);
		from = NULL;
	}
	if (from == NULL)
		return 0;
	return add_built(g, b, span_of(from, (size_t)(to - from)), UNIT_JSON) == NULL
		       ? ERR_NO_MEMORY
		       : 0;
}

/* A value that stays as it is but for white space; key: of the member that it is, or empty. */
static int add_value(struct guard *g, struct buf *b, struct span key, struct span value,
	struct span source)
{
	buf_reset(b);
	buf_add(b, key);
	if (key.len > 0)
		buf_byte(b, ':');
	json_scan_minify(b, value);
	return add_built(g, b, source, UNIT_JSON) == NULL ? ERR_NO_MEMORY : 0;
}

static struct span joined(struct span from, struct span to)
{
	return from.len == 0 ? to : span_of(from.at, (size_t)(to.at + to.len - from.at));
}

/* An array, or values that follow each other. */
static int add_elements(struct guard *g, struct buf *b, struct span key, struct span source,
	struct json_scan elements)
{
	struct table t;

	if (see_table(&t, elements))
		return add_table(g, b, &t, key, source, elements);
	return add_chunks(g, b, key, elements);
}

static int add_members(struct guard *g, struct buf *b, struct span object)
{
	struct json_scan members = json_scan_open(object);
	struct json_scan_member m;
	int r = 0;

	while (r == 0 && json_scan_next(&members, &m)) {
		struct span source = joined(m.key, m.value);

		if (m.value.at[0] == '[' && m.value.len > CHUNK_BYTES)
			r = add_elements(g, b, m.key, source, json_scan_open(m.value));
		else
			r = add_value(g, b, m.key, m.value, source);
	}
	return r;
}

static int add_values(struct guard *g, struct buf *b, struct span text)
{
	struct json_scan values = { .rest = text }, again = values;
	struct json_scan_member first, other;

	if (!json_scan_next(&values, &first))
		return 0;
	if (json_scan_next(&values, &other))
		return add_elements(g, b, (struct span){ 0 }, text, again);
	if (json_scan_open(first.value).is_object)
		return add_members(g, b, first.value);
	return add_elements(g, b, (struct span){ 0 }, first.value, json_scan_open(first.value));
}

int crush_json(struct guard *g, struct span text)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	uint32_t first = g->units.n;
	int r;

	text = span_trim(text);
	buf_init(&b, 2 * text.len + 4096);
	r = add_values(g, &b, text);
	if (r == 0 && g->units.n > first) { /* the brackets around belong to it, too */
		g->units.rows[first].from = (size_t)(text.at - g->doc.at);
		g->units.rows[g->units.n - 1].to = (size_t)(text.at - g->doc.at) + text.len;
	}
	return r;
}
