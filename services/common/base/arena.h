/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: memory for one message or one turn, given back all at once. Bounded: a hostile message meets
 * the ceiling, not the machine's memory.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/span.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks; /* the newest first; one stays through resets */
	size_t used;                /* bytes handed out since the reset */
	size_t max;                 /* ceiling for `used`, a multiple of 16 */
	bool full;                  /* something was refused for the ceiling since the reset */
};

/* No memory is taken before the first use. max: ceiling in bytes, rounded up to 16; every piece counts
 * rounded up, too. */
void arena_init(struct arena *a, size_t max);
/* Zeroed, 16-byte aligned; NULL beyond the ceiling or without memory. */
void *arena_alloc(struct arena *a, size_t size) MUST_USE;
/* As arena_alloc, but not zeroed. */
void *arena_raw(struct arena *a, size_t size) MUST_USE;
/* A terminated copy of s, or NULL. */
char *arena_str(struct arena *a, struct span s) MUST_USE;
/* Formatted text, or NULL. */
char *arena_fmt(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);
/* Take everything back; keeps one chunk. */
void arena_reset(struct arena *a);
void arena_done(struct arena *a);
