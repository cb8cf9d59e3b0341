/* SPDX-License-Identifier: Apache-2.0
 *
 * err: the rows of proto/err.def, and filling in a struct fail.
 */
#include "base/err.h"

#include <stdarg.h>

#include "base/fmt.h"
#include "base/utf8.h"

#include "base/pure.h"

/* Places in the table; the wire numbers may have holes. */
enum row {
#define ERR(name, wire, http, retry, blame, exit, text) ROW_##name,
#include "proto/err.def"
#undef ERR
	ROWS
};

static const struct err_row rows[ROWS] = {
#define ERR(name, wire, http, retry, blame, exit, text)                                            \
	{ #name, text, wire, http, exit, retry, BLAME_##blame },
#include "proto/err.def"
#undef ERR
};

/* A switch, so that two rows with one wire number do not compile. */
static const struct err_row *row_of_wire(int64_t number)
{
	switch (number) {
#define ERR(name, wire, http, retry, blame, exit, text)                                            \
	case wire:                                                                                 \
		return &rows[ROW_##name];
#include "proto/err.def"
#undef ERR
	default:
		return NULL;
	}
}

const struct err_row *err_row(int code)
{
	const struct err_row *row = row_of_wire(code < 0 ? -(int64_t)code : code);

	return row != NULL ? row : &rows[ROW_BUG];
}

int err_from_wire(uint32_t wire)
{
	const struct err_row *row = row_of_wire(wire);

	return row != NULL ? -row->wire : ERR_BUG;
}

const struct err_row *err_at(unsigned i)
{
	return i < ROWS ? &rows[i] : NULL;
}

/* Details quote what peers sent, and end in logs, terminals and protobuf strings: control characters
 * and bytes that are no UTF-8 become '?'. */
static void make_printable(char *text)
{
	struct span rest = span_str(text);

	while (rest.len > 0) {
		int n = utf8_step(rest);
		size_t bytes = (size_t)(n < 0 ? -n : n);

		if (n < 0 || rest.at[0] < 0x20 || rest.at[0] == 0x7F)
			memset(text, '?', bytes);
		text += bytes;
		rest = span_part(rest, bytes, rest.len);
	}
}

static void put_text(char *to, size_t room, struct span text)
{
	span_copy(fmt_clip(text, room - 1), to, room);
	make_printable(to);
}

int fail_set(struct fail *f, int code, const char *field, int64_t limit, const char *detail, ...)
{
	/* Not straight into *f: the arguments may point into it, when a caller adds to a detail. Three
	 * bytes more than fit, so that a character cut by vsnprintf is cut again by fmt_clip. */
	char text[sizeof(f->detail) + 3];
	char name[sizeof(f->field)];
	va_list args;

	if (f == NULL)
		return code;
	if (detail != NULL) {
		va_start(args, detail);
		if (vsnprintf(text, sizeof(text), detail, args) < 0)
			text[0] = '\0';
		va_end(args);
	} else {
		span_copy(span_str(err_row(code)->text), text, sizeof(text));
	}
	put_text(name, sizeof(name), span_str(field));
	*f = (struct fail){ .code = code, .limit = limit };
	memcpy(f->field, name, sizeof(name));
	put_text(f->detail, sizeof(f->detail), span_str(text));
	return code;
}
