/* SPDX-License-Identifier: Apache-2.0
 *
 * cases: reading the file, cutting lines into words, and handing them to cmocka.
 */
#include "tests/support/cases.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "tests/support/test.h"

#define FILE_MAX (1 << 20)
#define LINES_MAX 4096
#define NAME_BYTES 120

/* What stands behind one cmocka test. */
struct case_test {
	void (*run)(struct case_line *c);
	const char *file;
	unsigned line;
	const char *text; /* the line */
	char *scratch;    /* a copy, to be cut into words */
	char name[NAME_BYTES];
};

static void stop(const struct case_line *c, const char *message)
{
	fail_msg("%s:%u: %s", c->file, c->line, message);
	abort(); /* fail_msg left by longjmp */
}

void case_fail(const struct case_line *c, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	stop(c, message);
	abort();
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *hit = c == '\0' ? NULL : strchr(digits, c);

	return hit == NULL ? -1 : (int)(hit - digits);
}

/* The byte behind a backslash; *at moves past it. */
static char take_escape(const struct case_line *c, char **at)
{
	char kind = *(*at)++;

	if (kind == 'x') {
		int high = hex_digit((*at)[0]);
		int low = high < 0 ? -1 : hex_digit((*at)[1]);

		if (low < 0)
			case_fail(c, "\\x wants two digits of 0-9 and a-f");
		*at += 2;
		return (char)(high * 16 + low);
	}
	if (kind == 'n')
		return '\n';
	if (kind == 't')
		return '\t';
	if (kind != '"' && kind != '\\')
		case_fail(c, "\\%c is no escape", kind);
	return kind;
}

/* Cut the next word off *at, without its quotes. It shrinks in place, so a zero fits behind it. */
static struct span take_word(const struct case_line *c, char **at)
{
	char *from = *at;
	char *to = from;
	bool is_quoted = false;

	while (**at != '\0' && (is_quoted || (**at != ' ' && **at != '\t'))) {
		char byte = *(*at)++;

		if (byte == '"')
			is_quoted = !is_quoted;
		else
			*to++ = is_quoted && byte == '\\' ? take_escape(c, at) : byte;
	}
	if (is_quoted)
		case_fail(c, "a quote is not closed");
	if (**at != '\0')
		(*at)++;
	*to = '\0';
	return span_of(from, (size_t)(to - from));
}

/* The length of a key that is followed by '=', or 0. Quotes never open inside a key. */
static size_t key_length(const char *word)
{
	size_t n = 0;

	while ((word[n] >= 'a' && word[n] <= 'z') || (n > 0 && word[n] == '_') ||
		(n > 0 && word[n] >= '0' && word[n] <= '9'))
		n++;
	return word[n] == '=' ? n : 0;
}

static void cut_words(struct case_line *c, char *at)
{
	for (;;) {
		size_t key;
		struct span word;

		at += strspn(at, " \t");
		if (*at == '\0')
			return;
		if (c->words == CASE_WORDS || c->pairs == CASE_WORDS)
			case_fail(c, "more than %d words", CASE_WORDS);
		key = key_length(at);
		word = take_word(c, &at);
		if (key == 0) {
			c->plain[c->words++] = word;
			continue;
		}
		c->keys[c->pairs] = span_part(word, 0, key);
		c->values[c->pairs++] = span_part(word, key + 1, word.len);
	}
}

static int pair_index(struct case_line *c, const char *key)
{
	for (unsigned i = 0; i < c->pairs; i++) {
		if (span_is(c->keys[i], key)) {
			c->is_used[i] = true;
			return (int)i;
		}
	}
	return -1;
}

struct span case_word(struct case_line *c, unsigned i)
{
	if (i >= c->words)
		case_fail(c, "it has %u words, and number %u is wanted", c->words, i);
	return c->plain[i];
}

bool case_has(struct case_line *c, const char *key)
{
	return pair_index(c, key) >= 0;
}

struct span case_value(struct case_line *c, const char *key, const char *fallback)
{
	int i = pair_index(c, key);

	if (i < 0 && fallback == NULL)
		case_fail(c, "%s= is missing", key);
	return i < 0 ? span_str(fallback) : c->values[i];
}

static int64_t number(struct case_line *c, const char *key, const char *fallback,
	int (*parse)(struct span s, int64_t *ret))
{
	struct span text = case_value(c, key, fallback);
	int64_t n;

	if (parse(text, &n) < 0)
		case_fail(c, "%s=%.*s cannot be read", key, (int)text.len, (const char *)text.at);
	return n;
}

int64_t case_int(struct case_line *c, const char *key, const char *fallback)
{
	return number(c, key, fallback, fmt_int);
}

int64_t case_bytes(struct case_line *c, const char *key, const char *fallback)
{
	return number(c, key, fallback, fmt_bytes);
}

int64_t case_duration(struct case_line *c, const char *key, const char *fallback)
{
	return number(c, key, fallback, fmt_duration);
}

void case_same_text(const struct case_line *c, const char *what, struct span got,
	struct span wanted)
{
	if (!span_eq(got, wanted))
		case_fail(c, "%s is '%.*s', not '%.*s'", what, (int)got.len, (const char *)got.at,
			(int)wanted.len, (const char *)wanted.at);
}

void case_same_int(const struct case_line *c, const char *what, int64_t got, int64_t wanted)
{
	if (got != wanted)
		case_fail(c, "%s is %" PRId64 ", not %" PRId64, what, got, wanted);
}

static void run_case(void **state)
{
	const struct case_test *test = *state;
	/* 20 KiB of stack: on the heap it would leak when an assert leaves by longjmp. */
	struct case_line c = { .file = test->file, .line = test->line, .text = test->text };

	cut_words(&c, test->scratch);
	test->run(&c);
	for (unsigned i = 0; i < c.pairs; i++) {
		if (!c.is_used[i])
			case_fail(&c, "nothing looks at %.*s=", (int)c.keys[i].len,
				(const char *)c.keys[i].at);
	}
}

static char *read_file(const char *path, size_t *ret_bytes)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, FILE_MAX + 1);

	*ret_bytes = f == NULL || text == NULL ? 0 : fread(text, 1, FILE_MAX + 1, f);
	if (f != NULL)
		fclose(f);
	if (*ret_bytes > 0 && *ret_bytes <= FILE_MAX)
		return text;
	fprintf(stderr, "%s: cannot be read, is empty or larger than %d bytes\n", path, FILE_MAX);
	free(text);
	return NULL;
}

/* One test a line; returns how many. scratch is as long as text. */
static size_t cut_lines(char *text, char *scratch, struct case_test *tests,
	const struct case_test *model)
{
	char *rest = text;
	size_t count = 0;

	for (unsigned number = 1; rest != NULL && count < LINES_MAX; number++) {
		struct case_test *test = &tests[count];
		char *line = strsep(&rest, "\n");

		line += strspn(line, " \t");
		if (*line == '\0' || *line == '#')
			continue;
		*test = *model;
		test->line = number;
		test->text = line;
		test->scratch = scratch + (line - text);
		/* A '#' in a TAP line would begin a directive. */
		snprintf(test->name, sizeof(test->name), "%s:%u %s", model->file, number, line);
		for (char *at = test->name; *at != '\0'; at++)
			*at = *at == '#' ? ' ' : *at;
		count++;
	}
	return count;
}

static int run_lines(const char *path, const struct case_test *model, char *text, size_t bytes)
{
	struct case_test *tests = calloc(LINES_MAX, sizeof(*tests));
	struct CMUnitTest *table = calloc(LINES_MAX, sizeof(*table));
	char *scratch = calloc(1, bytes + 1);
	size_t count = 0;
	int failed = 1;

	if (tests != NULL && table != NULL && scratch != NULL) {
		count = cut_lines(text, scratch, tests, model);
		memcpy(scratch, text, bytes);
	}
	for (size_t i = 0; i < count; i++)
		table[i] = (struct CMUnitTest){ tests[i].name, run_case, NULL, NULL, &tests[i] };
	if (count > 0 && count < LINES_MAX)
		failed = _cmocka_run_group_tests(path, table, count, NULL, NULL);
	else
		fprintf(stderr, "%s: no lines, or more than %d\n", path, LINES_MAX - 1);
	free(scratch);
	free(table);
	free(tests);
	return failed;
}

int cases_run(const char *path, void (*run)(struct case_line *c))
{
	const struct case_test model = { .run = run, .file = path };
	size_t bytes;
	char *text = read_file(path, &bytes);
	int failed = text == NULL ? 1 : run_lines(path, &model, text, bytes);

	free(text);
	return failed;
}
