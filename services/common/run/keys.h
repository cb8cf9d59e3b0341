/* SPDX-License-Identifier: Apache-2.0
 *
 * keys: randomness and hashing from libsodium, for the programs; the machines are handed their results.
 */
#pragma once
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

#define KEYS_HASH 32

/* Once at the start, before the others here: 0 or ERR_IO. */
int keys_open(void) MUST_USE;
/* Random number, never 0. */
uint64_t keys_random(void);
/* BLAKE2b-256 (RFC 7693) of the parts, each preceded by its length (8 bytes, little-endian), so that
 * borders count. */
void keys_hash(const struct span *parts, unsigned parts_n, unsigned char ret[KEYS_HASH]);
