/* SPDX-License-Identifier: Apache-2.0
 *
 * canon: everything of variable size has its length before it, so that no two requests run into the same bytes.
 */
#include "wire/canon.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/pure.h"

#define TEMPERATURE "temperature_milli"

static void put_number(struct buf *b, uint64_t n)
{
	unsigned char *to = buf_room(b, sizeof(n));

	if (to == NULL)
		return;
	for (size_t i = 0; i < sizeof(n); i++)
		to[i] = (unsigned char)(n >> (8 * i));
	buf_took(b, sizeof(n));
}

static void put_bytes(struct buf *b, struct span s)
{
	put_number(b, s.len);
	buf_add(b, s);
}

/* The parameters of the kind, in its row's order, given or not. */
static void put_known(struct buf *b, const struct kind_row *row, const struct body *body)
{
	for (unsigned i = 0; i < row->params_n; i++) {
		const struct kind_param *p = &row->params[i];

		switch (p->type) {
		case PARAM_TEXT:
			put_bytes(b, kind_text(row, body, p->key));
			break;
		case PARAM_INT:
			put_number(b, (uint64_t)kind_int(row, body, p->key));
			break;
		case PARAM_CHOICE:
			put_number(b, kind_choice(row, body, p->key));
			break;
		}
	}
}

static bool is_known(const struct kind_row *row, struct span key)
{
	for (unsigned i = 0; i < row->params_n; i++) {
		if (span_is(key, row->params[i].key))
			return true;
	}
	return false;
}

static bool is_of_cache(struct span key)
{
	return span_eq(span_part(key, 0, sizeof(CANON_CACHE) - 1), SPAN_LIT(CANON_CACHE));
}

/* Of those with its key the last one counts. */
static bool is_last(const struct body *body, size_t i)
{
	for (size_t k = i + 1; k < body->params_n; k++) {
		if (span_eq(body->params[k].key, body->params[i].key))
			return false;
	}
	return true;
}

static int compare(struct span a, struct span b)
{
	size_t both = a.len < b.len ? a.len : b.len;
	int order = both == 0 ? 0 : memcmp(a.at, b.at, both);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_choice(const struct param *p, const char *const names[], int n, int *ret)
{
	for (int i = 0; p != NULL && i < n; i++) {
		if (!span_is(p->value, names[i]))
			continue;
		*ret = i;
		return true;
	}
	return p == NULL;
}

/* Nothing is left to chance. */
static bool is_cold(const struct kind_row *row, const struct body *body)
{
	const struct param *p = body_param(body, TEMPERATURE);
	int64_t n;

	return p != NULL && kind_has(row, TEMPERATURE) && fmt_int(p->value, &n) == 0 && n == 0;
}

int canon_share(const struct kind_row *row, const struct body *body, enum canon_share *ret,
	struct fail *why)
{
	static const char *const modes[] = { "off", "own", "shared" };
	static const char *const nears[] = { "no", "yes" };
	bool varies = row->result == RESULT_VARIES && !is_cold(row, body);
	int share = row->result == RESULT_CHEAP || varies ? CANON_NOBODY : CANON_OWN, near = 0;

	if (!is_choice(body_param(body, CANON_MODE), modes, ARRAY_LEN(modes), &share))
		return fail_set(why, ERR_INVALID, CANON_MODE, 0, "must be one of own,shared,off");
	if (!is_choice(body_param(body, CANON_NEAR), nears, ARRAY_LEN(nears), &near))
		return fail_set(why, ERR_INVALID, CANON_NEAR, 0, "must be one of no,yes");
	*ret = row->result == RESULT_CHEAP ? CANON_NOBODY : (enum canon_share)share;
	return 0;
}

bool canon_near(const struct body *body)
{
	const struct param *p = body_param(body, CANON_NEAR);

	return p != NULL && span_is(p->value, "yes");
}

/* Facts of the mesh, which the kind may read, too: in the order of their keys. At most LIMIT_PARAMS of them. */
static void put_others(struct buf *b, const struct kind_row *row, const struct body *body)
{
	const struct param *sorted[LIMIT_PARAMS];
	size_t n = 0;

	for (size_t i = 0; i < body->params_n && n < LIMIT_PARAMS; i++) {
		const struct param *p = &body->params[i];
		size_t at = n;

		if (is_known(row, p->key) || is_of_cache(p->key) || !is_last(body, i))
			continue;
		for (; at > 0 && compare(sorted[at - 1]->key, p->key) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = p;
		n++;
	}
	put_number(b, n);
	for (size_t i = 0; i < n; i++) {
		put_bytes(b, sorted[i]->key);
		put_bytes(b, sorted[i]->value);
	}
}

void canon_request(struct buf *b, const struct kind_row *row, const struct body *body)
{
	put_bytes(b, span_str(row->name));
	put_known(b, row, body);
	put_others(b, row, body);
	put_number(b, body->items_n);
	for (size_t i = 0; i < body->items_n; i++) {
		put_bytes(b, body->items[i].name);
		put_bytes(b, body->items[i].media);
		put_bytes(b, body->items[i].data);
		put_bytes(b, body->items[i].blob);
	}
}
