/* SPDX-License-Identifier: Apache-2.0
 *
 * core_report: what the backend reports, as events of the machine; a large result goes to the store first.
 */
#include "base/limits.h"
#include "node/core_inside.h"

static void report(struct node *n, enum worker_event_kind kind, struct ulid task, uint32_t attempt,
	const struct fail *why)
{
	core_step(n, &(struct worker_event){
			     .kind = kind,
			     .task = task,
			     .attempt = attempt,
			     .fail = why,
		     });
}

/* The backend has ended it: its input is needed no more. */
static void drop_input(struct node *n, struct ulid task, uint32_t attempt)
{
	if (n->hauls != NULL)
		hauls_drop(n->hauls, task, attempt);
}

void core_on_out(void *ctx, const struct worker_event *done, const struct fail *why)
{
	if (why->code == 0)
		core_step(ctx, done);
	else
		report(ctx, WORKER_FAILED, done->task, done->attempt, why);
}

static bool is_plan(const struct node *n, uint32_t tag)
{
	return tag != TYPICAL_NONE &&
	       span_is(span_of(n->typical.rows[tag].kind, n->typical.rows[tag].kind_len),
		       "task.split");
}

/* As it is. */
static void send_small(struct node *n, const struct worker_event *done, struct span body)
{
	struct worker_event e = *done;

	e.body = body;
	core_step(n, &e);
}

/* A result that is larger than it is to be in a message; what is on its way already is not begun anew. */
static void send_large(struct node *n, const struct worker_event *done, struct buf *body)
{
	struct fail why = { 0 };
	struct worker_about about;
	int r;

	if (!worker_about(n->worker, done->task, done->attempt, &about))
		return;
	if (n->hauls == NULL)
		r = fail_set(&why, ERR_TOO_BIG, "body", LIMIT_BODY_BYTES,
			"the result has %zu bytes, at most %d go", body->len, LIMIT_BODY_BYTES);
	else
		r = hauls_out(n->hauls, done, &about, is_plan(n, about.tag), body, &why);
	if (r > 0)
		send_small(n, done, buf_span(body));
	else if (r == 0)
		node_progress(n, done->task, done->attempt, 1000, "storing the result");
	else
		report(n, WORKER_FAILED, done->task, done->attempt, &why);
}

static void send_copy(struct node *n, const struct worker_event *done)
{
	CLEANUP(buf_done) struct buf copy = { 0 };
	struct fail why = { 0 };

	buf_init(&copy, done->body.len);
	buf_add(&copy, done->body);
	if (buf_err(&copy) == 0) {
		send_large(n, done, &copy);
		return;
	}
	fail_set(&why, ERR_NO_MEMORY, NULL, 0, NULL);
	report(n, WORKER_FAILED, done->task, done->attempt, &why);
}

/* Does a result go into a message as it is? */
static bool is_small(const struct node *n, const struct worker_event *done, size_t bytes)
{
	struct worker_about about;

	if (bytes > LIMIT_BODY_BYTES)
		return false;
	return n->hauls == NULL || bytes <= LIMIT_PART_BYTES ||
	       !worker_about(n->worker, done->task, done->attempt, &about) ||
	       about.inline_bytes == 0 || bytes <= about.inline_bytes;
}

static void report_done(struct node *n, const struct worker_event *done)
{
	drop_input(n, done->task, done->attempt);
	if (is_small(n, done, done->body.len))
		core_step(n, done);
	else
		send_copy(n, done);
}

void node_done(struct node *n, struct ulid task, uint32_t attempt, struct span body)
{
	report_done(n, &(struct worker_event){
			       .kind = WORKER_DONE,
			       .task = task,
			       .attempt = attempt,
			       .body = body,
		       });
}

void node_done_before(struct node *n, struct ulid task, uint32_t attempt, struct span body,
	int64_t age_ms)
{
	report_done(n, &(struct worker_event){
			       .kind = WORKER_DONE,
			       .task = task,
			       .attempt = attempt,
			       .body = body,
			       .cache_hit = true,
			       .cache_age_ms = age_ms,
		       });
}

void node_done_used(struct node *n, struct ulid task, uint32_t attempt, struct span body,
	const struct usage *usage, const char *note)
{
	report_done(n, &(struct worker_event){
			       .kind = WORKER_DONE,
			       .task = task,
			       .attempt = attempt,
			       .body = body,
			       .usage = *usage,
			       .note = span_str(note),
		       });
}

void node_done_buf(struct node *n, struct ulid task, uint32_t attempt, struct buf *body)
{
	const struct worker_event done = {
		.kind = WORKER_DONE,
		.task = task,
		.attempt = attempt,
		.body = buf_span(body),
	};

	drop_input(n, task, attempt);
	if (is_small(n, &done, body->len))
		core_step(n, &done);
	else
		send_large(n, &done, body);
}

void node_count_cache(struct node *n, const struct cache_stats *stats)
{
	n->metrics.cache = *stats;
}

void node_failed(struct node *n, struct ulid task, uint32_t attempt, const struct fail *why)
{
	drop_input(n, task, attempt);
	report(n, WORKER_FAILED, task, attempt, why);
}

size_t node_result_max(const struct node *n)
{
	return n->hauls == NULL ? LIMIT_BODY_BYTES : n->conf.blob_bytes;
}

void node_progress(struct node *n, struct ulid task, uint32_t attempt, uint32_t permille,
	const char *note)
{
	struct fail cut = {
		0
	}; /* a note in a foreign language or with odd bytes is made fit to send */

	fail_set(&cut, ERR_BUG, NULL, 0, "%s", note == NULL ? "" : note);
	core_step(n, &(struct worker_event){
			     .kind = WORKER_PROGRESS,
			     .task = task,
			     .attempt = attempt,
			     .permille = permille,
			     .note = span_str(cut.detail),
		     });
}

void node_chunk(struct node *n, struct ulid task, uint32_t attempt, struct span data)
{
	while (data.len > 0) {
		struct span piece = span_part(data, 0, LIMIT_BODY_BYTES);

		core_step(n, &(struct worker_event){
				     .kind = WORKER_CHUNK,
				     .task = task,
				     .attempt = attempt,
				     .body = piece,
			     });
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
