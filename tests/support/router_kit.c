/* SPDX-License-Identifier: Apache-2.0
 *
 * router_kit: lines to offers, calls to events, and a memory of what was said.
 */
#include "tests/support/router_kit.h"

#include <stdio.h>

#include "tests/support/router_model.h"
#include "tests/support/test.h"

/* --- what is said ------------------------------------------------------------------------------- */

static struct kit_said *say(struct kit *k)
{
	if (k->said_n == KIT_SAID)
		fail_msg("the machine said more than %u things", KIT_SAID);
	return &k->said[k->said_n++];
}

static void on_down(void *ctx, struct span node, const struct down *d, bool fast)
{
	(void)fast;
	struct kit_said *s = say(ctx);

	*s = (struct kit_said){
		.what = SAID_DOWN,
		.kind = (int)d->kind,
		.task = d->task,
		.attempt = d->attempt,
		.chunk = d->chunk_seq,
	};
	span_copy(node, s->to, sizeof s->to);
	span_copy(d->kind == DOWN_ASSIGN ? d->task_kind : d->reason, s->text, sizeof s->text);
	if (d->kind == DOWN_DRAIN)
		s->code = d->on;
	if (d->kind == DOWN_ASSIGN)
		s->code = (int)d->inline_bytes;
}

static void on_event(void *ctx, struct span tenant, const char *stream, const struct event *e,
	bool fast)
{
	(void)fast;
	struct kit_said *s = say(ctx);

	*s = (struct kit_said){
		.what = SAID_EVENT,
		.kind = (int)e->kind,
		.task = e->task,
		.attempt = e->attempt,
		.chunk = e->chunk_seq,
	};
	snprintf(s->to, sizeof s->to, "%.*s/%s", (int)tenant.len, (const char *)tenant.at, stream);
	s->state = e->kind == EVENT_END ? e->result.state : e->state;
	s->rung = e->kind == EVENT_END ? e->result.rung : e->rung;
	s->code = e->result.fail.code;
	s->paused = e->paused;
	if (e->kind == EVENT_END)
		span_copy(e->result.fail.code == 0 ? e->result.body
						   : span_str(e->result.fail.detail),
			s->text, sizeof s->text);
	else
		span_copy(e->kind == EVENT_CHANGE  ? e->reason
			  : e->kind == EVENT_CHUNK ? e->data
						   : e->note,
			s->text, sizeof s->text);
}

static void on_record(void *ctx, const struct journal_record *record)
{
	struct kit_said *s = say(ctx);

	*s = (struct kit_said){
		.what = SAID_RECORD,
		.kind = (int)record->kind,
		.task = record->task,
		.attempt = record->attempt,
	};
	span_copy(record->kind == JOURNAL_ACCEPTED ? record->tenant : record->node, s->to,
		sizeof s->to);
	if (record->kind == JOURNAL_ENDED) {
		s->state = record->result->state;
		s->code = record->result->fail.code;
	}
}

const struct kit_said *kit_next(struct kit *k, int what, int kind)
{
	while (k->seen < k->said_n) {
		const struct kit_said *s = &k->said[k->seen++];

		if ((int)s->what == what && s->kind == kind)
			return s;
	}
	fail_msg("nothing of sort %d, kind %d was said", what, kind);
	return NULL;
}

bool kit_none(const struct kit *k, int what, int kind)
{
	for (unsigned i = k->seen; i < k->said_n; i++)
		if ((int)k->said[i].what == what && k->said[i].kind == kind)
			return false;
	return true;
}

void kit_look_away(struct kit *k)
{
	k->said_n = 0;
	k->seen = 0;
}

/* --- life and time ------------------------------------------------------------------------------ */

int kit_step(struct kit *k, const struct router_event *e)
{
	int err = router_step(k->r, k->now_ns, e, &k->out);

	router_model_check(k->r);
	return err;
}

static void tick(struct kit *k)
{
	kit_step(k, &(struct router_event){ .kind = ROUTER_TICK });
}

void kit_pass(struct kit *k, int64_t ns)
{
	int64_t end = k->now_ns + ns;
	unsigned turns = 0;

	while (router_wake(k->r) <= end) {
		int64_t wake = router_wake(k->r);

		if (wake > k->now_ns)
			k->now_ns = wake;
		tick(k);
		if (++turns > 100000)
			fail_msg("time stands still");
	}
	k->now_ns = end;
	tick(k);
}

struct kit *kit_new(void (*change)(struct router_conf *conf))
{
	struct kit *k = mem_alloc(sizeof *k);
	assert_non_null(k);
	router_conf_default(&k->conf);
	k->conf.answers.bytes_max = 0; /* many tests submit what is equal */
	if (change != NULL)
		change(&k->conf);
	k->now_ns = KIT_START_NS;
	k->out = (struct router_out){ k, on_down, on_event, on_record, NULL };
	k->incarnation = 1;
	k->r = router_new(&k->conf, k->now_ns);
	assert_non_null(k->r);
	kit_pass(k, k->conf.settle_ns);
	return k;
}

static int on_image(void *ctx, const struct journal_image *image)
{
	struct kit *k = ctx;

	return images_take(&k->images, image);
}

void kit_keep(struct kit *k)
{
	k->out.on_image = on_image;
}

void kit_restart(struct kit *k)
{
	uint64_t was, is;

	assert_int_equal(router_hash(k->r, &was), 0);
	router_free(k->r);
	k->conf.incarnation++;
	k->conf.seed++; /* or it would draw the same ids again */
	k->r = images_router(&k->images, &k->conf, k->now_ns);
	assert_int_equal(router_hash(k->r, &is), 0);
	assert_int_equal(is, was);
	router_resume(k->r, k->now_ns, &k->out);
	tick(k); /* who is queued again is looked at */
}

void kit_free(struct kit *k)
{
	if (k != NULL) {
		router_free(k->r);
		images_done(&k->images);
	}
	mem_free(k);
}

int kit_set_up(void **state)
{
	*state = kit_new(NULL);
	return 0;
}

int kit_tear_down(void **state)
{
	kit_free(*state);
	return mem_held() == 0 ? 0 : -1;
}

/* --- nodes -------------------------------------------------------------------------------------- */

static bool takes(struct span word, const char *key, struct span *ret)
{
	size_t n = strlen(key);

	if (word.len < n || memcmp(word.at, key, n) != 0)
		return false;
	*ret = span_part(word, n, word.len);
	return true;
}

static int64_t number(struct span s)
{
	int64_t n = 0;

	if (fmt_int(s, &n) < 0)
		fail_msg("no number: %.*s", (int)s.len, (const char *)s.at);
	return n;
}

static void offer_word(struct offer *o, struct kind_offer *all, struct span *kinds,
	struct span word)
{
	struct span v;

	if (takes(word, "slots=", &v))
		o->slots = (uint32_t)number(v);
	else if (takes(word, "queued=", &v))
		o->queued = (uint32_t)number(v);
	else if (takes(word, "health=", &v))
		o->health = (uint32_t)number(v);
	else if (takes(word, "price=", &v))
		all->price_ucr = number(v);
	else if (takes(word, "run_us=", &v))
		all->typical_us = number(v);
	else if (takes(word, "model=", &v))
		all->model = v;
	else if (takes(word, "why=", &v))
		all->why = v;
	else if (takes(word, "kinds=", &v))
		*kinds = v;
	else if (span_is(word, "!ready"))
		all->ready = false;
	else if (span_is(word, "pauses"))
		all->pauses = true;
	else if (span_is(word, "draining"))
		o->draining = true;
	else
		fail_msg("what is %.*s?", (int)word.len, (const char *)word.at);
}

void kit_offer_running(struct kit *k, const char *line, const struct attempt_ref *running, size_t n)
{
	struct kind_offer kinds[16];
	struct kind_offer all = { .ready = true };
	struct offer o = {
		.incarnation = k->incarnation,
		.seq = ++k->seq,
		.sent_ms = k->tells_time ? (k->now_ns - k->delay_ns) / NS_PER_MS : 0,
		.slots = 1,
		.health = 1000,
	};
	struct attempt_ref list[16];
	struct span rest = span_str(line), names = SPAN_LIT("util.echo");
	struct span name = span_cut(&rest, ' ');

	o.rung = rung_parse(span_cut(&rest, ' '));
	while (rest.len > 0)
		offer_word(&o, &all, &names, span_cut(&rest, ' '));
	while (names.len > 0) {
		kinds[o.kinds_n] = all;
		kinds[o.kinds_n++].kind = span_cut(&names, ',');
	}
	o.kinds = kinds;
	if (n > 0)
		memcpy(list, running, n * sizeof *list);
	o.running = list;
	o.running_n = n;
	kit_step(k, &(struct router_event){
			    .kind = ROUTER_UP,
			    .who = name,
			    .up = &(struct up){ .kind = UP_OFFER, .offer = &o },
		    });
}

void kit_offer(struct kit *k, const char *line)
{
	kit_offer_running(k, line, NULL, 0);
}

/* --- tasks -------------------------------------------------------------------------------------- */

struct submit kit_task(const char *kind)
{
	return (struct submit){ .kind = span_str(kind), .body = SPAN_LIT("") };
}

struct task *kit_submit_as(struct kit *k, const char *tenant, const struct submit *s)
{
	/* As good as a hash here: what the content says of itself. */
	unsigned char hash[TASK_HASH] = { (unsigned char)s->priority, (unsigned char)s->body.len };

	kit_step(k, &(struct router_event){
			    .kind = ROUTER_SUBMIT,
			    .who = span_str(tenant),
			    .submit = s,
			    .hash = hash,
			    .reply = &k->reply,
		    });
	return tasks_find(&k->r->tasks, k->reply.task);
}

struct task *kit_submit(struct kit *k, const char *kind)
{
	struct submit s = kit_task(kind);
	struct task *t = kit_submit_as(k, "t", &s);

	assert_int_equal(k->reply.fail.code, 0);
	assert_non_null(t);
	return t;
}

const char *kit_node(const struct kit *k, const struct task *t)
{
	if (t->state != STATE_ASSIGNED && t->state != STATE_RUNNING)
		return "";
	return registry_node(&k->r->registry, t->node)->name;
}

void kit_up_from(struct kit *k, const char *node, const struct up *u)
{
	kit_step(k, &(struct router_event){ .kind = ROUTER_UP, .who = span_str(node), .up = u });
}

void kit_up(struct kit *k, enum up_kind kind, const struct task *t)
{
	kit_up_from(k, kit_node(k, t),
		&(struct up){ .kind = kind, .task = t->id, .attempt = t->attempt });
}

void kit_done(struct kit *k, const struct task *t, struct span body)
{
	kit_up_from(k, kit_node(k, t),
		&(struct up){
			.kind = UP_DONE,
			.task = t->id,
			.attempt = t->attempt,
			.body = body,
			.run_us = 100,
		});
}

static void with_fail(struct kit *k, const struct task *t, enum up_kind kind, int code,
	int64_t retry_after_ms)
{
	struct up u = { .kind = kind, .task = t->id, .attempt = t->attempt };

	fail_set(&u.fail, code, NULL, 0, "the node says so");
	u.fail.retry_after_ms = retry_after_ms;
	kit_up_from(k, kit_node(k, t), &u);
}

void kit_fails(struct kit *k, const struct task *t, int code)
{
	with_fail(k, t, UP_FAILED, code, 0);
}

void kit_refuses(struct kit *k, const struct task *t, int code, int64_t retry_after_ms)
{
	with_fail(k, t, UP_REFUSE, code, retry_after_ms);
}

unsigned kit_steps(const struct task *t, enum step_kind kind, struct explain_note *ret_last)
{
	struct explain_note note;
	const struct explain_seen *seen;
	uint32_t at = 0;
	unsigned n = 0;

	while (explain_next(&t->explain, &at, &note, &seen))
		if (note.kind == kind) {
			n++;
			if (ret_last != NULL)
				*ret_last = note;
		}
	return n;
}
