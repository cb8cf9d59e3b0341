/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/journal_world.h"

#include <stdio.h>

#include "base/mem.h"
#include "tests/support/test.h"
#include "wire/journal.h"

#define NOISE_MAX 3000u
#define BYTES_MAX (NOISE_MAX + 200u)

/* --- images ------------------------------------------------------------------------------------------- */

static struct ulid task_of(uint64_t row)
{
	return (struct ulid){ .hi = (row << 63) + row / 2, .lo = row };
}

static struct span tenant_of(uint64_t row)
{
	return row % 3 == 0 ? SPAN_LIT("acme") : SPAN_LIT("local");
}

static struct span key_of(uint64_t row, char to[16])
{
	return row % 2 == 0 ? span_of(to, (size_t)snprintf(to, 16, "key-%u", (unsigned)row / 4))
			    : (struct span){ NULL, 0 };
}

/* One key a tenant: rows that would share it have none. */
static struct span only_key(uint64_t row, char to[16])
{
	return row % 4 == 0 ? key_of(row, to) : (struct span){ NULL, 0 };
}

/* What follows from an image's number. */
static struct span noise_of(const struct journal_model *m, uint64_t number,
	unsigned char to[NOISE_MAX])
{
	struct prng p;

	prng_seed(&p, m->seed ^ number * 31);
	size_t len = prng_below(&p, prng_below(&p, 8) == 0 ? NOISE_MAX : 200);

	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)prng_next(&p);
	return span_of(to, len);
}

/* The number itself stands at the end, in a field that no reader knows. */
static struct span end_with(struct buf *b, uint64_t number, unsigned char to[BYTES_MAX])
{
	struct span s;

	buf_add(b, SPAN_LIT("\xfa\x7f\x08")); /* field 2047, 8 bytes */
	buf_add(b, span_of(&number, sizeof number));
	assert_int_equal(buf_err(b), 0);
	s = buf_span(b);
	assert_true(s.len <= BYTES_MAX);
	memcpy(to, s.at, s.len);
	return span_of(to, s.len);
}

static uint64_t number_of(struct span bytes)
{
	uint64_t number;

	assert_true(bytes.len >= sizeof number);
	memcpy(&number, bytes.at + bytes.len - sizeof number, sizeof number);
	return number;
}

/* The order that the image of this number brings to a row. */
static struct span order_of(const struct journal_model *m, uint64_t row, uint64_t number,
	unsigned char to[BYTES_MAX])
{
	CLEANUP(buf_done) struct buf b = { 0 };
	unsigned char noise[NOISE_MAX];
	char key[16];
	const struct task_order o = {
		.kind = SPAN_LIT("util.echo"),
		.tenant = tenant_of(row),
		.key = only_key(row, key),
		.hash = row % 4 == 0 ? SPAN_LIT("0123456789abcdef0123456789abcdef")
				     : (struct span){ NULL, 0 },
		.body = noise_of(m, number, noise),
		.ladder = { { RUNG_CPU }, 1 },
		.accepted_ns = 1,
		.deadline_ns = 2,
	};

	buf_init(&b, BYTES_MAX);
	task_order_put(&b, &o);
	return end_with(&b, number, to);
}

static struct span state_of(const struct journal_model *m, int life, uint64_t number,
	unsigned char to[BYTES_MAX])
{
	CLEANUP(buf_done) struct buf b = { 0 };
	unsigned char noise[NOISE_MAX];
	const struct task_state s = {
		.state = life == JOURNAL_KEPT ? STATE_SUCCEEDED : STATE_QUEUED,
		.result = noise_of(m, number + 1, noise),
	};

	buf_init(&b, BYTES_MAX);
	task_state_put(&b, &s);
	return end_with(&b, number, to);
}

/* The life of the next image of a row, and whether it brings an order. */
static struct journal_image next_image(struct journal_model *m, bool *ret_order)
{
	struct prng p;

	prng_seed(&p, m->seed + m->at * 977);
	uint64_t row = 1 + prng_below(&p, WORLD_ROWS);
	int life = m->rows[row].life;
	unsigned dice = (unsigned)prng_below(&p, 8);
	struct journal_image image = {
		.row = row,
		.task = task_of(row),
		.tenant = tenant_of(row),
		.life = dice < 4 ? JOURNAL_OPEN : JOURNAL_KEPT,
		.forget_ns = WORLD_FORGET_NS + (int64_t)m->at,
	};

	if (life != 0 && dice == 7)
		image.life = JOURNAL_GONE;
	*ret_order = image.life != JOURNAL_GONE && (life == 0 || prng_below(&p, 2) == 0);
	return image;
}

static struct journal_image model_step(struct journal_model *m, bool *ret_order)
{
	struct journal_image image;

	m->at++;
	image = next_image(m, ret_order);
	if (image.life == JOURNAL_GONE) {
		m->rows[image.row].life = 0;
		return image;
	}
	m->rows[image.row].life = (int)image.life;
	m->rows[image.row].state = m->at;
	if (*ret_order)
		m->rows[image.row].order = m->at;
	return image;
}

void journal_model_skip(struct journal_model *m)
{
	bool with_order;

	(void)model_step(m, &with_order);
}

int journal_model_next(struct journal_model *m, struct journal *j)
{
	unsigned char order[BYTES_MAX], state[BYTES_MAX];
	bool with_order;
	struct journal_image image = model_step(m, &with_order);
	char key[16];

	if (image.life == JOURNAL_GONE)
		return journal_append(j,
			&(struct journal_image){ .row = image.row, .life = JOURNAL_GONE });
	image.key = only_key(image.row, key);
	image.state = state_of(m, (int)image.life, m->at, state);
	if (with_order)
		image.order = order_of(m, image.row, m->at, order);
	return journal_append(j, &image);
}

/* --- comparing ---------------------------------------------------------------------------------------- */

struct seen {
	const struct journal_model *m;
	int life; /* that it must have */
	uint64_t rows;
	uint64_t last_row;
	uint64_t newest; /* number of an image */
};

static bool compare_row(void *ctx, const struct journal_image *i)
{
	struct seen *s = ctx;
	const struct journal_model *m = s->m;
	unsigned char bytes[BYTES_MAX];
	char key[16];

	assert_in_range(i->row, 1, WORLD_ROWS);
	assert_int_equal(i->life, s->life);
	assert_false(i->damaged);
	assert_int_equal(m->rows[i->row].life, s->life);
	assert_true(ulid_eq(i->task, task_of(i->row)));
	assert_true(span_eq(i->tenant, tenant_of(i->row)));
	assert_true(span_eq(i->key, only_key(i->row, key)));
	assert_true(span_eq(i->order, order_of(m, i->row, m->rows[i->row].order, bytes)));
	assert_true(span_eq(i->state, state_of(m, s->life, m->rows[i->row].state, bytes)));
	if (i->life == JOURNAL_KEPT)
		assert_int_equal(i->forget_ns, WORLD_FORGET_NS + (int64_t)m->rows[i->row].state);
	assert_true(i->row > s->last_row);
	s->last_row = i->row;
	s->rows++;
	return true;
}

static uint64_t model_count(const struct journal_model *m, int life)
{
	uint64_t n = 0;

	for (uint64_t row = 1; row <= WORLD_ROWS; row++)
		n += m->rows[row].life == life;
	return n;
}

static void compare_kept(const struct journal_model *m, struct journal *j, uint64_t row)
{
	bool kept = m->rows[row].life == JOURNAL_KEPT;
	struct seen s = { .m = m, .life = JOURNAL_KEPT };
	char text[16];
	struct span key = only_key(row, text);

	assert_int_equal(j->ops->find(j, task_of(row), compare_row, &s, NULL), kept);
	assert_int_equal(s.rows, kept);
	if (key.len == 0 || m->rows[row].life == JOURNAL_OPEN)
		return;
	s = (struct seen){ .m = m, .life = JOURNAL_KEPT };
	assert_int_equal(j->ops->find_key(j, tenant_of(row), key, compare_row, &s, NULL), kept);
	assert_int_equal(s.rows, kept);
}

void journal_model_compare_kept(const struct journal_model *m, struct journal *j)
{
	for (uint64_t row = 1; row <= WORLD_ROWS; row++)
		compare_kept(m, j, row);
}

void journal_model_compare(const struct journal_model *m, struct journal *j)
{
	struct seen s = { .m = m, .life = JOURNAL_OPEN };

	journal_model_compare_kept(m, j);
	assert_int_equal(j->ops->load(j, compare_row, &s), 0);
	assert_int_equal(s.rows, model_count(m, JOURNAL_OPEN));
	assert_int_equal(j->kept, model_count(m, JOURNAL_KEPT));
}

struct rows {
	uint64_t state[WORLD_ROWS + 1];
	int life[WORLD_ROWS + 1];
};

static bool note_row(void *ctx, const struct journal_image *i)
{
	struct rows *r = ctx;

	assert_in_range(i->row, 1, WORLD_ROWS);
	r->life[i->row] = (int)i->life;
	r->state[i->row] = number_of(i->state);
	return true;
}

bool journal_model_is(const struct journal_model *m, struct journal *j)
{
	struct rows r = { .life = { 0 } };

	assert_int_equal(j->ops->load(j, note_row, &r), 0);
	for (uint64_t row = 1; row <= WORLD_ROWS; row++)
		assert_true(j->ops->find(j, task_of(row), note_row, &r, NULL) >= 0);
	for (uint64_t row = 1; row <= WORLD_ROWS; row++)
		if (r.life[row] != m->rows[row].life ||
			(r.life[row] != 0 && r.state[row] != m->rows[row].state))
			return false;
	return true;
}

static bool see_row(void *ctx, const struct journal_image *i)
{
	struct seen *s = ctx;
	uint64_t number = number_of(i->state);

	if (number > s->newest)
		s->newest = number;
	return true;
}

uint64_t journal_model_seen(const struct journal_model *m, struct journal *j)
{
	struct seen s = { .m = m };

	assert_int_equal(j->ops->load(j, see_row, &s), 0);
	for (uint64_t row = 1; row <= WORLD_ROWS; row++)
		assert_true(j->ops->find(j, task_of(row), see_row, &s, NULL) >= 0);
	return s.newest;
}

/* --- cases -------------------------------------------------------------------------------------------- */

struct last {
	struct journal_image image;
	char order[32], state[32], key[32];
	unsigned n;
};

static bool on_last(void *ctx, const struct journal_image *image)
{
	struct last *l = ctx;

	l->n++;
	l->image = *image;
	span_copy(image->order, l->order, sizeof l->order);
	span_copy(image->state, l->state, sizeof l->state);
	span_copy(image->key, l->key, sizeof l->key);
	return true;
}

static void put(struct journal *j, uint64_t row, enum journal_life life, const char *key,
	const char *order, const char *state)
{
	const struct journal_image image = {
		.row = row,
		.life = life,
		.task = task_of(row),
		.tenant = tenant_of(row),
		.key = span_str(key),
		.forget_ns = life == JOURNAL_KEPT ? WORLD_FORGET_NS : 0,
		.order = span_str(order),
		.state = span_str(state),
	};

	assert_int_equal(journal_append(j, &image), 0);
}

static struct last find(struct journal *j, uint64_t row, int found)
{
	struct last l = { .n = 0 };

	assert_int_equal(j->ops->find(j, task_of(row), on_last, &l, NULL), found);
	assert_int_equal(l.n, found);
	return l;
}

static struct last load(struct journal *j, unsigned n)
{
	struct last l = { .n = 0 };

	assert_int_equal(j->ops->load(j, on_last, &l), 0);
	assert_int_equal(l.n, n);
	return l;
}

void world_newer_replaces(const struct journal_world *w)
{
	struct journal *j = w->open(w->ctx);
	struct last l;

	put(j, 1, JOURNAL_OPEN, "", "order", "a");
	put(j, 1, JOURNAL_OPEN, "", "", "b, which is longer");
	assert_int_equal(journal_sync(j), 0);
	put(j, 1, JOURNAL_OPEN, "", "", "c");
	put(j, 1, JOURNAL_OPEN, "", "", "d");
	assert_int_equal(journal_sync(j), 0);
	j = w->again(w->ctx, j);
	l = load(j, 1);
	assert_string_equal(l.order, "order");
	assert_string_equal(l.state, "d");
	put(j, 1, JOURNAL_KEPT, "", "", "ended");
	assert_int_equal(journal_sync(j), 0);
	j = w->again(w->ctx, j);
	load(j, 0);
	l = find(j, 1, 1);
	assert_string_equal(l.order, "order");
	assert_string_equal(l.state, "ended");
	put(j, 1, JOURNAL_OPEN, "", "", "again");
	assert_int_equal(journal_sync(j), 0);
	j = w->again(w->ctx, j);
	l = load(j, 1);
	assert_string_equal(l.order, "order");
	assert_string_equal(l.state, "again");
	find(j, 1, 0);
	journal_close(j);
}

void world_forgets(const struct journal_world *w)
{
	struct journal *j = w->open(w->ctx);

	put(j, 1, JOURNAL_OPEN, "", "order", "a");
	put(j, 2, JOURNAL_KEPT, "k", "order", "a");
	assert_int_equal(journal_sync(j), 0);
	put(j, 3, JOURNAL_OPEN, "", "order", "a");
	for (uint64_t row = 1; row <= 3; row++) {
		const struct journal_image gone = { .row = row, .life = JOURNAL_GONE };

		assert_int_equal(journal_append(j, &gone), 0);
	}
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(j->kept, 0);
	j = w->again(w->ctx, j);
	load(j, 0);
	find(j, 2, 0);
	assert_int_equal(j->kept, 0);
	journal_close(j);
}

static struct last find_key(struct journal *j, const char *tenant, const char *key, int found)
{
	struct last l = { .n = 0 };

	assert_int_equal(j->ops->find_key(j, span_str(tenant), span_str(key), on_last, &l, NULL),
		found);
	assert_int_equal(l.n, found);
	return l;
}

void world_finds_by_key(const struct journal_world *w)
{
	struct journal *j = w->open(w->ctx);

	put(j, 1, JOURNAL_KEPT, "same", "order", "of local");
	put(j, 3, JOURNAL_KEPT, "same", "order", "of acme");
	put(j, 4, JOURNAL_KEPT, "other", "order", "a");
	assert_int_equal(journal_sync(j), 0);
	j = w->again(w->ctx, j);
	assert_string_equal(find_key(j, "local", "same", 1).state, "of local");
	assert_string_equal(find_key(j, "acme", "same", 1).state, "of acme");
	assert_int_equal(find_key(j, "local", "other", 1).image.row, 4);
	find_key(j, "acme", "other", 0);
	find_key(j, "local", "none", 0);
	journal_close(j);
}

static bool in_order(void *ctx, const struct journal_image *image)
{
	uint64_t *last = ctx;

	assert_true(image->row > *last);
	*last = image->row;
	return image->row < 7;
}

void world_loads_in_order(const struct journal_world *w)
{
	static const uint64_t rows[] = { 5, 9, 2, 7, 1, 8 };
	struct journal *j = w->open(w->ctx);
	uint64_t last = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		put(j, rows[i], JOURNAL_OPEN, "", "order", "state");
	assert_int_equal(journal_sync(j), 0);
	j = w->again(w->ctx, j);
	assert_int_equal(j->ops->load(j, in_order, &last), 0);
	assert_int_equal(last, 7);
	journal_close(j);
}

void world_is_like_the_model(const struct journal_world *w)
{
	struct journal *j = w->open(w->ctx);
	struct prng p;

	rand_start(&p);
	struct journal_model m = { .seed = prng_next(&p) };

	for (int i = 0; i < 2000; i++) {
		assert_int_equal(journal_model_next(&m, j), 0);
		if (prng_below(&p, 20) != 0)
			continue;
		assert_int_equal(journal_sync(j), 0);
		assert_int_equal(j->safe, j->appended);
		if (prng_below(&p, 4) == 0)
			j = w->again(w->ctx, j);
		if (prng_below(&p, 4) == 0)
			journal_model_compare(&m, j);
	}
	journal_close(j);
}
