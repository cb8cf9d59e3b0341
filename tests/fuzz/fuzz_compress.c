/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_compress: the first byte says how, the first line is the query, the rest the texts, apart by zero bytes: the budget
 * is kept, and the map says where every part comes from.
 */
#include "policy/compress.h"
#include "policy/trace.h"

#define DOCS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(const struct buf *map, const struct buf *outs, const struct span *docs,
	size_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct trace_want all = { .doc = i, .out = { 0, outs[i].len } };
		struct trace_want gap = { .doc = i, .gap = 1 };
		struct trace_range found;
		int r = trace_find(buf_span(map), docs, n, &all, &found, NULL);

		CHECK(r == 0 || r == ERR_UNKNOWN);
		CHECK(r != 0 || (found.from <= found.to && found.to <= docs[i].len));
		for (; trace_find(buf_span(map), docs, n, &gap, &found, NULL) == 0; gap.gap += 7)
			CHECK(found.from <= found.to && found.to <= docs[i].len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how = size == 0 ? 0 : data[0];
	struct span rest = span_part(span_of(data, size), 1, size), docs[DOCS_MAX];
	struct compress_want want = {
		.query = span_cut(&rest, '\n'),
		.mode = (enum guard_mode)(how % 3),
		.family = (enum tokens_family)(how / 3 % TOKENS_FAMILIES),
		.tokens = how % 5 == 0 ? UINT64_MAX : 1 + size % 97,
		.ratio_milli = 1000 + how * 40,
		.marks = how % 2 == 0,
		.batch_bytes = how % 7 == 0 ? 4096 : 0,
		.prefix_bytes = how % 11 == 0 ? size % 50 : 0,
	};
	struct buf outs[DOCS_MAX], map;
	struct compress_facts facts;
	struct arena a;
	size_t n = 0;
	int r;

	for (; rest.len > 0 && n < DOCS_MAX; n++) {
		docs[n] = span_cut(&rest, '\0');
		buf_init(&outs[n], 4 * size + 4096);
	}
	buf_init(&map, (size_t)64 << 20);
	arena_init(&a, COMPRESS_ARENA_BYTES);
	r = compress_texts(&a, docs, n, &want, outs, &map, &facts, NULL);
	CHECK(r == 0 || r == ERR_TOO_BIG);
	CHECK(r != 0 || facts.tokens_out <= want.tokens);
	if (r == 0)
		check_map(&map, outs, docs, n);
	for (size_t i = 0; i < n; i++)
		buf_done(&outs[i]);
	buf_done(&map);
	arena_done(&a);
	return 0;
}
