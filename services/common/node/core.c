/* SPDX-License-Identifier: Apache-2.0
 *
 * core: orders in, machine, actions out; offers are built here from what the backend fills in.
 */
#include "node/core.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "node/core_inside.h"
#include "node/job.h"
#include "run/log.h"
#include "version.h"
#include "wire/body_refs.h"
#include "wire/subject.h"

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
	ROW(packed, METRIC_COUNTER, "", "results that were sent packed"),
	ROW(unpacked, METRIC_COUNTER, "", "orders whose bodies came packed"),
	ROW(unsent, METRIC_COUNTER, "", "reports and messages that could not be sent"),
	ROW(tokens_in, METRIC_COUNTER, "",
		"tokens that language models were given, as their APIs count"),
	ROW(tokens_out, METRIC_COUNTER, "", "tokens of their answers"),
	ROW(tokens_saved, METRIC_COUNTER, "",
		"tokens that compressed prompts had before, and not after"),
	ROW(running, METRIC_GAUGE, "", "attempts that run now"),
	ROW(run_us, METRIC_HIST, "us", "how long attempts took that ended with a result"),
#undef ROW
#define ROW(name_, type_, unit_, help_)                                                            \
	{                                                                                          \
		"cache_" #name_, type_, offsetof(struct node_metrics, cache.name_), unit_, help_   \
	}
	ROW(hits, METRIC_COUNTER, "", "requests that the cache answered"),
	ROW(misses, METRIC_COUNTER, "", "requests that it could not answer"),
	ROW(evicted, METRIC_COUNTER, "", "results that made room"),
	ROW(expired, METRIC_COUNTER, "", "results that became too old"),
	ROW(refused, METRIC_COUNTER, "", "results that were too large to keep"),
	ROW(entries, METRIC_GAUGE, "", "results kept now"),
	ROW(bytes, METRIC_GAUGE, "bytes", "that they and the cache's tables take"),
#undef ROW
	{ 0 },
};

/* Offers. */

static int offer_from_backend(struct node *n, struct offer *o)
{
	int r;

	arena_reset(&n->offer);
	*o = (struct offer){ .rung = n->conf.ops->rung };
	r = n->conf.ops->offer(n->conf.self, &n->offer, o);
	if (o->slots > n->conf.slots_max)
		o->slots = n->conf.slots_max;
	return r;
}

/* What the backend left open: how long its kinds take here. */
static void offer_fill_typical(struct node *n, struct offer *o)
{
	for (size_t i = 0; i < o->kinds_n; i++) {
		uint32_t row = typical_row(&n->typical, o->kinds[i].kind);

		if (o->kinds[i].typical_us == 0)
			o->kinds[i].typical_us = typical_us(&n->typical, row);
	}
}

static int offer_fill_running(struct node *n, struct offer *o)
{
	uint32_t running_n = worker_running(n->worker);

	o->running = arena_raw(&n->offer, running_n * sizeof(*o->running));
	if (o->running == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < running_n; i++)
		o->running[i] = worker_running_at(n->worker, i);
	o->running_n = running_n;
	return 0;
}

static size_t offer_room(const struct offer *o)
{
	size_t room = CORE_UP_ROOM + o->device.len + o->running_n * (ULID_TEXT + 16);

	for (size_t i = 0; i < o->kinds_n; i++)
		room += o->kinds[i].kind.len + o->kinds[i].why.len + o->kinds[i].model.len + 48;
	return room;
}

static void send_up(struct node *n, const struct up *up, size_t room)
{
	struct buf *b = outbox_put(n->outbox, n->up_subject, room);
	size_t at = b->len;

	ups_put(b, up);
	if (buf_err(b) == 0 && (up->kind == UP_DONE || up->kind == UP_FAILED))
		recent_put(&n->recent, span_of(b->at + at, b->len - at));
	if (outbox_put_end(n->outbox, b) < 0)
		n->metrics.unsent++;
}

/* What ended while nobody listened: a router that was started again asks all nodes, and so does one whose bus is
 * back. It fences what it knows already. Before the offer, which no longer lists these attempts; an end of somebody
 * unknown is no reason to ask again, so this cannot go round. */
static void tell_again(struct node *n)
{
	if (n->told_again || n->left)
		return;
	n->told_again = true;
	for (uint32_t i = 0; i < n->recent.n; i++) {
		struct span end = recent_at(&n->recent, i);
		struct buf *b = outbox_put(n->outbox, n->up_subject, end.len);

		buf_add(b, end);
		if (outbox_put_end(n->outbox, b) < 0)
			n->metrics.unsent++;
	}
}

static void perform_offer(struct node *n, const struct worker_action *a)
{
	struct offer o;
	struct up up = { .kind = UP_OFFER, .offer = &o };

	if (offer_from_backend(n, &o) < 0) {
		n->metrics.unsent++;
		return;
	}
	o.incarnation = n->conf.incarnation;
	o.seq = a->seq;
	o.sent_ms = node_now(n) / NS_PER_MS;
	o.draining = worker_is_draining(n->worker);
	o.version = SPAN_LIT(SPU_VERSION);
	o.pack_bytes = n->conf.packs ? PACK_BYTES : 0;
	offer_fill_typical(n, &o);
	if (o.slots != n->slots)
		n->changed = true; /* the machine has to know, too */
	if (offer_fill_running(n, &o) < 0)
		n->metrics.unsent++;
	else
		send_up(n, &up, offer_room(&o));
}

/* Tell the machine how many slots there are, which makes an offer due. */
static void learn_slots(struct node *n)
{
	struct offer o;
	struct worker_event e = { .kind = WORKER_CHANGED };

	n->changed = false;
	if (offer_from_backend(n, &o) == 0)
		n->slots = o.slots;
	e.slots = n->slots;
	core_step(n, &e);
}

/* Actions of the machine. */

static void count_end(struct node *n, const struct worker_action *a)
{
	n->metrics.failed += a->up.kind == UP_FAILED;
	n->metrics.refused += a->up.kind == UP_REFUSE;
	if (a->up.kind != UP_DONE)
		return;
	n->metrics.done++;
	n->metrics.tokens_in += a->up.usage.tokens_in;
	n->metrics.tokens_out += a->up.usage.tokens_out;
	n->metrics.tokens_saved += a->up.usage.tokens_saved;
	if (a->up.cache_hit) /* it tells nothing about how long the kind takes */
		return;
	hist_add(&n->metrics.run_us, a->up.run_us);
	typical_add(&n->typical, a->tag, a->up.run_us);
}

static void perform_send(struct node *n, const struct worker_action *a)
{
	count_end(n, a);
	if (!core_send_packed(n, &a->up))
		send_up(n, &a->up, CORE_UP_ROOM + a->up.body.len + a->up.data.len + a->up.note.len);
}

/* The backend took it, or it is being fetched; or not. */
static void tell_started(struct node *n, struct ulid task, uint32_t attempt, int r,
	struct fail *why)
{
	struct worker_event e = { .kind = WORKER_STARTED, .task = task, .attempt = attempt };

	if (r < 0) {
		if (why->code == 0)
			fail_set(why, r, NULL, 0, NULL);
		e.kind = WORKER_REFUSED;
		e.fail = why;
	}
	core_step(n, &e);
}

static bool has_references(const struct body *body)
{
	for (size_t i = 0; i < body->items_n; i++)
		if (item_is_blob(&body->items[i]) || span_is(body->items[i].media, BODY_MEDIA))
			return true;
	return false;
}

/* What this node can never hold is an attempt that failed, so that it is tried elsewhere, and not for ever. */
static void fetch_input(struct node *n, const struct down *d, uint64_t bytes)
{
	struct fail why = { 0 };
	int r = 0;

	if (n->hauls == NULL)
		r = fail_set(&why, ERR_UNSUPPORTED, "item", 0, "this node has no store");
	else if (bytes <= n->conf.blob_bytes)
		r = hauls_in(n->hauls, d, bytes, &why);
	tell_started(n, d->task, d->attempt, r, &why);
	if (r < 0)
		return;
	if (bytes <= n->conf.blob_bytes) {
		node_progress(n, d->task, d->attempt, 0, "fetching the input");
		return;
	}
	fail_set(&why, ERR_NO_MEMORY, "blob_bytes", (int64_t)n->conf.blob_bytes,
		"the input has %llu bytes, this node holds at most %llu", (unsigned long long)bytes,
		(unsigned long long)n->conf.blob_bytes);
	node_failed(n, d->task, d->attempt, &why);
}

static void perform_start(struct node *n, const struct worker_action *a)
{
	const struct down *d = a->down;
	struct body_sum sum = { 0 };
	struct fail why = { 0 };
	struct job job;
	int r;

	arena_reset(&n->job);
	r = job_open(&n->job, d, &job, &why);
	if (r == 0 && !n->conf.ops->takes_references && has_references(job.body))
		sum = body_sum(d->body);
	if (sum.refs > 0) {
		fetch_input(n, d, sum.bytes);
		return;
	}
	if (r == 0)
		r = n->conf.ops->start(n->conf.self, &job, &why);
	n->metrics.started += r == 0;
	tell_started(n, d->task, d->attempt, r, &why);
}

static void hold(struct node *n, struct ulid task, uint32_t attempt)
{
	const struct backend_ops *ops = n->conf.ops;
	struct down d = { .kind = DOWN_CANCEL, .task = task, .attempt = attempt };

	if (ops->pause == NULL || ops->pause(n->conf.self, task, attempt) < 0)
		core_step(n, &(struct worker_event){ .kind = WORKER_CANCEL, .down = &d });
}

/* Its input is there. The router was told that it started: what the backend refuses has failed. */
static void on_in(void *ctx, const struct job *job, const struct fail *why)
{
	struct node *n = ctx;
	struct fail refused = { 0 };
	int r;

	if (why->code != 0) {
		node_failed(n, job->task, job->attempt, why);
		return;
	}
	r = n->conf.ops->start(n->conf.self, job, &refused);
	n->metrics.started += r == 0;
	if (r == 0 && worker_is_paused(n->worker, job->task, job->attempt))
		hold(n, job->task, job->attempt);
	if (r == 0)
		return;
	if (refused.code == 0)
		fail_set(&refused, r, NULL, 0, NULL);
	node_failed(n, job->task, job->attempt, &refused);
}

static void perform_kill(struct node *n, const struct worker_action *a)
{
	struct fail why = { 0 };

	if (n->hauls == NULL || !hauls_stop(n->hauls, a->task, a->attempt)) {
		n->conf.ops->cancel(n->conf.self, a->task, a->attempt);
		return;
	}
	fail_set(&why, ERR_CANCELLED, NULL, 0, NULL);
	node_failed(n, a->task, a->attempt, &why);
}

/* What has no input yet is held when it begins. */
static void perform_hold(struct node *n, const struct worker_action *a)
{
	hold(n, a->task, a->attempt);
}

static void perform_go(struct node *n, const struct worker_action *a)
{
	n->conf.ops->resume(n->conf.self, a->task, a->attempt);
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
		[WORKER_HOLD] = perform_hold,
		[WORKER_GO] = perform_go,
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

/* The machine's clock may be wrong, and the router's too: how long there is left they can agree on. */
static void own_deadline(struct node *n, struct down *d)
{
	int64_t now_ms = node_now(n) / INT64_C(1000000);

	if (d->kind == DOWN_ASSIGN && d->left_ms > 0 && d->left_ms < INT64_MAX - now_ms)
		d->deadline_ms = now_ms + d->left_ms;
}

/* It is the backend's business alone. */
static void purge(struct node *n, struct span tenant)
{
	if (n->conf.ops->purge != NULL)
		n->conf.ops->purge(n->conf.self, tenant);
}

static void order(struct node *n, struct down *d)
{
	static const enum worker_event_kind kinds[] = {
		[DOWN_ASSIGN] = WORKER_ASSIGN,
		[DOWN_CANCEL] = WORKER_CANCEL,
		[DOWN_DRAIN] = WORKER_DRAIN,
		[DOWN_PING] = WORKER_PING,
		[DOWN_PAUSE] = WORKER_PAUSE,
		[DOWN_RESUME] = WORKER_RESUME,
		[DOWN_RESEND] = WORKER_RESEND,
	};
	struct worker_event e = { .down = d, .tag = TYPICAL_NONE };

	if (d->kind == DOWN_NONE) {
		n->metrics.malformed++;
		return;
	}
	if (d->kind == DOWN_PURGE) {
		purge(n, d->tenant);
		return;
	}
	if (d->kind == DOWN_PING) /* perhaps of another router */
		n->router_packs = false;
	if (d->kind == DOWN_ASSIGN)
		n->router_packs = d->packs;
	if (d->kind == DOWN_ASSIGN && d->packed && !core_unpack(n, d))
		return;
	own_deadline(n, d);
	e.kind = kinds[d->kind];
	if (d->kind == DOWN_ASSIGN)
		e.tag = typical_find(&n->typical, d->task_kind);
	if (d->kind == DOWN_PING)
		tell_again(n);
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

/* To every node: a question, a drain or a purge. An attempt belongs to one node. */
static void on_down_all(void *ctx, const struct bus_msg *m)
{
	struct node *n = ctx;
	struct down *downs = NULL;
	size_t downs_n = read_orders(n, m, &downs);

	for (size_t i = 0; i < downs_n; i++) {
		if (downs[i].kind == DOWN_DRAIN || downs[i].kind == DOWN_PING ||
			downs[i].kind == DOWN_PURGE)
			order(n, &downs[i]);
		else
			n->metrics.malformed++;
	}
}

/* Open, turn, close. */

static int subscribe(struct node *n)
{
	static void (*const handlers[])(void *ctx, const struct bus_msg *m) = { on_down,
		on_down_all };
	const char *names[] = { n->name, "all" };
	char subject[SUBJECT_BYTES];

	for (unsigned i = 0; i < ARRAY_LEN(n->subs); i++) {
		int r = subject_build(SUBJECT_DOWN, span_str(names[i]), (struct span){ 0 },
			subject);

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
	const struct hauls_conf hauls = {
		.loop = n->conf.loop,
		.bus = n->conf.bus,
		.bytes_max = n->conf.blob_bytes,
		.keep_ns = n->conf.blob_keep_ns,
		.on_in = on_in,
		.on_out = core_on_out,
		.ctx = n,
	};
	int r;

	n->worker = worker_new(&conf);
	n->outbox = outbox_new(n->conf.bus);
	n->hauls = n->conf.loop == NULL ? NULL : hauls_new(&hauls);
	if (n->worker == NULL || n->outbox == NULL ||
		recent_init(&n->recent, n->conf.slots_max) < 0 ||
		(n->conf.loop != NULL && n->hauls == NULL))
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
	packer_init(&n->packer);
	buf_init(&n->end, LIMIT_MESSAGE_BYTES);
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
	hauls_free(n->hauls);
	outbox_free(n->outbox);
	worker_free(n->worker);
	recent_done(&n->recent);
	arena_done(&n->message);
	arena_done(&n->job);
	arena_done(&n->offer);
	packer_done(&n->packer);
	buf_done(&n->end);
	mem_free(n);
}

void node_core_turn(struct node *n)
{
	if (n->changed)
		learn_slots(n);
	if (n->hauls != NULL)
		hauls_turn(n->hauls);
	while (worker_wake(n->worker) <= node_now(n))
		core_step(n, &(struct worker_event){ .kind = WORKER_TICK });
	n->metrics.unsent += outbox_send(n->outbox);
	n->told_again = false;
}

int64_t node_core_wake(const struct node *n)
{
	return n->changed ? INT64_MIN : worker_wake(n->worker);
}

void node_core_bus(struct node *n, enum bus_state state)
{
	if (state == BUS_UP)
		tell_again(n);
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
