/* SPDX-License-Identifier: Apache-2.0
 *
 * montecarlo: how many of the samples first .. end - 1 lie inside the quarter circle, in integers only: every
 * device counts the same as montecarlo_ref (kernel/montecarlo.h). One block of Philox4x32-10 gives two
 * samples; a work-item takes eight blocks at a time, so that CPUs use their vector registers and GPUs have
 * independent work in flight.
 */
#define WIDE 8
#define GROUP 64

/* x * x + y * y < 2^64: the sum of the squares does not wrap around. */
static uint8 is_inside(uint8 x, uint8 y)
{
	const ulong8 xx = convert_ulong8(x) * convert_ulong8(x);
	const ulong8 sum = xx + convert_ulong8(y) * convert_ulong8(y);

	return convert_uint8(as_ulong8(sum >= xx)) & 1u;
}

/* Of the two samples of each block: those inside and before end. */
static uint8 count_blocks(ulong8 block, ulong end, uint2 key)
{
	uint8 c0 = convert_uint8(block), c1 = convert_uint8(block >> 32), c2 = 0, c3 = 0;
	const ulong8 sample = block << 1;

	for (uint round = 0; round < 10; round++) {
		const uint8 high0 = mul_hi(c0, (uint8)0xD2511F53u), low0 = c0 * 0xD2511F53u;
		const uint8 high1 = mul_hi(c2, (uint8)0xCD9E8D57u), low1 = c2 * 0xCD9E8D57u;

		c0 = high1 ^ c1 ^ key.x;
		c1 = low1;
		c2 = high0 ^ c3 ^ key.y;
		c3 = low0;
		key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
	}
	return (is_inside(c0, c1) & convert_uint8(as_ulong8(sample < end)))
	       + (is_inside(c2, c3) & convert_uint8(as_ulong8(sample + 1 < end)));
}

/* first is even. A group counts 64 * 8 * turns blocks (two samples each) into counts[its number]. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void montecarlo_count(ulong first, ulong end, uint turns, uint2 key, global uint *counts)
{
	local uint sums[GROUP];
	const ulong8 lane = (ulong8)(0, 1, 2, 3, 4, 5, 6, 7);
	const ulong stride = (ulong)get_global_size(0) * WIDE;
	ulong block = (first >> 1) + (ulong)get_global_id(0) * WIDE;
	uint8 count = 0;

	for (uint turn = 0; turn < turns; turn++) {
		count += count_blocks(block + lane, end, key);
		block += stride;
	}
	sums[get_local_id(0)] = count.s0 + count.s1 + count.s2 + count.s3 + count.s4 + count.s5 + count.s6 + count.s7;
	barrier(CLK_LOCAL_MEM_FENCE);
	if (get_local_id(0) == 0) {
		uint sum = 0;

		for (uint i = 0; i < GROUP; i++)
			sum += sums[i];
		counts[get_group_id(0)] = sum;
	}
}
