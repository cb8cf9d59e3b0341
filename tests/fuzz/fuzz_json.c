/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_json: whatever json_read takes is within the bounds that it states, all the way down.
 */
#include "run/json.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ask for every type under a few keys, and in all values of arrays; returns the values seen. */
static size_t walk(const struct json_t *j, unsigned depth)
{
	static const char *const keys[] = { "a", "b", "choices", "message", "content" };
	const struct json_t *in;
	struct span text;
	size_t n = 1;
	int64_t number;
	bool yes;

	CHECK(depth <= JSON_DEPTH_MAX + 1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		unsigned types = 0;

		types += json_get_text(j, keys[i], SIZE_MAX, &text, NULL) == 1;
		types += json_get_int(j, keys[i], INT64_MIN, INT64_MAX, &number, NULL) == 1;
		types += json_get_bool(j, keys[i], &yes, NULL) == 1;
		if (json_get_object(j, keys[i], &in, NULL) == 1) {
			n += walk(in, depth + 1);
			types++;
		}
		if (json_get_array(j, keys[i], SIZE_MAX, &in, NULL) == 1) {
			n += walk(in, depth + 1);
			types++;
		}
		CHECK(types <= 1);
	}
	for (size_t i = 0; i < json_count(j); i++)
		n += walk(json_item(j, i), depth + 1);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(json_dropp) struct json_t *j = NULL;
	struct fail why = { 0 };
	int r = json_read(span_of(data, size), 1 << 16, &j, &why);

	CHECK((r == 0) == (j != NULL));
	CHECK(r == why.code);
	if (j != NULL)
		CHECK(walk(j, 1) <= JSON_VALUES_MAX);
	return 0;
}
