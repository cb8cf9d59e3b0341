/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: growing bytes with an explicit owner and a ceiling. A failed append marks the buffer, so a run of
 * appends needs one look at the end: buf_err().
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct buf {
	unsigned char *at;
	size_t len;
	size_t cap;
	size_t max; /* ceiling for len */
	int err;    /* the first failure, ERR_TOO_BIG or ERR_NO_MEMORY; later appends do nothing */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
/* Empty it and clear its error; keeps the memory. */
void buf_reset(struct buf *b);
/* 0 or the first error since the reset. */
int buf_err(const struct buf *b) MUST_USE;
void buf_add(struct buf *b, struct span s);
void buf_str(struct buf *b, const char *s);
void buf_byte(struct buf *b, unsigned char c);
void buf_fmt(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* A JSON string literal of s with its quotes; bytes that are no UTF-8 become U+FFFD. */
void buf_json(struct buf *b, struct span s);
/* Room for n bytes to write in place, or NULL (and the error is set); then buf_took(n) of them. */
unsigned char *buf_room(struct buf *b, size_t n);
void buf_took(struct buf *b, size_t n);
/* Drop the first n bytes. */
void buf_eat(struct buf *b, size_t n);
/* Hand the memory to the caller (mem_free it); the buffer is then empty. NULL if it holds nothing. */
unsigned char *buf_take(struct buf *b, size_t *ret_len);

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->at, b->len);
}
