/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/store_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/test.h"
#include "wire/subject.h"

#define STEP_NS (5 * NS_PER_MS)
#define ARENA_BYTES ((size_t)4 << 20)

static struct bus_fate fate(void *ctx, int64_t now_ns, const char *from, const char *to)
{
	struct store_kit *k = ctx;
	uint64_t n = prng_below(&k->prng, 1000);

	(void)now_ns;
	(void)from;
	(void)to;
	if (n < k->lose)
		return (struct bus_fate){ 0 };
	return (struct bus_fate){ .copies = n < k->lose + k->twice ? 2 : 1 };
}

static struct span spoil(struct arena *a, struct span data, unsigned *count)
{
	unsigned char *copy;

	if (data.len == 0 || *count == 0 || --*count > 0)
		return data;
	copy = arena_raw(a, data.len);
	if (copy == NULL)
		return data;
	memcpy(copy, data.at, data.len);
	copy[data.len / 2] ^= 1;
	return span_of(copy, data.len);
}

static void answer(struct store_kit *k, struct span tenant, struct blob_ask *asks, size_t n,
	const char *to)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	CLEANUP(buf_done) struct buf b = { 0 };

	arena_init(&a, ARENA_BYTES);
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	for (size_t i = 0; i < n; i++) {
		struct blob_reply r;

		asks[i].data = spoil(&a, asks[i].data, &k->spoil_in);
		store_do(k->store, tenant, store_kit_now(k), &asks[i], &r);
		r.data = spoil(&a, r.data, &k->spoil_out);
		blob_replies_put(&b, &r);
	}
	/* Where a test lets memory run out, it is one more message lost. */
	if (buf_err(&b) < 0 || bus_publish(k->peer, to, NULL, (struct span){ 0 }, buf_span(&b)) < 0)
		k->unanswered++;
}

static void on_ask(void *ctx, const struct bus_msg *m)
{
	CLEANUP(arena_done) struct arena a = { 0 };
	struct store_kit *k = ctx;
	struct blob_ask *asks = NULL;
	struct span tenant;
	size_t n = 0;

	arena_init(&a, ARENA_BYTES);
	k->asks++;
	if (k->die_after > 0 && --k->die_after == 0) {
		store_kit_kill(k);
		return;
	}
	assert_int_equal(subject_parse(SUBJECT_BLOB, m->subject, &tenant, NULL), 0);
	if (blob_asks_decode(&a, m->data, &asks, &n, NULL) < 0)
		n = 0;
	answer(k, tenant, asks, n, (const char *)m->reply.at);
}

static bool open_store(struct store_kit *k)
{
	k->store = store_open(&k->conf, NULL);
	k->sub = bus_subscribe(k->peer, "spu.blob.*", "spu-store", on_ask, k);
	return k->store != NULL && k->sub != NULL;
}

bool store_kit_open(struct store_kit *k)
{
	*k = (struct store_kit){ 0 };
	prng_seed(&k->prng, 1);
	snprintf(k->dir, sizeof(k->dir), "kit.XXXXXX");
	k->conf = (struct store_conf){
		.io = &disk_io_real,
		.dir = k->dir,
		.index = { 256 << 20, 128 << 20, 1000, 1000, 10, 3600 * NS_PER_S },
		.uploads_max = 8,
		.tenant_uploads_max = 16,
		.upload_idle_ns = 3600 * NS_PER_S,
	};
	if (keys_open() < 0 || loop_open(&k->loop) < 0 || mkdtemp(k->dir) == NULL)
		return false;
	k->net = bus_net_new(fate, k, 1);
	if (k->net == NULL)
		return false;
	k->bus = bus_mem_open(k->net, "who");
	k->peer = bus_mem_open(k->net, "store");
	return k->bus != NULL && k->peer != NULL && open_store(k);
}

void store_kit_close(struct store_kit *k)
{
	char command[96];

	store_close(k->store);
	bus_close(k->bus);
	bus_close(k->peer);
	bus_net_free(k->net);
	loop_close(&k->loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", k->dir);
	if (system(command) != 0)
		fprintf(stderr, "%s is left\n", k->dir);
}

void store_kit_kill(struct store_kit *k)
{
	bus_unsubscribe(k->peer, k->sub);
	store_close(k->store);
	k->sub = NULL;
	k->store = NULL;
}

void store_kit_revive(struct store_kit *k)
{
	assert_true(open_store(k));
}

int64_t store_kit_now(const struct store_kit *k)
{
	return clocks_now(&k->loop.clocks);
}

bool store_kit_run(struct store_kit *k, const bool *done, int64_t seconds)
{
	int64_t end_ns = store_kit_now(k) + seconds * NS_PER_S;

	while (!*done && store_kit_now(k) < end_ns) {
		int64_t now_ns = store_kit_now(k);

		bus_net_now(k->net, now_ns);
		assert_int_equal(loop_turn(&k->loop, 0), 0);
		if (k->on_turn != NULL)
			k->on_turn(k->ctx);
		if (!bus_net_step(k->net, now_ns))
			k->loop.clocks.offset_ns += STEP_NS;
	}
	return *done;
}

/* --- the store itself --------------------------------------------------------------------------------- */

struct blob_hash store_kit_hash(struct span bytes)
{
	struct keys_stream s;
	struct blob_hash h;

	keys_stream_start(&s);
	keys_stream_add(&s, bytes);
	keys_stream_end(&s, h.at);
	return h;
}

static struct blob_reply ask(struct store_kit *k, struct span tenant, struct blob_ask q)
{
	struct blob_reply r;

	store_do(k->store, tenant, store_kit_now(k), &q, &r);
	return r;
}

void store_kit_put(struct store_kit *k, struct span tenant, struct span bytes)
{
	struct blob_ask q = { .op = BLOB_OPEN, .upload = SPAN_LIT("kit"), .size = bytes.len };
	struct blob_reply r = ask(k, tenant, q);

	assert_int_equal(r.fail.code, 0);
	q.op = BLOB_CHUNK;
	for (q.offset = 0; q.offset < bytes.len; q.offset += q.data.len) {
		q.data = span_part(bytes, q.offset, LIMIT_BLOB_CHUNK_BYTES);
		r = ask(k, tenant, q);
		assert_int_equal(r.fail.code, 0);
	}
	q.op = BLOB_COMMIT;
	q.hash = store_kit_hash(bytes);
	r = ask(k, tenant, q);
	assert_int_equal(r.fail.code, 0);
}

bool store_kit_has(struct store_kit *k, struct span tenant, struct span bytes)
{
	struct blob_ask q = { .op = BLOB_READ, .hash = store_kit_hash(bytes), .size = bytes.len };

	do {
		struct blob_reply r = ask(k, tenant, q);

		if (r.fail.code != 0 || r.size != bytes.len)
			return false;
		assert_true(r.data.len > 0 || bytes.len == 0);
		assert_true(span_eq(r.data, span_part(bytes, q.offset, r.data.len)));
		q.offset += r.data.len;
	} while (q.offset < bytes.len);
	return true;
}

unsigned store_kit_references(struct store_kit *k, struct span tenant, struct span bytes)
{
	const struct blob_ask q = { .op = BLOB_STAT, .hash = store_kit_hash(bytes) };
	struct blob_reply r = ask(k, tenant, q);

	assert_int_equal(r.fail.code, 0);
	return r.references;
}
