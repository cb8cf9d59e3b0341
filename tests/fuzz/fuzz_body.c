/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/body.h"

#include "base/mem.h"
#include "tests/fuzz/wire.h"
#include "wire/body_refs.h"

/* Read in place it is the same, or refused as well; and with all data in its place it can be read. What that takes
 * is bounded here: a reference of a few bytes may speak of 16 GiB. */
static int decode_both(struct arena *a, struct span bytes, struct body *ret, struct fail *why)
{
	CLEANUP(buf_done) struct buf whole = { 0 };
	struct body view = { 0 };
	struct body_hole *holes;
	struct body_sum sum;
	int r = body_decode(a, bytes, ret, why);
	int in_place = body_view(a, bytes, &view, NULL);

	CHECK(r != 0 || in_place == 0);
	if (in_place < 0)
		return r;
	sum = body_sum(bytes);
	if (sum.bytes > (1 << 20))
		return r;
	holes = mem_alloc((sum.refs + 1) * sizeof(*holes));
	buf_init(&whole, 1 << 20);
	if (holes != NULL && body_expand(&whole, bytes, holes)) {
		for (size_t i = 0; i < sum.refs; i++)
			memset(whole.at + holes[i].at, 'x', holes[i].size);
		CHECK(body_view(a, buf_span(&whole), &view, NULL) != ERR_MALFORMED);
		CHECK(body_sum(buf_span(&whole)).refs == 0);
	}
	mem_free(holes);
	return r;
}

FUZZ_MESSAGE(body, decode_both, body_encode)
