/* SPDX-License-Identifier: Apache-2.0
 *
 * request: ask on a subject and get the answer, or an error when it does not come in time. Every request has
 * a reply subject of its own; the subscriptions behind them are kept, one for as many as were ever open at once.
 */
#pragma once
#include "run/bus.h"
#include "run/loop.h"

struct requests;

/* prefix: such as "_INBOX.<random>", and hard to guess, since whoever knows it can answer; NULL without memory,
 * without a timer or if the bus refuses. At most `max` are open. */
struct requests *requests_new(struct loop *l, struct bus *b, const char *prefix,
	uint32_t max) MUST_USE;
/* Open requests end with ERR_CLOSED. Before the bus is closed; not inside on_reply. NULL is allowed. */
void requests_free(struct requests *r);
/* on_reply is called exactly once: with the answer, or with m = NULL and ERR_TIMEOUT, ERR_NO_NODE (nobody
 * listens) or ERR_CLOSED; from a later turn, or from requests_free. Returns ERR_BUSY beyond the open maximum, or bus_publish's error (then on_reply
 * is not called). */
int requests_send(struct requests *r, const char *subject, struct span data, int64_t timeout_ns,
	void (*on_reply)(void *ctx, int err, const struct bus_msg *m), void *ctx) MUST_USE;
