/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include <string.h>

#include "policy/scatter.h"

#define KEYS 4096u
#define PLACES 1024u

/* How many of the keys come to the fullest place of a table that lies there. */
static unsigned fullest(const uint64_t *keys, uintptr_t table)
{
	unsigned counts[PLACES] = { 0 }, most = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		unsigned at = (unsigned)scatter((const void *)table, keys[i]) % PLACES;

		counts[at]++;
		most = counts[at] > most ? counts[at] : most;
	}
	return most;
}

/* Hashes that have been chosen: alike in their low bits, in their high bits, in both folded, or following each other. With
 * 4 for each place, 20 in one would be by chance in one table of 10^7. */
static void test_chosen_hashes_are_scattered(void **state)
{
	static uint64_t keys[4][KEYS];

	(void)state;
	for (uint64_t i = 0; i < KEYS; i++) {
		keys[0][i] = i << 40 | 0x12345;
		keys[1][i] = UINT64_C(0xABCDEF) << 40 | i;
		keys[2][i] = i << 32 | i;
		keys[3][i] = i;
	}
	for (unsigned k = 0; k < 4; k++) {
		for (uintptr_t page = 1; page <= 64; page++)
			assert_in_range(fullest(keys[k], 0x7f0000000000 + page * 4096 + 16), 4, 40);
	}
}

/* Two tables are not filled alike. */
static void test_it_depends_on_the_table(void **state)
{
	unsigned same = 0;

	(void)state;
	for (uint64_t i = 0; i < KEYS; i++)
		same += scatter((const void *)0x7f0000001010, i) % PLACES ==
			scatter((const void *)0x7f0000002010, i) % PLACES;
	assert_in_range(same, 0, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chosen_hashes_are_scattered),
		cmocka_unit_test(test_it_depends_on_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
