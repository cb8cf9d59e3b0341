/* SPDX-License-Identifier: Apache-2.0
 *
 * plan: parts are found where they stand; split_plan_decode is for what came in a message.
 */
#include "wire/plan.h"

#include "base/fmt.h"
#include "base/pure.h"
#include "wire/pbread.h"

enum {
	PLAN_PART = 1,
	PLAN_JOIN = 2,
	PART_KIND = 1,
	PART_BODY = 2,
	PART_UNITS = 3,
	PART_UNIT = 4,
	PART_FAN_IN = 5
};

static bool read_part(struct span s, struct part *ret)
{
	struct pb_field f;

	*ret = (struct part){ 0 };
	while (s.len > 0) {
		if (!pb_next(&s, &f))
			return false;
		if (f.number == PART_KIND)
			ret->kind = f.data;
		else if (f.number == PART_BODY)
			ret->body = f.data;
		else if (f.number == PART_UNITS)
			ret->units = f.value;
		else if (f.number == PART_UNIT)
			ret->unit = f.data;
		else if (f.number == PART_FAN_IN)
			ret->fan_in = (uint32_t)f.value;
	}
	return fmt_is_kind(ret->kind);
}

static bool count(struct span s, size_t *ret_parts, bool *ret_join)
{
	struct pb_field f;

	*ret_parts = 0;
	*ret_join = false;
	while (s.len > 0) {
		if (!pb_next(&s, &f))
			return false;
		*ret_parts += f.number == PLAN_PART;
		*ret_join |= f.number == PLAN_JOIN;
	}
	return true;
}

/* They were counted. */
static bool read_parts(struct span s, struct split_plan *ret)
{
	struct pb_field f;
	bool good = true;

	while (good && s.len > 0 && pb_next(&s, &f)) {
		if (f.number == PLAN_PART)
			good = read_part(f.data, &ret->parts[ret->parts_n++]);
		else if (f.number == PLAN_JOIN)
			good = read_part(f.data, &ret->join);
	}
	return good;
}

/* All items in one list, in which each body has a stretch. */
static int gather(struct arena *a, struct plan *p, struct fail *why)
{
	size_t at = 0;

	for (size_t i = 0; i < p->split.parts_n; i++)
		p->items_n += p->bodies[i].items_n;
	p->items = arena_raw(a, p->items_n * sizeof(*p->items));
	if (p->items == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	for (size_t i = 0; i < p->split.parts_n; i++) {
		struct body *b = &p->bodies[i];

		if (b->items_n > 0)
			memcpy(p->items + at, b->items, b->items_n * sizeof(*b->items));
		b->items = p->items + at;
		at += b->items_n;
	}
	return 0;
}

int plan_view(struct arena *a, struct span bytes, struct plan *ret, struct fail *why)
{
	struct plan p = { 0 };
	bool join;
	size_t n;
	int r = 0;

	if (!count(bytes, &n, &join))
		return fail_set(why, ERR_MALFORMED, "SplitPlan", 0,
			"the bytes are not such a message");
	if (n == 0 || !join)
		return fail_set(why, ERR_INVALID, n == 0 ? "part" : "join", 0,
			"a plan has at least one part, and a join");
	if (n > LIMIT_PARTS)
		return fail_set(why, ERR_TOO_BIG, "part", LIMIT_PARTS, "too many of these");
	p.split.parts = arena_raw(a, n * sizeof(*p.split.parts));
	p.bodies = arena_raw(a, n * sizeof(*p.bodies));
	if (p.split.parts == NULL || p.bodies == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	if (!read_parts(bytes, &p.split))
		return fail_set(why, ERR_MALFORMED, "Part", 0, "the bytes are not such a message");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = body_view(a, p.split.parts[i].body, &p.bodies[i], why);
	if (r == 0)
		r = gather(a, &p, why);
	if (r == 0)
		*ret = p;
	return r;
}

void plan_encode(struct buf *b, const struct plan *p)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	buf_init(&body, b->max);
	for (size_t i = 0; i < p->split.parts_n; i++) {
		struct part part = p->split.parts[i];

		buf_reset(&body);
		body_encode(&body, &p->bodies[i]);
		part.body = buf_span(&body);
		split_plan_put_part(b, &part);
		if (buf_err(&body) < 0)
			b->err = buf_err(&body);
	}
	split_plan_put_join(b, &p->split.join);
}
