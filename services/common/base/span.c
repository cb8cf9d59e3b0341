/* SPDX-License-Identifier: Apache-2.0
 *
 * span: cutting, trimming, hashing and copying of borrowed bytes.
 */
#include "base/span.h"

#include <endian.h>

#include "base/pure.h"

struct span span_part(struct span s, size_t from, size_t len)
{
	if (from > s.len)
		from = s.len;
	if (len > s.len - from)
		len = s.len - from;
	return from == 0 ? span_of(s.at, len) : span_of(s.at + from, len);
}

struct span span_cut(struct span *s, unsigned char c)
{
	const unsigned char *hit = s->len == 0 ? NULL : memchr(s->at, c, s->len);
	struct span head = *s;

	if (hit == NULL) {
		*s = span_part(head, head.len, 0);
		return head;
	}
	head.len = (size_t)(hit - head.at);
	*s = span_of(hit + 1, s->len - head.len - 1);
	return head;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span span_trim(struct span s)
{
	while (s.len > 0 && is_space(s.at[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_space(s.at[0])) {
		s.at++;
		s.len--;
	}
	return s;
}

/* The hash folds 128-bit products, as wyhash (Wang Yi) does. The keys are its published primes: odd,
 * with half of their bits set. Loads are little-endian so that a hash means the same on every machine. */
#define KEY_0 UINT64_C(0xa0761d6478bd642f)
#define KEY_1 UINT64_C(0xe7037ed1a0b428db)
#define KEY_2 UINT64_C(0x8ebc6af09c88c6e3)
#define KEY_3 UINT64_C(0x589965cc75374cc3)

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load_64(const unsigned char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

static inline uint64_t load_32(const unsigned char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

/* All of more than 16 bytes but the last 1 to 16, which the caller reads. */
static uint64_t hash_body(const unsigned char **at, size_t *left, uint64_t seed)
{
	uint64_t lane_1 = seed;
	uint64_t lane_2 = seed;

	/* Three lanes, so that the products overlap in the processor. */
	for (; *left > 48; *left -= 48, *at += 48) {
		seed = fold(load_64(*at) ^ KEY_1, load_64(*at + 8) ^ seed);
		lane_1 = fold(load_64(*at + 16) ^ KEY_2, load_64(*at + 24) ^ lane_1);
		lane_2 = fold(load_64(*at + 32) ^ KEY_3, load_64(*at + 40) ^ lane_2);
	}
	seed ^= lane_1 ^ lane_2;
	for (; *left > 16; *left -= 16, *at += 16)
		seed = fold(load_64(*at) ^ KEY_1, load_64(*at + 8) ^ seed);
	return seed;
}

uint64_t span_hash(struct span s, uint64_t seed)
{
	const unsigned char *at = s.at;
	size_t left = s.len;
	uint64_t a = 0;
	uint64_t b = 0;

	seed ^= fold(seed ^ KEY_0, KEY_1);
	if (left > 16) {
		seed = hash_body(&at, &left, seed);
		/* May reach back into bytes already read: there are at least 16 before the end. */
		a = load_64(at + left - 16);
		b = load_64(at + left - 8);
	} else if (left >= 8) {
		a = load_64(at);
		b = load_64(at + left - 8);
	} else if (left >= 4) {
		a = load_32(at);
		b = load_32(at + left - 4);
	} else if (left > 0) {
		a = (uint64_t)at[0] << 16 | (uint64_t)at[left / 2] << 8 | at[left - 1];
	}
	return fold(KEY_1 ^ s.len, fold(a ^ KEY_1, b ^ seed) ^ KEY_2);
}

size_t span_copy(struct span s, char *to, size_t room)
{
	if (room == 0)
		return 0;
	if (s.len > room - 1)
		s.len = room - 1;
	if (s.len > 0)
		memcpy(to, s.at, s.len);
	to[s.len] = '\0';
	return s.len;
}
