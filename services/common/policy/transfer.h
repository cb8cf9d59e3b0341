/* SPDX-License-Identifier: Apache-2.0
 *
 * transfer: the pure machine of one blob on its way, in either direction. It decides what is asked for or sent
 * next, how much may be on its way, when to ask anew how far the other side is, and when to give up. The other
 * side handles pieces in order, so what is known is one number: all before it has arrived.
 *
 * A round is a time without a loss. What belongs to an older round changes nothing.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct transfer_conf {
	uint64_t size;       /* of the whole; 0 until known is allowed */
	uint32_t chunk;      /* pieces begin at its multiples, and end there at the latest */
	uint64_t window;     /* bytes on their way at most; a piece always goes */
	int64_t stall_ns;    /* without an answer for so long something was lost */
	int64_t patience_ns; /* without progress for so long: give up */
};

enum transfer_step {
	TRANSFER_WAIT, /* for an answer, or until transfer_wake */
	TRANSFER_ASK,  /* how far is the other side? */
	TRANSFER_MOVE, /* this piece */
	TRANSFER_END,  /* all has arrived */
	TRANSFER_LOST, /* patience is over */
};

struct transfer_piece {
	uint64_t offset;
	uint32_t len;
};

struct transfer {
	struct transfer_conf conf;
	bool is_open;  /* the other side said how far it is, in this round */
	bool is_asked; /* it was asked */
	uint32_t round;
	uint64_t next;       /* first byte that was not moved in this round */
	uint64_t acked;      /* all before has arrived */
	uint64_t window;     /* the smaller of both sides' */
	int64_t answer_ns;   /* of the last sign of life, or of asking */
	int64_t progress_ns; /* when the last new byte arrived */
	int64_t ask_ns;      /* not before */
	int64_t backoff_ns;
};

void transfer_init(struct transfer *t, const struct transfer_conf *conf, int64_t now_ns);
/* What to do now; call again until it says WAIT, END or LOST. *ret is set for MOVE. */
enum transfer_step transfer_step(struct transfer *t, int64_t now_ns, struct transfer_piece *ret);
/* The answer to ASK: so much is there, of so much, and the other side's window (0: any). ERR_INVALID (of what
 * cannot be: more than the whole). */
int transfer_opened(struct transfer *t, int64_t now_ns, uint32_t round, uint64_t have,
	uint64_t size, uint64_t window) MUST_USE;
/* All before upto has arrived. ERR_INVALID: it was never moved. */
int transfer_acked(struct transfer *t, int64_t now_ns, uint32_t round, uint64_t upto) MUST_USE;
/* Something of this round was lost or refused for now: ask anew, after a while. */
void transfer_broke(struct transfer *t, int64_t now_ns, uint32_t round);
/* When transfer_step has news though nothing arrives. */
int64_t transfer_wake(const struct transfer *t);
