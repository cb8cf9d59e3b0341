/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan: one loop with a stack of bits: object or array.
 */
#include "policy/json_scan.h"

#include <endian.h>

#include "base/check.h"

#include "base/pure.h"

static size_t skip_space(struct span s, size_t at)
{
	while (at < s.len &&
		(s.at[at] == ' ' || s.at[at] == '\t' || s.at[at] == '\n' || s.at[at] == '\r'))
		at++;
	return at;
}

/* The high bit of the first byte that is a quote, a backslash or a control character; bits behind it mean nothing. */
static uint64_t special_in(uint64_t bytes)
{
	const uint64_t each = UINT64_C(0x0101010101010101), high = UINT64_C(0x80) * each;
	uint64_t quote = bytes ^ (uint64_t)'"' * each, slash = bytes ^ (uint64_t)'\\' * each;

	return (((quote - each) & ~quote) | ((slash - each) & ~slash) |
		       ((bytes - 0x20 * each) & ~bytes)) &
	       high;
}

/* The first byte from `at` on that is special in a string, or the last eight. */
static size_t skip_plain(struct span s, size_t at)
{
	for (; at + 8 <= s.len; at += 8) {
		uint64_t bytes, special;

		memcpy(&bytes, s.at + at, sizeof(bytes));
		special = special_in(le64toh(bytes));
		if (special != 0)
			return at + (unsigned)__builtin_ctzll(special) / 8;
	}
	return at;
}

/* The end of the string whose first quote is at `at`, or 0. */
static size_t string_end(struct span s, size_t at)
{
	for (at = skip_plain(s, at + 1); at < s.len; at = skip_plain(s, at + 1)) {
		unsigned char c = s.at[at];

		if (c == '"')
			return at + 1;
		if (c < 0x20)
			return 0;
		if (c == '\\') {
			at++;
			if (at >= s.len || memchr("\"\\/bfnrtu", s.at[at], 9) == NULL)
				return 0;
		}
	}
	return 0;
}

static size_t digits_end(struct span s, size_t at)
{
	while (at < s.len && s.at[at] >= '0' && s.at[at] <= '9')
		at++;
	return at;
}

static size_t number_end(struct span s, size_t at)
{
	size_t from, end;

	if (s.at[at] == '-')
		at++;
	end = digits_end(s, at);
	if (end == at || (s.at[at] == '0' && end > at + 1))
		return 0;
	if (end < s.len && s.at[end] == '.') {
		from = end + 1;
		end = digits_end(s, from);
		if (end == from)
			return 0;
	}
	if (end < s.len && (s.at[end] == 'e' || s.at[end] == 'E')) {
		from = end + 1;
		if (from < s.len && (s.at[from] == '+' || s.at[from] == '-'))
			from++;
		end = digits_end(s, from);
		if (end == from)
			return 0;
	}
	return end;
}

/* The end of a string, number or word at `at`, or 0. */
static size_t scalar_end(struct span s, size_t at)
{
	static const char *const words[] = { "true", "false", "null" };

	if (s.at[at] == '"')
		return string_end(s, at);
	if (s.at[at] == '-' || (s.at[at] >= '0' && s.at[at] <= '9'))
		return number_end(s, at);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if (s.len - at >= n && memcmp(s.at + at, words[i], n) == 0)
			return at + n;
	}
	return 0;
}

/* The key of a member and its colon, with white space around; 0 if there is none. */
static size_t key_end(struct span s, size_t at)
{
	size_t end = at < s.len && s.at[at] == '"' ? string_end(s, at) : 0;

	if (end == 0)
		return 0;
	end = skip_space(s, end);
	return end < s.len && s.at[end] == ':' ? skip_space(s, end + 1) : 0;
}

struct nest {
	unsigned depth;
	unsigned long objects[JSON_DEPTH / (8 * sizeof(unsigned long))];
};

#define BITS (8 * sizeof(unsigned long))

static bool in_object(const struct nest *n)
{
	return n->depth > 0 &&
	       (n->objects[(n->depth - 1) / BITS] >> (n->depth - 1) % BITS & 1) != 0;
}

static void go_in(struct nest *n, bool object)
{
	unsigned long bit = 1ul << n->depth % BITS, *word = &n->objects[n->depth / BITS];

	*word = object ? *word | bit : *word & ~bit;
	n->depth++;
}

/* A value begins at `at`: past its opening bracket and its first key if it has something inside, past the whole if not.
 * 0 if it is none. *ret_open: it has something inside. */
static size_t begin(struct nest *n, struct span s, size_t at, bool *ret_open)
{
	bool object;

	*ret_open = false;
	if (at >= s.len)
		return 0;
	object = s.at[at] == '{';
	if (!object && s.at[at] != '[')
		return scalar_end(s, at);
	at = skip_space(s, at + 1);
	if (at < s.len && s.at[at] == (object ? '}' : ']'))
		return at + 1;
	if (n->depth == JSON_DEPTH)
		return 0;
	go_in(n, object);
	*ret_open = true;
	return object ? key_end(s, at) : at;
}

/* A value ended at `at`: past the brackets that close, and past the comma and key of the next one. 0: neither
 * follows. */
static size_t end(struct nest *n, struct span s, size_t at)
{
	while (n->depth > 0) {
		size_t next = skip_space(s, at);

		if (next >= s.len)
			return 0;
		if (s.at[next] == ',') {
			next = skip_space(s, next + 1);
			return in_object(n) ? key_end(s, next) : next;
		}
		if (s.at[next] != (in_object(n) ? '}' : ']'))
			return 0;
		n->depth--;
		at = next + 1;
	}
	return at;
}

size_t json_scan_value(struct span s, size_t *ret_looked)
{
	struct nest n = { .depth = 0 };
	size_t at = 0, looked = 0;

	do {
		bool open;

		looked = at;
		at = begin(&n, s, at, &open);
		if (at > 0 && !open)
			at = end(&n, s, at);
	} while (at > 0 && n.depth > 0);
	if (ret_looked != NULL)
		*ret_looked = at > 0 ? at : looked;
	return at;
}

/* --- what is known to be JSON --------------------------------------------------------------------- */

static size_t skip_string(struct span s, size_t at)
{
	size_t end = string_end(s, at);

	return end == 0 ? s.len : end;
}

static size_t skip_scalar(struct span s, size_t at)
{
	while (at < s.len && s.at[at] > ' ' && s.at[at] != ',' && s.at[at] != ']' &&
		s.at[at] != '}')
		at++;
	return at;
}

/* The end of the value at `at`. */
static size_t skip_value(struct span s, size_t at)
{
	static const bool stops
		[256] = { ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true };
	unsigned depth = 0;

	if (s.at[at] != '{' && s.at[at] != '[')
		return s.at[at] == '"' ? skip_string(s, at) : skip_scalar(s, at);
	for (; at < s.len; at++) {
		while (at < s.len && !stops[s.at[at]])
			at++;
		if (at == s.len)
			break;
		if (s.at[at] == '"')
			at = skip_string(s, at) - 1;
		else if (s.at[at] == '{' || s.at[at] == '[')
			depth++;
		else if (--depth == 0)
			return at + 1;
	}
	return s.len;
}

struct json_scan json_scan_open(struct span value)
{
	bool object = value.len > 0 && value.at[0] == '{';

	if (value.len < 2 || (!object && value.at[0] != '['))
		return (struct json_scan){ .is_object = false };
	return (struct json_scan){ .rest = span_part(value, 1, value.len - 2),
		.is_object = object };
}

bool json_scan_next(struct json_scan *r, struct json_scan_member *ret)
{
	size_t at = skip_space(r->rest, 0), end;

	if (at < r->rest.len && r->rest.at[at] == ',')
		at = skip_space(r->rest, at + 1);
	if (at >= r->rest.len || r->rest.at[at] == '}' || r->rest.at[at] == ']')
		return false;
	*ret = (struct json_scan_member){ .key = { 0 } };
	if (r->is_object) {
		end = skip_string(r->rest, at);
		ret->key = span_of(r->rest.at + at, end - at);
		at = skip_space(r->rest, end);
		at = skip_space(r->rest, at + 1); /* the colon */
		if (at >= r->rest.len)
			return false;
	}
	end = skip_value(r->rest, at);
	if (end == at)
		return false;
	ret->value = span_of(r->rest.at + at, end - at);
	r->rest = span_of(r->rest.at + end, r->rest.len - end);
	return true;
}

bool json_scan_enter(const struct json_scan *r, struct json_scan *ret)
{
	size_t at = skip_space(r->rest, 0);

	if (at < r->rest.len && r->rest.at[at] == ',')
		at = skip_space(r->rest, at + 1);
	if (at >= r->rest.len || r->rest.at[at] != '{')
		return false;
	*ret = (struct json_scan){
		.rest = span_part(r->rest, at + 1, r->rest.len),
		.is_object = true,
	};
	return true;
}

void json_scan_leave(struct json_scan *r, const struct json_scan *inside)
{
	size_t at = skip_space(inside->rest, 0);

	r->rest = span_part(inside->rest, at + 1, inside->rest.len);
}

void json_scan_minify(struct buf *b, struct span value)
{
	size_t from = 0, at = 0;

	while (at < value.len) {
		unsigned char c = value.at[at];

		if (c == '"') {
			at = skip_string(value, at);
		} else if (c > ' ') {
			at++;
		} else {
			buf_add(b, span_part(value, from, at - from));
			from = at = skip_space(value, at) > at ? skip_space(value, at) : at + 1;
		}
	}
	buf_add(b, span_part(value, from, value.len - from));
}
