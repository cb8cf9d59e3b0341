/* SPDX-License-Identifier: Apache-2.0
 *
 * Random rows go through encoder and decoder and come out as they were. The generated code unpacks each
 * encoding, packs it again, and must come to the same bytes: what we write by hand is what protobuf-c
 * would have written.
 */
#include <protobuf-c/protobuf-c.h>

#include "spu/v1/node.pb-c.h"
#include "spu/v1/task.pb-c.h"
#include "tests/support/test.h"
#include "wire/body.h"
#include "wire/node.h"
#include "wire/pbwrite.h"
#include "wire/query.h"
#include "wire/task.h"

#define ROUNDS 2000
#define ROWS 6

struct world {
	struct prng p;
	struct arena given;   /* what is encoded */
	struct arena decoded; /* what comes out */
	struct buf first;
	struct buf second;
};

static int setup(void **state)
{
	static struct world w;

	w = (struct world){ 0 };
	arena_init(&w.given, 1 << 20);
	arena_init(&w.decoded, 4 << 20);
	buf_init(&w.first, 1 << 20);
	buf_init(&w.second, 1 << 20);
	rand_start(&w.p);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	arena_done(&w->given);
	arena_done(&w->decoded);
	buf_done(&w->first);
	buf_done(&w->second);
	return 0;
}

/* Small, or of any width. */
static uint64_t number(struct world *w, unsigned bits)
{
	return prng_next(&w->p) >> (64 - bits + prng_below(&w->p, bits - 1));
}

static struct span letters(struct world *w, const char *alphabet, size_t low, size_t high)
{
	size_t n = low + prng_below(&w->p, high - low + 1);
	unsigned char *at = arena_alloc(&w->given, n + 1);

	assert_non_null(at);
	for (size_t i = 0; i < n; i++)
		at[i] = (unsigned char)alphabet[prng_below(&w->p, strlen(alphabet))];
	return span_of(at, n);
}

static struct span token(struct world *w, size_t low)
{
	return letters(w, "abcXYZ019_-", low, 64);
}

static struct span kind(struct world *w)
{
	return letters(w, "abz09_-", 1, 48);
}

static struct span text(struct world *w)
{
	return letters(w, "words and, 'signs' \n", 0, prng_chance(&w->p, 1, 4) ? 512 : 20);
}

static struct span bytes(struct world *w)
{
	struct span s = letters(w, "x", 0, prng_chance(&w->p, 1, 20) ? 20000 : 300);

	for (size_t i = 0; i < s.len; i++)
		((unsigned char *)(uintptr_t)s.at)[i] = (unsigned char)prng_next(&w->p);
	return s;
}

static struct ulid id(struct world *w)
{
	return ulid_make((int64_t)number(w, 47), &w->p);
}

static bool coin(struct world *w)
{
	return prng_chance(&w->p, 1, 2) != 0;
}

static struct fail failure(struct world *w)
{
	struct fail f = { .code = -(int)(1 + prng_below(&w->p, 20)) };

	f.limit = (int64_t)number(w, 64);
	f.retry_after_ms = (int64_t)number(w, 63);
	span_copy(letters(w, "field_", 0, 63), f.field, sizeof(f.field));
	span_copy(letters(w, "what went wrong", 0, 255), f.detail, sizeof(f.detail));
	return f;
}

static struct ladder ladder(struct world *w)
{
	struct ladder l = { 0 };

	for (uint8_t r = RUNG_CPU; r < RUNGS; r++)
		if (coin(w))
			l.rung[l.n++] = r;
	return l;
}

/* What was encoded stands in w->first: the generated code agrees with it. */
static void repack(struct world *w, const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, w->first.len, w->first.at);
	unsigned char *at;

	assert_int_equal(buf_err(&w->first), 0);
	assert_non_null(m);
	assert_int_equal(m->n_unknown_fields, 0);
	assert_int_equal(protobuf_c_message_get_packed_size(m), w->first.len);
	at = test_malloc(w->first.len + 1);
	protobuf_c_message_pack(m, at);
	assert_memory_equal(at, w->first.at, w->first.len);
	test_free(at);
	protobuf_c_message_free_unpacked(m, NULL);
}

/* What was encoded; or, half of the time, the same with a field in each item that this version does not know:
 * plain items take a shorter way through the decoder, and both must say the same. */
static struct span as_sent(struct world *w)
{
	struct buf all;
	struct span left = buf_span(&w->first), item;

	if (coin(w))
		return left;
	buf_init(&all, 1 << 20);
	while (left.len > 0) {
		size_t at = 1, len = 0;

		assert_int_equal(left.at[0], 1 << 3 | 2);
		for (unsigned shift = 0; shift == 0 || left.at[at - 1] >= 0x80; shift += 7, at++)
			len |= (size_t)(left.at[at] & 0x7f) << shift;
		item = span_part(left, at, len);
		left = span_part(left, at + len, left.len);
		struct pb_mark m = pb_open(&all, 1, item.len);

		buf_add(&all, item);
		pb_int(&all, 500, 1);
		pb_close(&all, m);
	}
	assert_int_equal(buf_err(&all), 0);
	item = span_of(arena_str(&w->given, buf_span(&all)), all.len);
	buf_done(&all);
	assert_non_null(item.at);
	return item;
}

/* What was decoded is encoded to the same bytes; then begin anew. */
static void same(struct world *w)
{
	assert_int_equal(buf_err(&w->second), 0);
	assert_int_equal(w->first.len, w->second.len);
	assert_memory_equal(w->first.at, w->second.at, w->first.len);
	buf_reset(&w->first);
	buf_reset(&w->second);
	arena_reset(&w->given);
	arena_reset(&w->decoded);
}

static void test_submits(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct submit *rows;
		size_t n;
		size_t want = prng_below(&w->p, ROWS);

		for (size_t i = 0; i < want; i++)
			submits_put(&w->first,
				&(struct submit){
					.key = token(w, 0),
					.stream = token(w, 0),
					.kind = kind(w),
					.body = bytes(w),
					.packed = coin(w),
					.deadline_ms = (int64_t)number(w, 63),
					.max_price_ucr = (int64_t)number(w, 63),
					.start_within_ms = (int64_t)number(w, 63),
					.keep_ms = (int64_t)number(w, 63),
					.priority = (uint32_t)prng_below(&w->p, LIMIT_PRIORITY + 1),
					.allow = ladder(w),
					.fast = coin(w),
				});
		repack(w, &spu__v1__submits__descriptor);
		assert_int_equal(submits_decode(&w->decoded, as_sent(w), &rows, &n, NULL), 0);
		assert_int_equal(n, want);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(rows[i].fail.code, 0);
			submits_put(&w->second, &rows[i]);
		}
		same(w);
	}
}

static void test_submit_replies(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct submit_reply *rows;
		struct submit_reply r = { .key = token(w, 0),
			.existing = coin(w),
			.packs = coin(w) };
		size_t n;

		if (coin(w))
			r.fail = failure(w);
		else
			r.task = id(w);
		r.state = (enum state)prng_below(&w->p, STATES);
		submit_replies_put(&w->first, &r);
		repack(w, &spu__v1__submit_replies__descriptor);
		assert_int_equal(submit_replies_decode(&w->decoded, as_sent(w), &rows, &n, NULL),
			0);
		assert_int_equal(rows[0].fail.code, r.fail.code);
		assert_string_equal(rows[0].fail.detail, r.fail.detail);
		assert_true(ulid_eq(rows[0].task, r.task));
		submit_replies_put(&w->second, &rows[0]);
		same(w);
	}
}

static struct event random_event(struct world *w)
{
	struct event e = { .task = id(w), .seq = number(w, 64) };

	e.kind = (enum event_kind)(EVENT_CHANGE + prng_below(&w->p, 5));
	if (e.kind == EVENT_CHANGE) {
		e.state = (enum state)(STATE_QUEUED + prng_below(&w->p, STATES - 1));
		e.rung = (enum rung)prng_below(&w->p, RUNGS);
		e.node = token(w, 0);
		e.attempt = (uint32_t)number(w, 32);
		e.reason = text(w);
		e.paused = coin(w);
	} else if (e.kind == EVENT_PROGRESS) {
		e.permille = (uint32_t)prng_below(&w->p, 1001);
		e.note = text(w);
	} else if (e.kind == EVENT_CHUNK) {
		e.chunk_seq = number(w, 64);
		e.data = bytes(w);
		e.attempt = (uint32_t)number(w, 32);
	} else if (e.kind == EVENT_BEAT) {
		e.chunk_seq = number(w, 64);
		e.attempt = (uint32_t)number(w, 32);
	} else {
		e.result = (struct result){
			.body = bytes(w),
			.node = token(w, 0),
			.attempts = (uint32_t)number(w, 32),
			.attempt = (uint32_t)number(w, 32),
			.price_ucr = (int64_t)number(w, 63),
			.run_us = (int64_t)number(w, 63),
			.total_us = (int64_t)number(w, 63),
			.chunks = number(w, 64),
			.cache_hit = coin(w),
			.cache_age_ms = (int64_t)number(w, 63),
			.cache_near = (uint32_t)prng_below(&w->p, 1001),
		};
		e.result.state = (enum state)(STATE_SUCCEEDED + prng_below(&w->p, 5));
		e.result.rung = (enum rung)prng_below(&w->p, RUNGS);
		if (coin(w))
			e.result.fail = failure(w);
	}
	return e;
}

static void test_events(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct event given[ROWS];
		struct event *rows;
		size_t n;
		size_t want = prng_below(&w->p, ROWS);

		for (size_t i = 0; i < want; i++) {
			given[i] = random_event(w);
			events_put(&w->first, &given[i]);
		}
		repack(w, &spu__v1__events__descriptor);
		assert_int_equal(events_decode(&w->decoded, as_sent(w), &rows, &n, NULL), 0);
		assert_int_equal(n, want);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(rows[i].kind, given[i].kind);
			events_put(&w->second, &rows[i]);
		}
		same(w);
	}
}

static const struct offer *random_offer(struct world *w)
{
	static const enum rung classes[] = { RUNG_CPU, RUNG_GPU, RUNG_API, RUNG_HUMAN };
	struct offer *o = arena_alloc(&w->given, sizeof(*o));

	assert_non_null(o);
	o->incarnation = number(w, 64);
	o->seq = number(w, 64);
	o->rung = classes[prng_below(&w->p, ARRAY_LEN(classes))];
	o->kinds_n = prng_below(&w->p, 5);
	o->kinds = arena_alloc(&w->given, o->kinds_n * sizeof(*o->kinds));
	for (size_t i = 0; i < o->kinds_n; i++)
		o->kinds[i] = (struct kind_offer){
			.kind = kind(w),
			.ready = coin(w),
			.why = text(w),
			.price_ucr = (int64_t)number(w, 63),
			.typical_us = (int64_t)number(w, 63),
			.model = text(w),
			.pauses = coin(w),
		};
	o->running_n = prng_below(&w->p, 5);
	o->running = arena_alloc(&w->given, o->running_n * sizeof(*o->running));
	for (size_t i = 0; i < o->running_n; i++)
		o->running[i] = (struct attempt_ref){
			.task = id(w),
			.attempt = (uint32_t)number(w, 32),
			.chunks = number(w, 64),
			.paused = coin(w),
		};
	o->slots = (uint32_t)prng_below(&w->p, LIMIT_OFFER_SLOTS + 1);
	o->queued = (uint32_t)number(w, 32);
	o->draining = coin(w);
	o->device = text(w);
	o->version = text(w);
	o->health = (uint32_t)prng_below(&w->p, 1001);
	o->load = (uint32_t)prng_below(&w->p, 1001);
	o->sent_ms = (int64_t)number(w, 63);
	if (coin(w))
		o->cache = (struct cache_view){ number(w, 64), 1 + number(w, 63), number(w, 64),
			number(w, 64), number(w, 64), number(w, 64), number(w, 64), number(w, 64),
			(int64_t)number(w, 63) };
	o->pack_bytes = (uint32_t)number(w, 32);
	return o;
}

static struct up random_up(struct world *w)
{
	struct up u = { .task = id(w), .attempt = (uint32_t)number(w, 32) };

	u.kind = (enum up_kind)(UP_OFFER + prng_below(&w->p, 8));
	if (u.kind == UP_OFFER)
		u.offer = random_offer(w);
	if (u.kind == UP_REFUSE || u.kind == UP_FAILED)
		u.fail = failure(w);
	if (u.kind == UP_DONE || u.kind == UP_FAILED)
		u.run_us = (int64_t)number(w, 63);
	if (u.kind == UP_DONE) {
		u.body = bytes(w);
		u.cache_hit = coin(w);
		u.packed = coin(w);
		u.cache_age_ms = (int64_t)number(w, 63);
		u.usage.tokens_in = number(w, 40);
		u.usage.tokens_out = number(w, 40);
		u.usage.tokens_saved = coin(w) ? number(w, 40) : 0;
	}
	if (u.kind == UP_CHUNK)
		u.data = bytes(w);
	u.permille = (uint32_t)prng_below(&w->p, 1001);
	u.note = text(w);
	u.chunk_seq = number(w, 64);
	u.chunk_oldest = number(w, 64);
	u.incarnation = number(w, 64);
	u.reason = text(w);
	return u;
}

static void test_ups(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct up given[ROWS];
		struct up *rows;
		size_t n;
		size_t want = prng_below(&w->p, ROWS);

		for (size_t i = 0; i < want; i++) {
			given[i] = random_up(w);
			ups_put(&w->first, &given[i]);
		}
		repack(w, &spu__v1__ups__descriptor);
		assert_int_equal(ups_decode(&w->decoded, as_sent(w), &rows, &n, NULL), 0);
		assert_int_equal(n, want);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(rows[i].kind, given[i].kind);
			ups_put(&w->second, &rows[i]);
		}
		same(w);
	}
}

static void test_downs(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct down *rows;
		struct down d = {
			.task = id(w),
			.attempt = (uint32_t)number(w, 32),
			.task_kind = kind(w),
			.tenant = token(w, 1),
			.lease_ms = (int64_t)number(w, 63),
			.deadline_ms = (int64_t)number(w, 63),
			.left_ms = (int64_t)number(w, 63),
			.keep_ms = (int64_t)number(w, 63),
			.inline_bytes = (uint32_t)number(w, 32),
			.packed = coin(w),
			.packs = coin(w),
			.body = bytes(w),
			.reason = text(w),
			.on = coin(w),
			.router = number(w, 64),
			.chunk_seq = number(w, 64),
		};
		size_t n;

		d.kind = (enum down_kind)(DOWN_ASSIGN + prng_below(&w->p, 7));
		downs_put(&w->first, &d);
		repack(w, &spu__v1__downs__descriptor);
		assert_int_equal(downs_decode(&w->decoded, as_sent(w), &rows, &n, NULL), 0);
		assert_int_equal(rows[0].kind, d.kind);
		if (d.kind == DOWN_ASSIGN)
			assert_true(span_eq(rows[0].body, d.body));
		downs_put(&w->second, &rows[0]);
		same(w);
	}
}

static void test_streams(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct chunk chunks[ROWS];
		struct query_reply got, r = { .kind = REPLY_STREAM,
			.stream = { .attempt = (uint32_t)number(w, 32),
				.oldest = number(w, 64),
				.last = number(w, 64),
				.ended = coin(w),
				.chunks = chunks,
				.chunks_n = prng_below(&w->p, ROWS), }, };
		struct query asked, q = {
			.kind = QUERY_STREAM,
			.task = id(w),
			.chunk_seq = number(w, 64),
			.attempt = (uint32_t)number(w, 32),
		};

		for (size_t i = 0; i < r.stream.chunks_n; i++)
			chunks[i] = (struct chunk){ number(w, 64), bytes(w) };
		query_reply_encode(&w->first, &r);
		assert_int_equal(query_reply_decode(&w->decoded, buf_span(&w->first), &got, NULL),
			0);
		assert_int_equal(got.stream.chunks_n, r.stream.chunks_n);
		query_reply_encode(&w->second, &got);
		same(w);
		query_encode(&w->first, &q);
		assert_int_equal(query_decode(&w->decoded, buf_span(&w->first), &asked, NULL), 0);
		query_encode(&w->second, &asked);
		same(w);
	}
}

static void test_bodies(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct body body;

		/* encoded bodies one after the other are a body again */
		for (size_t i = prng_below(&w->p, 4); i > 0; i--)
			body_put_param(&w->first, token(w, 1), text(w));
		body_put_int(&w->first, "n", (int64_t)number(w, 64));
		for (size_t i = prng_below(&w->p, 4); i > 0; i--)
			body_put_item(&w->first, text(w), text(w), bytes(w));
		repack(w, &spu__v1__body__descriptor);
		assert_int_equal(body_decode(&w->decoded, buf_span(&w->first), &body, NULL), 0);
		body_encode(&w->second, &body);
		same(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_submits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_downs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
	};

	return cmocka_run_group_tests_name("wire random", tests, NULL, NULL);
}
