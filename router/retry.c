/* SPDX-License-Identifier: Apache-2.0
 *
 * retry: the rules. Whom an error blames is in proto/err.def.
 */
#include "router/retry.h"

#include "base/err.h"
#include "base/fmt.h"

#include "base/pure.h"

#define LEAVE_NS (250 * NS_PER_MS) /* a node that refused as busy gets nothing for this long */

/* 0 <= result < n, from one draw: the bias of at most n / 2^64 is of no account here. */
static int64_t scale(uint64_t draw, int64_t n)
{
	return (int64_t)((unsigned __int128)draw * (uint64_t)n >> 64);
}

/* Anything from 0 up to a span that doubles from backoff_ns: full jitter, which spreads those who failed together
 * better than half of a span that is fixed (M. Brooker, "Exponential backoff and jitter", AWS architecture blog,
 * 2015). No pause of ours takes more than half of the time that is left. */
static int64_t backoff(const struct retry_conf *conf, const struct retry_case *c)
{
	uint32_t doublings = c->tries - 1;
	int64_t most_ns = conf->backoff_max_ns;

	if (doublings < 63 && conf->backoff_ns <= most_ns >> doublings)
		most_ns = conf->backoff_ns << doublings;
	if (most_ns > c->left_ns / 2)
		most_ns = c->left_ns / 2;
	return scale(c->draw, most_ns + 1);
}

/* The node asked for a pause, and there is no other one. */
static struct retry asked(const struct retry_case *c, int64_t pause_ns)
{
	bool may = c->asked_ns < c->left_ns && c->asked_ns <= c->may_wait_ns;

	if (!may && c->may_wait_ns < INT64_MAX)
		return (struct retry){ .then = RETRY_RUNG,
			.reason = "asked to wait longer than it may on this rung" };
	return (struct retry){
		.then = RETRY_HERE,
		.after_ns = may && c->asked_ns > pause_ns ? c->asked_ns : pause_ns,
		.reason = may ? "the node asked for a pause"
			      : "the node asked for more time than there is",
	};
}

static struct retry again(const struct retry_conf *conf, const struct retry_case *c,
	int64_t pause_ns, const char *why)
{
	if (retry_counts(c->code) && c->tries >= conf->attempts_max[c->rung])
		return (struct retry){ .then = RETRY_RUNG,
			.reason = "all attempts of this rung are used up" };
	if (c->asked_ns > 0 && !c->others)
		return asked(c, pause_ns);
	return (struct retry){ .then = RETRY_HERE, .after_ns = pause_ns, .reason = why };
}

struct retry retry_after(const struct retry_conf *conf, const struct retry_case *c)
{
	CHECK(c->tries >= 1 && c->rung < RUNGS);
	switch (err_row(c->code)->blame) {
	case BLAME_MOMENT:
		return again(conf, c, backoff(conf, c), "it may pass");
	case BLAME_NODE:
		return again(conf, c, 0, "the node is gone, another one is asked");
	case BLAME_CLASS:
		return (struct retry){ .then = RETRY_RUNG, .reason = "refused by this class" };
	case BLAME_REQUEST:
		break;
	}
	return (struct retry){ .then = RETRY_END, .reason = "it would fail everywhere" };
}

bool retry_counts(int code)
{
	return code != ERR_CLOSED;
}

bool retry_is_free(int code)
{
	return code == ERR_BUSY || code == ERR_CLOSED || code == ERR_NO_MEMORY;
}

int64_t retry_leave_ns(int64_t asked_ns)
{
	return asked_ns > LEAVE_NS ? asked_ns : LEAVE_NS;
}

bool retry_blames_node(int code)
{
	return err_row(code)->retry;
}

enum task_event retry_end(int code)
{
	return err_row(code)->retry ? TASK_EXHAUST : TASK_FAIL;
}
