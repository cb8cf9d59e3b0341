/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_play: the rules of the worker machine as tables: at an instant (ms) something happens, and these are the
 * actions. Attempts are a letter for the task and the attempt's number.
 */
#pragma once
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "node/worker.h"
#include "tests/support/test.h"

#define MS INT64_C(1000000)
#define BEGIN_MS INT64_C(1700000000000)

struct row {
	int64_t at_ms;
	const char *event;
	const char *actions; /* joined by ", " */
};

static struct worker *worker; /* released in teardown, since a failed assert leaves by longjmp */

static inline int teardown(void **state)
{
	(void)state;
	worker_free(worker);
	worker = NULL;
	return 0;
}

static inline void open_worker(uint32_t slots_max)
{
	struct worker_conf conf = {
		.slots_max = slots_max,
		.offer_every_ns = 5000 * MS,
		.drain_ns = 1000 * MS,
		.incarnation = 77,
	};

	worker_free(worker);
	worker = worker_new(&conf);
	assert_non_null(worker);
}

static inline struct ulid task_of(char letter)
{
	return (struct ulid){ .hi = (uint64_t)letter, .lo = (uint64_t)letter * 1000 };
}

static inline void put_action(struct buf *b, const struct worker_action *a)
{
	static const char *const ups[] = {
		[UP_ACCEPT] = "accept",
		[UP_REFUSE] = "refuse",
		[UP_PROGRESS] = "progress",
		[UP_CHUNK] = "chunk",
		[UP_DONE] = "done",
		[UP_FAILED] = "failed",
	};

	if (b->len > 0)
		buf_str(b, ", ");
	switch (a->kind) {
	case WORKER_OFFER:
		buf_fmt(b, "offer %d", (int)a->seq);
		return;
	case WORKER_START:
		buf_fmt(b, "start %c%u", (int)a->down->task.hi, a->down->attempt);
		return;
	case WORKER_KILL:
		buf_fmt(b, "kill %c%u", (int)a->task.hi, a->attempt);
		return;
	case WORKER_HOLD:
		buf_fmt(b, "hold %c%u", (int)a->task.hi, a->attempt);
		return;
	case WORKER_GO:
		buf_fmt(b, "go %c%u", (int)a->task.hi, a->attempt);
		return;
	case WORKER_LEAVE:
		buf_str(b, "leave");
		return;
	case WORKER_SEND:
		break;
	}
	if (a->up.kind == UP_BYE) {
		buf_fmt(b, "bye %d", (int)a->up.incarnation);
		return;
	}
	buf_fmt(b, "%s %c%u", ups[a->up.kind], (int)a->up.task.hi, a->up.attempt);
	if (a->up.kind == UP_CHUNK)
		buf_fmt(b, " %d", (int)a->up.chunk_seq);
	if (a->up.kind == UP_CHUNK && a->up.chunk_oldest != 1)
		buf_fmt(b, " oldest %d", (int)a->up.chunk_oldest);
	if ((a->up.kind == UP_DONE || a->up.kind == UP_FAILED) && a->up.chunk_seq > 0)
		buf_fmt(b, " of %d", (int)a->up.chunk_seq);
	if (a->up.fail.code != 0)
		buf_fmt(b, " %s", err_row(a->up.fail.code)->name);
	if (a->up.kind == UP_DONE && a->up.run_us != 0)
		buf_fmt(b, " %dus", (int)a->up.run_us);
}

static inline int code_of(const char *name)
{
	for (unsigned i = 0; err_at(i) != NULL; i++) {
		if (strcmp(err_at(i)->name, name) == 0)
			return -err_at(i)->wire;
	}
	return 0;
}

/* "assign A1 lease 100 deadline 500", "failed A1 DEVICE", "slots 3", "drain on", "tick" ... */
static inline void read_event(const char *text, struct worker_event *e, struct down *d,
	struct fail *why)
{
	static const struct {
		const char *name;
		enum worker_event_kind kind;
	} verbs[] = {
		{ "assign", WORKER_ASSIGN },
		{ "cancel", WORKER_CANCEL },
		{ "pause", WORKER_PAUSE },
		{ "resume", WORKER_RESUME },
		{ "drain", WORKER_DRAIN },
		{ "ping", WORKER_PING },
		{ "resend", WORKER_RESEND },
		{ "started", WORKER_STARTED },
		{ "refused", WORKER_REFUSED },
		{ "done", WORKER_DONE },
		{ "failed", WORKER_FAILED },
		{ "progress", WORKER_PROGRESS },
		{ "chunk", WORKER_CHUNK },
		{ "slots", WORKER_CHANGED },
		{ "up", WORKER_BUS_UP },
		{ "lost", WORKER_BUS_LOST },
		{ "stop", WORKER_STOP },
		{ "tick", WORKER_TICK },
	};
	char verb[16] = "", word[16] = "", key[2][16] = { "", "" };
	long long value[2] = { 0, 0 };
	unsigned i = 0;

	sscanf(text, "%15s %15s %15s %lld %15s %lld", verb, word, key[0], &value[0], key[1],
		&value[1]);
	while (i < ARRAY_LEN(verbs) && strcmp(verbs[i].name, verb) != 0)
		i++;
	if (i == ARRAY_LEN(verbs))
		fail_msg("no event: %s", text);
	*e = (struct worker_event){ .kind = verbs[i].kind, .down = d, .fail = why };
	e->task = d->task = task_of(word[0]);
	e->attempt = d->attempt = word[0] == 0 ? 0 : (uint32_t)(word[1] - '0');
	e->slots = (uint32_t)(word[0] - '0');
	d->on = strcmp(word, "on") == 0;
	why->code = code_of(key[0]);
	for (i = 0; i < 2; i++) {
		if (strcmp(key[i], "lease") == 0)
			d->lease_ms = value[i];
		if (strcmp(key[i], "from") == 0)
			d->chunk_seq = (uint64_t)value[i];
		if (strcmp(key[i], "deadline") == 0)
			d->deadline_ms = BEGIN_MS + value[i];
	}
}

static inline void play(const struct row *rows, unsigned rows_n)
{
	for (unsigned i = 0; i < rows_n; i++) {
		struct worker_actions actions;
		struct worker_event e;
		struct down d = { 0 };
		struct fail why = { 0 };
		struct buf got;

		read_event(rows[i].event, &e, &d, &why);
		worker_step(worker, (BEGIN_MS + rows[i].at_ms) * MS, &e, &actions);
		buf_init(&got, 4096);
		for (unsigned k = 0; k < actions.n; k++)
			put_action(&got, &actions.at[k]);
		buf_byte(&got, 0);
		if (strcmp((const char *)got.at, rows[i].actions) != 0) {
			print_error("row %u, at %d ms, %s: [%s], not [%s]\n", i, (int)rows[i].at_ms,
				rows[i].event, (const char *)got.at, rows[i].actions);
			buf_done(&got);
			fail();
		}
		buf_done(&got);
	}
}

/* From a machine with two slots that has made its first offer. */
#define PLAY(...)                                                                                  \
	do {                                                                                       \
		static const struct row rows[] = { { 0, "slots 2", "offer 1" }, __VA_ARGS__ };     \
		open_worker(8);                                                                    \
		play(rows, ARRAY_LEN(rows));                                                       \
	} while (0)
