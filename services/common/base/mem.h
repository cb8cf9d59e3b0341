/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: the one door to the heap, so that tests can make the n-th request fail and count what is held.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

/* Zeroed memory, or NULL. size 0 gives a valid pointer. */
void *mem_alloc(size_t size) MUST_USE;
/* As realloc: on failure NULL, and the old block stays. New bytes are not zeroed. */
void *mem_grow(void *old, size_t size) MUST_USE;
/* NULL is allowed. */
void mem_free(void *at);
/* For CLEANUP: frees *(void **)at. */
void mem_freep(void *at);
/* A copy of s, or NULL; an empty s gives a valid pointer. */
void *mem_dup(struct span s) MUST_USE;
/* A copy of s as a C string, or NULL. */
char *mem_str(struct span s) MUST_USE;

/* Tests only: let the n-th request from now fail (1: the next), and with always != 0 all after it; n = 0
 * switches off. Thread-safe. */
void mem_fail_at(uint64_t n, int always);
/* Requests that were made to fail since mem_fail_at. */
uint64_t mem_failed(void);
/* Blocks held now. */
int64_t mem_held(void);
