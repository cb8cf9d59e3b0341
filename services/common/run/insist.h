/* SPDX-License-Identifier: Apache-2.0
 *
 * insist: a submit that is repeated until it is answered, so that a submitter sees a pause, and no failure, while a
 * router is started again. What may have arrived is repeated only if it has a key, which makes it the same task.
 */
#pragma once
#include "run/client.h"

#define INSIST_PAUSE_NS (100 * NS_PER_MS) /* before the first repeat; doubles up to: */
#define INSIST_PAUSE_MOST_NS (1 * NS_PER_S)

/* The caller's storage; zeroed. Set these, and keep them and what the submit's spans point to until on_reply. */
struct insist {
	struct loop *loop;
	struct client *client;
	struct submit submit;
	int64_t patience_ns;       /* no repeat begins later than this */
	client_reply_fn *on_reply; /* once, with the last answer */
	client_event_fn *on_event; /* or NULL */
	/* It will be tried again, since this happened; or NULL. */
	void (*on_pause)(void *ctx, const struct fail *why);
	void *ctx;
	/* insist's own */
	struct loop_timer timer;
	int64_t until_ns;
	int64_t pause_ns;
};

/* 0, or without any callback what client_submit says. */
int insist_submit(struct insist *i) MUST_USE;
/* No more repeats; a submit that is under way is the client's: close that first. */
void insist_stop(struct insist *i);
