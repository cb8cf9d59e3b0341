/* SPDX-License-Identifier: Apache-2.0
 *
 * answers: forms are made anew where they are compared, instead of kept. What is kept is the result behind a head that
 * says which rung made it, and how long the store keeps the blobs that it names; or, for near matches, the prompt
 * and the form of the task whose result it is.
 */
#include "router/machine.h"

#include "policy/wording.h"
#include "run/cache_view.h"
#include "wire/body_refs.h"

#include "base/pure.h"

#define ARENA_MAX (2u << 20)
#define HEAD_BYTES 9u
#define NEAR_MARK 0xFFu /* no canonical form begins so */
/* How long the store keeps what a result refers to, from the deadline on (proto/README.md, Blobs). */
#define BLOBS_KEEP_NS (25 * 3600 * NS_PER_S)
#define PROMPT "prompt"

/* What a task gets. */
struct answer {
	struct span body;
	enum rung rung;
	int64_t blobs_until_ns; /* 0: it has none */
	int64_t age_ms;
	uint32_t near; /* permille of the words; 0: it is an equal task's */
};

int answers_init(struct answers *a, const struct answers_conf *conf)
{
	const struct cache_conf cache = { .bytes_max = conf->bytes_max, .seed = conf->seed };

	*a = (struct answers){ .conf = *conf };
	flights_init(&a->flights);
	buf_init(&a->form, CANON_BYTES_MAX);
	buf_init(&a->near, CANON_BYTES_MAX);
	buf_init(&a->other, CANON_BYTES_MAX);
	buf_init(&a->value, 2 * CANON_BYTES_MAX);
	arena_init(&a->arena, ARENA_MAX);
	return conf->bytes_max == 0 ? 0 : cache_init(&a->cache, &cache);
}

void answers_done(struct answers *a)
{
	cache_done(&a->cache);
	buf_done(&a->form);
	buf_done(&a->near);
	buf_done(&a->other);
	buf_done(&a->value);
	arena_done(&a->arena);
}

/* --- requests ---------------------------------------------------------------------------------------- */

/* NULL: results of this kind are never kept. */
static const struct kind_row *row_of(const struct router *r, uint32_t kind)
{
	const struct kind_row *row = registry_kind_at(&r->registry, kind)->row;

	return r->answers.conf.bytes_max == 0 || row == NULL || row->result == RESULT_CHEAP ? NULL
											    : row;
}

static struct span scope_of(const struct question *q)
{
	return q->share == CANON_SHARED ? (struct span){ 0 } : q->tenant;
}

static struct cache_key key_of(const struct answers *a, const struct question *q,
	const struct buf *form)
{
	return cache_key_of(&a->cache, scope_of(q), buf_span(form));
}

/* The same of a->form, whose hash is known: hashing is the most of what a large request costs. */
static struct cache_key known_key(const struct answers *a, const struct question *q, uint64_t hash)
{
	return (struct cache_key){ scope_of(q), buf_span(&a->form), hash };
}

/* The form in which requests are equal that differ in nothing but the wording of their prompts. */
static struct span put_near(struct answers *a, const struct kind_row *row, const struct body *body)
{
	struct span prompt = kind_text(row, body, PROMPT);
	struct body reworded = *body;

	buf_reset(&a->near);
	buf_byte(&a->near, NEAR_MARK);
	if (wording_put(&a->near, prompt) == 0)
		return (struct span){ 0 };
	reworded.params = arena_alloc(&a->arena, (body->params_n + 1) * sizeof *body->params);
	if (reworded.params == NULL)
		return (struct span){ 0 };
	/* the last one of a key counts */
	memcpy(reworded.params, body->params, body->params_n * sizeof *body->params);
	reworded.params[reworded.params_n++] = (struct param){ SPAN_LIT(PROMPT), { 0 } };
	canon_request(&a->near, row, &reworded);
	return buf_err(&a->near) < 0 ? (struct span){ 0 } : prompt;
}

/* Read a body, and write its form. What cannot be read, or breaks its kind's rules, is nobody's: its node says what is
 * wrong. ERR_INVALID and *why for what is said of caches. */
static int read_request(struct answers *a, const struct kind_row *row, struct span bytes,
	struct buf *form, struct question *ret, struct fail *why)
{
	struct body body;
	int err;

	ret->share = CANON_NOBODY;
	ret->prompt = (struct span){ 0 };
	arena_reset(&a->arena);
	if (body_view(&a->arena, bytes, &body, NULL) < 0)
		return 0;
	err = canon_share(row, &body, &ret->share, why);
	if (err < 0 || ret->share == CANON_NOBODY)
		return err;
	buf_reset(form);
	if (kind_check(row, &body, NULL) == 0)
		canon_request(form, row, &body);
	if (form->len == 0 || buf_err(form) < 0)
		ret->share = CANON_NOBODY;
	else if (form == &a->form && a->conf.near && canon_near(&body) && kind_has(row, PROMPT))
		ret->prompt = put_near(a, row, &body);
	return 0;
}

int answers_ask(struct router *r, uint32_t kind, const struct router_event *e, struct fail *why)
{
	const struct kind_row *row = row_of(r, kind);
	struct answers *a = &r->answers;
	int err;

	a->now = (struct question){ .share = CANON_NOBODY, .tenant = e->who };
	if (row == NULL)
		return 0;
	err = read_request(a, row, e->submit->body, &a->form, &a->now, why);
	if (err == 0 && a->now.share != CANON_NOBODY)
		a->now.hash = key_of(a, &a->now, &a->form).hash;
	return err;
}

/* --- giving ------------------------------------------------------------------------------------------ */

/* Where on the task's ladder the rung is, if what it made is as good as what the task would get; or -1. */
static int place_on(const struct ladder *l, enum rung rung)
{
	for (int i = 0; i < l->n; i++)
		if (l->rung[i] == rung)
			return i > 0 && (rung == RUNG_SPLIT || rung == RUNG_HUMAN) ? -1 : i;
	return -1;
}

static bool is_fetchable(const struct router *r, const struct task *t, int64_t blobs_until_ns)
{
	int64_t keep_ns = t->keep_ns > 0 ? t->keep_ns : r->conf.keep_ns;

	return blobs_until_ns == 0 || blobs_until_ns - r->now_ns >= keep_ns;
}

static void note(struct router *r, struct task *t, const char *reason)
{
	note_step(r, t,
		(struct explain_note){
			.kind = STEP_CACHE,
			.rung = task_rung(t),
			.node = NODE_NOBODY,
			.reason = span_str(reason),
		});
}

/* End the task with this; false if it cannot have it. */
static bool give(struct router *r, struct task *t, const struct answer *an, const char *reason)
{
	if (an->body.len > 0) {
		t->result = mem_dup(an->body);
		if (t->result == NULL)
			return false;
	}
	t->result_len = (uint32_t)an->body.len;
	t->cache_hit = true;
	t->cache_age_ms = an->age_ms;
	t->cache_near = (uint16_t)an->near;
	note(r, t, reason);
	finish(r, t, TASK_ANSWER, NULL);
	return true;
}

/* --- what is kept ------------------------------------------------------------------------------------ */

static int64_t take_int64(const unsigned char *at)
{
	int64_t n;

	memcpy(&n, at, sizeof n);
	return n;
}

/* What is kept under this key. */
static bool find(struct answers *a, int64_t now_ns, const struct cache_key *key, struct answer *ret)
{
	struct span value;
	int64_t age_ns;

	if (!cache_get(&a->cache, now_ns, key, &value, &age_ns))
		return false;
	*ret = (struct answer){
		.body = span_part(value, HEAD_BYTES, value.len),
		.rung = (enum rung)value.at[8],
		.blobs_until_ns = take_int64(value.at),
		.age_ms = age_ns / NS_PER_MS,
	};
	return true;
}

/* That of a task with nearly the same words. */
static bool find_near(struct answers *a, int64_t now_ns, struct answer *ret)
{
	struct cache_key key = key_of(a, &a->now, &a->near);
	struct span value, prompt;
	int64_t age_ns;
	size_t len;

	if (a->now.prompt.len == 0 || !cache_get(&a->cache, now_ns, &key, &value, &age_ns))
		return false;
	len = (size_t)take_int64(value.at);
	prompt = span_part(value, sizeof(int64_t), len);
	key = cache_key_of(&a->cache, scope_of(&a->now),
		span_part(value, sizeof(int64_t) + len, value.len));
	if (!find(a, now_ns, &key, ret))
		return false;
	ret->near = wording_near(prompt, a->now.prompt);
	return true;
}

static bool take_kept(struct router *r, struct task *t)
{
	struct answers *a = &r->answers;
	struct cache_key key = known_key(a, &a->now, a->now.hash);
	struct answer an;
	char reason[160], age[24];
	int at;

	if (!find(a, r->now_ns, &key, &an) && !find_near(a, r->now_ns, &an))
		return false;
	at = place_on(&t->ladder, an.rung);
	if (at < 0 || !is_fetchable(r, t, an.blobs_until_ns))
		return false;
	t->rung_at = (uint8_t)at;
	(void)fmt_duration_text(an.age_ms * NS_PER_MS, age);
	if (an.near == 0)
		(void)snprintf(reason, sizeof reason, "an equal task's result, %s old", age);
	else
		(void)snprintf(reason, sizeof reason,
			"the result, %s old, of a task with nearly the same prompt: %u of 1000 "
			"words are in both",
			age, an.near);
	if (!give(r, t, &an, reason))
		return false;
	a->near_hits += an.near != 0;
	return true;
}

static void put_int64(struct buf *b, int64_t n)
{
	buf_add(b, span_of(&n, sizeof n));
}

/* Keep what stands in a->value. */
static void put(struct answers *a, int64_t made_ns, const struct cache_key *key)
{
	int err = buf_err(&a->value);

	if (err == 0)
		err = cache_put(&a->cache, made_ns, key, buf_span(&a->value), a->conf.ttl_ns);
	(void)err; /* counted in the cache's stats; the task has its result all the same */
}

/* What may be given to equal tasks, in a->value. */
static void put_answer(struct answers *a, const struct task *t, struct span result, bool has_blobs)
{
	buf_reset(&a->value);
	put_int64(&a->value, has_blobs ? t->deadline_ns + BLOBS_KEEP_NS : 0);
	buf_byte(&a->value, (unsigned char)task_rung(t));
	buf_add(&a->value, result);
}

/* Where an answer is found by the wording of its prompt. */
static void put_way(struct answers *a, struct span prompt)
{
	buf_reset(&a->value);
	put_int64(&a->value, (int64_t)prompt.len);
	buf_add(&a->value, prompt);
	buf_add(&a->value, buf_span(&a->form));
}

static void keep(struct router *r, const struct task *t, const struct question *q,
	struct span result, int64_t made_ns)
{
	struct answers *a = &r->answers;
	bool has_blobs = body_sum(result).refs > 0;
	struct cache_key key =
		t->asked == NULL ? key_of(a, q, &a->form) : known_key(a, q, t->asked->flight.hash);

	if (has_blobs && q->share == CANON_SHARED)
		return; /* they are one tenant's */
	put_answer(a, t, result, has_blobs);
	put(a, made_ns, &key);
	if (q->prompt.len == 0)
		return;
	put_way(a, q->prompt);
	key = key_of(a, q, &a->near);
	put(a, made_ns, &key);
}

void answers_keep(struct router *r, const struct task *t, struct span result, int64_t age_ms)
{
	struct answers *a = &r->answers;
	const struct kind_row *row = t->role == ROLE_TASK ? row_of(r, t->kind) : NULL;
	struct question q;

	if (row == NULL || t->body == NULL)
		return;
	q.tenant = router_tenant(r, t->tenant);
	if (read_request(a, row, span_of(t->body, t->body_len), &a->form, &q, NULL) == 0 &&
		q.share != CANON_NOBODY)
		keep(r, t, &q, result, r->now_ns - peer_ns(age_ms, a->conf.ttl_ns));
}

uint32_t answers_purge(struct router *r, struct span tenant)
{
	struct cache *c = &r->answers.cache;

	return tenant.len == 0 ? cache_purge(c) : cache_purge_scope(c, tenant);
}

struct cache_view answers_view(const struct router *r, int64_t now_ns)
{
	const struct answers *a = &r->answers;
	struct cache_view v = cache_view_of(&a->cache, now_ns);

	v.hits = a->hits;
	v.misses = a->misses;
	return v;
}

/* --- equal tasks under way --------------------------------------------------------------------------- */

static struct asked *asked_of(struct flight *f)
{
	return CONTAINER(f, struct asked, flight);
}

bool answers_is_follower(const struct task *t)
{
	return t->asked != NULL && t->asked->flight.leader != NULL &&
	       t->asked->flight.leader != &t->asked->flight;
}

/* Is what the other task asks, and may do, such that its result comes no later and is no worse? */
static bool may_follow(const struct task *t, const struct task *other)
{
	bool is_placed = other->state != STATE_QUEUED;

	return other->ladder.n == t->ladder.n &&
	       memcmp(other->ladder.rung, t->ladder.rung, t->ladder.n) == 0 &&
	       other->max_price_ucr >= t->max_price_ucr &&
	       (is_placed || (other->tenant == t->tenant && other->priority >= t->priority));
}

struct search {
	struct router *router;
	const struct task *task;
};

static bool is_same(void *ctx, const struct flight *f)
{
	const struct search *s = ctx;
	struct answers *a = &s->router->answers;
	const struct asked *asked = CONTAINER(f, struct asked, flight);
	const struct task *other = asked->task;
	struct question q;

	return asked->is_shared == (a->now.share == CANON_SHARED) &&
	       (asked->is_shared || other->tenant == s->task->tenant) &&
	       may_follow(s->task, other) &&
	       read_request(a, row_of(s->router, other->kind),
		       span_of(other->body, other->body_len), &a->other, &q, NULL) == 0 &&
	       q.share == a->now.share && span_eq(buf_span(&a->other), buf_span(&a->form));
}

static void follow(struct router *r, struct task *t, struct asked *leader)
{
	char reason[] = "waits for an equal task that is under way: 00000000000000000000000000";

	ulid_text(leader->task->id, reason + sizeof reason - 1 - ULID_TEXT);
	rung_stand(r, t);
	flight_follow(&t->asked->flight, &leader->flight);
	note(r, t, reason);
}

/* True: the task follows an equal one; else others may follow it, if there is memory for that. */
static bool take_flight(struct router *r, struct task *t)
{
	struct answers *a = &r->answers;
	struct search search = { r, t };
	struct flight *leader = flight_find(&a->flights, a->now.hash, is_same, &search);

	t->asked = mem_alloc(sizeof *t->asked);
	if (t->asked == NULL)
		return false;
	flight_init(&t->asked->flight);
	t->asked->task = t;
	t->asked->is_shared = a->now.share == CANON_SHARED;
	if (leader == NULL) {
		flight_lead(&a->flights, &t->asked->flight, a->now.hash);
		return false;
	}
	follow(r, t, asked_of(leader));
	return true;
}

bool answers_take(struct router *r, struct task *t)
{
	struct answers *a = &r->answers;
	bool hit = a->now.share != CANON_NOBODY && take_kept(r, t);

	if (a->now.share == CANON_NOBODY)
		return false;
	a->hits += hit;
	a->misses += !hit;
	return hit || take_flight(r, t);
}

/* A task that followed waits for nobody now. */
static void go_on(struct router *r, struct flight *f, const char *reason)
{
	struct task *t = asked_of(f)->task;

	note(r, t, reason);
	rung_arrive(r, t);
}

static void give_followers(struct router *r, struct task *t)
{
	struct answer an = {
		.body = span_of(t->result, t->result_len),
		.rung = task_rung(t),
		.age_ms = t->cache_age_ms,
	};
	bool has_blobs = body_sum(an.body).refs > 0;
	struct flight *f;

	an.blobs_until_ns = has_blobs ? t->deadline_ns + BLOBS_KEEP_NS : 0;
	while ((f = flight_pop(&t->asked->flight)) != NULL) {
		struct task *follower = asked_of(f)->task;
		bool may = is_fetchable(r, follower, an.blobs_until_ns) &&
			   (!has_blobs || follower->tenant == t->tenant);

		follower->rung_at = t->rung_at;
		if (may && give(r, follower, &an, "the equal task has ended: its result")) {
			r->answers.followed++;
			continue;
		}
		follower->rung_at = 0;
		go_on(r, f, "it cannot have the equal task's result");
	}
}

/* Whatever was in the task's way may be in that of its followers: each finds out for itself. */
static void free_followers(struct router *r, struct task *t)
{
	struct flight *f;

	while ((f = flight_pop(&t->asked->flight)) != NULL)
		go_on(r, f, "the equal task did not succeed");
}

/* The first of those that follow it goes on, and is followed by the others. */
static void hand_over(struct router *r, struct task *t, const char *reason)
{
	struct flight *next = flight_leave(&r->answers.flights, &t->asked->flight);

	if (next != NULL)
		go_on(r, next, reason);
}

void answers_end(struct router *r, struct task *t)
{
	if (t->asked == NULL || t->asked->flight.leader == NULL)
		return;
	if (t->state == STATE_SUCCEEDED)
		give_followers(r, t);
	else if (t->state == STATE_FAILED || t->state == STATE_DEAD)
		free_followers(r, t);
	hand_over(r, t, "the equal task was stopped");
}

void answers_leave(struct router *r, struct task *t)
{
	bool followed = answers_is_follower(t);

	if (t->asked == NULL || t->asked->flight.leader == NULL)
		return;
	hand_over(r, t, "the equal task stands still");
	if (followed)
		rung_stand(r, t); /* its clocks begin now */
}
