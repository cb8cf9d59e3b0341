/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_split: zero bytes end a document. The pieces put together are the documents.
 */
#include "policy/split.h"

#define DOCS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_query(struct span prompt)
{
	char to[64];

	CHECK(split_query(prompt, to, sizeof(to)) <= sizeof(to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct split_want want = {
		.parts_max = 1 + (uint32_t)(size % 13),
		.part_min = 1 + size % 7,
		.lines = size % 2 == 0,
	};
	struct span rest = span_of(data, size), docs[DOCS_MAX];
	size_t docs_n = 0, n, doc = 0, at = 0;
	struct split_piece *pieces;
	struct arena a;

	while (rest.len > 0 && docs_n < DOCS_MAX)
		docs[docs_n++] = span_cut(&rest, '\0');
	arena_init(&a, 1 << 20);
	CHECK(split_docs(&a, docs, docs_n, &want, &pieces, &n) == 0);
	for (size_t i = 0; i < n; i++) {
		while (doc < docs_n && at == docs[doc].len) {
			doc++;
			at = 0;
		}
		CHECK(doc < docs_n && pieces[i].doc == doc &&
			pieces[i].text.at == docs[doc].at + at);
		CHECK(pieces[i].text.len > 0 && pieces[i].part < want.parts_max);
		at += pieces[i].text.len;
		CHECK(!want.lines || at == docs[doc].len || docs[doc].at[at - 1] == '\n');
	}
	while (doc < docs_n && at == docs[doc].len) {
		doc++;
		at = 0;
	}
	CHECK(doc == docs_n);
	arena_done(&a);
	check_query(span_of(data, size));
	return 0;
}
