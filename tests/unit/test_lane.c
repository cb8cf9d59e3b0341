/* SPDX-License-Identifier: Apache-2.0
 *
 * The store on a thread of its own: what comes is answered in order, whatever the disk and the bus do meanwhile.
 */
#include "services/store/lane.h"

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "run/log.h"
#include "tests/support/disk_faulty.h"
#include "tests/support/test.h"

#define CHUNK ((uint64_t)LIMIT_BLOB_CHUNK_BYTES)
#define CHUNKS 40u /* more than may be under way */
#define SIZE (CHUNKS * CHUNK - 1234)
#define S INT64_C(1000000000)

/* A bus that keeps what is published, or is full. */
struct record {
	struct bus bus;
	struct bus_ops ops;
	unsigned full; /* so many more are not taken */
	struct arena arena;
	struct blob_reply *replies[200];
	unsigned n;
};

static struct {
	char dir[64];
	struct disk_io io; /* the real one, but for the gate */
	sem_t inside, gate;
	struct store *store;
	struct loop loop;
	struct record record;
	struct lane lane;
	unsigned char *bytes;
	struct blob_hash hash;
	struct buf message;
	bool fired;
} t;

static int publish(struct bus *b, const char *subject, const char *reply, struct span trace,
	struct span data)
{
	struct record *r = CONTAINER(b, struct record, bus);
	struct fail why = { 0 };
	size_t n = 0;

	(void)reply;
	(void)trace;
	assert_string_equal(subject, "_INBOX.me");
	if (r->full > 0) {
		r->full--;
		return ERR_BUSY;
	}
	assert_true(r->n < ARRAY_LEN(r->replies));
	assert_int_equal(blob_replies_decode(&r->arena, data, &r->replies[r->n++], &n, &why), 0);
	assert_int_equal(n, 1);
	return 0;
}

static void flush(struct bus *b)
{
	(void)b;
}

static ssize_t gated_pwrite(int fd, const void *from, size_t n, off_t at)
{
	sem_post(&t.inside);
	while (sem_wait(&t.gate) != 0)
		;
	return disk_io_real.pwrite(fd, from, n, at);
}

static int setup(void **state)
{
	struct keys_stream hash;

	(void)state;
	memset(&t, 0, sizeof(t));
	sem_init(&t.inside, 0, 0);
	sem_init(&t.gate, 0, 0);
	t.io = disk_io_real;
	t.record.ops = (struct bus_ops){ .publish = publish, .flush = flush };
	t.record.bus.ops = &t.record.ops;
	arena_init(&t.record.arena, (size_t)64 << 20);
	buf_init(&t.message, LIMIT_MESSAGE_BYTES);
	t.bytes = mem_alloc(SIZE);
	snprintf(t.dir, sizeof(t.dir), "lane.XXXXXX");
	if (keys_open() < 0 || loop_open(&t.loop) < 0 || t.bytes == NULL || mkdtemp(t.dir) == NULL)
		return -1;
	for (size_t i = 0; i < SIZE; i++)
		t.bytes[i] = (unsigned char)(i * 7 + i / 251);
	keys_stream_start(&hash);
	keys_stream_add(&hash, span_of(t.bytes, SIZE));
	keys_stream_end(&hash, t.hash.at);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	lane_close(&t.lane);
	store_close(t.store);
	loop_close(&t.loop);
	arena_done(&t.record.arena);
	buf_done(&t.message);
	mem_free(t.bytes);
	disk_faulty_set(0, 0, false);
	snprintf(command, sizeof(command), "rm -rf '%s'", t.dir);
	return system(command);
}

static int open_lane(const struct disk_io *io)
{
	const struct store_conf conf = {
		.io = io,
		.dir = t.dir,
		.index = { 1 << 30, 1 << 30, 100, 100, 10, 100 * S },
		.uploads_max = 3,
		.tenant_uploads_max = 3,
		.upload_idle_ns = 50 * S,
	};

	t.store = store_open(&conf, NULL);
	return t.store == NULL ? ERR_NO_MEMORY
			       : lane_open(&t.lane, &t.loop, &t.record.bus, t.store);
}

static void take_bytes(struct span data, const char *reply)
{
	const struct bus_msg m = {
		.subject = SPAN_LIT("spu.blob.anna"),
		.reply = span_str(reply),
		.data = data,
	};

	lane_take(&t.lane, &m);
}

static void take(struct blob_ask ask)
{
	buf_reset(&t.message);
	blob_asks_put(&t.message, &ask);
	assert_int_equal(buf_err(&t.message), 0);
	take_bytes(buf_span(&t.message), "_INBOX.me");
}

#define TAKE(...) take((struct blob_ask){ __VA_ARGS__ })

static void take_open(void)
{
	TAKE(.op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE);
}

static void take_chunk(unsigned i)
{
	TAKE(.op = BLOB_CHUNK, .upload = SPAN_LIT("up"), .offset = i * CHUNK,
		.data = span_part(span_of(t.bytes, SIZE), i * CHUNK, CHUNK));
}

static void wait_for(unsigned replies)
{
	while (t.record.n < replies)
		assert_int_equal(loop_turn(&t.loop, S / 100), 0); /* as often as a daemon's */
	assert_int_equal(t.record.n, replies);
}

static struct blob_reply *last(void)
{
	return t.record.replies[t.record.n - 1];
}

static void test_all_is_answered_in_order(void **state)
{
	(void)state;
	assert_int_equal(open_lane(&disk_io_real), 0);
	take_open();
	for (unsigned i = 0; i < CHUNKS; i++)
		take_chunk(i);
	TAKE(.op = BLOB_COMMIT, .upload = SPAN_LIT("up"), .hash = t.hash, .size = SIZE);
	for (unsigned i = 0; i < CHUNKS; i++)
		TAKE(.op = BLOB_READ, .hash = t.hash, .offset = i * CHUNK, .size = CHUNK);
	wait_for(2 * CHUNKS + 2);
	for (unsigned i = 0; i < t.record.n; i++)
		assert_int_equal(t.record.replies[i]->fail.code, 0);
	for (unsigned i = 0; i < CHUNKS; i++) {
		const struct blob_reply *got = t.record.replies[CHUNKS + 2 + i];

		assert_int_equal(t.record.replies[1 + i]->offset,
			i + 1 < CHUNKS ? (i + 1) * CHUNK : SIZE);
		assert_int_equal(got->offset, i * CHUNK);
		assert_true(
			span_eq(got->data, span_part(span_of(t.bytes, SIZE), i * CHUNK, CHUNK)));
	}
	assert_int_equal(t.lane.messages, 2 * CHUNKS + 2);
	assert_int_equal(t.lane.unanswered, 0);
	assert_int_equal(t.lane.metrics.put_bytes, SIZE);
	assert_int_equal(t.lane.metrics.got_bytes, SIZE);
	assert_int_equal(t.lane.metrics.kept, 1);
}

static void on_due(void *ctx, int64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
	t.fired = true;
}

/* While the disk holds the thread, the owner turns. */
static void test_a_slow_disk_stops_nobody_else(void **state)
{
	struct loop_timer timer = { .on_due = on_due };

	(void)state;
	t.io.pwrite = gated_pwrite;
	assert_int_equal(open_lane(&t.io), 0);
	take_open();
	wait_for(1);
	take_chunk(0);
	take_chunk(1);
	while (sem_wait(&t.inside) != 0)
		;
	lane_sweep(&t.lane, t.loop.now_ns);
	lane_sweep(&t.lane, t.loop.now_ns); /* one waits already */
	assert_int_equal(loop_timer_set(&t.loop, &timer, t.loop.now_ns), 0);
	while (!t.fired)
		assert_int_equal(loop_turn(&t.loop, 10 * S), 0);
	assert_int_equal(t.record.n, 1);
	assert_true(t.lane.is_sweeping);
	sem_post(&t.gate);
	sem_post(&t.gate);
	wait_for(3);
	assert_int_equal(last()->offset, 2 * CHUNK);
	while (t.lane.is_sweeping)
		assert_int_equal(loop_turn(&t.loop, 10 * S), 0);
}

static void test_a_sweep_drops_what_is_due(void **state)
{
	(void)state;
	assert_int_equal(open_lane(&disk_io_real), 0);
	take_open();
	wait_for(1);
	lane_sweep(&t.lane, t.loop.now_ns + 51 * S);
	take_chunk(0);
	wait_for(2);
	assert_int_equal(last()->fail.code, ERR_UNKNOWN);
	assert_int_equal(t.lane.metrics.dropped, 1);
}

static void test_a_full_bus_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(open_lane(&disk_io_real), 0);
	t.record.full = UINT_MAX;
	take_open();
	for (unsigned i = 0; i + 1 < LANE_MESSAGES; i++)
		take_chunk(i);
	/* No answer leaves: there is no place for more. It is as if they were lost on the way. */
	take_chunk(LANE_MESSAGES - 1);
	take_chunk(LANE_MESSAGES);
	assert_int_equal(t.record.n, 0);
	assert_int_equal(t.lane.unanswered, 2);
	t.record.full = 3;
	wait_for(LANE_MESSAGES);
	for (unsigned i = 1; i < LANE_MESSAGES; i++)
		assert_int_equal(t.record.replies[i]->offset, i * CHUNK);
	take_chunk(LANE_MESSAGES - 1);
	wait_for(LANE_MESSAGES + 1);
	assert_int_equal(last()->offset, LANE_MESSAGES * CHUNK);
}

static void test_bad_messages(void **state)
{
	const char *const nowhere[] = { "", "spu.submit.anna", "spu.inbox.bert.1" };

	(void)state;
	assert_int_equal(open_lane(&disk_io_real), 0);
	for (unsigned i = 0; i < ARRAY_LEN(nowhere); i++)
		take_bytes((struct span){ 0 }, nowhere[i]);
	assert_int_equal(t.lane.unanswered, ARRAY_LEN(nowhere));
	take_open();
	take_bytes(SPAN_LIT("\xff\xff\xff"), "_INBOX.me");
	take_chunk(0);
	wait_for(3);
	assert_int_equal(t.record.replies[0]->fail.code, 0);
	assert_int_equal(t.record.replies[1]->fail.code, ERR_MALFORMED);
	assert_int_equal(last()->offset, CHUNK);
}

static void test_a_fault_of_the_disk_is_told(void **state)
{
	(void)state;
	log_open("test_lane", LOG_ERROR, false);
	assert_int_equal(open_lane(&disk_io_faulty), 0);
	take_open();
	wait_for(1);
	disk_faulty_set(1, EIO, false);
	take_chunk(0);
	take_chunk(0);
	wait_for(3);
	assert_int_equal(t.record.replies[1]->fail.code, ERR_IO);
	assert_int_equal(last()->offset, CHUNK);
	assert_int_equal(t.lane.metrics.faults, 1);
}

static void test_closing_answers_what_came(void **state)
{
	(void)state;
	t.io.pwrite = gated_pwrite;
	assert_int_equal(open_lane(&t.io), 0);
	take_open();
	for (unsigned i = 0; i < 10; i++)
		take_chunk(i);
	for (unsigned i = 0; i < 10; i++)
		sem_post(&t.gate);
	lane_close(&t.lane);
	assert_int_equal(t.record.n, 11);
	assert_int_equal(last()->offset, 10 * CHUNK);
	lane_close(&t.lane); /* nothing more */
}

static int serve_one(void *arg)
{
	int r = open_lane(&disk_io_real);

	(void)arg;
	t.record.n = 0;
	arena_reset(&t.record.arena);
	if (r == 0) {
		take_bytes(SPAN_LIT("\x0a\x02\x08\x01"), "_INBOX.me"); /* a STAT without a hash */
		lane_close(&t.lane);
		r = t.record.n == 0 ? ERR_NO_MEMORY : 0;
	}
	store_close(t.store);
	t.store = NULL;
	return r;
}

static void test_memory(void **state)
{
	(void)state;
	arena_done(&t.record.arena);
	assert_non_null(arena_raw(&t.record.arena, 4096)); /* the test's own is there */
	assert_true(nth_alloc(serve_one, NULL) >= 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_is_answered_in_order),
		TEST(test_a_slow_disk_stops_nobody_else),
		TEST(test_a_sweep_drops_what_is_due),
		TEST(test_a_full_bus_is_waited_for),
		TEST(test_bad_messages),
		TEST(test_a_fault_of_the_disk_is_told),
		TEST(test_closing_answers_what_came),
		TEST(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
