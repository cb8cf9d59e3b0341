/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul: the product C = A B of matrices of 32-bit floats, row after row; A is m x k, B is k x n.
 */
#pragma once
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

/* The reference: every element is summed in double in the order of k, and rounded once. One row of C at a
 * time needs m = 1. c overlaps neither a nor b. */
void matmul_ref(const float *a, const float *b, float *c, uint32_t m, uint32_t k, uint32_t n);

/* Do the bytes of A and B have exactly the sizes m, k and n (each at least 1), and does C fit into a result?
 * 0, or ERR_INVALID or ERR_TOO_BIG with the field "a", "b" or "c" and the size that was met as the limit. */
int matmul_check(struct span a, struct span b, uint32_t m, uint32_t k, uint32_t n,
	struct fail *why) MUST_USE;

/* Between the wire's little-endian bytes, aligned or not, and this machine's floats. */
void matmul_load(struct span bytes, float *to);
void matmul_store(const float *from, size_t n, unsigned char *to);
