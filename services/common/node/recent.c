/* SPDX-License-Identifier: Apache-2.0
 *
 * recent: a ring of copies.
 */
#include "node/recent.h"

#include "base/err.h"
#include "base/mem.h"

#include "base/pure.h"

int recent_init(struct recent *r, uint32_t max)
{
	CHECK(max > 0);
	*r = (struct recent){ .max = max };
	r->ends = mem_alloc(max * sizeof(*r->ends));
	return r->ends == NULL ? ERR_NO_MEMORY : 0;
}

static void drop_oldest(struct recent *r)
{
	struct span *oldest = &r->ends[r->first];

	r->bytes -= oldest->len;
	mem_free((void *)oldest->at);
	*oldest = (struct span){ NULL, 0 };
	r->first = (r->first + 1) % r->max;
	r->n--;
}

void recent_done(struct recent *r)
{
	while (r->n > 0)
		drop_oldest(r);
	mem_free(r->ends);
	*r = (struct recent){ 0 };
}

void recent_put(struct recent *r, struct span end)
{
	void *copy = end.len > RECENT_BYTES ? NULL : mem_dup(end);

	if (copy == NULL)
		return;
	while (r->n > 0 && (r->n == r->max || r->bytes + end.len > RECENT_BYTES))
		drop_oldest(r);
	r->ends[(r->first + r->n++) % r->max] = span_of(copy, end.len);
	r->bytes += end.len;
}

struct span recent_at(const struct recent *r, uint32_t i)
{
	CHECK(i < r->n);
	return r->ends[(r->first + i) % r->max];
}
