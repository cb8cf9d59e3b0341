/* SPDX-License-Identifier: Apache-2.0
 *
 * fmt: numbers, durations, sizes and names, from text and to text. Parsers take the whole span or fail
 * with ERR_INVALID; they accept no white space and no sign except where said.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* Decimal, with an optional minus sign. */
int fmt_int(struct span s, int64_t *ret) MUST_USE;
/* "90", "250ms", "5s", "2m", "24h", "7d", "100us", "5ns"; a bare number is seconds. */
int fmt_duration(struct span s, int64_t *ret_ns) MUST_USE;
/* "512", "64K", "512M", "2G": powers of 1024; an ending B or iB is allowed. */
int fmt_bytes(struct span s, int64_t *ret) MUST_USE;
/* Shortest readable forms, such as "1.5 ms", "3.2 MiB"; to has at least 24 bytes. Return to. */
char *fmt_duration_text(int64_t ns, char *to);
char *fmt_bytes_text(int64_t bytes, char *to);

/* [A-Za-z0-9_-]{1,64}: what may stand between the dots of a subject. */
bool fmt_is_token(struct span s);
/* Tokens of [a-z0-9_-] joined by single dots, at most LIMIT_KIND_BYTES. */
bool fmt_is_kind(struct span s);
/* Valid UTF-8 (RFC 3629: no surrogates, no over-long forms) without NUL. */
bool fmt_is_text(struct span s);
/* The longest start of s, at most max bytes, that does not cut a UTF-8 character. */
struct span fmt_clip(struct span s, size_t max);
