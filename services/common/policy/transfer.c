/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/transfer.h"

#include "base/err.h"
#include "base/pure.h"

#define BACKOFF_FIRST_NS INT64_C(50000000)
#define BACKOFF_MOST_NS INT64_C(1000000000)

void transfer_init(struct transfer *t, const struct transfer_conf *conf, int64_t now_ns)
{
	CHECK(conf->chunk > 0);
	*t = (struct transfer){
		.conf = *conf,
		.window = conf->window,
		.answer_ns = now_ns,
		.progress_ns = now_ns,
		.ask_ns = now_ns,
		.backoff_ns = BACKOFF_FIRST_NS,
	};
}

static bool is_on_its_way(const struct transfer *t)
{
	return t->is_open ? t->next > t->acked : t->is_asked;
}

static struct transfer_piece piece_at(const struct transfer *t)
{
	uint64_t left = t->conf.size - t->next;
	uint32_t room = t->conf.chunk - (uint32_t)(t->next % t->conf.chunk);

	return (struct transfer_piece){ t->next, left < room ? (uint32_t)left : room };
}

enum transfer_step transfer_step(struct transfer *t, int64_t now_ns, struct transfer_piece *ret)
{
	struct transfer_piece piece;

	if (t->is_open && t->acked == t->conf.size)
		return TRANSFER_END;
	if (now_ns - t->progress_ns >= t->conf.patience_ns)
		return TRANSFER_LOST;
	if (is_on_its_way(t) && now_ns - t->answer_ns >= t->conf.stall_ns)
		transfer_broke(t, now_ns, t->round);
	if (!t->is_open) {
		if (t->is_asked || now_ns < t->ask_ns)
			return TRANSFER_WAIT;
		t->is_asked = true;
		t->answer_ns = now_ns;
		return TRANSFER_ASK;
	}
	piece = piece_at(t);
	if (piece.len == 0 || (t->next > t->acked && t->next - t->acked + piece.len > t->window))
		return TRANSFER_WAIT;
	if (t->next == t->acked)
		t->answer_ns = now_ns;
	t->next += piece.len;
	*ret = piece;
	return TRANSFER_MOVE;
}

int transfer_opened(struct transfer *t, int64_t now_ns, uint32_t round, uint64_t have,
	uint64_t size, uint64_t window)
{
	if (round != t->round || t->is_open)
		return 0;
	if (have > size)
		return ERR_INVALID;
	t->is_open = true;
	t->answer_ns = now_ns;
	t->conf.size = size;
	if (have > t->acked)
		t->progress_ns = now_ns;
	t->acked = have;
	t->next = have;
	t->window = window > 0 && window < t->conf.window ? window : t->conf.window;
	return 0;
}

int transfer_acked(struct transfer *t, int64_t now_ns, uint32_t round, uint64_t upto)
{
	if (round != t->round || !t->is_open)
		return 0;
	if (upto > t->next)
		return ERR_INVALID;
	t->answer_ns = now_ns;
	if (upto <= t->acked)
		return 0;
	t->acked = upto;
	t->progress_ns = now_ns;
	t->backoff_ns = BACKOFF_FIRST_NS;
	return 0;
}

void transfer_broke(struct transfer *t, int64_t now_ns, uint32_t round)
{
	if (round != t->round)
		return;
	t->round++;
	t->is_open = false;
	t->is_asked = false;
	t->ask_ns = now_ns + t->backoff_ns;
	t->backoff_ns *= 2;
	if (t->backoff_ns > BACKOFF_MOST_NS)
		t->backoff_ns = BACKOFF_MOST_NS;
}

int64_t transfer_wake(const struct transfer *t)
{
	int64_t end_ns = t->progress_ns + t->conf.patience_ns;
	int64_t next_ns = end_ns;

	if (is_on_its_way(t))
		next_ns = t->answer_ns + t->conf.stall_ns;
	else if (!t->is_open)
		next_ns = t->ask_ns;
	return next_ns < end_ns ? next_ns : end_ns;
}
