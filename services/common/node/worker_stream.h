/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_stream: the last chunks of the attempts that stream, also of those that ended a moment ago, to be sent again
 * when the router lost some. It knows no other rules.
 */
#pragma once
#include "base/streams.h"
#include "node/worker_held.h"

#define WORKER_STREAMS_MAX 256u                    /* attempts whose chunks are kept at once */
#define WORKER_STREAM_BYTES ((size_t)1 << 20)      /* of one */
#define WORKER_STREAMS_BYTES ((size_t)8 << 20)     /* of all */
#define WORKER_STREAM_KEEP_NS INT64_C(10000000000) /* after the attempt's end */

struct worker_stream {
	struct streams
		streams; /* their mark: the chunk to be sent again next, and then those behind it; 0: none */
	bool resending; /* one may have a mark */
};

void worker_stream_init(struct worker_stream *w);
void worker_stream_done(struct worker_stream *w);
/* Keep the attempt's newest chunk, number a->chunks. True if it is to be sent now, else it goes behind those that
 * are sent again; *ret_oldest: from which number on chunks can be sent again, 0: this one cannot. */
bool worker_stream_put(struct worker_stream *w, int64_t now_ns, struct attempt *a, struct span data,
	uint64_t *ret_oldest) MUST_USE;
/* How many of the attempt's chunks were sent so far. */
uint64_t worker_stream_sent(const struct worker_stream *w, const struct attempt *a);
/* Send again from this number on. Unknown attempts and numbers are allowed. */
void worker_stream_resend(struct worker_stream *w, struct ulid task, uint32_t attempt,
	uint64_t seq);
/* The next chunk that is to be sent again, lent until the next call of any; false if there is none. */
bool worker_stream_next(struct worker_stream *w, struct up *ret) MUST_USE;
/* Nobody waits for this attempt's chunks any more. */
void worker_stream_drop(struct worker_stream *w, const struct attempt *a);
/* The attempt has ended; what it sent is kept for a while. */
void worker_stream_end(struct worker_stream *w, int64_t now_ns, const struct attempt *a);
/* Let time pass. */
void worker_stream_tick(struct worker_stream *w, int64_t now_ns);
/* When there is something to send or to let go; INT64_MAX: never. */
int64_t worker_stream_wake(const struct worker_stream *w);
