/* SPDX-License-Identifier: Apache-2.0
 *
 * fmt: parsers take the digits first and look the rest up in a table of units; the printers use the same
 * tables.
 */
#include "base/fmt.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/utf8.h"

#include "base/pure.h"

#define TEXT_ROOM 24u

struct unit {
	const char *name;
	uint64_t size;
};

/* Ascending. */
static const struct unit durations[] = {
	{ "ns", 1 },
	{ "us", NS_PER_US },
	{ "ms", NS_PER_MS },
	{ "s", NS_PER_S },
	{ "m", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
	{ "d", 86400 * NS_PER_S },
};

static const struct unit sizes[] = {
	{ "B", 1 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "PiB", UINT64_C(1) << 50 },
	{ "EiB", UINT64_C(1) << 60 },
};

/* Take the digits at the start of *s: at least one, and at most UINT64_MAX. */
static bool take_digits(struct span *s, uint64_t *ret)
{
	uint64_t n = 0;
	size_t len = 0;

	for (; len < s->len && s->at[len] >= '0' && s->at[len] <= '9'; len++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(s->at[len] - '0'), &n))
			return false;
	}
	if (len == 0)
		return false;
	*s = span_part(*s, len, s->len);
	*ret = n;
	return true;
}

int fmt_int(struct span s, int64_t *ret)
{
	bool is_negative = s.len > 0 && s.at[0] == '-';
	uint64_t n;

	if (is_negative)
		s = span_part(s, 1, s.len);
	if (!take_digits(&s, &n) || s.len != 0 || n > (uint64_t)INT64_MAX + is_negative)
		return ERR_INVALID;
	/* Negated as unsigned: -INT64_MIN has no int64_t. */
	*ret = (int64_t)(is_negative ? -n : n);
	return 0;
}

static int scale(uint64_t n, uint64_t size, int64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(n, size, &product) || product > INT64_MAX)
		return ERR_INVALID;
	*ret = (int64_t)product;
	return 0;
}

int fmt_duration(struct span s, int64_t *ret_ns)
{
	uint64_t n;

	if (!take_digits(&s, &n))
		return ERR_INVALID;
	if (s.len == 0)
		return scale(n, NS_PER_S, ret_ns);
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		if (span_is(s, durations[i].name))
			return scale(n, durations[i].size, ret_ns);
	}
	return ERR_INVALID;
}

int fmt_bytes(struct span s, int64_t *ret)
{
	uint64_t n;

	if (!take_digits(&s, &n))
		return ERR_INVALID;
	if (s.len == 0)
		return scale(n, 1, ret);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct span name = span_str(sizes[i].name);
		bool is_short =
			s.at[0] == name.at[0] && (s.len == 1 || (s.len == 2 && s.at[1] == 'B'));

		if (span_eq(s, name) || (is_short && name.len == 3))
			return scale(n, sizes[i].size, ret);
	}
	return ERR_INVALID;
}

/* In the greatest unit that fits; one decimal below 100, unless it is 0. */
static char *scaled_text(const struct unit *units, size_t count, int64_t value, char *to)
{
	uint64_t n = value < 0 ? -(uint64_t)value : (uint64_t)value;
	const char *sign = value < 0 ? "-" : "";
	uint64_t whole, tenths;
	size_t i = count - 1;

	while (i > 0 && n < units[i].size)
		i--;
	tenths = n / units[i].size * 10 +
		 (n % units[i].size * 10 + units[i].size / 2) / units[i].size;
	if (tenths < 1000 && tenths % 10 != 0) {
		snprintf(to, TEXT_ROOM, "%s%" PRIu64 ".%" PRIu64 " %s", sign, tenths / 10,
			tenths % 10, units[i].name);
		return to;
	}
	whole = (n + units[i].size / 2) / units[i].size;
	/* Rounding may reach the next unit: 999.9 us is 1 ms. */
	if (i + 1 < count && whole * units[i].size >= units[i + 1].size) {
		whole = 1;
		i++;
	}
	snprintf(to, TEXT_ROOM, "%s%" PRIu64 " %s", sign, whole, units[i].name);
	return to;
}

char *fmt_duration_text(int64_t ns, char *to)
{
	return scaled_text(durations, ARRAY_LEN(durations), ns, to);
}

char *fmt_bytes_text(int64_t bytes, char *to)
{
	return scaled_text(sizes, ARRAY_LEN(sizes), bytes, to);
}

static bool is_kind_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool fmt_is_token(struct span s)
{
	if (s.len == 0 || s.len > LIMIT_TOKEN_BYTES)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_kind_byte(s.at[i]) && !(s.at[i] >= 'A' && s.at[i] <= 'Z'))
			return false;
	}
	return true;
}

bool fmt_is_kind(struct span s)
{
	bool in_token = false;

	if (s.len > LIMIT_KIND_BYTES)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool is_dot = s.at[i] == '.';

		if (is_dot ? !in_token : !is_kind_byte(s.at[i]))
			return false;
		in_token = !is_dot;
	}
	return in_token;
}

/* The bytes at the start of s that are ASCII without NUL, in steps of 8: most text is nothing else. */
static size_t ascii_start(struct span s)
{
	size_t n = 0;
	uint64_t v;

	for (; s.len - n >= sizeof(v); n += sizeof(v)) {
		memcpy(&v, s.at + n, sizeof(v));
		/* the subtraction sets the high bit of a zero byte */
		if (((v | (v - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return n;
}

bool fmt_is_text(struct span s)
{
	while (s.len > 0) {
		size_t ascii = ascii_start(s);
		int n;

		s.at += ascii;
		s.len -= ascii;
		if (s.len == 0)
			break;
		n = utf8_step(s);

		if (n < 0 || s.at[0] == 0)
			return false;
		s.at += n;
		s.len -= (size_t)n;
	}
	return true;
}

struct span fmt_clip(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	/* A character that began up to three bytes before the border and goes on past it. */
	for (size_t back = 1; back <= 3 && back <= max; back++) {
		if (utf8_step(span_part(s, max - back, s.len)) > (int)back)
			return span_part(s, 0, max - back);
	}
	return span_part(s, 0, max);
}
