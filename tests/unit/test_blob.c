/* SPDX-License-Identifier: Apache-2.0
 *
 * test_blob: transfers against a real store over a bus that loses, doubles and spoils; a store that dies and comes
 * back, or does not, or is full.
 */
#include "run/blob.h"

#include <stdio.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "tests/support/store_kit.h"
#include "tests/support/test.h"

#define TENANT SPAN_LIT("anna")
#define SIZE (5u * LIMIT_BLOB_CHUNK_BYTES + 4321u)
#define LARGE (20u * LIMIT_BLOB_CHUNK_BYTES + 77u) /* hashed on a thread */

static struct {
	struct store_kit kit;
	unsigned char *bytes, *got;
	size_t size;
	uint64_t written;
	struct blob_transfer *transfer;
	struct blob_end end;
	bool done;
	int read_error, write_error;
} t;

static int on_read(void *ctx, uint64_t offset, unsigned char *to, size_t n)
{
	(void)ctx;
	assert_true(offset + n <= t.size);
	memcpy(to, t.bytes + offset, n);
	return t.read_error;
}

static int on_write(void *ctx, uint64_t offset, struct span data)
{
	(void)ctx;
	assert_int_equal(offset, t.written); /* in order, once */
	assert_true(offset + data.len <= t.size);
	memcpy(t.got + offset, data.at, data.len);
	t.written += data.len;
	return t.write_error;
}

static void on_end(void *ctx, const struct blob_end *e)
{
	(void)ctx;
	assert_false(t.done);
	t.end = *e;
	t.done = true;
}

static struct blob_conf conf_of(void)
{
	return (struct blob_conf){
		.loop = &t.kit.loop,
		.bus = t.kit.bus,
		.tenant = TENANT,
		.read = on_read,
		.write = on_write,
		.on_end = on_end,
		.size = t.size,
		.upload = SPAN_LIT("up"),
		.hash = store_kit_hash(span_of(t.bytes, t.size)),
	};
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.size = SIZE;
	t.bytes = mem_alloc(LARGE);
	t.got = mem_alloc(LARGE);
	if (t.bytes == NULL || t.got == NULL || !store_kit_open(&t.kit))
		return -1;
	for (size_t i = 0; i < LARGE; i++)
		t.bytes[i] = (unsigned char)(i * 31 + i / 253);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	blob_transfer_free(t.transfer);
	store_kit_close(&t.kit);
	mem_free(t.bytes);
	mem_free(t.got);
	return 0;
}

/* The transfer to its end; its code. */
static int move(struct blob_transfer *(*begin)(const struct blob_conf *),
	const struct blob_conf *conf)
{
	blob_transfer_free(t.transfer);
	t.done = false;
	t.end = (struct blob_end){ 0 };
	t.transfer = begin(conf);
	assert_non_null(t.transfer);
	assert_true(store_kit_run(&t.kit, &t.done, 600));
	return t.end.fail.code;
}

static int put(void)
{
	const struct blob_conf conf = conf_of();

	return move(blob_put, &conf);
}

static int get(void)
{
	const struct blob_conf conf = conf_of();

	t.written = conf.have;
	return move(blob_get, &conf);
}

static void is_there(void)
{
	assert_true(store_kit_has(&t.kit, TENANT, span_of(t.bytes, t.size)));
}

static void is_got(void)
{
	assert_int_equal(t.written, t.size);
	assert_memory_equal(t.got, t.bytes, t.size);
}

static void test_in_and_out(void **state)
{
	(void)state;
	assert_int_equal(put(), 0);
	assert_int_equal(t.end.size, t.size);
	assert_int_equal(t.end.rounds, 1);
	assert_int_equal(blob_transfer_done(t.transfer), t.size);
	assert_int_equal(blob_transfer_size(t.transfer), t.size);
	is_there();
	assert_int_equal(get(), 0);
	is_got();
	assert_int_equal(put(), 0); /* what is there stays */
}

static void revive(void *ctx)
{
	struct store_kit *k = ctx;

	if (k->store == NULL)
		store_kit_revive(k);
}

static void test_a_large_one(void **state)
{
	(void)state;
	t.size = LARGE;
	t.kit.on_turn = revive;
	t.kit.ctx = &t.kit;
	for (unsigned n = 0; n < 30; n += 7) {
		struct blob_conf conf;

		t.bytes[0] = (unsigned char)n;
		t.kit.die_after = n;
		assert_int_equal(put(), 0);
		is_there();
		t.kit.die_after = n;
		assert_int_equal(get(), 0);
		is_got();
		conf = conf_of();
		conf.have = 7 * LIMIT_BLOB_CHUNK_BYTES + n;
		t.written = conf.have;
		assert_int_equal(move(blob_get, &conf), 0);
		is_got();
	}
	t.kit.spoil_out = 17;
	assert_int_equal(get(), ERR_IO);
	t.bytes[0] = 77;
	t.kit.spoil_in = 17;
	assert_int_equal(put(), ERR_INVALID);
	assert_string_equal(t.end.fail.field, "hash");
}

static void test_it_is_kept_as_long_as_it_was_said(void **state)
{
	struct blob_conf conf = conf_of();
	int64_t now_ns = store_kit_now(&t.kit);

	(void)state;
	conf.keep_until_ns = now_ns + 5 * 3600 * NS_PER_S;
	assert_int_equal(move(blob_put, &conf), 0);
	assert_int_equal(store_kit_references(&t.kit, TENANT, span_of(t.bytes, t.size)), 1);
	conf.keep_until_ns = now_ns + 3600 * NS_PER_S;
	assert_int_equal(move(blob_put, &conf), 0);
	assert_int_equal(store_kit_references(&t.kit, TENANT, span_of(t.bytes, t.size)), 2);
	assert_int_equal(move(blob_put, &conf), 0);
	assert_int_equal(store_kit_references(&t.kit, TENANT, span_of(t.bytes, t.size)), 2);
	store_sweep(t.kit.store, now_ns + 3 * 3600 * NS_PER_S, 100);
	assert_int_equal(store_kit_references(&t.kit, TENANT, span_of(t.bytes, t.size)), 1);
	store_sweep(t.kit.store, now_ns + 5 * 3600 * NS_PER_S - 1, 100);
	is_there();
	store_sweep(t.kit.store, now_ns + 7 * 3600 * NS_PER_S, 100);
	store_sweep(t.kit.store, now_ns + 9 * 3600 * NS_PER_S, 100);
	assert_false(store_kit_has(&t.kit, TENANT, span_of(t.bytes, t.size)));
}

static void test_keepers(void **state)
{
	const int64_t hour = 3600 * NS_PER_S;

	(void)state;
	for (int64_t at = 0; at < 3 * hour; at += hour / 3) {
		struct blob_keeper k = blob_keeper(at);

		assert_true(k.expire_ms * NS_PER_MS > at);
		assert_true(k.expire_ms * NS_PER_MS <= at + hour);
		assert_true(fmt_is_token(span_str(k.by)));
	}
	assert_string_equal(blob_keeper(2 * hour - 1).by, blob_keeper(hour).by);
	assert_string_not_equal(blob_keeper(2 * hour - 1).by, blob_keeper(2 * hour).by);
}

/* Whatever is lost or doubled: it ends, and is whole. */
static void test_a_bad_bus(void **state)
{
	(void)state;
	rand_start(&t.kit.prng);
	for (unsigned round = 0; round < 40; round++) {
		char upload[16];
		struct blob_conf conf = conf_of();

		t.kit.lose = (unsigned)prng_below(&t.kit.prng, 250);
		t.kit.twice = (unsigned)prng_below(&t.kit.prng, 250);
		t.bytes[0] = (unsigned char)round;
		conf = conf_of();
		snprintf(upload, sizeof(upload), "up-%u", round);
		conf.upload = span_str(upload);
		if (move(blob_put, &conf) != 0)
			fail_msg("round %u: put: %d %s", round, t.end.fail.code, t.end.fail.detail);
		is_there();
		t.written = 0;
		if (move(blob_get, &conf) != 0)
			fail_msg("round %u: get: %d %s", round, t.end.fail.code, t.end.fail.detail);
		is_got();
	}
}

static void test_a_spoiled_chunk_is_found(void **state)
{
	(void)state;
	t.kit.spoil_in = 3;
	assert_int_equal(put(), ERR_INVALID);
	assert_string_equal(t.end.fail.field, "hash");
	assert_false(store_kit_has(&t.kit, TENANT, span_of(t.bytes, t.size)));
	assert_int_equal(put(), 0);
	t.kit.spoil_out = 2;
	assert_int_equal(get(), ERR_IO);
	assert_string_equal(t.end.fail.field, "hash");
	assert_int_equal(get(), 0);
	is_got();
}

static void test_a_store_that_dies_and_comes_back(void **state)
{
	(void)state;
	t.kit.on_turn = revive;
	t.kit.ctx = &t.kit;
	for (unsigned n = 1; n < 12; n++) {
		t.bytes[0] = (unsigned char)n;
		t.kit.die_after = n;
		assert_int_equal(put(), 0);
		is_there();
		t.kit.die_after = n;
		assert_int_equal(get(), 0);
		is_got();
	}
}

static void test_a_store_that_dies_for_good(void **state)
{
	(void)state;
	t.kit.die_after = 4;
	assert_int_equal(put(), ERR_NO_NODE);
	store_kit_revive(&t.kit);
	assert_int_equal(put(), 0);
	assert_int_equal(t.end.rounds, 1); /* it went on, but that is not a loss */
	t.kit.die_after = 4;
	assert_int_equal(get(), ERR_NO_NODE);
	assert_true(t.written > 0 && t.written < t.size);
	store_kit_revive(&t.kit);
	assert_int_equal(get(), 0);
	is_got();
}

/* It is there, and says nothing. */
static void test_silence(void **state)
{
	int64_t began_ns = store_kit_now(&t.kit);
	struct blob_conf conf = conf_of();

	(void)state;
	t.kit.lose = 1000;
	conf.patience_ns = 10 * NS_PER_S;
	assert_int_equal(move(blob_put, &conf), ERR_TIMEOUT);
	assert_in_range(store_kit_now(&t.kit) - began_ns, 10 * NS_PER_S, 11 * NS_PER_S);
	assert_int_equal(move(blob_get, &conf), ERR_TIMEOUT);
}

static void test_what_is_there_already_is_not_got_again(void **state)
{
	struct blob_conf conf = conf_of();

	(void)state;
	assert_int_equal(put(), 0);
	t.kit.asks = 0;
	conf.have = 4 * LIMIT_BLOB_CHUNK_BYTES + 17;
	t.written = conf.have;
	memcpy(t.got, t.bytes, conf.have);
	assert_int_equal(move(blob_get, &conf), 0);
	is_got();
	assert_int_equal(t.kit.asks, 3);
	conf.have = t.size + 1;
	assert_int_equal(move(blob_get, &conf), ERR_INVALID);
	t.bytes[3] ^= 1; /* what is there is something else */
	conf = conf_of();
	t.bytes[3] ^= 1;
	conf.hash = store_kit_hash(span_of(t.bytes, t.size));
	conf.have = 5;
	t.written = 5;
	t.bytes[3] ^= 1;
	assert_int_equal(move(blob_get, &conf), ERR_IO);
	assert_string_equal(t.end.fail.field, "hash");
}

static void test_quota(void **state)
{
	(void)state;
	t.kit.store->conf.index.tenant_bytes_max = t.size - 1;
	t.kit.store->index.conf.tenant_bytes_max = t.size - 1;
	assert_int_equal(put(), ERR_BUSY);
	assert_string_equal(t.end.fail.field, "tenant_bytes_max");
	assert_int_equal(t.end.fail.limit, t.size - 1);
	t.kit.store->index.conf.tenant_bytes_max = t.size;
	assert_int_equal(put(), 0);
}

/* As many uploads as go are open: others wait until one ends, or nothing comes for it. */
static void test_a_crowd(void **state)
{
	struct blob_conf conf = conf_of();
	int64_t began_ns;

	(void)state;
	for (unsigned i = 0; i < t.kit.conf.uploads_max; i++) {
		char name[24];
		struct blob_ask q = { .op = BLOB_OPEN, .size = 10 };
		struct blob_reply r;

		snprintf(name, sizeof(name), "other-%u", i);
		q.upload = span_str(name);
		store_do(t.kit.store, TENANT, store_kit_now(&t.kit), &q, &r);
		assert_int_equal(r.fail.code, 0);
	}
	assert_int_equal(put(), ERR_BUSY);
	assert_string_equal(t.end.fail.field, "uploads_max");
	conf.patience_ns = 100 * NS_PER_S;
	began_ns = store_kit_now(&t.kit);
	assert_int_equal(move(blob_put, &conf), 0);
	assert_true(store_kit_now(&t.kit) - began_ns < 70 * NS_PER_S);
	is_there();
}

static void test_refusals(void **state)
{
	struct blob_conf conf = conf_of();

	(void)state;
	assert_int_equal(get(), ERR_UNKNOWN);
	conf.tenant = SPAN_LIT("no token");
	assert_null(blob_put(&conf));
	conf = conf_of();
	conf.upload = SPAN_LIT("");
	assert_null(blob_put(&conf));
	t.read_error = ERR_IO;
	assert_int_equal(put(), ERR_IO);
	t.read_error = 0;
	assert_int_equal(put(), 0);
	t.write_error = ERR_CANCELLED;
	assert_int_equal(get(), ERR_CANCELLED);
}

static void test_given_up(void **state)
{
	struct blob_conf conf = conf_of();
	bool never = false;

	(void)state;
	for (unsigned steps = 0; steps < 30; steps += 3) {
		t.transfer = blob_put(&conf);
		assert_non_null(t.transfer);
		for (unsigned i = 0; i < steps; i++) {
			bus_net_now(t.kit.net, store_kit_now(&t.kit));
			assert_int_equal(loop_turn(&t.kit.loop, 0), 0);
			(void)bus_net_step(t.kit.net, store_kit_now(&t.kit));
		}
		blob_transfer_free(t.transfer);
		t.transfer = NULL;
		t.done = false;
	}
	(void)store_kit_run(&t.kit, &never, 1);
	assert_int_equal(put(), 0);
	is_there();
}

static int get_nth(void *arg)
{
	struct blob_conf conf = conf_of();

	(void)arg;
	conf.patience_ns = NS_PER_S;
	t.written = 0;
	t.done = false;
	t.transfer = blob_get(&conf);
	if (t.transfer == NULL)
		return ERR_NO_MEMORY;
	assert_true(store_kit_run(&t.kit, &t.done, 100));
	blob_transfer_free(t.transfer);
	t.transfer = NULL;
	while (bus_net_step(t.kit.net,
		store_kit_now(&t.kit))) /* what is on its way has memory, too */
		;
	return t.end.fail.code;
}

static void test_memory(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		t.size = i == 0 ? SIZE : LARGE;
		assert_int_equal(put(), 0);
		assert_int_equal(get(), 0);
		blob_transfer_free(t.transfer);
		t.transfer = NULL;
		assert_true(nth_alloc(get_nth, NULL) >= 5);
	}
}

/* --- a store that lies -------------------------------------------------------------------------------- */

struct lie {
	bool is_put;
	int code;
	const char *field;
	struct blob_reply open, piece;
};
static const struct lie *lie;

static void on_lied_to(void *ctx, const struct bus_msg *m)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct blob_ask *asks = NULL;
	size_t n = 0;

	(void)ctx;
	arena_init(&a, (size_t)4 << 20);
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	assert_int_equal(blob_asks_decode(&a, m->data, &asks, &n, NULL), 0);
	assert_int_equal(n, 1);
	if (asks[0].op == BLOB_OPEN || asks[0].op == BLOB_STAT)
		blob_replies_put(&b, &lie->open);
	else
		blob_replies_put(&b, &lie->piece);
	assert_int_equal(bus_publish(t.kit.peer, (const char *)m->reply.at, NULL,
				 (struct span){ 0 }, buf_span(&b)),
		0);
}

static void test_lies(void **state)
{
	const uint64_t chunk = LIMIT_BLOB_CHUNK_BYTES;
	const struct span some = span_of(t.bytes, chunk);
	const struct lie lies[] = {
		{ true, ERR_MALFORMED, "size", { .size = SIZE - 1 }, { .size = 0 } },
		{ true, ERR_INVALID, "offset", { .size = SIZE, .offset = SIZE + 1 },
			{ .size = 0 } },
		{ true, ERR_MALFORMED, "offset", { .size = SIZE }, { .offset = SIZE + 1 } },
		{ true, ERR_TIMEOUT, "", { .size = SIZE, .offset = SIZE },
			{ .fail = { .code = ERR_BUSY,
				  .field = "upload",
				  .retry_after_ms = INT64_MAX } } },
		{ false, ERR_IO, "hash", { .size = chunk }, { .data = some } },
		{ false, ERR_MALFORMED, "offset", { .size = 5 }, { .data = some } },
	};
	struct bus_sub *sub;

	(void)state;
	store_kit_kill(&t.kit);
	sub = bus_subscribe(t.kit.peer, "spu.blob.*", "spu-store", on_lied_to, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(lies); i++) {
		lie = &lies[i];
		t.written = 0;
		if ((lie->is_put ? put() : get()) != lie->code)
			fail_msg("lie %u: %d %s", i, t.end.fail.code, t.end.fail.detail);
		assert_string_equal(t.end.fail.field, lie->field);
	}
	bus_unsubscribe(t.kit.peer, sub);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_and_out),
		TEST(test_a_large_one),
		TEST(test_it_is_kept_as_long_as_it_was_said),
		TEST(test_keepers),
		TEST(test_a_bad_bus),
		TEST(test_a_spoiled_chunk_is_found),
		TEST(test_a_store_that_dies_and_comes_back),
		TEST(test_a_store_that_dies_for_good),
		TEST(test_silence),
		TEST(test_what_is_there_already_is_not_got_again),
		TEST(test_quota),
		TEST(test_a_crowd),
		TEST(test_refusals),
		TEST(test_given_up),
		TEST(test_memory),
		TEST(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
