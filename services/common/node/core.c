/* SPDX-License-Identifier: Apache-2.0
 *
 * core: orders in, machine, actions out.
 */
#include "node/core_state.h"

#include "base/fmt.h"
#include "base/mem.h"
#include "node/job.h"
#include "run/log.h"

/* Ceilings of the arenas. A message of LIMIT_MESSAGE_BYTES full of the smallest orders decodes to about ten
 * times its size. */
#define MESSAGE_ARENA_BYTES ((size_t)16 << 20)
#define JOB_ARENA_BYTES ((size_t)4 << 20)
#define OFFER_ARENA_BYTES ((size_t)1 << 20)

const struct metric_row node_metric_rows[] = {
#define ROW(name_, type_, unit_, help_)                                                            \
	{                                                                                          \
#name_, type_, offsetof(struct node_metrics, name_), unit_, help_                  \
	}
	ROW(orders, METRIC_COUNTER, "", "messages of orders that came"),
	ROW(started, METRIC_COUNTER, "", "attempts that the backend took"),
	ROW(done, METRIC_COUNTER, "", "attempts that ended with a result"),
	ROW(failed, METRIC_COUNTER, "", "attempts that ended with an error"),
	ROW(refused, METRIC_COUNTER, "", "orders that were refused"),
	ROW(malformed, METRIC_COUNTER, "", "messages and items that could not be read"),
	ROW(unsent, METRIC_COUNTER, "", "reports and messages that could not be sent"),
	ROW(running, METRIC_GAUGE, "", "attempts that run now"),
	ROW(run_us, METRIC_HIST, "us", "how long attempts took that ended with a result"),
#undef ROW
	{ 0 },
};

/* Actions of the machine. */

void core_send(struct node *n, const struct up *up, size_t room)
{
	struct buf *b = outbox_put(n->outbox, n->up_subject, room);

	if (b != NULL)
		ups_put(b, up);
	if (b == NULL || outbox_put_end(n->outbox, b) < 0)
		n->metrics.unsent++;
}

static void count_end(struct node *n, const struct worker_action *a)
{
	n->metrics.failed += a->up.kind == UP_FAILED;
	n->metrics.refused += a->up.kind == UP_REFUSE;
	if (a->up.kind != UP_DONE)
		return;
	n->metrics.done++;
	hist_add(&n->metrics.run_us, a->up.run_us);
	typical_add(&n->typical, a->tag, a->up.run_us);
}

static void perform_send(struct node *n, const struct worker_action *a)
{
	count_end(n, a);
	core_send(n, &a->up, UP_ROOM + a->up.body.len + a->up.data.len + a->up.note.len);
}

static void perform_start(struct node *n, const struct worker_action *a)
{
	const struct down *d = a->down;
	struct worker_event e = { .kind = WORKER_STARTED, .task = d->task, .attempt = d->attempt };
	struct fail why = { 0 };
	struct job job;
	int r;

	arena_reset(&n->job);
	r = job_open(&n->job, d, &job, &why);
	if (r == 0)
		r = n->conf.ops->start(n->conf.self, &job, &why);
	if (r < 0) {
		if (why.code == 0)
			fail_set(&why, r, NULL, 0, NULL);
		e.kind = WORKER_REFUSED;
		e.fail = &why;
	}
	n->metrics.started += r == 0;
	core_step(n, &e);
}

static void perform_offer(struct node *n, const struct worker_action *a)
{
	core_offer(n, a->seq);
}

static void perform_kill(struct node *n, const struct worker_action *a)
{
	n->conf.ops->cancel(n->conf.self, a->task, a->attempt);
}

static void perform_leave(struct node *n, const struct worker_action *a)
{
	(void)a;
	n->left = true;
}

void core_step(struct node *n, const struct worker_event *e)
{
	static void (*const perform[])(struct node * n, const struct worker_action *a) = {
		[WORKER_SEND] = perform_send,
		[WORKER_OFFER] = perform_offer,
		[WORKER_START] = perform_start,
		[WORKER_KILL] = perform_kill,
		[WORKER_LEAVE] = perform_leave,
	};
	struct worker_actions actions;

	CHECK(e->fail == NULL || e->fail->code < 0);
	worker_step(n->worker, node_now(n), e, &actions);
	for (unsigned i = 0; i < actions.n; i++)
		perform[actions.at[i].kind](n, &actions.at[i]);
	n->metrics.running = worker_running(n->worker);
}

/* Orders of the router. */

static void order(struct node *n, const struct down *d)
{
	static const enum worker_event_kind kinds[] = {
		[DOWN_ASSIGN] = WORKER_ASSIGN,
		[DOWN_CANCEL] = WORKER_CANCEL,
		[DOWN_DRAIN] = WORKER_DRAIN,
		[DOWN_PING] = WORKER_PING,
	};
	struct worker_event e = { .down = d, .tag = TYPICAL_NONE };

	if (d->kind == DOWN_NONE) {
		n->metrics.malformed++;
		return;
	}
	e.kind = kinds[d->kind];
	if (d->kind == DOWN_ASSIGN)
		e.tag = typical_find(&n->typical, d->task_kind);
	core_step(n, &e);
}

/* The orders in a message; none if it cannot be read. */
static size_t read_orders(struct node *n, const struct bus_msg *m, struct down **ret)
{
	struct fail why = { 0 };
	size_t downs_n = 0;

	n->metrics.orders++;
	arena_reset(&n->message);
	if (downs_decode(&n->message, m->data, ret, &downs_n, &why) == 0)
		return downs_n;
	n->metrics.malformed++;
	log_warn("an order cannot be read", "subject", LOG_SPAN(m->subject), "bytes",
		LOG_INT(m->data.len), "error", LOG_ERR(why.code), "detail", LOG_STR(why.detail));
	return 0;
}

static void on_down(void *ctx, const struct bus_msg *m)
{
	struct node *n = ctx;
	struct down *downs = NULL;
	size_t downs_n = read_orders(n, m, &downs);

	for (size_t i = 0; i < downs_n; i++)
		order(n, &downs[i]);
}

/* To every node: a question or a drain. An attempt belongs to one node. */
static void on_down_all(void *ctx, const struct bus_msg *m)
{
	struct node *n = ctx;
	struct down *downs = NULL;
	size_t downs_n = read_orders(n, m, &downs);

	for (size_t i = 0; i < downs_n; i++) {
		if (downs[i].kind == DOWN_ASSIGN || downs[i].kind == DOWN_CANCEL)
			n->metrics.malformed++;
		else
			order(n, &downs[i]);
	}
}

/* Open, turn, close. */

static int subscribe(struct node *n)
{
	static void (*const handlers[])(
		void *ctx, const struct bus_msg *m) = { on_down, on_down_all };
	const char *names[] = { n->name, "all" };
	char subject[SUBJECT_BYTES];

	for (unsigned i = 0; i < ARRAY_LEN(n->subs); i++) {
		int r = subject_build(
			SUBJECT_DOWN, span_str(names[i]), (struct span){ 0 }, subject);

		if (r < 0)
			return r;
		n->subs[i] = bus_subscribe(n->conf.bus, subject, NULL, handlers[i], n);
		if (n->subs[i] == NULL)
			return ERR_IO;
	}
	return subject_build(SUBJECT_UP, span_str(n->name), (struct span){ 0 }, n->up_subject);
}

static int open_parts(struct node *n, struct fail *why)
{
	struct worker_conf conf = {
		.slots_max = n->conf.slots_max,
		.offer_every_ns = n->conf.offer_every_ns,
		.drain_ns = n->conf.drain_ns,
		.incarnation = n->conf.incarnation,
	};
	int r;

	n->worker = worker_new(&conf);
	n->outbox = outbox_new(n->conf.bus);
	if (n->worker == NULL || n->outbox == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, "no memory for the node");
	r = subscribe(n);
	if (r < 0)
		return fail_set(why, r, "name", 0, "cannot subscribe to the orders");
	r = n->conf.ops->open(n->conf.self, n, why);
	if (r < 0)
		return r;
	n->opened = true;
	n->changed = true;
	if (n->conf.bus->state == BUS_LOST) /* it is still being connected */
		node_core_bus(n, BUS_LOST);
	return 0;
}

struct node *node_core_open(const struct node_core_conf *conf, struct fail *why)
{
	struct span name = span_str(conf->name);
	struct node *n;

	if (!fmt_is_token(name) || span_is(name, "all")) {
		fail_set(why, ERR_INVALID, "name", LIMIT_TOKEN_BYTES,
			"a node's name is a token, and not \"all\"");
		return NULL;
	}
	n = mem_alloc(sizeof(*n));
	if (n == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	n->conf = *conf;
	span_copy(name, n->name, sizeof(n->name));
	arena_init(&n->message, MESSAGE_ARENA_BYTES);
	arena_init(&n->job, JOB_ARENA_BYTES);
	arena_init(&n->offer, OFFER_ARENA_BYTES);
	if (open_parts(n, why) < 0) {
		node_core_close(n);
		return NULL;
	}
	return n;
}

void node_core_close(struct node *n)
{
	if (n == NULL)
		return;
	if (n->opened) {
		n->conf.ops->close(n->conf.self);
		n->metrics.unsent += outbox_send(n->outbox); /* it may have ended its jobs */
	}
	for (unsigned i = 0; i < ARRAY_LEN(n->subs); i++) {
		if (n->subs[i] != NULL)
			bus_unsubscribe(n->conf.bus, n->subs[i]);
	}
	outbox_free(n->outbox);
	worker_free(n->worker);
	arena_done(&n->message);
	arena_done(&n->job);
	arena_done(&n->offer);
	mem_free(n);
}

void node_core_turn(struct node *n)
{
	if (n->changed)
		core_learn_slots(n);
	while (worker_wake(n->worker) <= node_now(n))
		core_step(n, &(struct worker_event){ .kind = WORKER_TICK });
	n->metrics.unsent += outbox_send(n->outbox);
}

int64_t node_core_wake(const struct node *n)
{
	return n->changed ? INT64_MIN : worker_wake(n->worker);
}

void node_core_bus(struct node *n, enum bus_state state)
{
	core_step(n, &(struct worker_event){
			     .kind = state == BUS_UP ? WORKER_BUS_UP : WORKER_BUS_LOST });
}

void node_core_stop(struct node *n)
{
	core_step(n, &(struct worker_event){ .kind = WORKER_STOP });
}

bool node_core_has_left(const struct node *n)
{
	return n->left;
}

const struct node_metrics *node_core_metrics(const struct node *n)
{
	return &n->metrics;
}
