/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds: what this node can compute. A kind is a row in proto/kinds.def and a function in a file kinds_*.c, which
 * says so before it (CPU_KIND); the function knows neither NATS nor threads: it reads a decoded body and appends an
 * encoded one.
 */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "run/tokenizer.h"
#include "run/zip_dict.h"
#include "wire/body.h"
#include "wire/kinds.h"

#define CPU_PAUSED 1 /* of run: it was to stand still, and is called again to go on */

#define CALL_ARENA_BYTES ((size_t)64 << 20) /* ceiling of what one call may take from its arena */

/* One job as its function sees it. Everything is borrowed for the call. */
struct cpu_call {
	const struct kind_row *kind; /* its parameters */
	const struct body *in;       /* checked against them */
	uint32_t attempt;            /* 1 is the first */
	struct arena *arena;
	const struct tokenizers *tokenizers; /* or NULL: tokens are estimated */
	struct buf *out; /* append the result's body; its ceiling is the largest result that goes */
	struct fail *why;           /* fill it (fail_set) when returning an error */
	const _Atomic bool *cancel; /* becomes true when nobody wants the result any more */
	_Atomic uint32_t *permille; /* progress; or leave it alone */
	const _Atomic bool *pause;  /* becomes true when it is to stand still; or NULL */
	void **state;               /* cpu_state's; or NULL */
	struct zip_dicts *dicts;    /* that are ready; or NULL */
	/* Where pieces of the result go before it is whole, or NULL: see cpu_chunk. */
	void (*chunk)(const struct cpu_call *call, void *ctx, struct span data);
	void *chunk_ctx;
};

#define CPU_PAUSES                                                                                 \
	1u /* an attempt can be paused: run asks cpu_is_paused, or there is nothing but the delay */

struct cpu_kind {
	const char *name; /* in proto/kinds.def */
	/* 0, or a negative error with call->why filled; of a kind that pauses also CPU_PAUSED. */
	int (*run)(const struct cpu_call *call);
	size_t inline_bytes; /* bodies up to this size take a few microseconds: they run on the owner thread */
	/* Or NULL: how long to wait before run, without a thread. */
	int64_t (*delay_ns)(const struct kind_row *kind, const struct body *in);
	unsigned traits; /* CPU_PAUSES, or 0 */
};

/* In one line, at the margin, before its function: the kind's name, the function, its inline_bytes; if need be
 * .delay_ns = ... and .traits = .... */
#define CPU_KIND(name, run, ...) int run(const struct cpu_call *call);
#define CPU_SMALL 1024u /* inline_bytes of most kinds that take microseconds for so much */

/* The row of a kind, or NULL. */
const struct cpu_kind *cpu_kind_find(struct span name);
/* The i-th row, or NULL past the end. */
const struct cpu_kind *cpu_kind_at(unsigned i);
/* run, with what it returns; a result that does not fit into call->out is ERR_TOO_BIG. The error is returned and in call->why. */
int cpu_kind_run(const struct cpu_kind *kind, const struct cpu_call *call);

/* For the functions. */
static inline bool cpu_is_cancelled(const struct cpu_call *call)
{
	return atomic_load_explicit(call->cancel, memory_order_relaxed);
}

static inline bool cpu_is_paused(const struct cpu_call *call)
{
	return call->pause != NULL && atomic_load_explicit(call->pause, memory_order_relaxed);
}

/* What run needs to go on after a pause: so many zeroed bytes of the arena at the first call, the same ones later.
 * NULL without memory. */
void *cpu_state(const struct cpu_call *call, size_t bytes);

/* done of all, as progress. */
static inline void cpu_progress(const struct cpu_call *call, uint64_t done, uint64_t all)
{
	atomic_store_explicit(call->permille, (uint32_t)(done / (all / 1000 + 1)),
		memory_order_relaxed);
}

/* Give out a piece of the result, copied: all pieces together are the result, or a preview of it. It waits while too
 * much is on its way. */
static inline void cpu_chunk(const struct cpu_call *call, struct span data)
{
	if (call->chunk != NULL && data.len > 0)
		call->chunk(call, call->chunk_ctx, data);
}

/* ERR_INVALID if the body has no item. */
int cpu_need_items(const struct cpu_call *call) MUST_USE;
/* The data of all items, as texts: ERR_UNSUPPORTED if one is not UTF-8. */
int cpu_texts(const struct cpu_call *call, struct span **ret) MUST_USE;
/* How many items of the task came before those of this part of it. */
size_t cpu_items_before(const struct cpu_call *call);
/* Whether an item is an encoded body of its own. */
bool cpu_is_body(const struct item *item);
/* Decode such an item, the i-th of the call: ERR_INVALID with field "items" if it is malformed. */
int cpu_unwrap(const struct cpu_call *call, size_t i, struct body *ret) MUST_USE;
/* A name with another ending; an empty name stays empty. */
int cpu_name(const struct cpu_call *call, struct span stem, const char *ending,
	struct span *ret) MUST_USE;
int cpu_no_memory(const struct cpu_call *call);
int cpu_cancelled(const struct cpu_call *call);

/* Media type of items that are JSON objects, one a line. */
#define CPU_LINES_MEDIA "application/x-ndjson"
/* And of zstd's dictionaries. */
#define CPU_DICT_MEDIA "application/vnd.spu.dictionary"

int64_t delay_echo(const struct kind_row *kind, const struct body *in);
int reduce_summary(const struct cpu_call *call); /* its summary, of texts */
int reduce_tiles(const struct cpu_call *call); /* pictures from what was filtered of their tiles */
