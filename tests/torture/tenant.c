/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant: every task has a key, which is also what it echoes. A submit that is not answered in time is repeated with
 * its key until it is; then the task's id is written down, and from then on the mesh owes its end.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "run/bus_nats.h"
#include "run/request.h"
#include "tests/torture/torture.h"
#include "wire/body.h"
#include "wire/query.h"
#include "wire/task.h"

#define TASKS_MAX 200000u
#define ASKING_MAX 64u /* submits under way */
#define OPEN_MAX 400u  /* accepted and not heard to have ended: then no new ones */
#define PATIENCE_NS (1500 * NS_PER_MS)
#define SLEEP_MS 300 /* a task takes so long at most */
#define TOLD_MAX 20u /* ends that are written about */
#define ARENA_MAX (4u << 20)
#define DEADLINE_NS (12 * 3600 * NS_PER_S) /* far beyond what clocks are wrong by */
#define DEADLINES 4 /* one task of so many names that, as a moment of the wall clock */
#define LARGE_EVERY_NS (250 * NS_PER_MS) /* a task whose input and result go through the store */

struct owed {
	struct tenant *tenant;
	uint32_t number;
	uint32_t sleep_ms;
	bool asking; /* a submit or a question is under way */
	bool accepted;
	bool fetched; /* its result was asked for and came */
	bool doubled; /* two ids, or two different ends */
	bool lost;
	bool explained;
	bool in_vain; /* an attempt of it was lost, or failed */
	struct ulid id;
	int64_t asked_ns, accepted_ns;
	uint32_t attempts;
	enum state told;  /* as an event said; STATE_NONE: not heard */
	enum state found; /* as the router said in the end */
	bool is_right;    /* it succeeded and echoed its key */
	bool is_large;    /* or its bytes, which are in the store */
	bool is_put, is_got;
	struct blob_hash hash;
};

struct tenant {
	struct bus *bus;
	struct requests *requests;
	struct bus_sub *events;
	struct prng prng;
	struct owed *owed;
	uint32_t n, asking, ended;
	uint32_t next_check;
	bool checking;
	uint64_t asked;
	unsigned told_ends;
	struct arena arena;
	struct large large;
	struct owed *moving; /* whose bytes are on their way */
	int64_t large_ns;    /* when the next one is due */
};

static void key_of(const struct owed *o, char to[16])
{
	snprintf(to, 16, "k%u", o->number);
}

static int64_t deadline_ms(const struct owed *o)
{
	return o->number % DEADLINES == 0 ? (clocks_wall() + DEADLINE_NS) / NS_PER_MS : 0;
}

static void break_rule(struct owed *o, const char *what)
{
	char id[ULID_TEXT + 1];

	o->doubled = true;
	ulid_text(o->id, id);
	fprintf(stderr, "task k%u %s: %s (told %s, found %s)\n", o->number, id, what,
		state_name(o->told), state_name(o->found));
}

/* Why a task did not succeed, of the first of them. */
static void tell_end(struct tenant *t, const struct owed *o, const struct query_reply *r)
{
	const struct fail *why = r->fail.code != 0 ? &r->fail : &r->result.fail;
	char id[ULID_TEXT + 1];

	if (t->told_ends++ >= TOLD_MAX)
		return;
	ulid_text(o->id, id);
	fprintf(stderr, "task k%u %s: %s after %u attempts, %s %s %s\n", o->number, id,
		state_name(o->found), o->attempts, err_row(why->code)->name, why->field,
		why->detail);
}

/* --- submits ------------------------------------------------------------------------------------------ */

static void on_submitted(void *ctx, int err, const struct bus_msg *m)
{
	struct owed *o = ctx;
	struct tenant *t = o->tenant;
	struct submit_reply *r;
	size_t n;

	o->asking = false;
	t->asking--;
	arena_reset(&t->arena);
	if (err < 0 || submit_replies_decode(&t->arena, m->data, &r, &n, NULL) < 0 || n != 1 ||
		r[0].fail.code != 0)
		return; /* asked again at the next turn */
	if (o->accepted && !ulid_eq(o->id, r[0].task))
		break_rule(o, "its key has two ids");
	if (!o->accepted)
		o->accepted_ns = clocks_mono();
	o->accepted = true;
	o->id = r[0].task;
}

static void submit(struct tenant *t, struct owed *o)
{
	CLEANUP(buf_done) struct buf body = { 0 }, message = { 0 };
	char key[16];
	struct submit s = { .kind = SPAN_LIT("util.echo"), .deadline_ms = deadline_ms(o) };
	struct item item = { 0 };

	key_of(o, key);
	buf_init(&body, 4096);
	buf_init(&message, 8192);
	body_put_int(&body, "sleep_ms", (int64_t)o->sleep_ms);
	item.data = span_str(key);
	if (o->is_large)
		item = (struct item){ .blob = span_of(o->hash.at, BLOB_HASH), .size = LARGE_BYTES };
	body_put(&body, &item);
	s.key = span_str(key);
	s.body = buf_span(&body);
	submits_put(&message, &s);
	if (requests_send(t->requests, "spu.submit.local", buf_span(&message), PATIENCE_NS,
		    on_submitted, o) < 0)
		return;
	if (o->asked_ns == 0)
		o->asked_ns = clocks_mono();
	o->asking = true;
	t->asking++;
	t->asked++;
}

static struct owed *new_task(struct tenant *t)
{
	struct owed *o = &t->owed[t->n];

	*o = (struct owed){ .tenant = t,
		.number = t->n++,
		.sleep_ms = (uint32_t)prng_below(&t->prng, SLEEP_MS) };
	return o;
}

static bool is_ready(const struct owed *o)
{
	return !o->is_large || o->is_put;
}

/* The bytes of a large task go to the store before it is submitted, one task's at a time. */
static void put_next(struct tenant *t)
{
	struct blob_end end;

	if (large_take(&t->large, &end) && end.fail.code == 0) {
		t->moving->hash = end.hash;
		t->moving->is_put = true;
	}
	for (uint32_t i = 0; !large_is_moving(&t->large) && i < t->n; i++) {
		if (is_ready(&t->owed[i]))
			continue;
		t->moving = &t->owed[i];
		large_put(&t->large, i);
	}
}

void tenant_turn(struct tenant *t, int64_t now_ns, bool stop)
{
	put_next(t);
	for (uint32_t i = 0; i < t->n && t->asking < ASKING_MAX; i++)
		if (!t->owed[i].accepted && !t->owed[i].asking && is_ready(&t->owed[i]))
			submit(t, &t->owed[i]);
	while (!stop && t->n < TASKS_MAX && t->asking < ASKING_MAX && t->n - t->ended < OPEN_MAX) {
		struct owed *o = new_task(t);

		o->is_large = now_ns >= t->large_ns;
		if (o->is_large) {
			t->large_ns = now_ns + LARGE_EVERY_NS;
			continue;
		}
		submit(t, o);
		if (!o->asking)
			break;
	}
}

bool tenant_is_answered(const struct tenant *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (!t->owed[i].accepted)
			return false;
	return true;
}

/* --- ends --------------------------------------------------------------------------------------------- */

static bool echoes(struct tenant *t, const struct owed *o, struct span encoded)
{
	struct body body;
	char key[16];

	key_of(o, key);
	if (body_decode(&t->arena, encoded, &body, NULL) < 0 || body.items_n != 1)
		return false;
	return o->is_large ? span_eq(body.items[0].blob, span_of(o->hash.at, BLOB_HASH))
			   : span_is(body.items[0].data, key);
}

static struct owed *find(struct tenant *t, struct ulid id)
{
	for (uint32_t i = t->n; i > 0; i--)
		if (t->owed[i - 1].accepted && ulid_eq(t->owed[i - 1].id, id))
			return &t->owed[i - 1];
	return NULL;
}

static void on_event(void *ctx, const struct bus_msg *m)
{
	struct tenant *t = ctx;
	struct event *e;
	size_t n;

	arena_reset(&t->arena);
	if (events_decode(&t->arena, m->data, &e, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct owed *o = e[i].kind == EVENT_END ? find(t, e[i].task) : NULL;

		if (o == NULL)
			continue;
		if (o->told != STATE_NONE && o->told != e[i].result.state)
			break_rule(o, "it ended twice, and differently");
		t->ended += o->told == STATE_NONE;
		o->told = e[i].result.state;
	}
}

/* False: it is asked again. */
static bool answered(struct owed *o, int err, const struct bus_msg *m, struct query_reply *ret)
{
	struct tenant *t = o->tenant;

	o->asking = false;
	t->asking--;
	arena_reset(&t->arena);
	return err >= 0 && query_reply_decode(&t->arena, m->data, ret, NULL) >= 0;
}

static void on_result(void *ctx, int err, const struct bus_msg *m)
{
	struct owed *o = ctx;
	struct tenant *t = o->tenant;
	struct query_reply r;

	if (!answered(o, err, m, &r))
		return;
	o->fetched = true;
	o->lost = r.fail.code != 0;
	o->found = r.kind == REPLY_RESULT ? r.result.state : STATE_NONE;
	o->attempts = r.kind == REPLY_RESULT ? r.result.attempts : 0;
	o->is_right = o->found == STATE_SUCCEEDED && echoes(t, o, r.result.body);
	/* Between subscriptions there is no order: an answer from before the end may come after it. */
	if (o->told != STATE_NONE && state_is_final(o->found) && o->told != o->found)
		break_rule(o, "its end was told otherwise");
	if (o->lost || (state_is_final(o->found) && o->found != STATE_SUCCEEDED))
		tell_end(t, o, &r);
	if (o->found == STATE_SUCCEEDED && !o->is_right)
		break_rule(o, "its result is not its own");
}

/* An attempt that was lost may have been work done in vain; one that was refused is not. */
static void on_explain(void *ctx, int err, const struct bus_msg *m)
{
	struct owed *o = ctx;
	struct query_reply r;

	if (!answered(o, err, m, &r))
		return;
	o->explained = true;
	for (size_t i = 0; r.kind == REPLY_EXPLAIN && i < r.explain.steps_n; i++) {
		const struct step_view *s = &r.explain.steps[i];

		if (s->kind != STEP_LOST && s->kind != STEP_FAILED)
			continue;
		o->in_vain = true;
		fprintf(stderr, "task k%u, attempt %u: %.*s\n", o->number, s->attempt,
			(int)s->reason.len, (const char *)s->reason.at);
	}
}

static bool ask(struct tenant *t, struct owed *o, enum query_kind kind)
{
	struct query q = { .kind = kind, .task = o->id };
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 1024);
	query_encode(&b, &q);
	if (requests_send(t->requests, "spu.query.local", buf_span(&b), PATIENCE_NS,
		    kind == QUERY_EXPLAIN ? on_explain : on_result, o) < 0)
		return false;
	o->asking = true;
	t->asking++;
	return true;
}

static bool is_settled(const struct owed *o)
{
	return o->fetched && (o->lost || state_is_final(o->found));
}

/* The bytes of a result must still be there. */
static bool is_owed_bytes(const struct owed *o)
{
	return o->is_large && o->is_right && !o->is_got && !o->lost;
}

static void get_next(struct tenant *t)
{
	struct blob_end end;

	if (large_take(&t->large, &end)) {
		t->moving->is_got = end.fail.code == 0;
		t->moving->lost = end.fail.code == ERR_UNKNOWN || end.fail.code == ERR_IO ||
				  end.fail.code == ERR_MALFORMED;
		if (t->moving->lost)
			break_rule(t->moving, end.fail.detail);
	}
	for (uint32_t i = 0; !large_is_moving(&t->large) && i < t->n; i++) {
		if (!is_owed_bytes(&t->owed[i]))
			continue;
		t->moving = &t->owed[i];
		large_get(&t->large, i, &t->owed[i].hash);
	}
}

void tenant_check(struct tenant *t)
{
	for (uint32_t i = 0; !t->checking && i < t->n; i++)
		t->owed[i].fetched = false;
	t->checking = true;
	get_next(t);
	for (uint32_t i = 0; i < t->n && t->asking < ASKING_MAX; i++)
		if (!t->owed[i].asking && !is_settled(&t->owed[i]) &&
			!ask(t, &t->owed[i], QUERY_RESULT))
			return;
}

bool tenant_is_checked(const struct tenant *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (!is_settled(&t->owed[i]) || is_owed_bytes(&t->owed[i]))
			return false;
	return true;
}

static bool is_clear(const struct owed *o)
{
	return o->attempts <= 1 || o->explained;
}

void tenant_explain(struct tenant *t)
{
	for (uint32_t i = 0; i < t->n && t->asking < ASKING_MAX; i++)
		if (!t->owed[i].asking && !is_clear(&t->owed[i]) &&
			!ask(t, &t->owed[i], QUERY_EXPLAIN))
			return;
}

bool tenant_is_explained(const struct tenant *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (!is_clear(&t->owed[i]))
			return false;
	return true;
}

static bool is_finished(const struct owed *o)
{
	return o->lost || state_is_final(o->found);
}

void tenant_tell_unfinished(const struct tenant *t)
{
	char id[ULID_TEXT + 1];
	unsigned told = 0;

	for (uint32_t i = 0; i < t->n && told < TOLD_MAX; i++) {
		const struct owed *o = &t->owed[i];

		if (is_finished(o))
			continue;
		told++;
		ulid_text(o->id, id);
		fprintf(stderr, "task k%u %s is unfinished: %s%s%s, told %s, found %s\n", o->number,
			id, o->accepted ? "accepted" : "not accepted", o->is_large ? ", large" : "",
			o->is_put ? ", put" : "", state_name(o->told), state_name(o->found));
	}
}

void tenant_judge(const struct tenant *t, struct outcome *ret)
{
	*ret = (struct outcome){ .asked = t->asked };
	for (uint32_t i = 0; i < t->n; i++) {
		const struct owed *o = &t->owed[i];

		ret->accepted += o->accepted;
		ret->lost += o->lost;
		ret->doubled += o->doubled;
		ret->unfinished += !is_finished(o);
		ret->succeeded += o->is_right;
		ret->large += o->is_right && o->is_large;
		ret->again += o->attempts > 1;
		ret->in_vain += o->in_vain;
		if (o->accepted && o->accepted_ns - o->asked_ns > ret->longest_ns)
			ret->longest_ns = o->accepted_ns - o->asked_ns;
		ret->other += state_is_final(o->found) && o->found != STATE_SUCCEEDED;
	}
}

/* --- life --------------------------------------------------------------------------------------------- */

struct tenant *tenant_open(struct loop *l, const char *url, uint64_t seed)
{
	struct bus_nats_conf nats = { .url = url, .name = "torture" };
	struct tenant *t = mem_alloc(sizeof *t);
	struct fail why = { 0 };

	if (t == NULL)
		return NULL;
	prng_seed(&t->prng, seed);
	arena_init(&t->arena, ARENA_MAX);
	t->owed = mem_alloc(TASKS_MAX * sizeof *t->owed);
	t->bus = bus_nats_open(l, &nats, &why);
	if (t->owed != NULL && t->bus != NULL)
		t->requests = requests_new(l, t->bus, "_INBOX.torture", 2 * ASKING_MAX);
	if (t->requests != NULL)
		t->events = bus_subscribe(t->bus, "spu.event.local.*", NULL, on_event, t);
	t->large = (struct large){ .loop = l, .bus = t->bus };
	if (t->events != NULL)
		return t;
	tenant_close(t);
	return NULL;
}

void tenant_close(struct tenant *t)
{
	if (t == NULL)
		return;
	blob_transfer_free(t->large.transfer);
	requests_free(t->requests);
	bus_close(t->bus);
	mem_free(t->owed);
	arena_done(&t->arena);
	mem_free(t);
}
