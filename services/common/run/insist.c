/* SPDX-License-Identifier: Apache-2.0
 *
 * insist: submit, and again.
 */
#include "run/insist.h"

/* Is it worth while, and without harm? Nobody has heard what no router listened to, or what was refused. */
static bool may_repeat(const struct insist *i, const struct fail *why)
{
	if (why->code == 0 || why->code == ERR_CLOSED || !err_row(why->code)->retry)
		return false;
	return why->code != ERR_TIMEOUT || i->submit.key.len > 0;
}

static int64_t next_pause(struct insist *i, const struct fail *why)
{
	int64_t pause_ns = i->pause_ns;

	i->pause_ns = 2 * pause_ns < INSIST_PAUSE_MOST_NS ? 2 * pause_ns : INSIST_PAUSE_MOST_NS;
	if (why->retry_after_ms > pause_ns / NS_PER_MS &&
		why->retry_after_ms < i->patience_ns / NS_PER_MS)
		pause_ns = why->retry_after_ms * NS_PER_MS;
	return pause_ns;
}

static void on_reply(void *ctx, const struct submit_reply *r)
{
	struct insist *i = ctx;

	if (may_repeat(i, &r->fail)) {
		int64_t due_ns = i->loop->now_ns + next_pause(i, &r->fail);

		if (due_ns < i->until_ns && loop_timer_set(i->loop, &i->timer, due_ns) == 0) {
			if (i->on_pause != NULL)
				i->on_pause(i->ctx, &r->fail);
			return;
		}
	}
	i->on_reply(i->ctx, r);
}

static void on_event(void *ctx, const struct event *e)
{
	struct insist *i = ctx;

	i->on_event(i->ctx, e);
}

static int send(struct insist *i)
{
	return client_submit(i->client, &i->submit, on_reply, i->on_event == NULL ? NULL : on_event,
		i);
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct insist *i = ctx;
	struct submit_reply r = { .key = i->submit.key };
	int err = send(i);

	(void)now_ns;
	if (err == 0)
		return;
	fail_set(&r.fail, err, NULL, 0, NULL);
	i->on_reply(i->ctx, &r);
}

int insist_submit(struct insist *i)
{
	CHECK(i->on_reply != NULL);
	i->timer = (struct loop_timer){ .on_due = on_due, .ctx = i };
	i->pause_ns = INSIST_PAUSE_NS;
	i->until_ns = clocks_now(&i->loop->clocks) + i->patience_ns;
	return send(i);
}

void insist_stop(struct insist *i)
{
	if (i->loop != NULL)
		loop_timer_stop(i->loop, &i->timer);
}
