/* SPDX-License-Identifier: Apache-2.0
 *
 * core: bytes in, machine, bytes out.
 */
#include "router/core_inside.h"

#include <stdlib.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "router/content.h"
#include "router/recall.h"
#include "run/clocks.h"
#include "run/keys.h"
#include "run/log.h"

#define ARENA_MAX (16u << 20) /* a decoded message, or the answer to a query */
#define ITEM_ROOM 512u        /* an encoded item's fields without its body */
#define UPS_AHEAD 4u          /* reports whose tasks are looked up before their turn */
#define LATE_NS NS_PER_MS     /* a late reply waits for an event so long */

static int64_t process_ns(const struct router_core *c)
{
	return c->conf.now(c->conf.now_ctx);
}

int64_t router_core_now(struct router_core *c)
{
	return clock_now(&c->clock, process_ns(c));
}

/* --- out ---------------------------------------------------------------------------------------------- */

void router_core_put_end(struct router_core *c, struct outbox *o, struct buf *b)
{
	if (outbox_put_end(o, b) < 0)
		c->metrics.unsent++;
}

struct outbox *router_core_outbox(struct router_core *c, bool fast)
{
	return fast || c->conf.journal == NULL ? c->outbox : c->held.box;
}

/* The order as this node wants it; false: as it is. */
static bool pack_for(struct router_core *c, struct span node, const struct down *d,
	struct down *ret)
{
	const struct registry *g = router_registry(c->machine);
	uint32_t i = registry_find(g, node);
	uint32_t from = i == NODE_NOBODY ? 0 : registry_node(g, i)->pack_bytes;

	if (from == 0 || d->body.len < from)
		return false;
	*ret = *d;
	ret->body = packer_pack(&c->packer, d->body);
	ret->packed = ret->body.len > 0;
	return ret->packed;
}

static void on_down(void *ctx, struct span node, const struct down *d, bool fast)
{
	struct router_core *c = ctx;
	struct outbox *o = router_core_outbox(c, fast);
	char subject[SUBJECT_BYTES];
	struct down packed;

	if (subject_build(SUBJECT_DOWN, node, (struct span){ NULL, 0 }, subject) < 0)
		return;
	if (d->body.len >= PACK_BYTES && pack_for(c, node, d, &packed))
		d = &packed;
	struct buf *b = outbox_put(o, subject, ITEM_ROOM + d->body.len);

	downs_put(b, d);
	router_core_put_end(c, o, b);
}

/* Who misses it hears of it later, or asks. */
static bool can_be_missed(const struct event *e)
{
	return e->kind == EVENT_PROGRESS || e->kind == EVENT_CHUNK || e->kind == EVENT_BEAT;
}

static void on_event(void *ctx, struct span tenant, const char *stream, const struct event *e,
	bool fast)
{
	struct router_core *c = ctx;
	struct outbox *o = router_core_outbox(c, fast);
	char subject[SUBJECT_BYTES];

	if (subject_build(SUBJECT_EVENT, tenant, span_str(stream), subject) < 0)
		return;
	if (o != c->outbox && can_be_missed(e) &&
		held_may_say(&c->held, router_core_now(c), NULL) < 0) {
		c->metrics.unsent++;
		return;
	}
	struct buf *b = outbox_put(o, subject, ITEM_ROOM + e->data.len + e->result.body.len);

	events_put(b, e);
	router_core_put_end(c, o, b);
	c->told = true;
}

static void on_record(void *ctx, const struct journal_record *record)
{
	struct router_core *c = ctx;

	if (c->conf.watch != NULL)
		c->conf.watch(c->conf.watch_ctx, record);
}

static int on_image(void *ctx, const struct journal_image *image)
{
	struct router_core *c = ctx;

	if (c->err == 0)
		c->err = journal_append(c->conf.journal, image);
	return c->err;
}

int router_core_step(struct router_core *c, const struct router_event *e)
{
	return router_step(c->machine, router_core_now(c), e, &c->out);
}

/* --- submits ------------------------------------------------------------------------------------------ */

/* The replies of one message leave as one message, after the journal's flush. Those to `fast` submits wait for
 * an event, mostly the end of one of them: alone they would wake their reader for a task that is on its way,
 * and hold the way up. */
static void send_replies(struct router_core *c, const struct bus_msg *m)
{
	struct outbox *o = c->may_wait ? c->late : router_core_outbox(c, c->all_fast);

	if (m->reply.len == 0)
		return;
	if (buf_err(&c->reply) < 0) {
		c->metrics.unsent++;
		return;
	}
	struct buf *b = outbox_put(o, (const char *)m->reply.at, c->reply.len);

	buf_add(b, buf_span(&c->reply));
	router_core_put_end(c, o, b);
	if (c->may_wait && c->late_ns == INT64_MAX)
		c->late_ns = router_core_now(c) + LATE_NS;
}

int router_core_admit(struct router_core *c, struct fail *why)
{
	int err = held_admit(&c->held, router_core_now(c), why);

	c->metrics.behind += err < 0;
	return err;
}

/* Before the machine sees it. A key whose task is in memory adds nothing. */
static int look_at_submit(struct router_core *c, struct span tenant, const struct submit *s,
	struct fail *why)
{
	bool known = s->key.len > 0 && router_key(c->machine, tenant, s->key) != NULL;
	int err = s->fast || known ? 0 : router_core_admit(c, why);

	if (err < 0)
		return err;
	err = recall_key(c->conf.journal, c->machine, tenant, s->key, why);
	c->metrics.unread += err < 0;
	return err;
}

static struct submit unpack_submit(struct router_core *c, const struct submit *s)
{
	struct submit plain = *s;

	plain.packed = false;
	if (packer_unpack(&c->packer, s->body, LIMIT_BODY_BYTES, &plain.body, &plain.fail) < 0)
		plain.body = (struct span){ 0 };
	return plain;
}

static void take_submit(struct router_core *c, struct span tenant, const struct submit *s)
{
	unsigned char hash[KEYS_HASH];
	struct submit_reply reply = { .key = s->key };
	struct submit plain;
	struct router_event e = {
		.kind = ROUTER_SUBMIT,
		.who = tenant,
		.submit = s,
		.hash = hash,
		.reply = &reply,
	};

	if (s->packed && s->fail.code == 0) {
		plain = unpack_submit(c, s);
		e.submit = s = &plain;
	}
	if (s->fail.code == 0 && look_at_submit(c, tenant, s, &reply.fail) == 0) {
		if (s->key.len > 0)
			content_hash(s, hash);
		e.model = content_model(&c->arena, s);
	}
	if (reply.fail.code == 0)
		(void)router_core_step(c, &e); /* what it says is in the reply */
	/* A large batch is answered without texts, so that all its replies fit into one message. */
	if (c->reply.len > LIMIT_MESSAGE_BYTES / 2)
		reply.fail.detail[0] = '\0';
	c->all_fast = c->all_fast && (s->fast || reply.fail.code != 0);
	c->may_wait = c->may_wait && s->fast && reply.fail.code == 0;
	reply.packs = s->body.len >= PACK_BYTES;
	submit_replies_put(&c->reply, &reply);
}

bool router_core_is_honest(const struct bus_msg *m, struct span who)
{
	return m->reply.len == 0 || subject_may_reply(m->reply, who);
}

static void on_submit(void *ctx, const struct bus_msg *m)
{
	struct router_core *c = ctx;
	struct submit_reply refused = { 0 };
	struct submit *submits;
	struct span tenant;
	size_t n;

	c->metrics.submits++;
	if (subject_parse(SUBJECT_SUBMIT, m->subject, &tenant, NULL) < 0 ||
		!router_core_is_honest(m, tenant)) {
		c->metrics.submit_errors++;
		return;
	}
	arena_reset(&c->arena);
	buf_reset(&c->reply);
	if (submits_decode(&c->arena, m->data, &submits, &n, &refused.fail) == 0 && n == 0)
		fail_set(&refused.fail, ERR_INVALID, "submits", 1, "the message submits nothing");
	if (refused.fail.code != 0) {
		c->metrics.submit_errors++;
		submit_replies_put(&c->reply, &refused);
		n = 0;
	}
	int64_t before = clocks_mono();

	c->all_fast = true;
	c->may_wait = n > 0;
	for (size_t i = 0; i < n; i++)
		take_submit(c, tenant, &submits[i]);
	if (n > 0)
		hist_add(&c->metrics.place_us, (clocks_mono() - before) / 1000 / (int64_t)n);
	send_replies(c, m);
}

/* --- nodes -------------------------------------------------------------------------------------------- */

/* A result that cannot be had is the node's failure: others may do better. */
static struct up unpack_done(struct router_core *c, const struct up *done)
{
	struct up up = *done;

	up.packed = false;
	if (packer_unpack(&c->packer, done->body, LIMIT_BODY_BYTES, &up.body, &up.fail) == 0)
		return up;
	c->metrics.up_errors++;
	up.kind = UP_FAILED;
	up.fail.code = ERR_LOST;
	return up;
}

/* Nobody answers a report, so the log says what is wrong with it. */
static void take_up(struct router_core *c, struct span node, const struct up *up)
{
	struct router_event e = { .kind = ROUTER_UP, .who = node, .up = up };
	struct up plain;
	int err;

	if (up->kind == UP_NONE) { /* of a newer protocol, perhaps */
		c->metrics.up_errors++;
		return;
	}
	if (up->kind == UP_DONE && up->packed) {
		plain = unpack_done(c, up);
		e.up = &plain;
	}
	err = router_core_step(c, &e);
	if (err == ERR_CONFLICT)
		log_warn("two processes have this name: give each its own (--name)", "node",
			LOG_SPAN(node));
	else if (err < 0)
		log_warn("an offer is refused", "node", LOG_SPAN(node), "error", LOG_ERR(err));
}

static void on_up(void *ctx, const struct bus_msg *m)
{
	struct router_core *c = ctx;
	struct fail why = { 0 };
	struct span node;
	struct up *ups;
	size_t n;

	c->metrics.ups++;
	arena_reset(&c->arena);
	if (subject_parse(SUBJECT_UP, m->subject, &node, NULL) < 0) {
		c->metrics.up_errors++;
		return;
	}
	if (ups_decode(&c->arena, m->data, &ups, &n, &why) < 0) {
		c->metrics.up_errors++;
		log_warn("a node's reports cannot be read", "node", LOG_SPAN(node), "error",
			LOG_ERR(why.code), "field", LOG_STR(why.field), "detail",
			LOG_STR(why.detail));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (i + UPS_AHEAD < n)
			router_expect(c->machine, ups[i + UPS_AHEAD].task);
		take_up(c, node, &ups[i]);
	}
}

void router_core_greet(struct router_core *c)
{
	struct down ping = { .kind = DOWN_PING, .router = c->conf.machine.incarnation };

	on_down(c, SPAN_LIT("all"), &ping, true);
}

void router_core_bus(struct router_core *c, enum bus_state state)
{
	if (state == BUS_LOST)
		clock_stand(&c->clock, process_ns(c));
	if (state != BUS_UP)
		return;
	if (c->clock.stands) {
		clock_go(&c->clock, process_ns(c));
		(void)router_core_step(c, &(struct router_event){ .kind = ROUTER_BACK });
	}
	router_core_greet(c);
}

/* --- life --------------------------------------------------------------------------------------------- */

static int subscribe(struct router_core *c, struct fail *why)
{
	static const enum subject subjects[] = { SUBJECT_SUBMIT, SUBJECT_QUERY, SUBJECT_UP };
	static void (*const handlers[])(void *, const struct bus_msg *) = { on_submit,
		router_core_on_query, on_up };
	char pattern[SUBJECT_BYTES];

	for (unsigned i = 0; i < ARRAY_LEN(subjects); i++) {
		subject_pattern(subjects[i], pattern);
		c->subs[i] = bus_subscribe(c->conf.bus, pattern, subject_row(subjects[i])->group,
			handlers[i], c);
		if (c->subs[i] == NULL)
			return fail_set(why, ERR_IO, "subject", 0, "cannot subscribe to %s",
				pattern);
	}
	return 0;
}

/* Tell the machine how far the wall clock is off, if that has changed by more than measuring takes. */
static void see_wall(struct router_core *c, int64_t least_ns)
{
	int64_t skew_ns =
		c->conf.wall == NULL ? 0 : c->conf.wall(c->conf.now_ctx) - router_core_now(c);

	if (llabs(skew_ns - c->skew_ns) < least_ns)
		return;
	c->skew_ns = skew_ns;
	router_set_skew(c->machine, skew_ns);
}

void router_core_beat(struct router_core *c)
{
	clock_beat(&c->clock, process_ns(c));
	see_wall(c, CLOCK_STEP_NS);
}

/* The journal's rows; then no time that it tells of is in the future. */
static int read_journal(struct router_core *c, struct fail *why)
{
	int err;

	see_wall(c, 1);
	err = recall_open(c->conf.journal, c->machine, why);
	if (err < 0)
		return err;
	clock_floor(&c->clock, process_ns(c), router_newest_ns(c->machine));
	see_wall(c, 1);
	return 0;
}

struct router_core *router_core_open(const struct router_core_conf *conf, struct fail *why)
{
	struct router_core *c = mem_alloc(sizeof *c);

	if (c == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	c->conf = *conf;
	if (conf->own_ns != 0)
		c->clock.shift_ns = conf->own_ns - process_ns(c);
	c->out = (struct router_out){ c, on_down, on_event, on_record,
		conf->journal == NULL ? NULL : on_image };
	arena_init(&c->arena, ARENA_MAX);
	packer_init(&c->packer);
	buf_init(&c->reply, LIMIT_MESSAGE_BYTES);
	c->outbox = outbox_new(conf->bus);
	c->late = outbox_new(conf->bus);
	c->late_ns = INT64_MAX;
	c->machine = router_new(&conf->machine, router_core_now(c));
	if (held_open(&c->held, conf->bus, conf->journal, &conf->backlog) < 0 ||
		c->outbox == NULL || c->late == NULL || c->machine == NULL)
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	else if (read_journal(c, why) == 0 && subscribe(c, why) == 0) {
		router_resume(c->machine, router_core_now(c), &c->out);
		if (conf->bus->state == BUS_LOST) /* it is still being connected */
			clock_stand(&c->clock, process_ns(c));
		return c;
	}
	router_core_close(c);
	return NULL;
}

/* What is said already leaves, if it can be made safe. */
static void send_last(struct router_core *c)
{
	(void)outbox_send(c->late);
	if (c->err == 0 && router_image_err(c->machine) == 0)
		held_last(&c->held);
}

void router_core_close(struct router_core *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(c->subs); i++)
		bus_unsubscribe(c->conf.bus, c->subs[i]);
	if (c->machine != NULL && c->held.box != NULL && c->late != NULL)
		send_last(c);
	router_free(c->machine);
	outbox_free(c->late);
	held_close(&c->held);
	outbox_free(c->outbox);
	arena_done(&c->arena);
	packer_done(&c->packer);
	buf_done(&c->reply);
	mem_free(c);
}

/* Replies before events: who hears an event shall know the task. */
static void send(struct router_core *c)
{
	if (c->told || c->late_ns <= router_core_now(c)) {
		c->metrics.unsent += outbox_send(c->late);
		c->late_ns = INT64_MAX;
	}
	c->told = false;
	c->metrics.unsent += outbox_send(c->outbox);
}

int router_core_turn(struct router_core *c)
{
	if (router_wake(c->machine) <= router_core_now(c))
		(void)router_core_step(c, &(struct router_event){ .kind = ROUTER_TICK });
	if (c->err == 0)
		c->err = router_image_err(c->machine);
	if (c->err == 0)
		c->err = held_turn(&c->held, router_core_now(c), &c->metrics.unsent);
	if (c->err == 0)
		send(c);
	return c->err;
}

void router_core_measure(struct router_core *c)
{
	router_metrics_measure(&c->metrics, c->machine);
}

int64_t router_core_wake(const struct router_core *c)
{
	int64_t wake = router_wake(c->machine);

	return clock_due(&c->clock, wake < c->late_ns ? wake : c->late_ns);
}

const struct router_metrics *router_core_metrics(const struct router_core *c)
{
	return &c->metrics;
}

struct router *router_core_machine(struct router_core *c)
{
	return c->machine;
}
