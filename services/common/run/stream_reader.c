/* SPDX-License-Identifier: Apache-2.0
 *
 * stream_reader: what is missing is asked for at once, and again after a pause that doubles.
 */
#include "run/stream_reader.h"

#include <string.h>

#include "base/fmt.h"

#include "base/pure.h"

#define PAUSE_NS (50 * NS_PER_MS)
#define PAUSE_MOST_NS NS_PER_S

/* False if the attempt is older than what is known. */
static bool see(struct stream_reader *r, uint32_t attempt)
{
	bool had_some = r->given > 0;

	if (attempt <= r->attempt)
		return attempt == r->attempt;
	r->attempt = attempt;
	r->given = r->known = 0;
	r->tries = 0;
	if (had_some)
		r->on_anew(r->ctx, attempt);
	return true;
}

static void know(struct stream_reader *r, uint64_t chunks)
{
	if (chunks > r->known)
		r->known = chunks;
}

static void lose(struct stream_reader *r, uint64_t last)
{
	uint64_t first = r->given + 1;

	r->given = last;
	r->tries = 0;
	know(r, last);
	r->on_lost(r->ctx, r->attempt, first, last);
}

static void give(struct stream_reader *r, const struct chunk *c)
{
	r->given = c->seq;
	r->tries = 0;
	know(r, c->seq);
	r->on_chunk(r->ctx, r->attempt, c);
}

void stream_reader_event(struct stream_reader *r, int64_t now_ns, const struct event *e)
{
	const struct chunk c = { e->chunk_seq, e->data };

	if (e->kind == EVENT_END) {
		stream_reader_end(r, &e->result);
		return;
	}
	if ((e->kind != EVENT_CHUNK && e->kind != EVENT_BEAT) || r->ended || !see(r, e->attempt))
		return;
	know(r, e->chunk_seq);
	if (e->kind == EVENT_CHUNK && c.seq == r->given + 1)
		give(r, &c);
	else if (r->given < r->known && r->tries == 0)
		r->ask_ns = now_ns;
}

void stream_reader_end(struct stream_reader *r, const struct result *end)
{
	/* A router that does not say it gave out no attempt beside another, or its streams had none. */
	if (r->ended || !see(r, end->attempt != 0 ? end->attempt : end->attempts))
		return;
	know(r, end->chunks);
	r->ended = true;
	r->in_doubt = false;
	r->tries = 0;
	r->ask_ns = 0; /* what is missing is wanted now */
}

void stream_reader_check(struct stream_reader *r, int64_t now_ns)
{
	if (r->ended || r->in_doubt)
		return;
	r->in_doubt = true;
	if (r->tries == 0)
		r->ask_ns = now_ns;
}

int64_t stream_reader_wake(const struct stream_reader *r)
{
	return r->is_asking || (r->given >= r->known && !r->in_doubt) ? INT64_MAX : r->ask_ns;
}

bool stream_reader_ask(struct stream_reader *r, int64_t now_ns, struct query *ret)
{
	if (stream_reader_wake(r) > now_ns)
		return false;
	r->is_asking = true;
	*ret = (struct query){
		.kind = QUERY_STREAM,
		.task = r->task,
		.chunk_seq = r->attempt == 0 ? 0 : r->given + 1,
		.attempt = r->attempt,
	};
	return true;
}

/* Nothing came: later again. Behind the end that has its limit. */
static void pause(struct stream_reader *r, int64_t now_ns)
{
	int64_t pause_ns = PAUSE_MOST_NS;

	if (r->tries < 5)
		pause_ns = PAUSE_NS << r->tries;
	if (r->tries < UINT8_MAX)
		r->tries++;
	r->ask_ns = now_ns + (pause_ns < PAUSE_MOST_NS ? pause_ns : PAUSE_MOST_NS);
	if (r->ended && r->given < r->known && r->tries >= STREAM_READER_TRIES)
		lose(r, r->known);
}

static void refused(struct stream_reader *r, int64_t now_ns, const struct fail *why)
{
	bool is_gone = why->code == ERR_INVALID && strcmp(why->field, "from_seq") == 0 &&
		       why->limit > 0 && (uint64_t)why->limit > r->given + 1;

	if (is_gone) {
		lose(r, (uint64_t)why->limit - 1);
		r->ask_ns = now_ns;
	} else if (r->ended && why->code < 0 && !err_row(why->code)->retry) {
		if (r->given < r->known)
			lose(r, r->known);
	} else {
		pause(r, now_ns);
	}
}

void stream_reader_reply(struct stream_reader *r, int64_t now_ns, const struct query_reply *reply)
{
	const struct stream_part *p = &reply->stream;
	uint64_t given;

	r->is_asking = false;
	r->in_doubt = false;
	if (reply->fail.code != 0 || reply->kind != REPLY_STREAM) {
		refused(r, now_ns, &reply->fail);
		return;
	}
	if (!see(r, p->attempt)) { /* from a router that was started anew, or late */
		pause(r, now_ns);
		return;
	}
	given = r->given;
	know(r, p->last);
	if (p->oldest > r->given + 1)
		lose(r, p->oldest - 1);
	for (size_t i = 0; i < p->chunks_n; i++) {
		if (p->chunks[i].seq > r->given + 1)
			lose(r, p->chunks[i].seq - 1);
		if (p->chunks[i].seq == r->given + 1)
			give(r, &p->chunks[i]);
	}
	if (r->given > given)
		r->ask_ns = now_ns;
	else
		pause(r, now_ns);
}
