/* SPDX-License-Identifier: Apache-2.0
 *
 * json: writes JSON into a buf, with the commas. Keys are ours; values are escaped.
 */
#pragma once
#include "base/buf.h"
#include "base/ulid.h"

struct json {
	struct buf buf;
	bool comma; /* the next value follows another */
};

#define JSON_BYTES ((size_t)16 << 20)

void json_init(struct json *j);
void json_done(struct json *j);
/* '{' or '['; key NULL: inside a list, or the first. */
void json_open(struct json *j, const char *key, char bracket);
void json_shut(struct json *j, char bracket);
void json_text(struct json *j, const char *key, struct span value);
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_id(struct json *j, const char *key, struct ulid value);
/* Text if it is, else base 64 with the key "base64" in place of `key`. */
void json_bytes(struct json *j, const char *key, struct span value);
/* Write it and a line's end to stdout and empty it; 0 or ERR_IO, ERR_NO_MEMORY. */
int json_print(struct json *j) MUST_USE;
