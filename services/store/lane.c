/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: a pool of one thread, and as many jobs as may be under way. A job holds a message's asks, then its replies.
 */
#include "services/store/lane.h"

#include "base/mem.h"
#include "run/log.h"
#include "wire/subject.h"

#define ARENA_BYTES ((size_t)2 << 20)
#define SWEEP_BLOBS 256u

struct lane_job {
	struct work_job work;
	struct list link; /* idle or unsent */
	struct lane *lane;
	int64_t now_ns;
	struct arena arena; /* the asks */
	struct span tenant;
	const char *to;
	struct blob_ask *asks;
	size_t asks_n;
	struct fail broken; /* the message itself is */
	struct buf reply;
	struct fail fault; /* the first of the disk */
	enum blob_op fault_op;
	struct store_metrics metrics;
};

/* --- on the thread ------------------------------------------------------------------------------------ */

/* What does not fit beside the others is told so. */
static void put_reply(struct buf *b, const struct blob_reply *r)
{
	size_t before = b->len;
	struct blob_reply sorry = { 0 };
	int err;

	blob_replies_put(b, r);
	err = buf_err(b);
	if (err == 0)
		return;
	b->len = before;
	b->err = 0;
	fail_set(&sorry.fail, err, "ask", LIMIT_MESSAGE_BYTES,
		"the replies do not fit into a message");
	blob_replies_put(b, &sorry);
}

static void note_fault(struct lane_job *j, const struct blob_ask *ask, const struct fail *why)
{
	if (why->code != ERR_IO || j->fault.code != 0)
		return;
	j->fault = *why;
	j->fault_op = ask->op;
}

static void serve(struct work_job *work)
{
	struct lane_job *j = CONTAINER(work, struct lane_job, work);
	struct store *s = j->lane->store;
	struct blob_reply reply = { .fail = j->broken };

	if (j->broken.code != 0)
		put_reply(&j->reply, &reply);
	for (size_t i = 0; i < j->asks_n; i++) {
		store_do(s, j->tenant, j->now_ns, &j->asks[i], &reply);
		note_fault(j, &j->asks[i], &reply.fail);
		put_reply(&j->reply, &reply);
	}
	j->metrics = s->metrics;
}

static void sweep(struct work_job *work)
{
	struct lane *l = CONTAINER(work, struct lane, sweep);

	store_sweep(l->store, l->sweep_ns, SWEEP_BLOBS);
}

/* --- on the owner ------------------------------------------------------------------------------------- */

static void give_back(struct lane_job *j)
{
	list_drop(&j->link);
	list_push(j->lane->idle.next, &j->link);
}

/* False: the bus is full for now. */
static bool send(struct lane_job *j)
{
	struct lane *l = j->lane;
	int r = buf_err(&j->reply);

	if (r == 0)
		r = bus_publish(l->bus, j->to, NULL, (struct span){ 0 }, buf_span(&j->reply));
	if (r == ERR_BUSY)
		return false;
	l->unanswered += r < 0;
	give_back(j);
	return true;
}

static void send_unsent(struct lane *l)
{
	while (!list_is_empty(&l->unsent))
		if (!send(CONTAINER(l->unsent.next, struct lane_job, link)))
			return;
}

static void on_turn(void *ctx, int64_t now_ns)
{
	(void)now_ns;
	send_unsent(ctx);
}

static void on_served(struct work_job *work)
{
	struct lane_job *j = CONTAINER(work, struct lane_job, work);
	struct lane *l = j->lane;

	l->metrics = j->metrics;
	if (j->fault.code != 0)
		log_error("an ask failed", "op", LOG_INT(j->fault_op), "tenant",
			LOG_SPAN(j->tenant), "field", LOG_STR(j->fault.field), "detail",
			LOG_STR(j->fault.detail));
	if (!list_is_empty(&l->unsent) || !send(j))
		list_push(&l->unsent, &j->link);
}

static void on_swept(struct work_job *work)
{
	CONTAINER(work, struct lane, sweep)->is_sweeping = false;
}

/* NULL: the bus takes none of the answers. */
static struct lane_job *take_job(struct lane *l)
{
	struct lane_job *j;

	while (list_is_empty(&l->idle) && work_wait(l->pool))
		;
	if (list_is_empty(&l->idle)) {
		bus_flush(l->bus);
		send_unsent(l);
	}
	if (list_is_empty(&l->idle))
		return NULL;
	j = CONTAINER(l->idle.next, struct lane_job, link);
	list_drop(&j->link);
	arena_reset(&j->arena);
	buf_reset(&j->reply);
	j->fault = (struct fail){ 0 };
	j->broken = (struct fail){ 0 };
	j->asks_n = 0;
	return j;
}

/* Whose message it is, and where the answer goes; false: nowhere. */
static bool take_address(struct lane_job *j, const struct bus_msg *m)
{
	struct span tenant;
	char *name = NULL;

	if (subject_parse(SUBJECT_BLOB, m->subject, &tenant, NULL) == 0 &&
		subject_may_reply(m->reply, tenant))
		name = arena_str(&j->arena, tenant);
	j->to = name == NULL ? NULL : arena_str(&j->arena, m->reply);
	j->tenant = span_str(name);
	return j->to != NULL;
}

void lane_take(struct lane *l, const struct bus_msg *m)
{
	struct lane_job *j = take_job(l);

	l->messages++;
	if (j == NULL || !take_address(j, m)) {
		l->unanswered++;
		if (j != NULL)
			give_back(j);
		return;
	}
	j->now_ns = l->loop->now_ns;
	if (blob_asks_decode(&j->arena, m->data, &j->asks, &j->asks_n, &j->broken) < 0)
		j->asks_n = 0;
	CHECK(work_post(l->pool, &j->work) == 0);
}

void lane_sweep(struct lane *l, int64_t now_ns)
{
	if (l->is_sweeping)
		return;
	l->is_sweeping = true;
	l->sweep_ns = now_ns;
	CHECK(work_post(l->pool, &l->sweep) == 0);
}

int lane_open(struct lane *l, struct loop *loop, struct bus *bus, struct store *s)
{
	*l = (struct lane){ .loop = loop, .bus = bus, .store = s };
	list_init(&l->idle);
	list_init(&l->unsent);
	l->sweep = (struct work_job){ sweep, on_swept };
	l->jobs = mem_alloc(LANE_MESSAGES * sizeof(*l->jobs));
	l->pool = l->jobs == NULL ? NULL : work_open(loop, 1, LANE_MESSAGES + 1);
	if (l->pool == NULL) {
		mem_free(l->jobs);
		*l = (struct lane){ 0 };
		return ERR_NO_MEMORY;
	}
	for (unsigned i = 0; i < LANE_MESSAGES; i++) {
		struct lane_job *j = &l->jobs[i];

		j->work = (struct work_job){ serve, on_served };
		j->lane = l;
		arena_init(&j->arena, ARENA_BYTES);
		buf_init(&j->reply, LIMIT_MESSAGE_BYTES);
		list_push(&l->idle, &j->link);
	}
	l->hook = (struct loop_hook){ .on_turn = on_turn, .ctx = l };
	loop_hook_add(loop, &l->hook);
	return 0;
}

void lane_close(struct lane *l)
{
	if (l->jobs == NULL)
		return;
	while (work_wait(l->pool))
		;
	bus_flush(l->bus);
	send_unsent(l);
	work_close(l->pool);
	loop_hook_drop(l->loop, &l->hook);
	for (unsigned i = 0; i < LANE_MESSAGES; i++) {
		arena_done(&l->jobs[i].arena);
		buf_done(&l->jobs[i].reply);
	}
	mem_free(l->jobs);
	l->jobs = NULL;
}
