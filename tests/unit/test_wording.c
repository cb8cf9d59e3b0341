/* SPDX-License-Identifier: Apache-2.0
 *
 * When two prompts say the same in nearly the same words, and when they do not.
 */
#include "policy/wording.h"

#include "base/prng.h"
#include "tests/support/test.h"

#define WORDING_BYTES 65536

static size_t wording(struct buf *b, struct span text)
{
	size_t n;

	buf_init(b, WORDING_BYTES);
	n = wording_put(b, text);
	assert_int_equal(buf_err(b), 0);
	return n;
}

static bool passes(const char *a, const char *b)
{
	struct buf of_a, of_b;
	bool is_same;

	wording(&of_a, span_str(a));
	wording(&of_b, span_str(b));
	is_same = span_eq(buf_span(&of_a), buf_span(&of_b));
	buf_done(&of_a);
	buf_done(&of_b);
	return is_same;
}

static void test_what_passes(void **state)
{
	static const struct {
		const char *a, *b;
		uint32_t near;
	} cases[] = {
		{ "What is the capital of France?", "what is capital of France", 727 },
		{ "List the files", "list the file.", 333 },
		{ "Please list the rivers of Italy", "List the rivers of Italy", 727 },
		{ "please, list the rivers of Italy", "list rivers of Italy", 800 },
		{ "  two\n  lines  ", "two lines", 1000 },
		{ "Summarise this", "summarise this!!!", 500 },
		{ "explain TCP", "EXPLAIN tcp", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span a = span_str(cases[i].a), b = span_str(cases[i].b);

		if (!passes(cases[i].a, cases[i].b))
			fail_msg("\"%s\" and \"%s\" differ", cases[i].a, cases[i].b);
		if (wording_near(a, b) != cases[i].near || wording_near(b, a) != cases[i].near)
			fail_msg("\"%s\": %u", cases[i].a, wording_near(a, b));
	}
}

static void test_what_does_not(void **state)
{
	static const char *const cases[][2] = {
		/* numbers and signs */
		{ "add 5 and 6", "add 5 and 7" },
		{ "is it 1.5 m", "is it 15 m" },
		{ "is it 1.5 m", "is it 1,5 m" },
		{ "is it 1.5 m", "is it 1 5 m" },
		{ "below -5 degrees", "below 5 degrees" },
		{ "more than 5%", "more than 5" },
		{ "x < y", "x > y" },
		{ "learn C", "learn C++" },
		{ "pay $5", "pay 5" },
		{ "in the 2s", "in the 2" },
		/* negations, in all their forms */
		{ "it is safe", "it is not safe" },
		{ "you can eat it", "you can't eat it" },
		{ "you can eat it", "you can\xe2\x80\x99t eat it" },
		{ "stop", "no stop" },
		{ "No, stop", "No stop" },
		{ "with sugar", "without sugar" },
		{ "never do it", "ever do it" },
		/* who does what to whom */
		{ "from Rome to Oslo", "from Oslo to Rome" },
		{ "from Rome to Oslo", "to Rome from Oslo" },
		{ "does a dog bite men", "do men bite a dog" },
		{ "before lunch", "after lunch" },
		{ "all of them", "some of them" },
		{ "he or she", "he and she" },
		/* other words */
		{ "capital of France", "capital of Spain" },
		{ "list files", "list all files" },
		{ "foo_bar", "foo bar" },
		{ "foo-bar", "foo bar" },
		{ "eat, grandma", "eat grandma" },
		{ "caf\xc3\xa9", "cafe" },
		{ "\xe6\x9d\xb1\xe4\xba\xac", "\xe4\xba\xac\xe6\x9d\xb1" },
		{ "bytes \xff", "bytes \xfe" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (passes(cases[i][0], cases[i][1]))
			fail_msg("\"%s\" passes for \"%s\"", cases[i][0], cases[i][1]);
}

static void test_texts_without_content(void **state)
{
	static const char *const empty[] = { "", "   ", "?", "the", "please, the", "is it",
		"\xff\xfe", "\xe2\x80\xa6" };
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		assert_int_equal(wording(&b, span_str(empty[i])), 0);
		buf_done(&b);
	}
	assert_int_equal(wording(&b, SPAN_LIT("\xe6\x9d\xb1\xe4\xba\xac is 5")), 2);
	buf_done(&b);
	assert_int_equal(wording_near((struct span){ 0 }, (struct span){ 0 }), 1);
}

/* Of any bytes: a text passes for itself and for its wording, and what passes is as near one way as the other. */
static void test_random_bytes(void **state)
{
	static const char letters[] = "the a not 1.5 -Files \xc3\xa9\xe6\x9d\xb1\xff?'\n,please ";
	uint64_t seed = 7;
	struct prng p;
	unsigned char text[64];

	(void)state;
	prng_seed(&p, seed);
	for (int i = 0; i < 20000; i++) {
		size_t len = prng_below(&p, sizeof text);
		struct span s = span_of(text, len);
		struct buf once;
		uint32_t near;

		for (size_t k = 0; k < len; k++)
			text[k] = (unsigned char)letters[prng_below(&p, sizeof letters - 1)];
		wording(&once, s);
		near = wording_near(s, s);
		if (near < 1 || near > 1000)
			fail_msg("seed %llu: %u", (unsigned long long)seed, near);
		assert_int_equal(wording_near(s, buf_span(&once)),
			wording_near(buf_span(&once), s));
		buf_done(&once);
	}
}

static void test_room(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	wording_put(&b, SPAN_LIT("longer than four"));
	assert_int_equal(buf_err(&b), ERR_TOO_BIG);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_passes),
		cmocka_unit_test(test_what_does_not),
		cmocka_unit_test(test_texts_without_content),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("wording", tests, NULL, NULL);
}
