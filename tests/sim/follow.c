/* SPDX-License-Identifier: Apache-2.0
 *
 * follow: tenants who read the streams of some of their tasks with the reader that programs use, and check what it
 * gives out: chunks of one attempt in order, each once and with its own bytes, then those of a later attempt; what
 * is missing is told.
 */
#include "sim.h"

#include <stdio.h>

#include "wire/subject.h"

#define ANSWER_NS (2 * SEC) /* then a question is asked again */
#define RESULT_NS (5 * SEC) /* an end can be lost, so it is asked for */

static void check_attempt(struct follow *f, uint32_t attempt, const char *what)
{
	if (f->given == 0 && attempt > f->attempt)
		f->attempt = attempt;
	if (attempt != f->attempt)
		oracle_break(&f->client->world->oracle, "a stream is of one attempt",
			"%s %u, not %u", what, attempt, f->attempt);
}

static void on_chunk(void *ctx, uint32_t attempt, const struct chunk *c)
{
	struct follow *f = ctx;
	struct world *w = f->client->world;
	char want[32];

	check_attempt(f, attempt, "a chunk of");
	if (c->seq != f->given + 1)
		oracle_break(&w->oracle, "chunks come in order, each once", "%llu after %llu",
			(unsigned long long)c->seq, (unsigned long long)f->given);
	snprintf(want, sizeof want, "%u %llu", attempt, (unsigned long long)c->seq);
	if (!span_is(c->data, want))
		oracle_break(&w->oracle, "a chunk has its own bytes", "%.*s, not %s",
			(int)c->data.len, (const char *)c->data.at, want);
	f->given = c->seq;
	w->chunks++;
}

static void on_anew(void *ctx, uint32_t attempt)
{
	struct follow *f = ctx;

	if (attempt <= f->attempt)
		oracle_break(&f->client->world->oracle, "a stream begins anew with a later attempt",
			"%u after %u", attempt, f->attempt);
	f->attempt = attempt;
	f->given = 0;
}

/* In fair weather that is only what the router had no room for: with an ended task it lets go its chunks, those
 * too that are on their way once more. */
static void on_lost(void *ctx, uint32_t attempt, uint64_t first, uint64_t last)
{
	struct follow *f = ctx;
	struct world *w = f->client->world;

	check_attempt(f, attempt, "lost chunks of");
	if (first != f->given + 1 || last < first)
		oracle_break(&w->oracle, "what is told to be lost is what is missing",
			"%llu to %llu after %llu", (unsigned long long)first,
			(unsigned long long)last, (unsigned long long)f->given);
	if (w->weather.fair && router_counts(router_core_machine(w->router))->evicted == 0)
		oracle_break(&w->oracle, "no chunk is lost in fair weather", "%llu to %llu",
			(unsigned long long)first, (unsigned long long)last);
	f->given = last;
	w->chunks_lost += last + 1 - first;
}

void follow_begin(struct client *c, struct ulid task)
{
	struct follow *f = &c->follows[c->follows_n];

	if (c->follows_n == FOLLOWS_MAX)
		return;
	*f = (struct follow){ .client = c, .index = c->follows_n++ };
	f->reader = (struct stream_reader){ .task = task,
		.on_chunk = on_chunk,
		.on_anew = on_anew,
		.on_lost = on_lost,
		.ctx = f };
	f->result_ns = c->world->now_ns + RESULT_NS;
}

static struct follow *find(struct client *c, struct ulid task)
{
	for (uint32_t i = 0; i < c->follows_n; i++)
		if (ulid_eq(c->follows[i].reader.task, task))
			return &c->follows[i];
	return NULL;
}

void follow_event(struct client *c, const struct event *e)
{
	struct follow *f = find(c, e->task);

	if (f != NULL && !f->over)
		stream_reader_event(&f->reader, c->world->now_ns, e);
}

static void ask(struct follow *f, const struct query *q, char sort)
{
	struct client *c = f->client;
	char subject[SUBJECT_BYTES], reply[SUBJECT_BYTES];
	struct buf b;

	buf_init(&b, 4096);
	query_encode(&b, q);
	snprintf(reply, sizeof reply, "_INBOX.%s.f.%c-%u-%u", c->tenant, sort, f->index,
		f->question);
	if (subject_build(SUBJECT_QUERY, span_str(c->tenant), (struct span){ 0 }, subject) < 0 ||
		bus_publish(c->bus, subject, reply, (struct span){ 0 }, buf_span(&b)) < 0)
		oracle_break(&c->world->oracle, "a query can be sent", "%s", c->tenant);
	buf_done(&b);
}

static void take_result(struct follow *f, const struct query_reply *r)
{
	if (r->fail.code == ERR_UNKNOWN) /* forgotten, or gone with a crash */
		f->over = true;
	else if (r->kind == REPLY_RESULT && state_is_final(r->result.state))
		stream_reader_end(&f->reader, &r->result);
}

static void on_answer(void *ctx, const struct bus_msg *m)
{
	struct client *c = ctx;
	struct query_reply r = { .kind = REPLY_NONE };
	struct arena a;
	char sort = 0;
	unsigned index = 0, question = 0;

	arena_init(&a, 16 << 20);
	if (sscanf((const char *)m->subject.at, "_INBOX.%*[^.].f.%c-%u-%u", &sort, &index,
		    &question) == 3 &&
		index < c->follows_n && !c->follows[index].over) {
		struct follow *f = &c->follows[index];

		if (query_reply_decode(&a, m->data, &r, &r.fail) < 0)
			oracle_break(&c->world->oracle, "every answer can be decoded", "%s",
				r.fail.detail);
		if (sort == 'r')
			take_result(f, &r);
		else if (question == f->question && f->reader.is_asking)
			stream_reader_reply(&f->reader, c->world->now_ns, &r);
	}
	arena_done(&a);
}

bool follow_open(struct client *c)
{
	char pattern[SUBJECT_BYTES];

	snprintf(pattern, sizeof pattern, "_INBOX.%s.f.*", c->tenant);
	return bus_subscribe(c->bus, pattern, NULL, on_answer, c) != NULL;
}

static bool is_done(const struct follow *f)
{
	return f->over || (f->reader.ended && stream_reader_is_whole(&f->reader));
}

static void turn(struct follow *f)
{
	int64_t now_ns = f->client->world->now_ns;
	struct query_reply none = { .kind = REPLY_NONE };
	struct query q;

	if (f->reader.is_asking && f->asked_ns + ANSWER_NS <= now_ns) {
		fail_set(&none.fail, ERR_TIMEOUT, NULL, 0, NULL);
		stream_reader_reply(&f->reader, now_ns, &none);
	}
	if (stream_reader_ask(&f->reader, now_ns, &q)) {
		f->question++;
		f->asked_ns = now_ns;
		ask(f, &q, 's');
	}
	if (!f->reader.ended && f->result_ns <= now_ns) {
		f->result_ns = now_ns + RESULT_NS;
		q = (struct query){ .kind = QUERY_RESULT, .task = f->reader.task };
		ask(f, &q, 'r');
	}
}

void follow_turn(struct client *c)
{
	for (uint32_t i = 0; i < c->follows_n; i++)
		if (!is_done(&c->follows[i]))
			turn(&c->follows[i]);
}

int64_t follow_wake(const struct client *c)
{
	int64_t wake = INT64_MAX;

	for (uint32_t i = 0; i < c->follows_n; i++) {
		const struct follow *f = &c->follows[i];
		int64_t due = stream_reader_wake(&f->reader);

		if (is_done(f))
			continue;
		if (f->reader.is_asking)
			due = f->asked_ns + ANSWER_NS;
		if (!f->reader.ended && f->result_ns < due)
			due = f->result_ns;
		if (due < wake)
			wake = due;
	}
	return wake;
}

void follow_check_end(const struct client *c)
{
	for (uint32_t i = 0; i < c->follows_n; i++) {
		const struct follow *f = &c->follows[i];

		if (!is_done(f))
			oracle_break(&c->world->oracle, "who follows a stream comes to its end",
				"%s follow %u: attempt %u, %llu of %llu%s", c->tenant, i,
				f->reader.attempt, (unsigned long long)f->reader.given,
				(unsigned long long)f->reader.known,
				f->reader.ended ? "" : ", the end is not known");
	}
}
