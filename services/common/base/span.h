/* SPDX-License-Identifier: Apache-2.0
 *
 * span: borrowed bytes. A span owns nothing and does not outlive the call it was given to, unless a
 * comment says so. A zero span is empty; `at` may then be NULL.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const unsigned char *at; /* first byte */
	size_t len;              /* bytes */
};

#define SPAN_LIT(s) ((struct span){ (const unsigned char *)("" s), sizeof(s) - 1 })

static inline struct span span_of(const void *at, size_t len)
{
	return (struct span){ (const unsigned char *)at, len };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ (const unsigned char *)s, s == NULL ? 0 : strlen(s) };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

/* The part of s from `from`, at most len bytes; clipped to s. */
struct span span_part(struct span s, size_t from, size_t len);

/* Cut off what stands before the first `c` in *s and the `c` itself; the whole of *s if there is none. */
struct span span_cut(struct span *s, unsigned char c);

/* s without ASCII white space at both ends. */
struct span span_trim(struct span s);

/* 64-bit hash of the bytes (wyhash-like mixing; not for hostile collisions unless seed is secret). */
uint64_t span_hash(struct span s, uint64_t seed);

/* Copy into a C string of `room` bytes, cut off if longer, always terminated. Returns the length copied. */
size_t span_copy(struct span s, char *to, size_t room);
