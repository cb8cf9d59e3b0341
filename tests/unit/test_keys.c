/* SPDX-License-Identifier: Apache-2.0 */
#include "run/keys.h"

#include <stdio.h>

#include "tests/support/test.h"

static int open_keys(void **state)
{
	(void)state;
	return keys_open();
}

static void hex(const unsigned char *hash, char to[2 * KEYS_HASH + 1])
{
	for (unsigned i = 0; i < KEYS_HASH; i++)
		snprintf(to + 2 * i, 3, "%02x", hash[i]);
}

static void hashes_as_blake2b_256_of_lengths_and_parts(void **state)
{
	const struct span parts[] = { SPAN_LIT("spu"), { NULL, 0 }, SPAN_LIT("mesh") };
	unsigned char hash[KEYS_HASH];
	char text[2 * KEYS_HASH + 1];

	(void)state;
	/* Both from Python's hashlib.blake2b(digest_size=32), the lengths packed as "<Q". */
	keys_hash(NULL, 0, hash);
	hex(hash, text);
	assert_string_equal(text,
		"0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	keys_hash(parts, 3, hash);
	hex(hash, text);
	assert_string_equal(text,
		"ed88b0436a55b8163a666431c4dd0f7dc1464b2529498513124de2083081d52d");
}

static void borders_count(void **state)
{
	const struct span one[] = { SPAN_LIT("ab"), SPAN_LIT("c") };
	const struct span other[] = { SPAN_LIT("a"), SPAN_LIT("bc") };
	unsigned char a[KEYS_HASH], b[KEYS_HASH];

	(void)state;
	keys_hash(one, 2, a);
	keys_hash(other, 2, b);
	assert_memory_not_equal(a, b, KEYS_HASH);
	keys_hash(other, 2, a);
	assert_memory_equal(a, b, KEYS_HASH);
}

static void random_numbers_differ(void **state)
{
	uint64_t last = 0, all = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t n = keys_random();

		assert_true(n != 0 && n != last);
		last = n;
		all |= n;
	}
	assert_true(all == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_as_blake2b_256_of_lengths_and_parts),
		cmocka_unit_test(borders_count),
		cmocka_unit_test(random_numbers_differ),
	};

	return cmocka_run_group_tests(tests, open_keys, NULL);
}
