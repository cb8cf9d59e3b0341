/* SPDX-License-Identifier: Apache-2.0
 *
 * nkey: a seed is base32 (RFC 4648, no padding) of two prefix bytes, 32 bytes of an Ed25519 seed and a CRC-16
 * (CCITT, started with 0, low byte first); a public key the same with one prefix byte.
 */
#include "run/nkey.h"

#include <sodium.h>
#include <stdio.h>

#define SEED_TEXT 58
#define SEED_BYTES 36
#define PUBLIC_BYTES 35
#define KIND_SEED 0x90 /* "S" */
#define KIND_USER 0xa0 /* "U" */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint16_t crc16(const unsigned char *at, size_t len)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc = (uint16_t)(crc ^ at[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

static bool decode(const char *text, size_t len, unsigned char *ret)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < len; i++) {
		const char *digit = text[i] == '\0' ? NULL : strchr(alphabet, text[i]);

		if (digit == NULL)
			return false;
		bits = bits << 5 | (uint32_t)(digit - alphabet);
		have += 5;
		if (have >= 8) {
			have -= 8;
			*ret++ = (unsigned char)(bits >> have);
		}
	}
	return true;
}

static void encode(const unsigned char *at, size_t len, char *ret)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | at[i];
		for (have += 8; have >= 5; have -= 5)
			*ret++ = alphabet[bits >> (have - 5) & 31];
	}
	*ret = '\0';
}

/* The public key of a seed in text form; false if it is none. */
static bool derive(const char *text, char ret[NKEY_TEXT + 1])
{
	unsigned char seed[SEED_BYTES], public[PUBLIC_BYTES] = { KIND_USER };
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	bool ok = decode(text, SEED_TEXT, seed);

	/* The prefix: five bits that say "seed", then the kind of the key. */
	ok = ok && (seed[0] & 0xf8) == KIND_SEED &&
	     ((seed[0] & 7) << 5 | seed[1] >> 3) == KIND_USER &&
	     crc16(seed, SEED_BYTES - 2) == (seed[SEED_BYTES - 2] | seed[SEED_BYTES - 1] << 8);
	if (ok) {
		uint16_t crc;

		crypto_sign_seed_keypair(public + 1, secret, seed + 2);
		crc = crc16(public, PUBLIC_BYTES - 2);
		public[PUBLIC_BYTES - 2] = (unsigned char)crc;
		public[PUBLIC_BYTES - 1] = (unsigned char)(crc >> 8);
		encode(public, PUBLIC_BYTES, ret);
	}
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret, sizeof(secret));
	return ok;
}

int nkey_public(const char *seed_file, char ret[NKEY_TEXT + 1], struct fail *why)
{
	FILE *file = fopen(seed_file, "re");
	char line[256];
	bool found = false;

	if (file == NULL)
		return fail_set(why, ERR_IO, "nkey", 0, "%s: %m", seed_file);
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		struct span text = span_trim(span_str(line));

		found = text.len == SEED_TEXT && derive((const char *)text.at, ret);
	}
	sodium_memzero(line, sizeof(line));
	(void)fclose(file);
	return found ? 0
		     : fail_set(why, ERR_INVALID, "nkey", 0, "%s: no user seed in it", seed_file);
}
