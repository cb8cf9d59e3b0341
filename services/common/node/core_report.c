/* SPDX-License-Identifier: Apache-2.0
 *
 * core_report: what a backend calls: the ends and the progress of its jobs, and what it may ask of its node.
 */
#include "node/core_state.h"

static void report(struct node *n, enum worker_event_kind kind, struct ulid task, uint32_t attempt,
	const struct fail *why)
{
	core_step(n, &(struct worker_event){
			     .kind = kind, .task = task, .attempt = attempt, .fail = why });
}

void node_done(struct node *n, struct ulid task, uint32_t attempt, struct span body)
{
	struct fail why = { 0 };

	if (body.len > LIMIT_BODY_BYTES) {
		fail_set(&why, ERR_TOO_BIG, "body", LIMIT_BODY_BYTES,
			"the result has %zu bytes, at most %d go", body.len, LIMIT_BODY_BYTES);
		report(n, WORKER_FAILED, task, attempt, &why);
		return;
	}
	core_step(n, &(struct worker_event){
			     .kind = WORKER_DONE, .task = task, .attempt = attempt, .body = body });
}

void node_failed(struct node *n, struct ulid task, uint32_t attempt, const struct fail *why)
{
	report(n, WORKER_FAILED, task, attempt, why);
}

void node_progress(
	struct node *n, struct ulid task, uint32_t attempt, uint32_t permille, const char *note)
{
	struct fail cut = { 0 };

	/* its rules for texts make a note fit to send: UTF-8, no control characters, not too long */
	fail_set(&cut, ERR_BUG, NULL, 0, "%s", note == NULL ? "" : note);
	core_step(n, &(struct worker_event){ .kind = WORKER_PROGRESS,
			     .task = task,
			     .attempt = attempt,
			     .permille = permille,
			     .note = span_str(cut.detail) });
}

void node_chunk(struct node *n, struct ulid task, uint32_t attempt, struct span data)
{
	while (data.len > 0) {
		struct span piece = span_part(data, 0, LIMIT_BODY_BYTES);

		core_step(n, &(struct worker_event){ .kind = WORKER_CHUNK,
				     .task = task,
				     .attempt = attempt,
				     .body = piece });
		data = span_part(data, piece.len, data.len);
	}
}

void node_offer_changed(struct node *n)
{
	n->changed = true;
}

struct daemon *node_daemon(struct node *n)
{
	return n->conf.daemon;
}

struct bus *node_bus(struct node *n)
{
	return n->conf.bus;
}

int64_t node_now(struct node *n)
{
	return n->conf.now(n->conf.now_ctx);
}
