/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_sweep: each line is an axis. What is accepted has its first and last point, and no more points than may be.
 */
#include "policy/sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size);
	struct fail why = { 0 };
	struct sweep s;
	struct arena a;
	int r = 0;

	arena_init(&a, (size_t)4 << 20);
	sweep_init(&s);
	while (r == 0 && rest.len > 0)
		r = sweep_add(&a, &s, SPAN_LIT("k.n"), span_cut(&rest, '\n'), &why);
	CHECK(r == 0 || why.code == r);
	CHECK(s.points >= 1 && s.points <= (uint64_t)SWEEP_POINTS_MAX);
	for (uint32_t i = 0; i < s.axes_n; i++) {
		char room[SWEEP_VALUE_BYTES];

		CHECK(sweep_value(&s, i, 0, room).len <= size + SWEEP_VALUE_BYTES);
		CHECK(sweep_value(&s, i, s.points - 1, room).len <= size + SWEEP_VALUE_BYTES);
	}
	arena_done(&a);
	return 0;
}
