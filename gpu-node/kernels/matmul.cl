/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul: rows first_row .. of C = A B in two shapes, of which the fastest right one on a device is used. Both
 * work on padded matrices: m and n are multiples of 64, k is one of 16, the padding is zero; so there are no
 * borders in here. The reference is matmul_ref (kernel/matmul.h).
 */
#define TILE 16
#define BLOCK 4 /* each work-item makes BLOCK x BLOCK elements of C */
#define SIDE (TILE * BLOCK)

/* For GPUs: a group of 16 x 16 makes 64 x 64 elements, 16 steps of k at a time through local memory. The
 * barriers stand in a loop that counts the same in every work-item. */
kernel __attribute__((reqd_work_group_size(TILE, TILE, 1)))
void matmul_tiled(global const float *a, global const float *b, global float *c, uint k, uint n, uint first_row)
{
	local float part_a[TILE][SIDE + 1]; /* one more: the column writes then hit different banks */
	local float part_b[TILE][SIDE];
	const uint x = get_local_id(0), y = get_local_id(1);
	const uint row = first_row + get_group_id(1) * SIDE, column = get_group_id(0) * SIDE;
	float sum[BLOCK][BLOCK];

	for (uint i = 0; i < BLOCK; i++)
		for (uint j = 0; j < BLOCK; j++)
			sum[i][j] = 0;
	for (uint step = 0; step < k; step += TILE) {
		for (uint i = 0; i < BLOCK; i++) {
			part_a[x][y + i * TILE] = a[(row + y + i * TILE) * k + step + x];
			part_b[y][x + i * TILE] = b[(step + y) * n + column + x + i * TILE];
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		for (uint t = 0; t < TILE; t++)
			for (uint i = 0; i < BLOCK; i++)
				for (uint j = 0; j < BLOCK; j++)
					sum[i][j] += part_a[t][y + i * TILE] * part_b[t][x + j * TILE];
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	for (uint i = 0; i < BLOCK; i++)
		for (uint j = 0; j < BLOCK; j++)
			c[(row + y + i * TILE) * n + column + x + j * TILE] = sum[i][j];
}

/* For CPUs: a work-item makes 4 rows of 16 columns in vector registers, without local memory or barriers. */
kernel __attribute__((reqd_work_group_size(4, 1, 1)))
void matmul_vector(global const float *a, global const float *b, global float *c, uint k, uint n, uint first_row)
{
	const uint row = first_row + get_global_id(1) * 4, column = get_global_id(0) * 16;
	global const float *row_a = a + row * k;
	float16 sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;

	for (uint t = 0; t < k; t++) {
		const float16 row_b = vload16(0, b + t * n + column);

		sum0 += row_a[t] * row_b;
		sum1 += row_a[t + k] * row_b;
		sum2 += row_a[t + 2 * k] * row_b;
		sum3 += row_a[t + 3 * k] * row_b;
	}
	vstore16(sum0, 0, c + row * n + column);
	vstore16(sum1, 0, c + (row + 1) * n + column);
	vstore16(sum2, 0, c + (row + 2) * n + column);
	vstore16(sum3, 0, c + (row + 3) * n + column);
}
