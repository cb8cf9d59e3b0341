/* SPDX-License-Identifier: Apache-2.0
 *
 * golden: tests/cases/wire/NAME.hex holds the encoding that protoc made of the text in its comments; tests compare it
 * with what our codecs make of the same values as domain structs.
 */
#pragma once
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ulid.h"
#include "tests/support/test.h"

#define T(s) SPAN_LIT(s)
#define GOLDEN_BYTES 4096

struct golden {
	struct arena arena;
	struct buf out;    /* what our encoder made */
	struct buf wanted; /* what protoc made */
};

/* cmocka's; *state is a struct golden. */
static inline int golden_set_up(void **state)
{
	static struct golden g;

	arena_init(&g.arena, 1 << 20);
	buf_init(&g.out, GOLDEN_BYTES);
	buf_init(&g.wanted, GOLDEN_BYTES);
	*state = &g;
	return 0;
}

static inline int golden_tear_down(void **state)
{
	struct golden *g = *state;

	arena_done(&g->arena);
	buf_done(&g->out);
	buf_done(&g->wanted);
	return 0;
}

static inline unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The bytes of a file. */
static inline struct span load(struct golden *g, const char *name)
{
	char path[128];
	char line[256];
	FILE *file;

	snprintf(path, sizeof(path), "tests/cases/wire/%s.hex", name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("cannot read %s", path);
	buf_reset(&g->wanted);
	while (fgets(line, sizeof(line), file) != NULL)
		for (const char *at = line; line[0] != '#' && at[0] > ' '; at += 2)
			buf_byte(&g->wanted, (unsigned char)(nibble(at[0]) << 4 | nibble(at[1])));
	fclose(file);
	assert_int_equal(buf_err(&g->wanted), 0);
	return buf_span(&g->wanted);
}

/* What was encoded is what the file says; then begin anew. */
static inline void same(struct golden *g)
{
	assert_int_equal(buf_err(&g->out), 0);
	assert_int_equal(g->out.len, g->wanted.len);
	assert_memory_equal(g->out.at, g->wanted.at, g->wanted.len);
	buf_reset(&g->out);
}

/* An id with this last digit. */
static inline struct ulid id(unsigned last)
{
	char text[ULID_TEXT + 1] = "01HF7YAT5Q0000000000000000";
	struct ulid ret = { 0 };

	text[ULID_TEXT - 1] = (char)('0' + last);
	assert_int_equal(ulid_parse(span_str(text), &ret), 0);
	return ret;
}
