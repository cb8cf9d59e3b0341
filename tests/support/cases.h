/* SPDX-License-Identifier: Apache-2.0
 *
 * cases: tests as lines of text, for readers who do not read C. Every line of a case file that is neither
 * empty nor begins with '#' becomes one cmocka test, named after the file, the line number and the line.
 *
 *	pick g1   need=gpu mem=4G   c1:100,5,0,cpu g1:700,20,3,gpu8G
 *
 * A line is words between blanks, with "..." around what may contain blanks (inside, \" \\ \n \t \xHH).
 * key=value words, where key is [a-z][a-z0-9_]*, are looked up by key; the others are counted from 0.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

#define CASE_WORDS 256

struct case_line {
	const char *file;
	unsigned line;
	const char *text; /* the whole line */
	unsigned words;   /* of plain[] */
	unsigned pairs;   /* of keys[] and values[] */
	/* A zero stands behind each plain word and each value, so their .at are C strings, too. */
	struct span plain[CASE_WORDS];
	struct span keys[CASE_WORDS];
	struct span values[CASE_WORDS];
	bool is_used[CASE_WORDS]; /* pairs that were looked up */
};

/* Run each line of the file (a path from the top of the sources) through `run` as a test. A key that `run`
 * never looked up fails the test: it is misspelt. Returns the number of failed tests, or 1 and a message
 * if the file cannot be read or has no lines. */
int cases_run(const char *path, void (*run)(struct case_line *c));

/* The i-th plain word; the test fails if there are fewer. */
struct span case_word(struct case_line *c, unsigned i);
bool case_has(struct case_line *c, const char *key);
/* The value of a key, or `fallback` if the line has none; with fallback NULL the test fails. */
struct span case_value(struct case_line *c, const char *key, const char *fallback);
/* Likewise as numbers, in the forms of fmt_int, fmt_bytes and fmt_duration. */
int64_t case_int(struct case_line *c, const char *key, const char *fallback);
int64_t case_bytes(struct case_line *c, const char *key, const char *fallback);
int64_t case_duration(struct case_line *c, const char *key, const char *fallback);
/* Fail the test with the file and line before the message. */
_Noreturn void case_fail(const struct case_line *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* Fail unless both are the same; what: the name of the thing compared. */
void case_same_text(const struct case_line *c, const char *what, struct span got,
	struct span wanted);
void case_same_int(const struct case_line *c, const char *what, int64_t got, int64_t wanted);
