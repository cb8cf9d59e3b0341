/* SPDX-License-Identifier: Apache-2.0
 *
 * stream_reader: the chunks of one task, each once and in order, whatever the bus loses, doubles or reorders and
 * whoever was started anew meanwhile. Pure: it is handed events and the answers to its questions, says what to ask
 * and when, and what is lost for good.
 *
 * The owner hands it events if it hears them; without events it asks (stream_reader_check) from time to time. It may
 * be zeroed, but for task and the callbacks.
 */
#pragma once
#include "wire/query.h"

#define STREAM_READER_TRIES                                                                        \
	6u /* answers that brought nothing, until what is missing behind the end is lost */

struct stream_reader {
	struct ulid task;
	/* The next chunk; the bytes are lent until it returns. */
	void (*on_chunk)(void *ctx, uint32_t attempt, const struct chunk *c);
	/* Another attempt began: what came so far belongs to one that counts no more. Only told if anything came. */
	void (*on_anew)(void *ctx, uint32_t attempt);
	/* Chunks first to last of this attempt cannot be had any more. */
	void (*on_lost)(void *ctx, uint32_t attempt, uint64_t first, uint64_t last);
	void *ctx;

	uint32_t attempt; /* 0: none is known */
	uint64_t given;   /* the number of the last chunk that was given out or is lost */
	uint64_t known;   /* the highest that is known to be */
	bool ended;       /* known is all there is */
	bool is_asking;
	bool in_doubt;  /* there may be more than is known */
	uint8_t tries;  /* answers in a row that brought nothing */
	int64_t ask_ns; /* the next question not before */
};

/* An event of the task. */
void stream_reader_event(struct stream_reader *r, int64_t now_ns, const struct event *e);
/* The task's end, heard or asked for. */
void stream_reader_end(struct stream_reader *r, const struct result *end);
/* Something may have been missed, such as while a connection was lost: ask. */
void stream_reader_check(struct stream_reader *r, int64_t now_ns);
/* True: *ret is to be asked now, and its answer handed in. */
bool stream_reader_ask(struct stream_reader *r, int64_t now_ns, struct query *ret);
void stream_reader_reply(struct stream_reader *r, int64_t now_ns, const struct query_reply *reply);
/* When stream_reader_ask has something to ask; INT64_MAX: not before something happens. */
int64_t stream_reader_wake(const struct stream_reader *r);
/* Was all that is known to be given out, or told as lost? */
static inline bool stream_reader_is_whole(const struct stream_reader *r)
{
	return r->given >= r->known && !r->in_doubt && !r->is_asking;
}
