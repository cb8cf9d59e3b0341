/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/subject.h"

#include "tests/support/test.h"

#define T(s) SPAN_LIT(s)
#define LONG64 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* What must never become part of a subject. */
static const struct span injections[] = {
	{ (const unsigned char *)"", 0 },
	{ (const unsigned char *)".", 1 },
	{ (const unsigned char *)"a.b", 3 },
	{ (const unsigned char *)"*", 1 },
	{ (const unsigned char *)">", 1 },
	{ (const unsigned char *)"a b", 3 },
	{ (const unsigned char *)"a\t", 2 },
	{ (const unsigned char *)"a\rb", 3 },
	{ (const unsigned char *)"a\nPUB b 0\r\n\r\n", 13 },
	{ (const unsigned char *)"a\0b", 3 },
	{ (const unsigned char *)"\xc3\xa4", 2 },
	{ (const unsigned char *)LONG64 "x", 65 },
};

static void test_build_and_parse(void **state)
{
	char to[SUBJECT_BYTES];
	struct span a;
	struct span b;

	(void)state;
	assert_int_equal(subject_build(SUBJECT_SUBMIT, T("acme"), T("not. used"), to), 0);
	assert_string_equal(to, "spu.submit.acme");
	assert_int_equal(subject_parse(SUBJECT_SUBMIT, span_str(to), &a, &b), 0);
	assert_true(span_is(a, "acme"));
	assert_int_equal(b.len, 0);
	assert_int_equal(subject_build(SUBJECT_EVENT, T(LONG64), T(LONG64), to), 0);
	assert_string_equal(to, "spu.event." LONG64 "." LONG64);
	assert_int_equal(subject_parse(SUBJECT_EVENT, span_str(to), &a, NULL), 0);
	assert_int_equal(subject_parse(SUBJECT_EVENT, span_str(to), &a, &b), 0);
	assert_true(span_is(a, LONG64));
	assert_true(span_is(b, LONG64));
}

static void test_every_row(void **state)
{
	char to[SUBJECT_BYTES];
	char pattern[SUBJECT_BYTES];
	struct span a;
	struct span b;

	(void)state;
	for (unsigned s = 0; s < SUBJECTS; s++) {
		const struct subject_row *row = subject_row((enum subject)s);

		assert_int_equal(row->tokens, strchr(row->tail, '.') == NULL ? 1 : 2);
		assert_int_equal(subject_build((enum subject)s, T("x"), T("y"), to), 0);
		assert_memory_equal(to, row->prefix, strlen(row->prefix));
		for (unsigned other = 0; other < SUBJECTS; other++)
			assert_int_equal(subject_parse((enum subject)other, span_str(to), &a, &b) ==
						 0,
				other == s);
		subject_pattern((enum subject)s, pattern);
		assert_string_equal(pattern + strlen(row->prefix),
			row->tokens == 2 ? ".*.*" : ".*");
	}
	expect_assert_failure(subject_row(SUBJECTS));
}

static void test_injections_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(injections); i++) {
		char to[SUBJECT_BYTES] = "untouched";
		char whole[SUBJECT_BYTES + 1] = "spu.submit.";
		struct span a = T("untouched");
		struct span bad = injections[i];

		assert_int_equal(subject_build(SUBJECT_SUBMIT, bad, T(""), to), ERR_INVALID);
		assert_int_equal(subject_build(SUBJECT_EVENT, bad, T("ok"), to), ERR_INVALID);
		assert_int_equal(subject_build(SUBJECT_EVENT, T("ok"), bad, to), ERR_INVALID);
		assert_string_equal(to, "untouched");
		if (bad.len > 0)
			memcpy(whole + 11, bad.at, bad.len);
		assert_int_equal(
			subject_parse(SUBJECT_SUBMIT, span_of(whole, 11 + bad.len), &a, NULL),
			ERR_INVALID);
		assert_true(span_is(a, "untouched"));
		assert_false(subject_may_reply(span_of(whole + 4, 7 + bad.len), T("me")));
	}
}

static void test_other_subjects_are_refused(void **state)
{
	static const char *const wrong[] = { "", "spu", "spu.submit", "spu.submit.", "spu.submitx",
		"spu.submit.a.b", "spu.submit.a.", "xpu.submit.a", "spu.query.a", ".spu.submit.a" };
	struct span a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(subject_parse(SUBJECT_SUBMIT, span_str(wrong[i]), &a, NULL),
			ERR_INVALID);
	assert_int_equal(subject_parse(SUBJECT_EVENT, T("spu.event.a"), &a, NULL), ERR_INVALID);
	assert_int_equal(subject_parse(SUBJECT_EVENT, T("spu.event.a.b.c"), &a, NULL), ERR_INVALID);
	assert_int_equal(subject_parse(SUBJECT_EVENT, (struct span){ 0 }, &a, NULL), ERR_INVALID);
}

static void test_replies_go_to_inboxes_only(void **state)
{
	static const char *const yes[] = { "_INBOX.abc", "_INBOX.abc.1", "spu.inbox.me.x",
		"spu.inbox.me.x.12", ("_INBOX." LONG64) };
	static const char *const no[] = { "", "_INBOX", "_INBOX.", "_INBOX..a", "_INBOX.a.",
		"_INBOX.*", "_INBOX.>", "_INBOX.a b", "_INBOX.a\r\nPUB", "_inbox.a", "spu.inbox.me",
		"spu.inbox.me.", "spu.inbox.you.x", "spu.inbox.mex.y", "spu.inbox.*.x",
		"spu.down.cpu-1", "spu.submit.me", "$SYS.REQ", ("_INBOX." LONG64 "x"),
		("_INBOX." LONG64 "." LONG64 "." LONG64) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!subject_may_reply(span_str(yes[i]), T("me")))
			fail_msg("refused: %s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (subject_may_reply(span_str(no[i]), T("me")))
			fail_msg("allowed: %s", no[i]);
	assert_false(subject_may_reply(T("spu.inbox.me.x"), T("")));
	assert_false(subject_may_reply(T("spu.inbox..x"), T("")));
	assert_false(subject_may_reply(T("spu.inbox.a.b.x"), T("a.b")));
	assert_false(subject_may_reply(T("_INBOX.a\0b"), T("me")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build_and_parse),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_injections_are_refused),
		cmocka_unit_test(test_other_subjects_are_refused),
		cmocka_unit_test(test_replies_go_to_inboxes_only),
	};

	return cmocka_run_group_tests_name("wire subject", tests, NULL, NULL);
}
