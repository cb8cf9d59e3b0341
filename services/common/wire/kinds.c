/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds: the table of proto/kinds.def as C arrays, and the check of parameters against it.
 */
#include "wire/kinds.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/pure.h"

/* Each KIND closes the array before it and opens its own, which the PARAMs that follow fill. The first
 * element is empty, since a kind may have no parameter. */
/* clang-format off */
__attribute__((unused)) static const struct kind_param params_of_none[] = { { 0 }
#define KIND(id, name_, ladder_, result_, text_) }; static const struct kind_param params_of_##id[] = { { 0 }
#define PARAM(id, key_, type_, value_, low_, high_, text_) \
	, { .key = key_, .type = PARAM_##type_, .value = value_, .low = low_, .high = high_, .text = text_ }
#include "proto/kinds.def"
#undef KIND
#undef PARAM
};

/* The rungs as kinds.def spells them. */
enum { cpu = RUNG_CPU, gpu = RUNG_GPU, api = RUNG_API, split = RUNG_SPLIT, human = RUNG_HUMAN };
#define LADDER(...) { .rung = { __VA_ARGS__ }, .n = sizeof((uint8_t[]){ __VA_ARGS__ }) }
#define LADDER_TEXT(...) #__VA_ARGS__

static const struct kind_row rows[] = {
#define KIND(id, name_, ladder_, result_, text_) \
	{ .name = name_, .ladder = LADDER ladder_, .ladder_text = LADDER_TEXT ladder_, .text = text_, \
	  .result = RESULT_##result_, \
	  .params = params_of_##id + 1, .params_n = ARRAY_LEN(params_of_##id) - 1 },
#define PARAM(id, key_, type_, value_, low_, high_, text_)
#include "proto/kinds.def"
#undef KIND
#undef PARAM
};
/* clang-format on */

const struct kind_row *kind_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

const struct kind_row *kind_at(unsigned i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : NULL;
}

static const struct kind_param *param_row(const struct kind_row *row, struct span key)
{
	for (unsigned i = 0; i < row->params_n; i++)
		if (span_is(key, row->params[i].key))
			return &row->params[i];
	return NULL;
}

bool kind_has(const struct kind_row *row, const char *key)
{
	return param_row(row, span_str(key)) != NULL;
}

/* The index of value in the comma-separated list, or -1. */
static int choice_index(const char *list, struct span value)
{
	struct span rest = span_str(list);

	for (int i = 0; rest.len > 0; i++)
		if (span_eq(span_cut(&rest, ','), value))
			return i;
	return -1;
}

static int check_value(const struct kind_param *p, struct span value, struct fail *why)
{
	int64_t n = 0;

	switch (p->type) {
	case PARAM_CHOICE:
		if (choice_index(p->value, value) >= 0)
			return 0;
		return fail_set(why, ERR_INVALID, p->key, 0, "must be one of %s", p->value);
	case PARAM_TEXT:
		if ((int64_t)value.len < p->low)
			return fail_set(why, ERR_INVALID, p->key, p->low,
				"too short: at least %lld bytes", (long long)p->low);
		if ((int64_t)value.len > p->high)
			return fail_set(why, ERR_INVALID, p->key, p->high,
				"too long: at most %lld bytes", (long long)p->high);
		return 0;
	case PARAM_INT:
		if (fmt_int(value, &n) == 0 && n >= p->low && n <= p->high)
			return 0;
		return fail_set(why, ERR_INVALID, p->key, n < p->low ? p->low : p->high,
			"must be a whole number from %lld to %lld", (long long)p->low,
			(long long)p->high);
	}
	return fail_set(why, ERR_BUG, p->key, 0, "the table has a type that nobody checks");
}

/* A default that its own limits forbid means that the parameter must be given. */
static bool must_be_given(const struct kind_param *p)
{
	return p->type != PARAM_CHOICE && check_value(p, span_str(p->value), NULL) < 0;
}

int kind_check(const struct kind_row *row, const struct body *body, struct fail *why)
{
	for (size_t i = 0; i < body->params_n; i++) {
		const struct param *given = &body->params[i];
		const struct kind_param *p = param_row(row, given->key);
		char key[LIMIT_TOKEN_BYTES + 1];
		int r = 0;

		span_copy(given->key, key, sizeof(key));
		if (p != NULL)
			r = check_value(p, given->value, why);
		else if (given->key.len == 0 || memchr(given->key.at, '.', given->key.len) == NULL)
			r = fail_set(why, ERR_INVALID, key, 0, "%s has no such parameter",
				row->name);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < row->params_n; i++)
		if (must_be_given(&row->params[i]) && body_param(body, row->params[i].key) == NULL)
			return fail_set(why, ERR_INVALID, row->params[i].key, 0,
				"%s needs this parameter", row->name);
	return 0;
}

/* The row of a key that the caller knows to exist. */
static const struct kind_param *must_row(const struct kind_row *row, const char *key,
	enum param_type type)
{
	const struct kind_param *p = param_row(row, span_str(key));

	CHECK(p != NULL && p->type == type);
	return p;
}

int64_t kind_int(const struct kind_row *row, const struct body *body, const char *key)
{
	const struct kind_param *p = must_row(row, key, PARAM_INT);
	const struct param *given = body_param(body, key);
	int64_t n = 0;

	CHECK(fmt_int(given != NULL ? given->value : span_str(p->value), &n) == 0);
	return n;
}

struct span kind_text(const struct kind_row *row, const struct body *body, const char *key)
{
	const struct kind_param *p = must_row(row, key, PARAM_TEXT);
	const struct param *given = body_param(body, key);

	return given != NULL ? given->value : span_str(p->value);
}

unsigned kind_choice(const struct kind_row *row, const struct body *body, const char *key)
{
	const struct kind_param *p = must_row(row, key, PARAM_CHOICE);
	const struct param *given = body_param(body, key);
	int i = given == NULL ? 0 : choice_index(p->value, given->value);

	CHECK(i >= 0);
	return (unsigned)i;
}
