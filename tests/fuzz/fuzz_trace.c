/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_trace: any bytes as the map of a text: what is found lies in the text.
 */
#include "policy/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span docs[2] = { SPAN_LIT("One. Two. Three."), SPAN_LIT("") };

	for (uint32_t i = 0; i < 12; i++) {
		struct trace_want want = { .doc = i % 3, .gap = i / 3, .out = { i, i + size % 9 } };
		struct trace_range found;
		struct fail why = { 0 };
		int r = trace_find(span_of(data, size), docs, 2, &want, &found, &why);

		CHECK(r == 0 || (r == why.code && why.field[0] != '\0'));
		CHECK(r != 0 || (found.from <= found.to && found.to <= docs[want.doc].len));
	}
	return 0;
}
