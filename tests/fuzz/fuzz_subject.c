/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/subject.h"

#include "base/fmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What can be taken apart is rebuilt the same; what may be replied to is safe on a protocol line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	char to[SUBJECT_BYTES];
	struct span a;
	struct span b;

	for (unsigned i = 0; i < SUBJECTS; i++) {
		if (subject_parse((enum subject)i, s, &a, &b) < 0)
			continue;
		CHECK(subject_build((enum subject)i, a, b, to) == 0);
		CHECK(span_is(s, to));
	}
	if (subject_may_reply(s, SPAN_LIT("me")))
		for (size_t i = 0; i < size; i++)
			CHECK(data[i] > 0x20 && data[i] < 0x7f && data[i] != 0x2a &&
				data[i] != 0x3e);
	return 0;
}
