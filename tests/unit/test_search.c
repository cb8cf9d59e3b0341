/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/search.h"

#include "tests/support/scratch.h"
#include "tests/support/test.h"

static void expect_order(const char *query, const struct span *texts, size_t n, const char *order)
{
	struct search_hit *hits;
	size_t hits_n;
	char got[16] = "";

	assert_int_equal(search_texts(&scratch, span_str(query), texts, n, &hits, &hits_n, NULL),
		0);
	assert_true(hits_n < sizeof(got));
	for (size_t i = 0; i < hits_n; i++) {
		got[i] = (char)('a' + hits[i].text);
		assert_true(hits[i].score > 0 && hits[i].terms > 0);
		assert_true(i == 0 || hits[i].score <= hits[i - 1].score);
	}
	assert_string_equal(got, order);
}

static void test_order(void **state)
{
	const struct span texts[] = {
		SPAN_LIT("The dog sleeps in the sun all day long and does nothing else."), /* a */
		SPAN_LIT("Lease rules: a node keeps its lease for thirty seconds."),       /* b */
		SPAN_LIT("A lease."),                                                      /* c */
		SPAN_LIT("Dogs and cats."),                                                /* d */
		SPAN_LIT("The router leases nodes; leasing needs a router."),              /* e */
	};

	(void)state;
	expect_order("lease", texts, 5, "ceb"); /* the shorter text; word forms count */
	expect_order("Lease Router", texts, 5, "ecb");
	expect_order("dogs", texts, 5, "da");
	expect_order("DOG dog dog", texts, 5, "da");
	expect_order("elephants", texts, 5, "");
	expect_order("lease", NULL, 0, "");
}

/* Equal texts: the earlier one first. */
static void test_ties(void **state)
{
	const struct span texts[] = { SPAN_LIT("x"), SPAN_LIT("same text"), SPAN_LIT("same text") };

	(void)state;
	expect_order("text", texts, 3, "bc");
}

/* A rare word says more than one that is everywhere. */
static void test_rare_words_count_more(void **state)
{
	struct span texts[26];

	(void)state;
	for (size_t i = 0; i < 26; i++)
		texts[i] = SPAN_LIT("common word here");
	texts[7] = SPAN_LIT("rare word here");
	texts[8] = SPAN_LIT("nothing of it");
	struct search_hit *hits;
	size_t hits_n;

	assert_int_equal(
		search_texts(&scratch, SPAN_LIT("common rare"), texts, 26, &hits, &hits_n, NULL),
		0);
	assert_int_equal(hits[0].text, 7);
	assert_int_equal(hits_n, 25);
}

static void test_queries_that_cannot_be(void **state)
{
	static char many[SEARCH_TERMS_MAX * 8 + 64];
	const struct span text = SPAN_LIT("text");
	struct search_hit *hits;
	size_t hits_n, at = 0;
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(
		search_texts(&scratch, SPAN_LIT("the of - !"), &text, 1, &hits, &hits_n, &why),
		ERR_INVALID);
	assert_string_equal(why.field, "query");
	for (unsigned i = 0; i <= SEARCH_TERMS_MAX; i++) {
		many[at++] = 'q';
		for (unsigned n = i + 100; n > 0; n /= 10)
			many[at++] = (char)('0' + n % 10);
		many[at++] = ' ';
	}
	assert_int_equal(search_texts(&scratch, span_of(many, at), &text, 1, &hits, &hits_n, &why),
		ERR_TOO_BIG);
	assert_int_equal(why.limit, SEARCH_TERMS_MAX);
}

static void test_passages(void **state)
{
	static char text[20000];
	struct search_passage *p;
	struct span docs[2] = { span_of(text, sizeof(text)), SPAN_LIT("") };
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "A sentence here. "[i % 17];
	assert_int_equal(search_passages(&scratch, docs, 2, &p, &n), 0);
	assert_in_range(n, 20, 40);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(p[i].doc, 0);
		assert_true(p[i].text.len <= SEARCH_PASSAGE_BYTES + 1024);
		assert_true(i == 0 || p[i].text.at >= p[i - 1].text.at + p[i - 1].text.len);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_ties),
		TEST(test_rare_words_count_more),
		TEST(test_queries_that_cannot_be),
		TEST(test_passages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
