/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_select: the first line is the query, the rest the document: the choice keeps its budgets and its order.
 */
#include "policy/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span doc = span_of(data, size), query = span_cut(&doc, '\n');
	struct select_want want = {
		.query = query,
		.sentences_max = 1 + (uint32_t)(size % 9),
		.bytes_max = 1 + size / 2,
	};
	struct select_result r;
	struct arena a;
	struct buf b;

	arena_init(&a, (size_t)128 << 20);
	buf_init(&b, want.bytes_max);
	CHECK(select_sentences(&a, &doc, 1, &want, &r) == 0);
	CHECK(r.picks_n <= want.sentences_max && r.picks_n <= r.sentences_in);
	for (size_t i = 0; i < r.picks_n; i++) {
		struct span s = r.picks[i].sentence.text;

		CHECK(s.len > 0 && s.at >= doc.at && s.at + s.len <= doc.at + doc.len);
		CHECK(i == 0 || r.picks[i].index > r.picks[i - 1].index);
	}
	select_emit(&b, &r);
	CHECK(buf_err(&b) == 0);
	buf_done(&b);
	arena_done(&a);
	return 0;
}
