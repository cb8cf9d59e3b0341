/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of a stream: tables of what comes and what is given out, and a bus that loses, doubles and reorders.
 */
#include "run/stream_reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

#define MS NS_PER_MS

struct row {
	int64_t at_ms;
	const char *comes;
	const char *gives; /* joined by ", " */
};

static struct stream_reader reader;
static char given[256];

PRINTF_LIKE(1, 2)
static void say(const char *format, ...)
{
	size_t len = strlen(given);
	va_list args;

	if (len > 0)
		len += (size_t)snprintf(given + len, sizeof(given) - len, ", ");
	va_start(args, format);
	vsnprintf(given + len, sizeof(given) - len, format, args);
	va_end(args);
}

static void on_chunk(void *ctx, uint32_t attempt, const struct chunk *c)
{
	(void)ctx;
	say("%u.%u", attempt, (unsigned)c->seq);
}

static void on_anew(void *ctx, uint32_t attempt)
{
	(void)ctx;
	say("anew %u", attempt);
}

static void on_lost(void *ctx, uint32_t attempt, uint64_t first, uint64_t last)
{
	(void)ctx;
	say("lost %u.%u-%u", attempt, (unsigned)first, (unsigned)last);
}

static void start(void)
{
	reader = (struct stream_reader){ .on_chunk = on_chunk,
		.on_anew = on_anew,
		.on_lost = on_lost };
	given[0] = '\0';
}

/* One more attempt was given out than the one that counts in the end: its second one came to nothing. */
static void comes_event(enum event_kind kind, int64_t now_ns, unsigned attempt, unsigned seq)
{
	stream_reader_event(&reader, now_ns,
		&(struct event){
			.kind = kind,
			.attempt = attempt,
			.chunk_seq = seq,
			.result = { .state = STATE_SUCCEEDED,
				.attempts = attempt + 1,
				.attempt = attempt,
				.chunks = seq },
		});
}

/* "part ATTEMPT FIRST-LAST of KNOWN" */
static void comes_part(int64_t now_ns, unsigned attempt, unsigned first, unsigned last,
	unsigned known)
{
	struct query_reply r = {
		.kind = REPLY_STREAM,
		.stream = { .attempt = attempt, .last = known },
	};
	struct chunk chunks[16];

	for (unsigned seq = first; seq <= last; seq++)
		chunks[r.stream.chunks_n++] = (struct chunk){ seq, SPAN_LIT("x") };
	r.stream.chunks = chunks;
	stream_reader_reply(&reader, now_ns, &r);
}

static void comes_refusal(int64_t now_ns, int code, const char *field, int64_t limit)
{
	struct query_reply r = { .kind = REPLY_NONE };

	fail_set(&r.fail, code, field, limit, NULL);
	stream_reader_reply(&reader, now_ns, &r);
}

static void asks(int64_t now_ns)
{
	struct query q;

	if (stream_reader_ask(&reader, now_ns, &q)) {
		assert_int_equal(q.kind, QUERY_STREAM);
		say("ask %u.%u", q.attempt, (unsigned)q.chunk_seq);
	}
}

static void comes(const char *text, int64_t now_ns)
{
	char verb[16] = "";
	unsigned a = 0, b = 0, c = 0, d = 0;

	if (sscanf(text, "part %u %u-%u of %u", &a, &b, &c, &d) == 4)
		comes_part(now_ns, a, b, c, d);
	else if (sscanf(text, "gone %u", &a) == 1)
		comes_refusal(now_ns, ERR_INVALID, "from_seq", a);
	else if (strcmp(text, "unknown") == 0)
		comes_refusal(now_ns, ERR_UNKNOWN, "task", 0);
	else if (strcmp(text, "timeout") == 0)
		comes_refusal(now_ns, ERR_TIMEOUT, NULL, 0);
	else if (strcmp(text, "check") == 0)
		stream_reader_check(&reader, now_ns);
	else if (sscanf(text, "%15s %u.%u", verb, &a, &b) == 3)
		comes_event(strcmp(verb, "chunk") == 0  ? EVENT_CHUNK
			    : strcmp(verb, "beat") == 0 ? EVENT_BEAT
							: EVENT_END,
			now_ns, a, b);
	else if (strcmp(text, "time") != 0)
		fail_msg("what is %s?", text);
	asks(now_ns);
}

static void play(const struct row *rows, unsigned n)
{
	start();
	for (unsigned i = 0; i < n; i++) {
		given[0] = '\0';
		comes(rows[i].comes, rows[i].at_ms * MS);
		if (strcmp(given, rows[i].gives) != 0)
			fail_msg("row %u, %s: [%s], not [%s]", i, rows[i].comes, given,
				rows[i].gives);
	}
}

#define PLAY(...)                                                                                  \
	do {                                                                                       \
		static const struct row rows[] = { __VA_ARGS__ };                                  \
		play(rows, ARRAY_LEN(rows));                                                       \
	} while (0)

static void test_in_order(void **state)
{
	(void)state;
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "chunk 1.2", "1.2" }, { 3, "chunk 1.2", "" },
		{ 3, "chunk 1.1", "" }, { 4, "beat 1.2", "" }, { 5, "end 1.2", "" });
	assert_true(stream_reader_is_whole(&reader));
	assert_int_equal(stream_reader_wake(&reader), INT64_MAX);
}

static void test_gaps_are_asked_for(void **state)
{
	(void)state;
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "chunk 1.4", "ask 1.2" }, { 3, "chunk 1.5", "" },
		{ 4, "part 1 2-5 of 5", "1.2, 1.3, 1.4, 1.5" }, { 5, "chunk 1.6", "1.6" });
	/* a beat, and an end, tell that something is missing */
	PLAY({ 1, "beat 1.3", "ask 1.1" }, { 2, "part 1 1-3 of 3", "1.1, 1.2, 1.3" });
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "end 1.3", "ask 1.2" },
		{ 3, "part 1 2-3 of 3", "1.2, 1.3" });
	assert_true(stream_reader_is_whole(&reader));
	/* more than fits into one answer */
	PLAY({ 1, "beat 1.9", "ask 1.1" }, { 2, "part 1 1-4 of 9", "1.1, 1.2, 1.3, 1.4, ask 1.5" },
		{ 3, "chunk 1.10", "" },
		{ 3, "part 1 5-9 of 9", "1.5, 1.6, 1.7, 1.8, 1.9, ask 1.10" },
		{ 4, "part 1 10-10 of 10", "1.10" });
}

static void test_pauses_between_vain_questions(void **state)
{
	(void)state;
	PLAY({ 0, "beat 1.2", "ask 1.1" }, { 1, "part 1 1-0 of 0", "" }, { 50, "time", "" },
		{ 51, "time", "ask 1.1" }, { 52, "timeout", "" }, { 151, "time", "" },
		{ 152, "time", "ask 1.1" }, { 153, "timeout", "" }, { 353, "time", "ask 1.1" },
		{ 354, "timeout", "" }, { 754, "time", "ask 1.1" }, { 755, "timeout", "" },
		{ 1555, "time", "ask 1.1" }, { 1556, "timeout", "" }, { 2555, "time", "" },
		{ 2556, "time", "ask 1.1" }, { 2557, "part 1 1-2 of 2", "1.1, 1.2" });
}

static void test_a_new_attempt(void **state)
{
	(void)state;
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "chunk 2.1", "anew 2, 2.1" }, { 3, "chunk 1.2", "" },
		{ 4, "chunk 2.2", "2.2" });
	/* nothing came of the first: nothing is void */
	PLAY({ 1, "beat 1.0", "" }, { 2, "chunk 2.1", "2.1" });
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "beat 2.0", "anew 2" }, { 3, "end 2.0", "" });
	/* the end, or an answer, tells of it first */
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "end 3.2", "anew 3, ask 3.1" },
		{ 3, "part 3 1-2 of 2", "3.1, 3.2" });
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "chunk 1.3", "ask 1.2" },
		{ 3, "part 2 4-5 of 5", "anew 2, lost 2.1-3, 2.4, 2.5" });
	/* an answer that is late */
	PLAY({ 1, "beat 1.1", "ask 1.1" }, { 2, "chunk 2.1", "2.1" }, { 3, "part 1 1-1 of 1", "" });
}

static void test_what_cannot_be_had(void **state)
{
	(void)state;
	PLAY({ 1, "chunk 1.1", "1.1" }, { 2, "chunk 1.9", "ask 1.2" },
		{ 3, "gone 7", "lost 1.2-6, ask 1.7" }, { 4, "part 1 7-9 of 9", "1.7, 1.8, 1.9" });
	/* of a task that has ended: none is kept */
	PLAY({ 1, "end 1.4", "ask 1.1" }, { 2, "gone 5", "lost 1.1-4" });
	assert_true(stream_reader_is_whole(&reader));
	PLAY({ 1, "end 1.4", "ask 1.1" }, { 2, "unknown", "lost 1.1-4" });
	assert_true(stream_reader_is_whole(&reader));
	/* a task that ended without a chunk */
	PLAY({ 1, "check", "ask 0.0" }, { 2, "end 1.0", "" }, { 3, "unknown", "" });
	assert_true(stream_reader_is_whole(&reader));
	/* a task that lives is asked for again */
	PLAY({ 1, "beat 1.1", "ask 1.1" }, { 2, "unknown", "" }, { 52, "time", "ask 1.1" });
}

static void test_the_end_is_waited_for_but_not_for_ever(void **state)
{
	int64_t now_ns = MS;

	(void)state;
	PLAY({ 1, "chunk 1.1", "1.1" }, { 1, "end 1.3", "ask 1.2" });
	for (unsigned i = 0; i < STREAM_READER_TRIES; i++) {
		assert_false(stream_reader_is_whole(&reader));
		assert_string_equal(given, "ask 1.2");
		given[0] = '\0';
		comes_part(now_ns, 1, 1, 0, 3);
		if (stream_reader_wake(&reader) < INT64_MAX)
			now_ns = stream_reader_wake(&reader);
		asks(now_ns);
	}
	assert_string_equal(given, "lost 1.2-3");
	assert_true(stream_reader_is_whole(&reader));
}

static void test_polling(void **state)
{
	(void)state;
	PLAY({ 0, "check", "ask 0.0" }, { 1, "check", "" }, { 1, "part 1 1-0 of 0", "" },
		{ 1, "check", "" }, { 51, "time", "ask 1.1" },
		{ 52, "part 1 1-2 of 2", "1.1, 1.2" }, { 52, "check", "ask 1.3" });
	assert_false(stream_reader_is_whole(&reader));
}

/* A stream that grows, seen through a bus that loses, doubles and reorders; its ring forgets. */
struct source {
	uint32_t attempt;
	uint64_t last, oldest;
	uint32_t given_attempt;
	uint64_t given;
};

/* Without anything given there is no telling of a new attempt. */
static void check_attempt(struct source *s, uint32_t attempt)
{
	if (s->given == 0 && attempt > s->given_attempt)
		s->given_attempt = attempt;
	assert_int_equal(attempt, s->given_attempt);
}

static void check_chunk(void *ctx, uint32_t attempt, const struct chunk *c)
{
	struct source *s = ctx;

	check_attempt(s, attempt);
	assert_int_equal(c->seq, s->given + 1);
	s->given = c->seq;
}

static void check_anew(void *ctx, uint32_t attempt)
{
	struct source *s = ctx;

	assert_true(attempt > s->given_attempt);
	s->given_attempt = attempt;
	s->given = 0;
}

static void check_lost(void *ctx, uint32_t attempt, uint64_t first, uint64_t last)
{
	struct source *s = ctx;

	check_attempt(s, attempt);
	assert_int_equal(first, s->given + 1);
	assert_true(last >= first);
	s->given = last;
}

static struct query_reply answer_of(const struct source *s, const struct query *q,
	struct chunk chunks[8])
{
	struct query_reply r = {
		.kind = REPLY_STREAM,
		.stream = { .attempt = s->attempt,
			.oldest = s->oldest,
			.last = s->last,
			.chunks = chunks },
	};
	uint64_t from = q->attempt != 0 && q->attempt != s->attempt ? s->oldest : q->chunk_seq;

	if (from == 0)
		from = s->oldest;
	if (from < s->oldest) {
		r.kind = REPLY_NONE;
		fail_set(&r.fail, ERR_INVALID, "from_seq", (int64_t)s->oldest, NULL);
	}
	for (uint64_t seq = from; seq <= s->last && r.stream.chunks_n < 8; seq++)
		chunks[r.stream.chunks_n++] = (struct chunk){ seq, SPAN_LIT("x") };
	return r;
}

static void test_whatever_the_bus_does(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned run = 0; run < 300; run++) {
		struct source s = { .attempt = 1, .oldest = 1, .given_attempt = 1 };
		struct chunk chunks[8];
		struct query q;
		int64_t now_ns = 0;

		reader = (struct stream_reader){ .on_chunk = check_chunk,
			.on_anew = check_anew,
			.on_lost = check_lost,
			.ctx = &s };
		for (unsigned i = 0; i < 400; i++) {
			now_ns += (int64_t)prng_below(&p, 100) * MS;
			if (prng_below(&p, 100) == 0) {
				s.attempt++;
				s.last = 0;
				s.oldest = 1;
			}
			s.last += prng_below(&p, 3);
			if (prng_below(&p, 10) == 0 && s.oldest < s.last)
				s.oldest += prng_below(&p, s.last - s.oldest);
			if (s.last > 0 && prng_below(&p, 3) > 0)
				comes_event(prng_below(&p, 4) == 0 ? EVENT_BEAT : EVENT_CHUNK,
					now_ns, s.attempt,
					(unsigned)(s.last -
						   prng_below(&p, s.last < 3 ? s.last : 3)));
			if (!stream_reader_ask(&reader, now_ns, &q))
				continue;
			struct query_reply r = answer_of(&s, &q, chunks);

			if (prng_below(&p, 4) == 0)
				comes_refusal(now_ns, ERR_TIMEOUT, NULL, 0);
			else
				stream_reader_reply(&reader, now_ns, &r);
		}
		comes_event(EVENT_END, now_ns, s.attempt, (unsigned)s.last);
		while (stream_reader_wake(&reader) < INT64_MAX) {
			now_ns = stream_reader_wake(&reader) > now_ns ? stream_reader_wake(&reader)
								      : now_ns;
			assert_true(stream_reader_ask(&reader, now_ns, &q));
			struct query_reply r = answer_of(&s, &q, chunks);

			stream_reader_reply(&reader, now_ns, &r);
		}
		assert_int_equal(s.given, s.last);
		assert_true(stream_reader_is_whole(&reader));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_gaps_are_asked_for),
		cmocka_unit_test(test_pauses_between_vain_questions),
		cmocka_unit_test(test_a_new_attempt),
		cmocka_unit_test(test_what_cannot_be_had),
		cmocka_unit_test(test_the_end_is_waited_for_but_not_for_ever),
		cmocka_unit_test(test_polling),
		cmocka_unit_test(test_whatever_the_bus_does),
	};

	return cmocka_run_group_tests_name("stream_reader", tests, NULL, NULL);
}
