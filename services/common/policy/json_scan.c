/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan: one loop with a stack of bits: object or array.
 */
#include "policy/json_scan.h"

#include "base/check.h"

#include "base/pure.h"

static size_t skip_space(struct span s, size_t at)
{
	while (at < s.len &&
		(s.at[at] == ' ' || s.at[at] == '\t' || s.at[at] == '\n' || s.at[at] == '\r'))
		at++;
	return at;
}

/* The end of the string whose first quote is at `at`, or 0. */
static size_t string_end(struct span s, size_t at)
{
	for (at++; at < s.len; at++) {
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
	size_t at = skip_space(r->rest, 0), from, n;

	if (at < r->rest.len && r->rest.at[at] == ',')
		at = skip_space(r->rest, at + 1);
	if (at >= r->rest.len)
		return false;
	*ret = (struct json_scan_member){ .key = { 0 } };
	if (r->is_object) {
		from = at;
		ret->key = span_part(r->rest, from, string_end(r->rest, from) - from);
		at = key_end(r->rest, at);
		if (at == 0)
			return false;
	}
	n = json_scan_value(span_part(r->rest, at, r->rest.len), NULL);
	if (n == 0)
		return false;
	ret->value = span_part(r->rest, at, n);
	r->rest = span_part(r->rest, at + n, r->rest.len);
	return true;
}

void json_scan_minify(struct buf *b, struct span value)
{
	size_t at = 0, from;

	while (at < value.len) {
		unsigned char c = value.at[at];

		from = at;
		if (c == '"') {
			size_t quoted = string_end(value, at);

			at = quoted == 0 ? value.len : quoted;
		} else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			at++;
			continue;
		} else {
			at++;
		}
		buf_add(b, span_part(value, from, at - from));
	}
}
