/* SPDX-License-Identifier: Apache-2.0
 *
 * err: one list of errors for the whole mesh, from proto/err.def. Functions return 0 (or a count) or a
 * negative ERR_x = -wire.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum err {
	ERR_OK = 0,
#define ERR(name, wire, http, retry, blame, exit, text) ERR_##name = -(wire),
#include "proto/err.def"
#undef ERR
};

/* Whose fault it is that an attempt ended so. */
enum blame { BLAME_REQUEST, BLAME_CLASS, BLAME_NODE, BLAME_MOMENT };

/* One row of err.def. */
struct err_row {
	const char *name;
	const char *text;
	int wire;
	int http;
	int exit;
	bool retry;
	enum blame blame;
};

/* The row of an error code (ERR_x or its wire number); the row of BUG for numbers outside the list. */
const struct err_row *err_row(int code);
/* ERR_x from a wire number; ERR_BUG if there is no such row. */
int err_from_wire(uint32_t wire);
/* The i-th row, in the list's order, or NULL past the end. */
const struct err_row *err_at(unsigned i);

/* What went wrong, for people and peers; machines read only the code. Fixed size: reporting an error
 * needs no memory. A zero fail means none. */
struct fail {
	int code;               /* ERR_x, or 0 */
	char field[64];         /* which field, or empty */
	int64_t limit;          /* the limit that was met, or 0 */
	int64_t retry_after_ms; /* or 0 */
	char detail[256];       /* for people, or empty */
};

/* Fill *f (NULL is allowed) and return code. field may be NULL. detail is a format, or NULL for the
 * row's text; its arguments may point into *f. Over-long texts are cut at a character's border; control
 * characters and bytes that are no UTF-8 become '?'. */
int fail_set(struct fail *f, int code, const char *field, int64_t limit, const char *detail, ...)
	PRINTF_LIKE(5, 6);
