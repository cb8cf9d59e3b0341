/* SPDX-License-Identifier: Apache-2.0
 *
 * haul: a record waits, moves, is held (inputs only), and is over; transfers end in turns of the bus, and what follows
 * from that is done in hauls_turn.
 */
#include "node/haul.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "node/job.h"
#include "run/blob.h"
#include "wire/body_refs.h"
#include "wire/plan.h"

#define MOVING_MAX 4u /* a transfer takes about 1 MiB */
#define ARENA_BYTES ((size_t)4 << 20)
#define KEEP_MORE_NS (3600 * NS_PER_S) /* beyond the time for which the router keeps the task */

struct haul {
	struct list link;
	struct hauls *of;
	bool is_out;
	struct ulid task;
	uint32_t attempt;
	char tenant[LIMIT_TOKEN_BYTES + 1];
	struct arena arena;  /* what the pointers below point to */
	struct buf body;     /* in: with all data in its place; out: as it came */
	size_t moved, moves; /* blobs */
	struct blob_transfer *transfer;
	bool has_ended; /* the transfer */
	struct blob_end end;
	/* in */
	struct down order; /* without a body */
	struct body_hole *holes;
	struct job job;
	/* out */
	bool is_plan;
	struct plan plan;
	struct body view;                /* of a plan: all items of its parts */
	struct worker_event done;        /* without its body */
	char note[LIMIT_TEXT_BYTES + 1]; /* of it */
	int64_t keep_until_ns;
	size_t *picked; /* items that go to the store */
	struct blob_hash *hashes;
};

struct hauls {
	struct hauls_conf conf;
	struct list waiting, moving, held, over;
	unsigned moving_n;
	uint64_t bytes; /* of all bodies */
};

static struct haul *haul_of(struct list *l)
{
	return CONTAINER(l, struct haul, link);
}

/* --- records ------------------------------------------------------------------------------------------ */

static struct haul *haul_new(struct hauls *h, struct ulid task, uint32_t attempt,
	struct span tenant)
{
	struct haul *x = mem_alloc(sizeof(*x));

	if (x == NULL)
		return NULL;
	x->of = h;
	x->task = task;
	x->attempt = attempt;
	span_copy(tenant, x->tenant, sizeof(x->tenant));
	list_init(&x->link);
	arena_init(&x->arena, ARENA_BYTES);
	return x;
}

static void haul_free(struct haul *x)
{
	x->of->bytes -= x->body.len;
	list_drop(&x->link);
	blob_transfer_free(x->transfer);
	arena_done(&x->arena);
	buf_done(&x->body);
	mem_free(x);
}

static void haul_move(struct haul *x, struct list *to)
{
	list_drop(&x->link);
	list_push(to, &x->link);
}

static void haul_wait(struct haul *x)
{
	x->of->bytes += x->body.len;
	haul_move(x, &x->of->waiting);
}

static struct haul *find(struct list *in, struct ulid task, uint32_t attempt)
{
	for (struct list *l = in->next; l != in; l = l->next)
		if (haul_of(l)->attempt == attempt && ulid_eq(haul_of(l)->task, task))
			return haul_of(l);
	return NULL;
}

static void free_all(struct list *in)
{
	while (!list_is_empty(in))
		haul_free(haul_of(in->next));
}

/* --- the way in --------------------------------------------------------------------------------------- */

static struct span keep(struct arena *a, struct span s, bool *ret_failed)
{
	char *at = arena_str(a, s);

	*ret_failed |= at == NULL;
	return span_of(at, at == NULL ? 0 : s.len);
}

/* A copy of the order, and its body with holes. */
static bool open_in(struct haul *x, const struct down *d, uint64_t bytes)
{
	bool failed = false;

	x->moves = body_sum(d->body).refs;
	x->order = *d;
	x->order.body = (struct span){ 0 };
	x->order.tenant = keep(&x->arena, d->tenant, &failed);
	x->order.task_kind = keep(&x->arena, d->task_kind, &failed);
	x->holes = arena_alloc(&x->arena, x->moves * sizeof(*x->holes));
	buf_init(&x->body, bytes);
	return !failed && x->holes != NULL && body_expand(&x->body, d->body, x->holes);
}

int hauls_in(struct hauls *h, const struct down *d, uint64_t bytes, struct fail *why)
{
	struct haul *x;

	if (bytes > h->conf.bytes_max || h->bytes > h->conf.bytes_max - bytes)
		return fail_set(why, ERR_BUSY, "blob_bytes", (int64_t)h->conf.bytes_max,
			"the node holds as many bytes of inputs and results as it may");
	x = haul_new(h, d->task, d->attempt, d->tenant);
	if (x == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	if (open_in(x, d, bytes)) {
		haul_wait(x);
		return 0;
	}
	h->bytes += x->body.len; /* haul_free takes them off */
	haul_free(x);
	return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
}

static int on_write(void *ctx, uint64_t offset, struct span data)
{
	struct haul *x = ctx;
	const struct body_hole *hole = &x->holes[x->moved];

	if (data.len > hole->size || offset > hole->size - data.len)
		return ERR_INVALID;
	memcpy(x->body.at + hole->at + offset, data.at, data.len);
	return 0;
}

static void end_in(struct haul *x, struct fail *why)
{
	struct hauls *h = x->of;

	int r = why->code;

	haul_move(x, &h->held);
	x->job.task = x->task;
	x->job.attempt = x->attempt;
	if (r == 0)
		r = job_view(&x->arena, &x->order, buf_span(&x->body), &x->job, why);
	CHECK(r == why->code);
	h->conf.on_in(h->conf.ctx, &x->job, why);
}

/* --- the way out -------------------------------------------------------------------------------------- */

static int view_out(struct haul *x, struct fail *why)
{
	int r;

	if (!x->is_plan)
		return body_view(&x->arena, buf_span(&x->body), &x->view, why);
	r = plan_view(&x->arena, buf_span(&x->body), &x->plan, why);
	x->view = (struct body){ .items = x->plan.items, .items_n = x->plan.items_n };
	return r;
}

/* All that are larger than an equal share: a plan may have more of them than body_pick looks through. */
static bool pick_shares(struct haul *x)
{
	size_t share = LIMIT_BODY_BYTES / 2 / (x->view.items_n + 1), rest = x->body.len;

	for (size_t i = 0; i < x->view.items_n; i++) {
		if (x->view.items[i].data.len <= share)
			continue;
		rest -= x->view.items[i].data.len;
		x->picked[x->moves++] = i;
	}
	return rest + x->moves * REFERENCE_BYTES <= LIMIT_BODY_BYTES;
}

/* 1: what there is to put elsewhere does not help. */
static int open_out(struct haul *x, size_t max, struct fail *why)
{
	int r = view_out(x, why);
	bool fits;

	if (r < 0)
		return r;
	x->picked = arena_alloc(&x->arena, x->view.items_n * sizeof(*x->picked));
	x->hashes = arena_alloc(&x->arena, x->view.items_n * sizeof(*x->hashes));
	if (x->picked == NULL || x->hashes == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	fits = x->is_plan ? pick_shares(x)
			  : body_pick(&x->view, x->body.len, max, x->picked, &x->moves);
	if (fits && x->moves > 0)
		return 0;
	if (x->body.len <= LIMIT_BODY_BYTES)
		return 1;
	return fail_set(why, ERR_TOO_BIG, "body", LIMIT_BODY_BYTES,
		"the result has %zu bytes, and more than %d without its items", x->body.len,
		LIMIT_BODY_BYTES);
}

/* As long as anybody may ask for the task, and then some: clocks differ. */
static int64_t keep_until(const struct hauls *h, const struct worker_about *about)
{
	int64_t from_ns = clocks_now(&h->conf.loop->clocks), keep_ns = h->conf.keep_ns;

	if (about->deadline_ns < INT64_MAX && about->deadline_ns > from_ns)
		from_ns = about->deadline_ns;
	if (about->keep_ns > 0 && about->keep_ns + KEEP_MORE_NS > keep_ns)
		keep_ns = about->keep_ns + KEEP_MORE_NS;
	return keep_ns > INT64_MAX - from_ns ? INT64_MAX : from_ns + keep_ns;
}

int hauls_out(struct hauls *h, const struct worker_event *done, const struct worker_about *about,
	bool is_plan, struct buf *body, struct fail *why)
{
	struct haul *x = haul_new(h, done->task, done->attempt, span_str(about->tenant));
	size_t max = about->inline_bytes == 0 || about->inline_bytes > LIMIT_BODY_BYTES
			     ? LIMIT_BODY_BYTES
			     : about->inline_bytes;
	int r;

	if (x == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	x->is_out = true;
	x->is_plan = is_plan;
	x->done = *done;
	x->done.note = span_of(x->note, span_copy(done->note, x->note, sizeof(x->note)));
	x->keep_until_ns = keep_until(h, about);
	x->body = *body;
	r = open_out(x, max, why);
	if (r != 0) {
		buf_init(&x->body, 0); /* it stays whose it is */
		haul_free(x);
		return r;
	}
	buf_init(body, body->max);
	haul_wait(x);
	return 0;
}

static int on_read(void *ctx, uint64_t offset, unsigned char *to, size_t n)
{
	const struct haul *x = ctx;

	memcpy(to, x->view.items[x->picked[x->moved]].data.at + offset, n);
	return 0;
}

static void end_out(struct haul *x, struct fail *why)
{
	CLEANUP(buf_done) struct buf told = { 0 };
	struct hauls *h = x->of;

	haul_move(x, &h->over);
	buf_init(&told, LIMIT_BODY_BYTES);
	if (why->code != 0 && x->body.len <= LIMIT_BODY_BYTES) {
		why->code = 0;
		buf_add(&told, buf_span(&x->body));
	} else if (why->code == 0 && x->is_plan) {
		plan_encode(&told, &x->plan);
	} else if (why->code == 0) {
		body_encode(&told, &x->view);
	}
	if (why->code == 0 && buf_err(&told) < 0)
		fail_set(why, buf_err(&told), "body", LIMIT_BODY_BYTES, NULL);
	x->done.body = buf_span(&told);
	h->conf.on_out(h->conf.ctx, &x->done, why);
}

/* --- transfers ---------------------------------------------------------------------------------------- */

static void on_end(void *ctx, const struct blob_end *e)
{
	struct haul *x = ctx;

	x->end = *e;
	x->has_ended = true;
}

static void start_transfer(struct haul *x)
{
	const struct hauls_conf *c = &x->of->conf;
	char upload[LIMIT_TOKEN_BYTES + 1], id[ULID_TEXT + 1];
	struct blob_conf conf = {
		.loop = c->loop,
		.bus = c->bus,
		.tenant = span_str(x->tenant),
		.read = on_read,
		.write = on_write,
		.on_end = on_end,
		.ctx = x,
	};

	x->has_ended = false;
	if (x->is_out) {
		ulid_text(x->task, id);
		(void)snprintf(upload, sizeof(upload), "%s-%" PRIu32 "-%zu", id, x->attempt,
			x->moved);
		conf.upload = span_str(upload);
		conf.size = x->view.items[x->picked[x->moved]].data.len;
		conf.keep_until_ns = x->keep_until_ns;
		x->transfer = blob_put(&conf);
	} else {
		conf.hash = x->holes[x->moved].hash;
		x->transfer = blob_get(&conf);
	}
	if (x->transfer != NULL)
		return;
	x->has_ended = true;
	x->end = (struct blob_end){ 0 };
	fail_set(&x->end.fail, ERR_NO_MEMORY, NULL, 0, NULL);
}

/* The store's words, and what they are about. */
static void explain(const struct haul *x, struct fail *why)
{
	const struct fail said = x->end.fail;
	bool has_field = said.field[0] != '\0' && said.code != ERR_UNKNOWN;

	if (!x->is_out)
		fail_set(why, said.code, "item", has_field ? said.limit : 0,
			"input %zu of %zu that is in the store cannot be had: %s", x->moved + 1,
			x->moves, said.detail);
	else
		fail_set(why, said.code, has_field ? said.field : "body",
			has_field ? said.limit : LIMIT_BODY_BYTES,
			"the result has %zu bytes and must go to the store: %s", x->body.len,
			said.detail);
	why->retry_after_ms = said.retry_after_ms;
}

/* A blob is over there. */
static void arrived(struct haul *x)
{
	struct item *item;

	if (x->is_out) {
		x->hashes[x->moved] = x->end.hash;
		item = &x->view.items[x->picked[x->moved]];
		item->size = item->data.len;
		item->data = (struct span){ 0 };
		item->blob = span_of(x->hashes[x->moved].at, BLOB_HASH);
	} else if (x->end.size != x->holes[x->moved].size) {
		fail_set(&x->end.fail, ERR_INVALID, "size", (int64_t)x->end.size,
			"the blob has %" PRIu64 " bytes", x->end.size);
		return;
	}
	x->moved++;
}

static void go_on(struct haul *x)
{
	struct fail why = { 0 };

	blob_transfer_free(x->transfer);
	x->transfer = NULL;
	if (x->end.fail.code == 0)
		arrived(x);
	if (x->end.fail.code == 0 && x->moved < x->moves) {
		start_transfer(x);
		return;
	}
	if (x->end.fail.code != 0)
		explain(x, &why);
	x->of->moving_n--;
	if (x->is_out)
		end_out(x, &why);
	else
		end_in(x, &why);
}

static struct haul *next_ended(struct hauls *h)
{
	for (struct list *l = h->moving.next; l != &h->moving; l = l->next)
		if (haul_of(l)->has_ended)
			return haul_of(l);
	return NULL;
}

void hauls_turn(struct hauls *h)
{
	struct haul *x;

	while ((x = next_ended(h)) != NULL)
		go_on(x);
	while (h->moving_n < MOVING_MAX && !list_is_empty(&h->waiting)) {
		x = haul_of(h->waiting.next);
		haul_move(x, &h->moving);
		h->moving_n++;
		start_transfer(x);
	}
	free_all(&h->over);
}

/* --- ends --------------------------------------------------------------------------------------------- */

bool hauls_stop(struct hauls *h, struct ulid task, uint32_t attempt)
{
	struct haul *x = find(&h->moving, task, attempt);

	if (x != NULL)
		h->moving_n--;
	else
		x = find(&h->waiting, task, attempt);
	if (x == NULL)
		return false;
	haul_free(x);
	return true;
}

void hauls_drop(struct hauls *h, struct ulid task, uint32_t attempt)
{
	struct haul *x = find(&h->held, task, attempt);

	if (x != NULL)
		haul_move(x, &h->over);
}

struct hauls *hauls_new(const struct hauls_conf *conf)
{
	struct hauls *h = mem_alloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->conf = *conf;
	list_init(&h->waiting);
	list_init(&h->moving);
	list_init(&h->held);
	list_init(&h->over);
	return h;
}

void hauls_free(struct hauls *h)
{
	if (h == NULL)
		return;
	free_all(&h->waiting);
	free_all(&h->moving);
	free_all(&h->held);
	free_all(&h->over);
	mem_free(h);
}
