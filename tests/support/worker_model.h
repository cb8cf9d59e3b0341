/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_model: bytes as events of a router, a backend and a bus to a worker machine, and what must hold
 * after each: an attempt runs once and ends once, nothing is told of an attempt that is not held, the
 * sequence of offers grows, and a machine that was told to stop leaves as soon as nothing is held. In a
 * header since fuzz targets link no support objects.
 */
#pragma once
#include "base/check.h"
#include "node/worker.h"

#define MODEL_TASKS 8u
#define MODEL_ATTEMPTS 4u
#define MODEL_SLOTS 6u

struct model_attempt {
	bool held;    /* by the backend */
	bool started; /* at any time */
	bool killed;
	bool paused;
	bool accepted;
	bool ending;     /* its end is being stepped */
	bool told;       /* how it ended */
	uint64_t chunks; /* the highest that was sent */
	uint64_t given;  /* by the backend */
};

struct model {
	struct worker *w;
	struct span bytes; /* those not yet used */
	int64_t now_ns;
	struct model_attempt attempts[MODEL_TASKS][MODEL_ATTEMPTS];
	uint32_t held;
	uint64_t seq;
	uint32_t slots;
	bool bus_up, stopped, left, said_bye;
	unsigned depth; /* of steps within steps */
};

static unsigned model_byte(struct model *m)
{
	unsigned byte;

	if (m->bytes.len == 0)
		return 0;
	byte = m->bytes.at[0];
	m->bytes = span_part(m->bytes, 1, m->bytes.len);
	return byte;
}

/* Every second id has the hash of the one before it: the map must compare the ids themselves. */
static struct ulid model_task(unsigned i)
{
	const uint64_t inverse =
		UINT64_C(0xF1DE83E19937733D); /* of ulid_hash's factor, modulo 2^64 */
	struct ulid id = { .hi = UINT64_C(0x0190000000000000) + i / 2, .lo = 7 };

	if (i % 2 == 1) {
		uint64_t hash = ulid_hash(id);

		id.lo = 8;
		id.hi = (hash ^ id.lo) * inverse;
		CHECK(ulid_hash(id) == hash);
	}
	return id;
}

static struct model_attempt *model_find(struct model *m, struct ulid task, uint32_t attempt)
{
	for (unsigned i = 0; i < MODEL_TASKS; i++) {
		if (ulid_eq(model_task(i), task) && attempt >= 1 && attempt <= MODEL_ATTEMPTS)
			return &m->attempts[i][attempt - 1];
	}
	CHECK(!"an attempt that nobody assigned");
	return NULL;
}

static void model_step(struct model *m, const struct worker_event *e);

/* The backend ends an attempt: held or not, once or again. */
static void model_end(struct model *m, enum worker_event_kind kind, struct ulid task,
	uint32_t attempt)
{
	struct model_attempt *a = model_find(m, task, attempt);
	struct fail why = { .code = ERR_DEVICE };
	bool was_held = a->held;

	a->ending = was_held;
	a->held = false;
	m->held -= was_held;
	model_step(m, &(struct worker_event){
			      .kind = kind,
			      .task = task,
			      .attempt = attempt,
			      .fail = &why,
		      });
	a->ending = false;
	CHECK(!worker_has(m->w, task, attempt));
}

static void model_start(struct model *m, const struct down *d)
{
	struct model_attempt *a = model_find(m, d->task, d->attempt);
	struct worker_event e = { .kind = WORKER_STARTED, .task = d->task, .attempt = d->attempt };

	CHECK(!a->held && !a->started && !m->stopped && !m->left);
	a->held = true;
	a->started = true;
	m->held++;
	switch (model_byte(m) % 4) {
	case 0:
		model_end(m, WORKER_REFUSED, d->task, d->attempt);
		return;
	case 1:
		model_end(m, WORKER_DONE, d->task, d->attempt);
		break;
	}
	model_step(m, &e);
	CHECK(!a->held || a->killed || a->accepted);
}

static void model_kill(struct model *m, const struct worker_action *k)
{
	struct model_attempt *a = model_find(m, k->task, k->attempt);

	CHECK(a->held && !a->killed);
	a->killed = true;
	if (model_byte(m) % 2 == 0)
		model_end(m, WORKER_FAILED, k->task, k->attempt);
}

/* Every fourth backend cannot. */
static void model_hold(struct model *m, const struct worker_action *h)
{
	struct model_attempt *a = model_find(m, h->task, h->attempt);
	struct down d = { .kind = DOWN_CANCEL, .task = h->task, .attempt = h->attempt };

	CHECK(a->held && !a->killed && !a->paused);
	a->paused = true;
	if (model_byte(m) % 4 == 3)
		model_step(m, &(struct worker_event){ .kind = WORKER_CANCEL, .down = &d });
}

static void model_go(struct model *m, const struct worker_action *g)
{
	struct model_attempt *a = model_find(m, g->task, g->attempt);

	CHECK(a->held && !a->killed && a->paused);
	a->paused = false;
}

static void model_sent(struct model *m, const struct up *up)
{
	struct model_attempt *a;

	if (up->kind == UP_BYE) {
		CHECK(m->held == 0 && !m->said_bye);
		m->said_bye = true;
		return;
	}
	a = model_find(m, up->task, up->attempt);
	switch (up->kind) {
	case UP_ACCEPT:
		CHECK(a->held && !a->killed);
		a->accepted = true;
		return;
	case UP_PROGRESS:
		CHECK(a->held && a->accepted && !a->killed);
		return;
	case UP_CHUNK: /* sent again of one that ended, too */
		CHECK(a->accepted && !a->killed && (a->held || up->chunk_seq <= a->chunks));
		CHECK(up->chunk_seq >= 1 && up->chunk_seq <= a->chunks + 1);
		CHECK(up->chunk_oldest <= up->chunk_seq);
		CHECK(up->data.len == 1 && up->data.at[0] == (unsigned char)up->chunk_seq);
		if (up->chunk_seq > a->chunks)
			a->chunks = up->chunk_seq;
		return;
	case UP_REFUSE:
		CHECK(a->ending || !a->started);
		CHECK(!a->accepted && up->fail.code < 0);
		a->told = a->ending;
		return;
	default:
		CHECK(up->kind == UP_DONE || up->kind == UP_FAILED);
		CHECK(a->ending && !a->told && up->run_us >= 0);
		CHECK(up->kind == UP_DONE || up->fail.code < 0);
		a->told = true;
	}
}

static void model_perform(struct model *m, const struct worker_action *a)
{
	switch (a->kind) {
	case WORKER_SEND:
		model_sent(m, &a->up);
		return;
	case WORKER_OFFER:
		CHECK(a->seq > m->seq && m->bus_up && !m->left);
		m->seq = a->seq;
		return;
	case WORKER_START:
		model_start(m, a->down);
		return;
	case WORKER_KILL:
		model_kill(m, a);
		return;
	case WORKER_HOLD:
		model_hold(m, a);
		return;
	case WORKER_GO:
		model_go(m, a);
		return;
	case WORKER_LEAVE:
		CHECK(m->held == 0 && m->stopped && m->said_bye && !m->left);
		m->left = true;
		return;
	}
	CHECK(!"an action of no kind");
}

static void model_holds(struct model *m)
{
	uint32_t running = worker_running(m->w);

	CHECK(worker_held(m->w) == m->held);
	CHECK(running <= m->held && running <= MODEL_SLOTS);
	CHECK(worker_seq(m->w) == m->seq);
	for (uint32_t i = 0; i < running; i++) {
		struct attempt_ref r = worker_running_at(m->w, i);

		CHECK(model_find(m, r.task, r.attempt)->held);
		CHECK(model_find(m, r.task, r.attempt)->paused == r.paused);
		for (uint32_t k = 0; k < i; k++)
			CHECK(!ulid_eq(worker_running_at(m->w, k).task, r.task));
	}
	CHECK(!m->stopped || m->held > 0 || m->left);
}

static void model_step(struct model *m, const struct worker_event *e)
{
	struct worker_actions actions;

	m->depth++;
	worker_step(m->w, m->now_ns, e, &actions);
	CHECK(actions.n <= WORKER_ACTIONS);
	for (unsigned i = 0; i < actions.n; i++)
		model_perform(m, &actions.at[i]);
	m->depth--;
	if (m->depth == 0)
		model_holds(m);
}

/* All that is due, as a driver would do it. */
static void model_tick(struct model *m)
{
	for (unsigned i = 0; worker_wake(m->w) <= m->now_ns; i++) {
		CHECK(i < 100);
		model_step(m, &(struct worker_event){ .kind = WORKER_TICK });
	}
}

static void model_order(struct model *m, unsigned kind, unsigned which)
{
	static const enum worker_event_kind events[] = { WORKER_ASSIGN, WORKER_ASSIGN,
		WORKER_CANCEL, WORKER_DRAIN, WORKER_PAUSE, WORKER_RESUME };
	static const enum down_kind kinds[] = { DOWN_ASSIGN, DOWN_ASSIGN, DOWN_CANCEL, DOWN_DRAIN,
		DOWN_PAUSE, DOWN_RESUME };
	struct down d = {
		.kind = kinds[kind],
		.task = model_task(which % MODEL_TASKS),
		.attempt = 1 + which / MODEL_TASKS % MODEL_ATTEMPTS,
		.on = which % 4 == 0,
	};

	if (kind < 2) {
		unsigned limits = model_byte(m);

		d.lease_ms = (int64_t)(limits % 16) * 100 - 100;
		if (limits >= 128)
			d.deadline_ms = m->now_ns / 1000000 + (limits % 32) * 50 - 50;
	}
	model_step(m, &(struct worker_event){ .kind = events[kind], .down = &d });
}

static void model_report(struct model *m, unsigned kind, unsigned which)
{
	static const enum worker_event_kind kinds[] = { WORKER_DONE, WORKER_FAILED, WORKER_PROGRESS,
		WORKER_CHUNK };
	struct worker_event e = {
		.kind = kinds[kind],
		.task = model_task(which % MODEL_TASKS),
		.attempt = 1 + which / MODEL_TASKS % MODEL_ATTEMPTS,
		.permille = which,
	};
	struct model_attempt *a = model_find(m, e.task, e.attempt);
	unsigned char number = 0;

	if (e.kind == WORKER_CHUNK && a->held && !a->killed)
		number = (unsigned char)++a->given;
	e.body = span_of(&number, 1);
	if (kind < 2)
		model_end(m, e.kind, e.task, e.attempt);
	else
		model_step(m, &e);
}

static void model_resend(struct model *m, unsigned which)
{
	struct down d = {
		.kind = DOWN_RESEND,
		.task = model_task(which % MODEL_TASKS),
		.attempt = 1 + which / MODEL_TASKS % MODEL_ATTEMPTS,
		.chunk_seq = model_byte(m) % 8,
	};

	model_step(m, &(struct worker_event){ .kind = WORKER_RESEND, .down = &d });
}

static void model_world(struct model *m, unsigned kind, unsigned arg)
{
	static const enum worker_event_kind kinds[] = { WORKER_PING, WORKER_CHANGED, WORKER_BUS_UP,
		WORKER_BUS_LOST };
	struct worker_event e = { .kind = kinds[kind], .slots = arg % (MODEL_SLOTS + 3) };

	if (e.kind == WORKER_BUS_UP)
		m->bus_up = true;
	model_step(m, &e);
	if (e.kind == WORKER_BUS_LOST)
		m->bus_up = false;
}

static void model_event(struct model *m)
{
	unsigned kind = model_byte(m) % 18, arg = model_byte(m);

	if (kind < 4)
		model_order(m, kind, arg);
	else if (kind < 8)
		model_report(m, kind - 4, arg);
	else if (kind < 12)
		model_world(m, kind - 8, arg);
	else if (kind == 12)
		model_resend(m, arg);
	else if (kind < 15) {
		m->now_ns += (int64_t)arg * 10000000;
		model_tick(m);
	} else if (kind > 15) {
		model_order(m, kind - 12, arg);
	} else if (arg == 0) {
		m->stopped = true;
		model_step(m, &(struct worker_event){ .kind = WORKER_STOP });
	}
}

/* After a stop and the time to drain nothing is left. */
static void model_finish(struct model *m)
{
	m->stopped = true;
	model_step(m, &(struct worker_event){ .kind = WORKER_STOP });
	m->now_ns += INT64_C(60000000000);
	model_tick(m);
	for (unsigned i = 0; i < MODEL_TASKS * MODEL_ATTEMPTS; i++) {
		struct model_attempt *a = &m->attempts[i % MODEL_TASKS][i / MODEL_TASKS];

		CHECK(!a->held || a->killed);
		if (a->held)
			model_end(m, WORKER_FAILED, model_task(i % MODEL_TASKS),
				1 + i / MODEL_TASKS);
	}
	CHECK(m->left && worker_wake(m->w) == INT64_MAX);
}

static void worker_model_run(struct span bytes)
{
	struct model m = { .bytes = bytes, .now_ns = INT64_C(1000000000000), .bus_up = true };
	struct worker_conf conf = {
		.slots_max = MODEL_SLOTS,
		.offer_every_ns = 5000000000,
		.drain_ns = 1000000000,
		.incarnation = 9,
	};

	m.w = worker_new(&conf);
	CHECK(m.w != NULL);
	model_step(&m, &(struct worker_event){ .kind = WORKER_CHANGED, .slots = 4 });
	while (m.bytes.len > 0)
		model_event(&m);
	model_finish(&m);
	worker_free(m.w);
}
