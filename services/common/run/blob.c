/* SPDX-License-Identifier: Apache-2.0
 *
 * blob: performs what the machine of a transfer decides. All replies come to one subscription, so that they keep
 * their order; the reply subject tells what they answer: <inbox>.<round>.<what>.
 */
#include "run/blob.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "policy/transfer.h"
#include "run/blob_sum.h"
#include "wire/subject.h"

#define PATIENCE_NS (30 * NS_PER_S)
#define STALL_NS (3 * NS_PER_S)
#define COMMIT_NS_PER_MIB (100 * NS_PER_MS) /* a slow disk flushes */
#define HOUR_NS (3600 * NS_PER_S)
#define ARENA_BYTES ((size_t)2 << 20)
#define THREAD_BYTES ((uint64_t)4 << 20) /* of so many, a thread for the hash is worth its start */
#define INBOX_BYTES 40u
#define FREE_BYTES (8 << 20)                   /* kept by the process */
#define MAPPED_BYTES (2 * LIMIT_MESSAGE_BYTES) /* a block of so many is the system's matter */

enum { ANSWERS_OPEN = 'o', ANSWERS_PIECE = 'p', ANSWERS_COMMIT = 'c' };

struct blob_transfer {
	struct blob_conf conf;
	bool is_put;
	bool is_committing;
	bool has_ended;
	struct transfer machine;
	char tenant[LIMIT_TOKEN_BYTES + 1];
	char upload[LIMIT_TOKEN_BYTES + 1];
	char subject[SUBJECT_BYTES];
	char inbox[INBOX_BYTES];
	struct bus_sub *sub;
	struct loop_timer timer;
	struct blob_sum sum;
	struct blob_hash whole;  /* put: the hash, when it is known */
	int64_t commit_end_ns;   /* then it is given up */
	int64_t commit_again_ns; /* then it is asked for again */
	struct fail last;        /* why the latest round broke */
	struct buf out;
};

void blob_keep_memory(void)
{
	/* A refusal only costs time. */
	(void)mallopt(M_TRIM_THRESHOLD, FREE_BYTES);
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

struct blob_keeper blob_keeper(int64_t until_ns)
{
	int64_t hour = until_ns / HOUR_NS + 1;
	struct blob_keeper k = { .expire_ms = hour * (HOUR_NS / NS_PER_MS) };

	(void)snprintf(k.by, sizeof(k.by), "hour-%" PRId64, hour);
	return k;
}

static void end(struct blob_transfer *t, const struct fail *why)
{
	struct blob_end e = {
		.hash = t->is_put ? t->whole : t->conf.hash,
		.size = t->machine.conf.size,
		.rounds = t->machine.round + 1,
	};

	if (t->has_ended)
		return;
	if (why != NULL)
		e.fail = *why;
	t->has_ended = true;
	loop_timer_stop(t->conf.loop, &t->timer);
	t->conf.on_end(t->conf.ctx, &e);
}

static void end_with(struct blob_transfer *t, int code, const char *field, const char *detail)
{
	struct fail why = { 0 };

	fail_set(&why, code, field, 0, "%s", detail);
	end(t, &why);
}

static int64_t now_of(const struct blob_transfer *t)
{
	return clocks_now(&t->conf.loop->clocks);
}

/* False: not sent, and the transfer has broken or ended. */
static bool send(struct blob_transfer *t, char what, const struct blob_ask *ask)
{
	char reply[INBOX_BYTES + 16];
	int r;

	(void)snprintf(reply, sizeof(reply), "%s.%" PRIu32 ".%c", t->inbox, t->machine.round, what);
	buf_reset(&t->out);
	blob_asks_put(&t->out, ask);
	r = buf_err(&t->out);
	if (r == 0)
		r = bus_publish(t->conf.bus, t->subject, reply, (struct span){ 0 },
			buf_span(&t->out));
	if (r == 0)
		return true;
	if (r == ERR_BUSY)
		transfer_broke(&t->machine, now_of(t), t->machine.round);
	else
		end_with(t, r, NULL, "the bus does not take it");
	return false;
}

static void send_open(struct blob_transfer *t)
{
	const struct blob_ask ask = {
		.op = t->is_put ? BLOB_OPEN : BLOB_STAT,
		.upload = span_str(t->upload),
		.size = t->conf.size,
		.hash = t->conf.hash,
	};

	(void)send(t, ANSWERS_OPEN, &ask);
}

/* --- the bytes ---------------------------------------------------------------------------------------- */

/* Into room of their own; NULL: it has ended. */
static const unsigned char *read_piece(struct blob_transfer *t, uint64_t offset, size_t n)
{
	unsigned char *piece = arena_raw(blob_sum_next_room(&t->sum), n);
	int r = piece == NULL ? ERR_NO_MEMORY : t->conf.read(t->conf.ctx, offset, piece, n);

	if (r == 0)
		return piece;
	end_with(t, r, NULL, "the bytes to send cannot be read");
	return NULL;
}

/* Hash what lies before `upto` and did not pass here: it was there already. */
static bool hash_upto(struct blob_transfer *t, uint64_t upto)
{
	while (t->sum.upto < upto) {
		uint64_t left = upto - t->sum.upto;
		size_t n = left < LIMIT_BLOB_CHUNK_BYTES ? (size_t)left : LIMIT_BLOB_CHUNK_BYTES;
		const unsigned char *piece = read_piece(t, t->sum.upto, n);

		if (piece == NULL)
			return false;
		blob_sum_add(&t->sum, span_of(piece, n));
	}
	return true;
}

static void send_piece(struct blob_transfer *t, const struct transfer_piece *p)
{
	struct blob_ask ask = { .op = BLOB_READ, .hash = t->conf.hash, .offset = p->offset };

	ask.size = p->len;
	if (t->is_put) {
		const unsigned char *piece =
			hash_upto(t, p->offset) ? read_piece(t, p->offset, p->len) : NULL;

		if (piece == NULL)
			return;
		ask.op = BLOB_CHUNK;
		ask.upload = span_str(t->upload);
		ask.data = span_of(piece, p->len);
		if (t->sum.upto == p->offset)
			blob_sum_add(&t->sum, ask.data);
	}
	(void)send(t, ANSWERS_PIECE, &ask);
}

/* --- the end ------------------------------------------------------------------------------------------ */

static void send_commit(struct blob_transfer *t)
{
	const struct blob_keeper keeper = blob_keeper(t->conf.keep_until_ns);
	struct blob_ask ask = {
		.op = BLOB_COMMIT,
		.upload = span_str(t->upload),
		.size = t->conf.size,
		.hash = t->whole,
		.by = t->conf.keep_until_ns > 0 ? span_str(keeper.by) : (struct span){ 0 },
		.expire_ms = keeper.expire_ms,
	};

	t->commit_again_ns = now_of(t) + STALL_NS;
	(void)send(t, ANSWERS_COMMIT, &ask);
}

static void finish(struct blob_transfer *t)
{
	if (!hash_upto(t, t->machine.conf.size))
		return;
	t->whole = blob_sum_hash(&t->sum);
	if (!t->is_put) {
		if (blob_hash_eq(&t->whole, &t->conf.hash))
			end(t, NULL);
		else
			end_with(t, ERR_IO, "hash", "what came has another hash");
		return;
	}
	t->is_committing = true;
	t->commit_end_ns =
		now_of(t) + t->conf.patience_ns + (int64_t)(t->conf.size >> 20) * COMMIT_NS_PER_MIB;
	send_commit(t);
}

static void give_up(struct blob_transfer *t)
{
	if (t->last.code != 0)
		end(t, &t->last);
	else
		end_with(t, ERR_TIMEOUT, NULL, "the store does not answer");
}

static int64_t wake(const struct blob_transfer *t)
{
	if (!t->is_committing)
		return transfer_wake(&t->machine);
	return t->commit_again_ns < t->commit_end_ns ? t->commit_again_ns : t->commit_end_ns;
}

/* Perform what can be done now, then wait for a message or the timer. */
static void pump(struct blob_transfer *t)
{
	struct transfer_piece piece;

	/* What a get finds there already. */
	if (!t->is_put && !hash_upto(t, t->machine.acked))
		return;
	while (!t->has_ended && !t->is_committing) {
		switch (transfer_step(&t->machine, now_of(t), &piece)) {
		case TRANSFER_ASK:
			send_open(t);
			continue;
		case TRANSFER_MOVE:
			send_piece(t, &piece);
			continue;
		case TRANSFER_END:
			finish(t);
			continue;
		case TRANSFER_LOST:
			give_up(t);
			continue;
		case TRANSFER_WAIT:
			break;
		}
		break;
	}
	if (t->has_ended)
		return;
	if (loop_timer_set(t->conf.loop, &t->timer, wake(t)) < 0)
		end_with(t, ERR_BUSY, NULL, "no timer is left");
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct blob_transfer *t = ctx;

	if (t->is_committing && now_ns >= t->commit_end_ns)
		give_up(t);
	else if (t->is_committing)
		send_commit(t);
	if (!t->has_ended)
		pump(t);
}

/* --- replies ------------------------------------------------------------------------------------------ */

static void broke(struct blob_transfer *t, uint32_t round, const struct fail *why)
{
	if (round == t->machine.round && why != NULL)
		t->last = *why;
	transfer_broke(&t->machine, now_of(t), round);
}

static bool is_about_uploads(const struct fail *why)
{
	struct span field = span_str(why->field);

	return span_is(field, "uploads_max") || span_is(field, "tenant_uploads_max");
}

static void on_open(struct blob_transfer *t, uint32_t round, const struct blob_reply *r)
{
	uint64_t have = t->is_put ? r->offset : t->machine.acked;

	/* Others use the store: their turn ends, and then it is ours. */
	if (r->fail.code == ERR_BUSY && is_about_uploads(&r->fail)) {
		broke(t, round, &r->fail);
		return;
	}
	if (r->fail.code != 0) {
		end(t, &r->fail);
		return;
	}
	if (!t->is_put && t->machine.acked == 0)
		have = t->conf.have;
	if (t->is_put && r->size != t->conf.size)
		end_with(t, ERR_MALFORMED, "size", "the store speaks of another upload");
	else if (transfer_opened(&t->machine, now_of(t), round, have, r->size, r->window) < 0)
		end_with(t, ERR_INVALID, "offset", "there is more than the blob has");
	else if (r->size >= THREAD_BYTES)
		blob_sum_start_thread(&t->sum, t->conf.loop);
}

static void on_ack(struct blob_transfer *t, uint32_t round, const struct blob_reply *r)
{
	bool is_lost = r->fail.code == ERR_UNKNOWN ||
		       (r->fail.code == ERR_INVALID && span_is(span_str(r->fail.field), "offset"));

	if (is_lost)
		broke(t, round, &r->fail);
	else if (r->fail.code != 0)
		end(t, &r->fail);
	else if (transfer_acked(&t->machine, now_of(t), round, r->offset) < 0)
		end_with(t, ERR_MALFORMED, "offset", "the store has what was never sent");
}

static void on_data(struct blob_transfer *t, uint32_t round, const struct blob_reply *r)
{
	int err;

	if (r->fail.code != 0) {
		end(t, &r->fail);
		return;
	}
	if (round != t->machine.round || r->offset < t->machine.acked)
		return;
	if (r->offset > t->machine.acked || r->data.len == 0) {
		broke(t, round, NULL);
		return;
	}
	if (r->data.len > t->machine.next - r->offset) {
		end_with(t, ERR_MALFORMED, "offset", "the store sent what was not asked for");
		return;
	}
	blob_sum_add(&t->sum, r->data);
	err = t->conf.write(t->conf.ctx, r->offset, r->data);
	if (err < 0)
		end_with(t, err, NULL, "what came cannot be written");
	else
		CHECK(transfer_acked(&t->machine, now_of(t), round, r->offset + r->data.len) == 0);
}

/* As the store asks, but no later than without an answer. */
static int64_t pause_ns(const struct fail *why)
{
	return why->retry_after_ms < STALL_NS / NS_PER_MS ? why->retry_after_ms * NS_PER_MS
							  : STALL_NS;
}

static void on_commit(struct blob_transfer *t, const struct blob_reply *r)
{
	if (!t->is_committing)
		return;
	if (r->fail.code == 0) {
		end(t, NULL);
	} else if (r->fail.code == ERR_BUSY && span_is(span_str(r->fail.field), "upload")) {
		t->commit_again_ns = now_of(t) + pause_ns(&r->fail);
	} else if (r->fail.code == ERR_UNKNOWN || span_is(span_str(r->fail.field), "offset")) {
		t->is_committing = false;
		broke(t, t->machine.round, &r->fail);
	} else {
		end(t, &r->fail);
	}
}

/* <inbox>.<round>.<what> */
static bool parse_subject(const struct blob_transfer *t, struct span subject, uint32_t *ret_round,
	char *ret_what)
{
	struct span rest = span_part(subject, strlen(t->inbox) + 1, subject.len);
	uint32_t round = 0;

	while (rest.len > 0 && rest.at[0] >= '0' && rest.at[0] <= '9') {
		round = round * 10 + (uint32_t)(rest.at[0] - '0');
		rest = span_part(rest, 1, rest.len);
	}
	if (rest.len != 2)
		return false;
	*ret_round = round;
	*ret_what = (char)rest.at[1];
	return true;
}

static void take(struct blob_transfer *t, uint32_t round, char what, const struct blob_reply *r)
{
	if (what == ANSWERS_COMMIT)
		on_commit(t, r);
	else if (round != t->machine.round)
		return;
	else if (what == ANSWERS_OPEN)
		on_open(t, round, r);
	else if (t->is_put)
		on_ack(t, round, r);
	else
		on_data(t, round, r);
}

static void on_msg(void *ctx, const struct bus_msg *m)
{
	struct blob_transfer *t = ctx;
	struct blob_reply *replies = NULL;
	struct fail why = { 0 };
	size_t n = 0;
	uint32_t round;
	char what;

	if (t->has_ended)
		return;
	if (m->no_responders) {
		fail_set(&why, ERR_NO_NODE, NULL, 0, "no store listens");
		if (!t->is_committing)
			broke(t, t->machine.round, &why);
		else
			t->commit_again_ns = now_of(t) + NS_PER_S;
	} else if (!parse_subject(t, m->subject, &round, &what)) {
		return;
	} else if (blob_replies_decode(blob_sum_next_room(&t->sum), m->data, &replies, &n, &why) <
		   0) {
		end(t, &why);
	} else {
		for (size_t i = 0; i < n && !t->has_ended; i++)
			take(t, round, what, &replies[i]);
	}
	if (!t->has_ended)
		pump(t);
}

/* --- open and close ----------------------------------------------------------------------------------- */

static bool open_bus(struct blob_transfer *t)
{
	char pattern[INBOX_BYTES + 8];

	if (subject_build(SUBJECT_BLOB, span_str(t->tenant), (struct span){ 0 }, t->subject) < 0 ||
		(t->is_put && !fmt_is_token(t->conf.upload)))
		return false;
	(void)snprintf(t->inbox, sizeof(t->inbox), "_INBOX.%016" PRIx64, keys_random());
	(void)snprintf(pattern, sizeof(pattern), "%s.*.*", t->inbox);
	t->sub = bus_subscribe(t->conf.bus, pattern, NULL, on_msg, t);
	return t->sub != NULL && loop_timer_set(t->conf.loop, &t->timer, t->conf.loop->now_ns) == 0;
}

static struct blob_transfer *open_transfer(const struct blob_conf *conf, bool is_put)
{
	struct blob_transfer *t = mem_alloc(sizeof(*t));
	struct transfer_conf machine = {
		.size = is_put ? conf->size : 0,
		.chunk = LIMIT_BLOB_CHUNK_BYTES,
		.window = LIMIT_BLOB_WINDOW_BYTES,
		.stall_ns = STALL_NS,
		.patience_ns = conf->patience_ns > 0 ? conf->patience_ns : PATIENCE_NS,
	};

	if (t == NULL)
		return NULL;
	t->conf = *conf;
	t->conf.patience_ns = machine.patience_ns;
	t->is_put = is_put;
	t->timer = (struct loop_timer){ .on_due = on_due, .ctx = t };
	blob_sum_init(&t->sum, ARENA_BYTES);
	buf_init(&t->out, LIMIT_MESSAGE_BYTES);
	span_copy(conf->tenant, t->tenant, sizeof(t->tenant));
	span_copy(conf->upload, t->upload, sizeof(t->upload));
	transfer_init(&t->machine, &machine, now_of(t));
	if (open_bus(t))
		return t;
	blob_transfer_free(t);
	return NULL;
}

struct blob_transfer *blob_put(const struct blob_conf *conf)
{
	return open_transfer(conf, true);
}

struct blob_transfer *blob_get(const struct blob_conf *conf)
{
	return open_transfer(conf, false);
}

void blob_transfer_free(struct blob_transfer *t)
{
	if (t == NULL)
		return;
	loop_timer_stop(t->conf.loop, &t->timer);
	bus_unsubscribe(t->conf.bus, t->sub);
	blob_sum_done(&t->sum);
	buf_done(&t->out);
	mem_free(t);
}

uint64_t blob_transfer_done(const struct blob_transfer *t)
{
	return t->machine.acked;
}

uint64_t blob_transfer_size(const struct blob_transfer *t)
{
	return t->machine.conf.size;
}
