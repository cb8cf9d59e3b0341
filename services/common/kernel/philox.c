/* SPDX-License-Identifier: Apache-2.0
 *
 * philox: ten rounds of two multiplications; the key grows by a Weyl sequence between them.
 */
#include "kernel/philox.h"

#include "base/pure.h"

#define MUL_0 UINT32_C(0xD2511F53)
#define MUL_1 UINT32_C(0xCD9E8D57)
#define WEYL_0 UINT32_C(0x9E3779B9) /* the golden ratio */
#define WEYL_1 UINT32_C(0xBB67AE85) /* the square root of 3, less 1 */
#define ROUNDS 10

void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t ret[4])
{
	uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
	uint32_t k0 = key[0], k1 = key[1];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t p0 = (uint64_t)MUL_0 * c0;
		uint64_t p1 = (uint64_t)MUL_1 * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c1 = (uint32_t)p1;
		c3 = (uint32_t)p0;
		k0 += WEYL_0;
		k1 += WEYL_1;
	}
	ret[0] = c0;
	ret[1] = c1;
	ret[2] = c2;
	ret[3] = c3;
}
