/* SPDX-License-Identifier: Apache-2.0
 *
 * held: what a router says about tasks of its journal waits here until the journal is safe up to there, so that
 * nothing is acknowledged that may be lost. While one group is written the next one gathers, up to a limit; and where the
 * disk is nearly full, nothing is added. Without
 * a journal (NULL) nothing needs to wait, and nothing may be put here.
 */
#pragma once
#include "router/backlog.h"
#include "router/journal.h"
#include "run/outbox.h"

struct held {
	struct journal *journal; /* borrowed */
	struct outbox *box;      /* what is put here waits */
	uint64_t writing;        /* images appended before the group that is written now ended */
	struct backlog backlog;
};

/* 0 or ERR_NO_MEMORY. */
int held_open(struct held *h, struct bus *bus, struct journal *j,
	const struct backlog_conf *conf) MUST_USE;
/* What waits is dropped. */
void held_close(struct held *h);
/* May a task be added to what waits for its flush? 0, or ERR_BUSY and *why with limit and time. */
int held_admit(const struct held *h, int64_t now_ns, struct fail *why) MUST_USE;
/* May more be put here that nobody must hear? What waits has the journal's own limit of bytes. 0, or ERR_BUSY and *why. */
int held_may_say(const struct held *h, int64_t now_ns, struct fail *why) MUST_USE;
/* Hand the journal a group, if it writes none, and let go what is safe. 0 or the journal's error; messages that could
 * not be sent are added to *unsent. */
int held_turn(struct held *h, int64_t now_ns, uint64_t *unsent) MUST_USE;
/* Make safe what was said, and send it, if that can be. */
void held_last(struct held *h);
