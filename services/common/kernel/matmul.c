/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul: the reference. It works on strips of columns, so that the sums of a strip stay in registers and
 * rows of B are read in their order.
 */
#include "kernel/matmul.h"

#include "base/limits.h"

#include "base/pure.h"

#define STRIP 32u /* columns */

_Static_assert(sizeof(float) == 4, "the wire carries 32-bit floats");

static void row_strip(const float *a, const float *b, float *c, uint32_t k, uint32_t n,
	uint32_t width)
{
	double sum[STRIP] = { 0 };

	for (uint32_t i = 0; i < k; i++) {
		const float *row = b + (size_t)i * n;

		for (uint32_t j = 0; j < width; j++)
			sum[j] += (double)a[i] * (double)row[j];
	}
	for (uint32_t j = 0; j < width; j++)
		c[j] = (float)sum[j];
}

void matmul_ref(const float *a, const float *b, float *c, uint32_t m, uint32_t k, uint32_t n)
{
	for (uint32_t row = 0; row < m; row++) {
		for (uint32_t at = 0; at < n; at += STRIP)
			row_strip(a + (size_t)row * k, b + at, c + (size_t)row * n + at, k, n,
				n - at < STRIP ? n - at : STRIP);
	}
}

static int check_size(const char *name, struct span s, uint32_t rows, uint32_t columns,
	struct fail *why)
{
	uint64_t want = (uint64_t)rows * columns * sizeof(float);

	if (s.len == want)
		return 0;
	return fail_set(why, ERR_INVALID, name, (int64_t)want,
		"has %zu bytes; a %u x %u matrix has %llu", s.len, (unsigned)rows,
		(unsigned)columns, (unsigned long long)want);
}

int matmul_check(struct span a, struct span b, uint32_t m, uint32_t k, uint32_t n, struct fail *why)
{
	/* Room for the framing of the result's body. */
	const uint64_t c_max = LIMIT_BODY_BYTES - 1024;
	int r = check_size("a", a, m, k, why);

	if (r == 0)
		r = check_size("b", b, k, n, why);
	if (r == 0 && (uint64_t)m * n * sizeof(float) > c_max)
		r = fail_set(why, ERR_TOO_BIG, "c", (int64_t)c_max,
			"the result would have %llu bytes",
			(unsigned long long)m * n * sizeof(float));
	return r;
}

void matmul_load(struct span bytes, float *to)
{
	for (size_t i = 0; i < bytes.len / 4; i++) {
		const unsigned char *p = bytes.at + 4 * i;
		uint32_t bits =
			p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

		memcpy(&to[i], &bits, sizeof(bits));
	}
}

void matmul_store(const float *from, size_t n, unsigned char *to)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &from[i], sizeof(bits));
		for (int byte = 0; byte < 4; byte++)
			to[4 * i + (size_t)byte] = (unsigned char)(bits >> (8 * byte));
	}
}
