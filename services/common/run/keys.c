/* SPDX-License-Identifier: Apache-2.0
 *
 * keys: the only file that includes libsodium.
 */
#include "run/keys.h"

#include <endian.h>
#include <sodium.h>

#include "base/err.h"

int keys_open(void)
{
	return sodium_init() < 0 ? ERR_IO : 0;
}

uint64_t keys_random(void)
{
	uint64_t n;

	do
		randombytes_buf(&n, sizeof(n));
	while (n == 0);
	return n;
}

void keys_hash(const struct span *parts, unsigned parts_n, unsigned char ret[KEYS_HASH])
{
	crypto_generichash_state state;

	CHECK(crypto_generichash_init(&state, NULL, 0, KEYS_HASH) == 0);
	for (unsigned i = 0; i < parts_n; i++) {
		uint64_t len = htole64(parts[i].len);

		CHECK(crypto_generichash_update(&state, (const unsigned char *)&len, sizeof(len)) ==
			0);
		CHECK(crypto_generichash_update(&state, parts[i].at, parts[i].len) == 0);
	}
	CHECK(crypto_generichash_final(&state, ret, KEYS_HASH) == 0);
}

/* libsodium wants its state aligned to 64 bytes, which memory of the heap is not. */
static crypto_generichash_state *state_of(struct keys_stream *s)
{
	uintptr_t at = (uintptr_t)s->room;

	_Static_assert(sizeof(crypto_generichash_state) <= sizeof(s->room) - 64, "room");
	return (crypto_generichash_state *)(s->room + (64 - at % 64) % 64);
}

void keys_stream_start(struct keys_stream *s)
{
	CHECK(crypto_generichash_init(state_of(s), NULL, 0, KEYS_HASH) == 0);
}

void keys_stream_add(struct keys_stream *s, struct span bytes)
{
	CHECK(crypto_generichash_update(state_of(s), bytes.at, bytes.len) == 0);
}

void keys_stream_copy(struct keys_stream *to, struct keys_stream *from)
{
	memcpy(state_of(to), state_of(from), sizeof(crypto_generichash_state));
}

void keys_stream_end(struct keys_stream *s, unsigned char ret[KEYS_HASH])
{
	CHECK(crypto_generichash_final(state_of(s), ret, KEYS_HASH) == 0);
}

static crypto_hash_sha256_state *sha256_of(struct keys_sha256 *s)
{
	_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(s->room), "room");
	_Static_assert(_Alignof(crypto_hash_sha256_state) <= _Alignof(uint64_t), "alignment");
	_Static_assert(KEYS_HASH == crypto_hash_sha256_BYTES, "both hashes have one size");
	return (crypto_hash_sha256_state *)s->room;
}

void keys_sha256_start(struct keys_sha256 *s)
{
	CHECK(crypto_hash_sha256_init(sha256_of(s)) == 0);
}

void keys_sha256_add(struct keys_sha256 *s, struct span bytes)
{
	CHECK(crypto_hash_sha256_update(sha256_of(s), bytes.at, bytes.len) == 0);
}

void keys_sha256_end(struct keys_sha256 *s, unsigned char ret[KEYS_HASH])
{
	CHECK(crypto_hash_sha256_final(sha256_of(s), ret) == 0);
}
