/* SPDX-License-Identifier: Apache-2.0
 *
 * client: a submitted task is a slot: first in the chain of a batch (what leaves as one message), then, when
 * the reply has named it, in the map by its id. A slot is free before its last callback runs, so whoever is
 * told of an end may submit the next task.
 */
#include "run/client.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "run/client_held.h"
#include "run/client_pack.h"
#include "run/keys.h"
#include "run/request.h"
#include "wire/subject.h"

#define TIMEOUT_NS (10 * NS_PER_S)
#define TASKS_MAX 65536u
#define ASKS_MAX 1024u
#define ARENA_BYTES                                                                                \
	((size_t)16 << 20)      /* of a decoded message; protobuf-c takes several times its size */
#define SUBMIT_EXTRA_BYTES 512u /* of a submit without its body, at most */
#define RANDOM_TEXT 32u         /* two random numbers as hexadecimal digits */

struct open_task {
	struct ulid id; /* zero: not answered */
	uint32_t next;  /* of its batch, or SLOT_NONE */
	client_reply_fn *on_reply;
	client_event_fn *on_event;
	void *ctx;
};

/* A chain of tasks in the order of their submits. */
struct chain {
	uint32_t first, last, n;
};

struct batch {
	struct list link;
	struct client *c;
	uint32_t index;
	uint64_t number; /* counts from 1 */
	struct chain tasks;
	int err; /* it could not be sent */
};

struct open_ask {
	struct client *c;
	uint32_t index;
	client_query_fn *on_query; /* one of the two is set */
	client_ask_fn *on_ask;
	void *ctx;
};

struct client {
	struct loop *loop;
	struct bus *bus;
	struct requests *requests;
	struct bus_sub *events;
	struct bus_sub *watch;
	client_event_fn *on_watch;
	void *watch_ctx;
	int64_t timeout_ns, submit_ns;
	uint32_t asks_max;
	struct slots tasks;
	struct map by_id;
	struct slots batches;
	struct list open;   /* sent batches, oldest first */
	struct list failed; /* batches that could not be sent; told by the timer */
	uint64_t batch_number;
	struct buf gathered; /* this turn's submits */
	struct client_pack pack;
	struct chain gathering;
	struct slots asks;
	struct client_held held;
	struct arena message; /* of the message that is handled */
	struct arena early;   /* of the held event that is delivered */
	struct buf question;
	struct loop_timer timer; /* wakes the loop when there is something to send or to tell */
	struct loop_hook hook;
	bool awake; /* the timer is set to now */
	bool closing;
	char submit_subject[SUBJECT_BYTES];
	char query_subject[SUBJECT_BYTES];
	char ask_subject[SUBJECT_BYTES];
	char watch_pattern[SUBJECT_BYTES];
	char stream[RANDOM_TEXT + 1];
};

static const struct chain no_tasks = { SLOT_NONE, SLOT_NONE, 0 };

/* The open task of an id, or SLOT_NONE. */
static uint32_t task_find(const struct client *c, struct ulid id)
{
	uint32_t at = 0, index;

	while (map_next(&c->by_id, ulid_hash(id), &at, &index))
		if (ulid_eq(((struct open_task *)slots_at(&c->tasks, index))->id, id))
			return index;
	return SLOT_NONE;
}

static void task_drop(struct client *c, uint32_t index)
{
	struct open_task *t = slots_at(&c->tasks, index);

	if (!ulid_is_zero(t->id))
		(void)map_drop(&c->by_id, ulid_hash(t->id), index);
	slots_drop(&c->tasks, index);
}

static void deliver(struct client *c, uint32_t index, const struct event *e)
{
	struct open_task t = *(struct open_task *)slots_at(&c->tasks, index);

	if (e->kind == EVENT_END)
		task_drop(c, index);
	t.on_event(t.ctx, e);
}

/* What overtook the reply. The callback may forget the task. */
static void deliver_held(struct client *c, struct slot_id task, struct ulid id)
{
	struct event e;

	while (slots_find(&c->tasks, task) != NULL) {
		arena_reset(&c->early);
		if (!client_held_take(&c->held, id, &c->early, &e))
			return;
		deliver(c, task.index, &e);
	}
}

/* True if the task goes on being heard of. */
static bool task_open(struct client *c, struct open_task *t, uint32_t index, struct submit_reply *r)
{
	if (r->fail.code != 0 || t->on_event == NULL || (r->existing && state_is_final(r->state)))
		return false;
	if (map_reserve(&c->by_id) < 0) {
		fail_set(&r->fail, ERR_NO_MEMORY, NULL, 0, "accepted, but no memory to follow it");
		return false;
	}
	t->id = r->task;
	map_put(&c->by_id, ulid_hash(t->id), index);
	return true;
}

static void answer(struct client *c, uint32_t index, struct submit_reply r)
{
	struct open_task *t = slots_at(&c->tasks, index);
	struct open_task copy = *t;
	struct slot_id id = slots_id(&c->tasks, index);

	if (task_open(c, t, index, &r)) {
		copy.on_reply(copy.ctx, &r);
		deliver_held(c, id, r.task);
		return;
	}
	task_drop(c, index);
	copy.on_reply(copy.ctx, &r);
}

/* Tell the tasks of a batch: each its reply, those without one the failure. A lone refusal of many submits
 * is meant for all. */
static void batch_end(struct batch *b, const struct submit_reply *replies, size_t n,
	const struct fail *why)
{
	struct client *c = b->c;
	struct chain tasks = b->tasks;
	uint32_t next;

	if (n == 1 && tasks.n > 1 && replies[0].fail.code != 0) {
		why = &replies[0].fail;
		n = 0;
	}
	list_drop(&b->link);
	slots_drop(&c->batches, b->index);
	for (uint32_t at = tasks.first, i = 0; at != SLOT_NONE; at = next, i++) {
		next = ((struct open_task *)slots_at(&c->tasks, at))->next;
		client_pack_heard(&c->pack, i < n ? &replies[i] : NULL);
		/* cppcheck-suppress nullPointer ; without replies n is 0 */
		answer(c, at, i < n ? replies[i] : (struct submit_reply){ .fail = *why });
	}
	client_held_drop(&c->held, list_is_empty(&c->open)
					   ? UINT64_MAX
					   : CONTAINER(c->open.next, struct batch, link)->number);
}

static void no_reply(struct fail *why, int err, const char *who)
{
	if (err == ERR_NO_NODE)
		fail_set(why, err, NULL, 0, "no %s listens", who);
	else if (err == ERR_TIMEOUT)
		fail_set(why, err, NULL, 0, "no %s has answered in time", who);
	else
		fail_set(why, err, NULL, 0, NULL);
}

static void on_submitted(void *ctx, int err, const struct bus_msg *m)
{
	struct batch *b = ctx;
	struct client *c = b->c;
	struct submit_reply *replies = NULL;
	struct fail why = { 0 };
	size_t n = 0;

	arena_reset(&c->message);
	if (err < 0)
		no_reply(&why, err, "router");
	else if (submit_replies_decode(&c->message, m->data, &replies, &n, &why) == 0 &&
		 n < b->tasks.n)
		fail_set(&why, ERR_MALFORMED, "reply", b->tasks.n, "fewer replies than submits");
	batch_end(b, replies, n, &why);
}

/* Send what this turn has gathered. */
static void send_gathered(struct client *c)
{
	uint32_t index;
	struct batch *b;

	if (c->gathering.n == 0)
		return;
	/* There is a slot for each task that may be open, and a batch has at least one. Without memory the
	 * submits stay and the next turn tries again. */
	index = slots_take(&c->batches);
	if (index == SLOT_NONE)
		return;
	b = slots_at(&c->batches, index);
	*b = (struct batch){
		.c = c,
		.index = index,
		.number = ++c->batch_number,
		.tasks = c->gathering,
	};
	list_init(&b->link);
	b->err = requests_send(c->requests, c->submit_subject, buf_span(&c->gathered), c->submit_ns,
		on_submitted, b);
	list_push(b->err < 0 ? &c->failed : &c->open, &b->link);
	buf_reset(&c->gathered);
	c->gathering = no_tasks;
}

static void wake(struct client *c, bool awake)
{
	/* The timer keeps its place in the loop, so this cannot fail. */
	if (c->awake != awake)
		CHECK(loop_timer_set(c->loop, &c->timer, awake ? c->loop->now_ns : INT64_MAX) == 0);
	c->awake = awake;
}

static void end_failed(struct client *c)
{
	while (!list_is_empty(&c->failed)) {
		struct batch *b = CONTAINER(c->failed.next, struct batch, link);
		struct fail why = { 0 };

		fail_set(&why, b->err, NULL, 0, NULL);
		batch_end(b, NULL, 0, &why);
	}
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct client *c = ctx;

	(void)now_ns;
	c->awake = false;
	CHECK(loop_timer_set(c->loop, &c->timer, INT64_MAX) == 0);
	end_failed(c);
}

static void on_turn(void *ctx, int64_t now_ns)
{
	struct client *c = ctx;

	(void)now_ns;
	send_gathered(c);
	wake(c, !list_is_empty(&c->failed) || c->gathering.n > 0);
}

static void on_events(void *ctx, const struct bus_msg *m)
{
	struct client *c = ctx;
	struct event *events = NULL;
	size_t n = 0;

	arena_reset(&c->message);
	if (events_decode(&c->message, m->data, &events, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		uint32_t index =
			events[i].kind == EVENT_NONE ? SLOT_NONE : task_find(c, events[i].task);

		if (index != SLOT_NONE)
			deliver(c, index, &events[i]);
		else if (events[i].kind != EVENT_NONE && !list_is_empty(&c->open))
			client_held_put(&c->held, &events[i], c->batch_number);
	}
}

static void on_watched(void *ctx, const struct bus_msg *m)
{
	struct client *c = ctx;
	struct event *events = NULL;
	size_t n = 0;

	arena_reset(&c->message);
	if (events_decode(&c->message, m->data, &events, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n && c->on_watch != NULL; i++)
		if (events[i].kind != EVENT_NONE)
			c->on_watch(c->watch_ctx, &events[i]);
}

static int open_subjects(struct client *c, struct span tenant, char events[SUBJECT_BYTES])
{
	struct span stream = span_str(c->stream);
	int r = subject_build(SUBJECT_SUBMIT, tenant, stream, c->submit_subject);

	if (r == 0)
		r = subject_build(SUBJECT_QUERY, tenant, stream, c->query_subject);
	if (r == 0)
		r = subject_build(SUBJECT_QUESTION, tenant, stream, c->ask_subject);
	if (r == 0)
		r = subject_build(SUBJECT_EVENT, tenant, stream, events);
	if (r == 0)
		(void)snprintf(c->watch_pattern, sizeof(c->watch_pattern), "%s.%.*s.*",
			subject_row(SUBJECT_EVENT)->prefix, (int)tenant.len,
			(const char *)tenant.at);
	return r;
}

static void random_text(char to[RANDOM_TEXT + 1])
{
	(void)snprintf(to, RANDOM_TEXT + 1, "%016" PRIx64 "%016" PRIx64, keys_random(),
		keys_random());
}

/* The parts that can fail. */
static bool open_parts(struct client *c, struct span tenant, uint32_t tasks_max)
{
	char events[SUBJECT_BYTES], random[RANDOM_TEXT + 1],
		prefix[sizeof("_INBOX.") + RANDOM_TEXT];

	random_text(c->stream);
	random_text(random);
	(void)snprintf(prefix, sizeof(prefix), "_INBOX.%s", random);
	if (open_subjects(c, tenant, events) < 0 ||
		loop_timer_set(c->loop, &c->timer, INT64_MAX) < 0)
		return false;
	c->requests = requests_new(c->loop, c->bus, prefix, tasks_max + c->asks_max);
	c->events = bus_subscribe(c->bus, events, NULL, on_events, c);
	return c->requests != NULL && c->events != NULL;
}

struct client *client_open(struct loop *l, struct bus *b, const struct client_conf *conf)
{
	struct client *c = mem_alloc(sizeof(*c));
	uint32_t tasks_max = conf->tasks_max > 0 ? conf->tasks_max : TASKS_MAX;

	if (c == NULL)
		return NULL;
	c->loop = l;
	c->bus = b;
	c->timeout_ns = conf->timeout_ns > 0 ? conf->timeout_ns : TIMEOUT_NS;
	c->submit_ns = conf->submit_ns > 0 ? conf->submit_ns : c->timeout_ns;
	c->asks_max = conf->asks_max > 0 ? conf->asks_max : ASKS_MAX;
	c->timer = (struct loop_timer){ .on_due = on_due, .ctx = c };
	c->hook = (struct loop_hook){ .on_turn = on_turn, .ctx = c };
	c->gathering = no_tasks;
	slots_init(&c->tasks, sizeof(struct open_task), tasks_max);
	slots_init(&c->batches, sizeof(struct batch), tasks_max);
	slots_init(&c->asks, sizeof(struct open_ask), c->asks_max);
	map_init(&c->by_id);
	list_init(&c->open);
	list_init(&c->failed);
	client_held_init(&c->held);
	buf_init(&c->gathered, LIMIT_MESSAGE_BYTES);
	client_pack_init(&c->pack, conf->packs);
	buf_init(&c->question, LIMIT_MESSAGE_BYTES);
	arena_init(&c->message, ARENA_BYTES);
	arena_init(&c->early, ARENA_BYTES);
	loop_hook_add(l, &c->hook);
	if (open_parts(c, conf->tenant, tasks_max))
		return c;
	client_close(c);
	return NULL;
}

/* End the submits that have not been sent. */
static void end_gathered(struct client *c)
{
	struct chain tasks = c->gathering;
	uint32_t next;

	c->gathering = no_tasks;
	for (uint32_t at = tasks.first; at != SLOT_NONE; at = next) {
		struct submit_reply r = { 0 };

		next = ((struct open_task *)slots_at(&c->tasks, at))->next;
		fail_set(&r.fail, ERR_CLOSED, NULL, 0, NULL);
		answer(c, at, r);
	}
}

void client_close(struct client *c)
{
	if (c == NULL)
		return;
	c->closing = true;
	bus_unsubscribe(c->bus, c->watch);
	bus_unsubscribe(c->bus, c->events);
	end_failed(c);
	end_gathered(c);
	requests_free(c->requests);
	loop_timer_stop(c->loop, &c->timer);
	loop_hook_drop(c->loop, &c->hook);
	client_held_done(&c->held);
	map_done(&c->by_id);
	slots_done(&c->tasks);
	slots_done(&c->batches);
	slots_done(&c->asks);
	buf_done(&c->gathered);
	client_pack_done(&c->pack);
	buf_done(&c->question);
	arena_done(&c->message);
	arena_done(&c->early);
	mem_free(c);
}

/* Append the submit; the gathered ones leave first if it does not fit beside them. */
static int gather(struct client *c, const struct submit *s)
{
	struct submit copy = *s;
	size_t len;
	int r;

	if (c->gathering.n >= LIMIT_ITEMS_PER_MESSAGE ||
		(c->gathering.n > 0 &&
			c->gathered.len + s->body.len + SUBMIT_EXTRA_BYTES > LIMIT_BATCH_BYTES))
		send_gathered(c);
	if (c->gathering.n >= LIMIT_ITEMS_PER_MESSAGE)
		return ERR_NO_MEMORY; /* there was none to send them */
	copy.stream = span_str(c->stream);
	client_pack_submit(&c->pack, &copy);
	len = c->gathered.len;
	submits_put(&c->gathered, &copy);
	r = buf_err(&c->gathered);
	if (r < 0) {
		c->gathered.len = len;
		c->gathered.err = 0;
	}
	return r;
}

static void chain_add(struct client *c, struct chain *tasks, uint32_t index)
{
	if (tasks->n++ == 0)
		tasks->first = index;
	else
		((struct open_task *)slots_at(&c->tasks, tasks->last))->next = index;
	tasks->last = index;
}

int client_submit(struct client *c, const struct submit *s, client_reply_fn *on_reply,
	client_event_fn *on_event, void *ctx)
{
	struct open_task *t;
	uint32_t index;
	int r;

	CHECK(on_reply != NULL);
	if (c->closing)
		return ERR_CLOSED;
	if (s->body.len > LIMIT_BODY_BYTES)
		return ERR_TOO_BIG;
	if (c->tasks.used == c->tasks.max)
		return ERR_BUSY;
	index = slots_take(&c->tasks);
	if (index == SLOT_NONE)
		return ERR_NO_MEMORY;
	r = gather(c, s);
	if (r < 0) {
		slots_drop(&c->tasks, index);
		return r;
	}
	t = slots_at(&c->tasks, index);
	*t = (struct open_task){
		.next = SLOT_NONE,
		.on_reply = on_reply,
		.on_event = on_event,
		.ctx = ctx,
	};
	chain_add(c, &c->gathering, index);
	if (c->gathering.n == 1)
		wake(c, true);
	return 0;
}

void client_forget(struct client *c, struct ulid task)
{
	uint32_t index = ulid_is_zero(task) ? SLOT_NONE : task_find(c, task);

	if (index != SLOT_NONE)
		task_drop(c, index);
}

uint32_t client_open_tasks(const struct client *c)
{
	return c->tasks.used;
}

static void on_answered(void *ctx, int err, const struct bus_msg *m)
{
	struct open_ask a = *(struct open_ask *)ctx;
	struct client *c = a.c;
	struct fail why = { 0 };

	slots_drop(&c->asks, a.index);
	arena_reset(&c->message);
	if (err < 0)
		no_reply(&why, err, a.on_query != NULL ? "router" : "inbox");
	if (a.on_query != NULL) {
		struct query_reply r = { 0 };

		if (err == 0 && query_reply_decode(&c->message, m->data, &r, &why) < 0)
			r = (struct query_reply){ 0 };
		if (why.code != 0)
			r.fail = why;
		a.on_query(a.ctx, &r);
	} else {
		struct ask_reply r = { 0 };

		if (err == 0 && ask_reply_decode(&c->message, m->data, &r, &why) < 0)
			r = (struct ask_reply){ 0 };
		if (why.code != 0)
			r.fail = why;
		a.on_ask(a.ctx, &r);
	}
}

/* Send c->question. */
static int send_question(struct client *c, const char *subject, struct open_ask ask)
{
	int r = buf_err(&c->question);
	uint32_t index;

	if (r < 0)
		return r;
	if (c->closing)
		return ERR_CLOSED;
	if (c->asks.used == c->asks.max)
		return ERR_BUSY;
	index = slots_take(&c->asks);
	if (index == SLOT_NONE)
		return ERR_NO_MEMORY;
	ask.c = c;
	ask.index = index;
	*(struct open_ask *)slots_at(&c->asks, index) = ask;
	r = requests_send(c->requests, subject, buf_span(&c->question), c->timeout_ns, on_answered,
		slots_at(&c->asks, index));
	if (r < 0)
		slots_drop(&c->asks, index);
	return r;
}

int client_query(struct client *c, const struct query *q, client_query_fn *on_reply, void *ctx)
{
	CHECK(on_reply != NULL);
	buf_reset(&c->question);
	query_encode(&c->question, q);
	return send_question(c, c->query_subject,
		(struct open_ask){ .on_query = on_reply, .ctx = ctx });
}

int client_ask(struct client *c, const struct ask *q, client_ask_fn *on_reply, void *ctx)
{
	CHECK(on_reply != NULL);
	buf_reset(&c->question);
	ask_encode(&c->question, q);
	return send_question(c, c->ask_subject,
		(struct open_ask){ .on_ask = on_reply, .ctx = ctx });
}

int client_watch(struct client *c, client_event_fn *on_event, void *ctx)
{
	c->on_watch = on_event;
	c->watch_ctx = ctx;
	if (on_event == NULL) {
		bus_unsubscribe(c->bus, c->watch);
		c->watch = NULL;
		return 0;
	}
	if (c->watch == NULL)
		c->watch = bus_subscribe(c->bus, c->watch_pattern, NULL, on_watched, c);
	return c->watch == NULL ? ERR_NO_MEMORY : 0;
}
