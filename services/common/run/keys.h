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

/* The plain BLAKE2b-256 of bytes that come in pieces (as `b2sum -l 256` gives it). Not to be moved between
 * start and end. */
struct keys_stream {
	unsigned char room[384 + 64];
};
void keys_stream_start(struct keys_stream *s);
void keys_stream_add(struct keys_stream *s, struct span bytes);
/* Go on from the same place apart. */
void keys_stream_copy(struct keys_stream *to, struct keys_stream *from);
void keys_stream_end(struct keys_stream *s, unsigned char ret[KEYS_HASH]);

/* SHA-256 (FIPS 180-4) of bytes that come in pieces. */
struct keys_sha256 {
	uint64_t room[16];
};
void keys_sha256_start(struct keys_sha256 *s);
void keys_sha256_add(struct keys_sha256 *s, struct span bytes);
void keys_sha256_end(struct keys_sha256 *s, unsigned char ret[KEYS_HASH]);
