/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_canon: the first byte picks a kind, the second says where the rest is cut into two bodies. Their canonical
 * forms are equal if and only if a slow comparison finds that they ask the same; so are those of a body and of
 * the same with its parameters turned round.
 */
#include "wire/canon.h"

#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_known(const struct kind_row *row, struct span key)
{
	for (unsigned i = 0; i < row->params_n; i++) {
		if (span_is(key, row->params[i].key))
			return true;
	}
	return false;
}

static bool same_known(const struct kind_row *row, const struct body *a, const struct body *b)
{
	for (unsigned i = 0; i < row->params_n; i++) {
		const struct kind_param *p = &row->params[i];
		bool same;

		if (p->type == PARAM_TEXT)
			same = span_eq(kind_text(row, a, p->key), kind_text(row, b, p->key));
		else if (p->type == PARAM_INT)
			same = kind_int(row, a, p->key) == kind_int(row, b, p->key);
		else
			same = kind_choice(row, a, p->key) == kind_choice(row, b, p->key);
		if (!same)
			return false;
	}
	return true;
}

/* Whether b says the same as a about what the row does not know. */
static bool has_others(const struct kind_row *row, const struct body *a, const struct body *b)
{
	for (size_t i = 0; i < a->params_n; i++) {
		struct span key = a->params[i].key;
		const struct param *in_a, *in_b;

		if (is_known(row, key) || (key.len >= 6 && memcmp(key.at, CANON_CACHE, 6) == 0))
			continue;
		in_a = body_param(a, (const char *)key.at); /* keys are terminated in the arena */
		in_b = body_param(b, (const char *)key.at);
		if (in_b == NULL || !span_eq(in_a->value, in_b->value))
			return false;
	}
	return true;
}

static bool same_items(const struct body *a, const struct body *b)
{
	if (a->items_n != b->items_n)
		return false;
	for (size_t i = 0; i < a->items_n; i++) {
		const struct item *x = &a->items[i], *y = &b->items[i];

		if (!span_eq(x->name, y->name) || !span_eq(x->media, y->media) ||
			!span_eq(x->data, y->data))
			return false;
	}
	return true;
}

static bool same_form(const struct kind_row *row, const struct body *a, const struct body *b)
{
	struct buf ca, cb;
	bool same;

	buf_init(&ca, CANON_BYTES_MAX);
	buf_init(&cb, CANON_BYTES_MAX);
	canon_request(&ca, row, a);
	canon_request(&cb, row, b);
	CHECK(buf_err(&ca) == 0 && buf_err(&cb) == 0);
	same = span_eq(buf_span(&ca), buf_span(&cb));
	buf_done(&ca);
	buf_done(&cb);
	return same;
}

/* Those with the same key keep their order. */
static void turn(struct body *body)
{
	for (size_t i = 1; i < body->params_n; i++) {
		for (size_t k = i; k > 0; k--) {
			struct param *p = &body->params[k], swapped = p[-1];

			if (span_eq(p[0].key, p[-1].key))
				break;
			p[-1] = p[0];
			p[0] = swapped;
		}
	}
}

static void check(const struct kind_row *row, struct arena *arena, struct span one,
	struct span other)
{
	struct body a, b, turned;
	enum canon_share share = CANON_NOBODY;

	if (body_decode(arena, one, &a, NULL) == 0 && canon_share(row, &a, &share, NULL) == 0)
		CHECK(share == CANON_NOBODY || row->result != RESULT_CHEAP);
	if (body_decode(arena, one, &a, NULL) < 0 || kind_check(row, &a, NULL) < 0)
		return;
	CHECK(body_decode(arena, one, &turned, NULL) == 0);
	turn(&turned);
	CHECK(same_form(row, &a, &turned));
	if (body_decode(arena, other, &b, NULL) < 0 || kind_check(row, &b, NULL) < 0)
		return;
	CHECK(same_form(row, &a, &b) == (same_known(row, &a, &b) && has_others(row, &a, &b) &&
						has_others(row, &b, &a) && same_items(&a, &b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size);
	const struct kind_row *row;
	struct arena arena;
	size_t kinds_n = 0, cut;

	if (size < 2)
		return 0;
	while (kind_at((unsigned)kinds_n) != NULL)
		kinds_n++;
	row = kind_at(data[0] % (unsigned)kinds_n);
	rest = span_part(rest, 2, rest.len);
	cut = rest.len * data[1] / 255;
	arena_init(&arena, (size_t)16 << 20);
	check(row, &arena, span_part(rest, 0, cut), span_part(rest, cut, rest.len));
	arena_done(&arena);
	return 0;
}
