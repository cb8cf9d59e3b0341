/* SPDX-License-Identifier: Apache-2.0
 *
 * pbshared: the messages that stand inside several others, for the codecs of this folder only.
 */
#pragma once
#include "spu/v1/node.pb-c.h"
#include "spu/v1/task.pb-c.h"
#include "wire/node.h"
#include "wire/pbread.h"
#include "wire/pbwrite.h"
#include "wire/task.h"

/* An absent error (NULL) leaves *ret zero. */
void fail_read(struct pb_in *in, const Spu__V1__Error *m, struct fail *ret);
/* Nothing if f holds no error. */
void fail_put(struct buf *b, unsigned field, const struct fail *f);

void result_read(struct pb_in *in, const Spu__V1__Result *m, struct result *ret);
void result_put(struct buf *b, unsigned field, const struct result *r);

void progress_put(struct buf *b, unsigned field, uint32_t permille, struct span note);
/* attempt 0: left out. */
void chunk_put(struct buf *b, unsigned field, const struct chunk *c, uint32_t attempt);

/* A repeated Rung field. */
void ladder_read(struct pb_in *in, const char *field, const Spu__V1__Rung *rungs, size_t n,
	struct ladder *ret);
void ladder_put(struct buf *b, unsigned field, const struct ladder *l);

void cache_view_read(struct pb_in *in, const Spu__V1__CacheStat *m, struct cache_view *ret);
/* Nothing of a cache that is not there. */
void cache_view_put(struct buf *b, unsigned field, const struct cache_view *c);

void offer_read(struct pb_in *in, const Spu__V1__Offer *m, struct offer *ret);
void offer_put(struct buf *b, unsigned field, const struct offer *o);
