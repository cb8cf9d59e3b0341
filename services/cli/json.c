/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/json.h"

#include <stdio.h>

#include "base/fmt.h"

void json_init(struct json *j)
{
	buf_init(&j->buf, JSON_BYTES);
	j->comma = false;
}

void json_done(struct json *j)
{
	buf_done(&j->buf);
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		buf_byte(&j->buf, ',');
	j->comma = true;
	if (key != NULL) {
		buf_json(&j->buf, span_str(key));
		buf_byte(&j->buf, ':');
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	buf_byte(&j->buf, (unsigned char)bracket);
	j->comma = false;
}

void json_shut(struct json *j, char bracket)
{
	buf_byte(&j->buf, (unsigned char)bracket);
	j->comma = true;
}

void json_text(struct json *j, const char *key, struct span value)
{
	begin(j, key);
	buf_json(&j->buf, value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	begin(j, key);
	buf_fmt(&j->buf, "%lld", (long long)value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	buf_str(&j->buf, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	buf_str(&j->buf, "null");
}

void json_id(struct json *j, const char *key, struct ulid value)
{
	char text[ULID_TEXT + 1];

	ulid_text(value, text);
	json_text(j, key, span_str(text));
}

static void put_base64(struct buf *b, struct span s)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t v = (uint32_t)s.at[i] << 16;

		if (n > 1)
			v |= (uint32_t)s.at[i + 1] << 8;
		if (n > 2)
			v |= s.at[i + 2];
		for (size_t k = 0; k < 4; k++)
			buf_byte(b, k <= n ? (unsigned char)digits[v >> (18 - 6 * k) & 63] : '=');
	}
}

void json_bytes(struct json *j, const char *key, struct span value)
{
	if (fmt_is_text(value)) {
		json_text(j, key, value);
		return;
	}
	begin(j, "base64");
	buf_byte(&j->buf, '"');
	put_base64(&j->buf, value);
	buf_byte(&j->buf, '"');
}

int json_print(struct json *j)
{
	int r;

	buf_byte(&j->buf, '\n');
	r = buf_err(&j->buf);
	if (r == 0 &&
		(fwrite(j->buf.at, 1, j->buf.len, stdout) != j->buf.len || fflush(stdout) != 0))
		r = ERR_IO;
	buf_reset(&j->buf);
	j->comma = false;
	return r;
}
