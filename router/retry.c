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

/* Doubling from backoff_ns, with jitter: half of it at least (AWS architecture blog, "Exponential backoff and
 * jitter", 2015: equal jitter). */
static int64_t backoff(const struct retry_conf *conf, const struct retry_case *c)
{
	uint32_t doublings = c->tries - 1;
	int64_t delay = conf->backoff_max_ns;

	if (doublings < 32 && (conf->backoff_ns << doublings) < delay)
		delay = conf->backoff_ns << doublings;
	return delay / 2 + scale(c->draw, delay / 2 + 1);
}

/* A pause that the node asked for can be longer than the task may wait here. */
static struct retry again(const struct retry_conf *conf, const struct retry_case *c,
	int64_t pause_ns)
{
	struct retry ret = { .then = RETRY_RUNG };

	if (c->tries >= conf->attempts_max[c->rung]) {
		ret.reason = "all attempts of this rung are used up";
	} else if (c->asked_ns > c->may_wait_ns) {
		ret.reason = "asked to wait longer than it may on this rung";
	} else {
		ret.then = RETRY_HERE;
		ret.after_ns = pause_ns > c->asked_ns ? pause_ns : c->asked_ns;
	}
	return ret;
}

struct retry retry_after(const struct retry_conf *conf, const struct retry_case *c)
{
	CHECK(c->tries >= 1 && c->rung < RUNGS);
	switch (err_row(c->code)->blame) {
	case BLAME_MOMENT:
		return again(conf, c, backoff(conf, c));
	case BLAME_NODE: /* it is gone: no need to pause before another one is asked */
		return again(conf, c, 0);
	case BLAME_CLASS:
		return (struct retry){ .then = RETRY_RUNG, .reason = "refused by this class" };
	case BLAME_REQUEST:
		break;
	}
	return (struct retry){ .then = RETRY_END };
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
