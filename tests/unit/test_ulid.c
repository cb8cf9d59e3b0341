/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ulid.h"

#include "base/err.h"
#include "tests/support/test.h"

static void assert_round_trip(struct ulid id, const char *wanted)
{
	char text[ULID_TEXT + 1];
	struct ulid back;

	ulid_text(id, text);
	if (wanted != NULL)
		assert_string_equal(text, wanted);
	assert_int_equal(strlen(text), ULID_TEXT);
	assert_int_equal(ulid_parse(span_str(text), &back), 0);
	assert_true(ulid_eq(id, back));
}

/* From the specification: the time of its example, its largest id, and its alphabet. */
static void vectors(void **state)
{
	struct ulid id;

	(void)state;
	assert_round_trip((struct ulid){ 0, 0 }, "00000000000000000000000000");
	assert_round_trip((struct ulid){ UINT64_MAX, UINT64_MAX }, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
	assert_round_trip((struct ulid){ 0, 1 }, "00000000000000000000000001");
	assert_round_trip((struct ulid){ 0, UINT64_C(1) << 60 }, "00000000000001000000000000");
	assert_round_trip((struct ulid){ 1, 0 }, "0000000000000G000000000000");
	assert_round_trip((struct ulid){ 2, 0 }, "00000000000010000000000000");
	assert_round_trip((struct ulid){ UINT64_C(1469918176385) << 16, 0 },
		"01ARYZ6S410000000000000000");
	assert_int_equal(ulid_parse(SPAN_LIT("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &id), 0);
	assert_true(id.hi >> 16 == UINT64_C(1469922850259));
	assert_round_trip(id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

static void every_bit_survives(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int bit = 0; bit < 64; bit++) {
		assert_round_trip((struct ulid){ UINT64_C(1) << bit, 0 }, NULL);
		assert_round_trip((struct ulid){ 0, UINT64_C(1) << bit }, NULL);
	}
	for (int i = 0; i < 10000; i++)
		assert_round_trip((struct ulid){ prng_next(&p), prng_next(&p) }, NULL);
}

static void other_texts_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"01ARZ3NDEKTSV4RRFFQ69G5FA",
		"01ARZ3NDEKTSV4RRFFQ69G5FAVV",
		"8ZZZZZZZZZZZZZZZZZZZZZZZZZ", /* 2^128 */
		"Z1ARZ3NDEKTSV4RRFFQ69G5FAV",
		"01ARZ3NDEKTSV4RRFFQ69G5FA ",
	};
	struct ulid id = { 1, 2 };
	char text[] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ulid_parse(span_str(bad[i]), &id), ERR_INVALID);
	/* Each byte value in each place: accepted if and only if it is a symbol. */
	for (size_t at = 0; at < ULID_TEXT; at++) {
		char was = text[at];

		for (int c = 0; c < 256; c++) {
			const char *symbols =
				at == 0 ? "01234567"
					: "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz";
			bool is_good = c != 0 && strchr(symbols, c) != NULL;
			struct ulid got = { 1, 2 };

			text[at] = (char)c;
			assert_int_equal(ulid_parse(span_of(text, ULID_TEXT), &got),
				is_good ? 0 : ERR_INVALID);
			if (!is_good)
				assert_true(ulid_eq(got, id));
		}
		text[at] = was;
	}
}

static void lower_case_means_the_same(void **state)
{
	struct ulid upper, lower;

	(void)state;
	assert_int_equal(ulid_parse(SPAN_LIT("7ABCDEFGHJKMNPQRSTVWXYZ012"), &upper), 0);
	assert_int_equal(ulid_parse(SPAN_LIT("7abcdefghjkmnpqrstvwxyz012"), &lower), 0);
	assert_true(ulid_eq(upper, lower));
}

static void texts_sort_by_time(void **state)
{
	char before[ULID_TEXT + 1], after[ULID_TEXT + 1];
	int64_t ms = INT64_C(1700000000000);
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int i = 0; i < 1000; i++) {
		ulid_text(ulid_make(ms, &p), before);
		ms += 1 + (int64_t)prng_below(&p, 100000);
		ulid_text(ulid_make(ms, &p), after);
		assert_true(strcmp(before, after) < 0);
	}
	assert_false(ulid_is_zero(ulid_make(0, &p)));
	assert_true(ulid_make((INT64_C(1) << 48) - 1, &p).hi >> 16 == (UINT64_C(1) << 48) - 1);
	expect_assert_failure(ulid_make(-1, &p));
	expect_assert_failure(ulid_make(INT64_C(1) << 48, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(every_bit_survives),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(lower_case_means_the_same),
		cmocka_unit_test(texts_sort_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
