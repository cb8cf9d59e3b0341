/* SPDX-License-Identifier: Apache-2.0
 *
 * ulid: 128-bit identifiers that sort by time: 48 bits of Unix milliseconds, 80 random bits, written as 26
 * characters of Crockford's base 32 (the ULID specification).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/prng.h"
#include "base/span.h"

#define ULID_TEXT 26

struct ulid {
	uint64_t hi; /* time and 16 random bits */
	uint64_t lo; /* 64 random bits */
};

struct ulid ulid_make(int64_t unix_ms, struct prng *p);
/* Writes 26 characters and a zero. */
void ulid_text(struct ulid id, char to[ULID_TEXT + 1]);
/* 0 or ERR_INVALID. Accepts lower case; no other spellings. */
int ulid_parse(struct span s, struct ulid *ret_id) MUST_USE;

static inline bool ulid_eq(struct ulid a, struct ulid b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

static inline bool ulid_is_zero(struct ulid a)
{
	return a.hi == 0 && a.lo == 0;
}

static inline uint64_t ulid_hash(struct ulid a)
{
	return (a.hi ^ (a.lo >> 29)) * UINT64_C(0x9E3779B97F4A7C15) ^ a.lo;
}
