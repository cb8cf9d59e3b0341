/* SPDX-License-Identifier: Apache-2.0
 *
 * node: a daemon around the core: its turns, its timer, its signals.
 */
#include "node/node.h"

#include "base/limits.h"
#include "node/core.h"
#include "run/daemon.h"
#include "run/log.h"
#include "run/pack.h"
#include "wire/subject.h"

#define NS_PER_MS INT64_C(1000000)
#define LEAVE_NS                                                                                   \
	(5000 * NS_PER_MS) /* for attempts to end that were killed when the drain was over */

const struct conf_row node_rows[] = { NODE_ROWS("5s") };

struct process {
	struct daemon daemon;
	struct node *node; /* NULL while it is being opened */
	struct loop_timer wake;
	int64_t wake_ns; /* what the timer is set to */
	bool leaving;
	char orders[SUBJECT_BYTES];
	struct daemon_endpoint endpoints[2];
};

/* Being woken is enough: the work is done at the turn's end. */
static void on_wake(void *ctx, int64_t now_ns)
{
	struct process *p = ctx;

	(void)now_ns;
	p->wake_ns = INT64_MAX;
}

static void set_timer(struct process *p)
{
	int64_t due_ns = node_core_wake(p->node);

	if (due_ns == p->wake_ns)
		return;
	p->wake_ns = due_ns;
	if (due_ns == INT64_MAX)
		loop_timer_stop(&p->daemon.loop, &p->wake);
	else if (loop_timer_set(&p->daemon.loop, &p->wake, due_ns < 0 ? 0 : due_ns) < 0)
		p->wake_ns =
			INT64_MAX; /* every timer is taken: the 10 Hz turn comes anyway and tries again */
}

static void on_turn(void *ctx, int64_t now_ns)
{
	struct process *p = ctx;

	(void)now_ns;
	if (p->node == NULL)
		return;
	node_core_turn(p->node);
	set_timer(p);
	if (node_core_has_left(p->node) && !p->leaving) {
		p->leaving = true;
		daemon_leave(&p->daemon);
	}
}

static void on_bus(void *ctx, enum bus_state state)
{
	struct process *p = ctx;

	if (p->node != NULL)
		node_core_bus(p->node, state);
}

static void on_stop(void *ctx, int64_t now_ns)
{
	struct process *p = ctx;

	(void)now_ns;
	if (p->node != NULL)
		node_core_stop(p->node);
	else
		daemon_leave(&p->daemon);
}

static int64_t loop_now(void *ctx)
{
	const struct process *p = ctx;

	return clocks_now(&p->daemon.loop.clocks);
}

/* What service discovery shows of the node. */
static void publish_self(struct process *p)
{
	const struct node_metrics *m = node_core_metrics(p->node);

	p->daemon.metrics = (struct metric_set){ p->daemon.program, node_metric_rows, m };
	if (subject_build(SUBJECT_DOWN, span_str(p->daemon.name), (struct span){ 0 }, p->orders) <
		0)
		return; /* it was good enough to subscribe to */
	p->endpoints[0] =
		(struct daemon_endpoint){ "orders", p->orders, "", &m->orders, &m->malformed };
	p->daemon.endpoints = p->endpoints;
}

static int serve(struct process *p, const struct node_conf *conf, const struct backend_ops *ops,
	void *self)
{
	struct fail why = { 0 };
	struct node_core_conf core = {
		.bus = p->daemon.bus,
		.name = p->daemon.name,
		.incarnation = p->daemon.incarnation,
		.slots_max = LIMIT_OFFER_SLOTS,
		.offer_every_ns = conf->offer_every_ns,
		.drain_ns = conf->drain_ns,
		.now = loop_now,
		.now_ctx = p,
		.loop = &p->daemon.loop,
		.blob_bytes = (uint64_t)conf->blob_bytes,
		.blob_keep_ns = conf->blob_keep_ns,
		.packs = conf->pack == PACK_ALWAYS ||
			 (conf->pack == PACK_AUTO && !pack_is_near(conf->base.url)),
		.ops = ops,
		.self = self,
		.daemon = &p->daemon,
	};
	int status;

	p->node = node_core_open(&core, &why);
	if (p->node == NULL) {
		log_error("the node cannot be opened", "backend", LOG_STR(ops->name), "error",
			LOG_ERR(why.code), "field", LOG_STR(why.field), "detail",
			LOG_STR(why.detail));
		return err_row(why.code)->exit;
	}
	publish_self(p);
	p->daemon.drain_ns = conf->drain_ns + LEAVE_NS;
	status = daemon_run(&p->daemon);
	p->daemon.metrics = (struct metric_set){ 0 };
	p->daemon.endpoints = NULL;
	node_core_close(p->node);
	p->node = NULL;
	return status;
}

int node_main(const char *program, const struct node_conf *conf, const struct backend_ops *ops,
	void *self)
{
	struct process p = { .wake = { .on_due = on_wake, .ctx = &p }, .wake_ns = INT64_MAX };
	struct daemon_hooks hooks = {
		.on_turn = on_turn,
		.on_bus = on_bus,
		.on_stop = on_stop,
		.ctx = &p,
	};
	int status, r;

	r = daemon_open(&p.daemon, program, &conf->base, &hooks);
	if (r < 0)
		return err_row(r)->exit;
	status = serve(&p, conf, ops, self);
	daemon_close(&p.daemon);
	return status;
}
