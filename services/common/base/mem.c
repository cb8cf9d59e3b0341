/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: calloc, realloc and free, counted, with a hook that makes requests fail. The counters are the
 * only static state of base: they belong to the process's one heap.
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/pure.h"

static _Atomic int64_t held;
static _Atomic uint64_t failed;
static _Atomic uint64_t requests_left; /* until one fails; 0: the hook is off */
static _Atomic int fail_always;        /* requests_left stays at 1 once it is there */

/* Outside tests one relaxed load. */
static bool must_fail(void)
{
	uint64_t left = atomic_load_explicit(&requests_left, memory_order_relaxed);

	while (left != 0) {
		uint64_t next = left == 1 && atomic_load(&fail_always) ? 1 : left - 1;

		if (!atomic_compare_exchange_weak(&requests_left, &left, next))
			continue;
		if (left != 1)
			return false;
		atomic_fetch_add(&failed, 1);
		return true;
	}
	return false;
}

static void *count(void *at, int blocks)
{
	if (at != NULL)
		atomic_fetch_add_explicit(&held, blocks, memory_order_relaxed);
	return at;
}

void *mem_alloc(size_t size)
{
	return must_fail() ? NULL : count(calloc(1, size == 0 ? 1 : size), 1);
}

void *mem_grow(void *old, size_t size)
{
	return must_fail() ? NULL : count(realloc(old, size == 0 ? 1 : size), old == NULL);
}

void mem_free(void *at)
{
	count(at, -1);
	free(at);
}

void mem_freep(void *at)
{
	mem_free(*(void **)at);
}

void *mem_dup(struct span s)
{
	void *copy = mem_grow(NULL, s.len);

	if (copy != NULL && s.len > 0)
		memcpy(copy, s.at, s.len);
	return copy;
}

char *mem_str(struct span s)
{
	char *copy = s.len == SIZE_MAX ? NULL : mem_grow(NULL, s.len + 1);

	if (copy != NULL)
		span_copy(s, copy, s.len + 1);
	return copy;
}

void mem_fail_at(uint64_t n, int always)
{
	atomic_store(&requests_left, 0);
	atomic_store(&failed, 0);
	atomic_store(&fail_always, always);
	atomic_store(&requests_left, n);
}

uint64_t mem_failed(void)
{
	return atomic_load(&failed);
}

int64_t mem_held(void)
{
	return atomic_load(&held);
}
