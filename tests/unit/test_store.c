/* SPDX-License-Identifier: Apache-2.0
 *
 * The store on a real folder: what it promises, what it refuses, and every call of the disk failing, once and from
 * then on: what was acknowledged is there and whole, and nothing else is.
 */
#include "services/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/disk_faulty.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#define S INT64_C(1000000000)
#define CHUNK LIMIT_BLOB_CHUNK_BYTES
#define SIZE (2 * CHUNK + 1000)
#define TENANT SPAN_LIT("anna")

struct kit {
	char dir[64];
	struct store *s;
	int64_t now;
	unsigned char bytes[SIZE];
	struct blob_hash hash;
	struct blob_reply r;
};

static struct store *open_store(struct kit *k)
{
	const struct store_conf conf = {
		.io = &disk_io_faulty,
		.dir = k->dir,
		.index = { 10 * SIZE, 5 * SIZE, 100, 10, 100 * S },
		.uploads_max = 3,
		.upload_idle_ns = 50 * S,
	};
	struct fail why = { 0 };

	k->s = store_open(&conf, &why);
	return k->s;
}

static void fill(struct kit *k, unsigned char seed)
{
	struct keys_stream hash;

	for (size_t i = 0; i < SIZE; i++)
		k->bytes[i] = (unsigned char)(seed + i * 31 + i / 253);
	keys_stream_start(&hash);
	keys_stream_add(&hash, span_of(k->bytes, SIZE));
	keys_stream_end(&hash, k->hash.at);
}

static int setup(void **state)
{
	struct kit *k = mem_alloc(sizeof(*k));

	disk_faulty_set(0, 0, false);
	if (keys_open() < 0)
		return -1;
	/* In memory, if it can be: what fails here fails by our hand, and flushes take their time. */
	snprintf(k->dir, sizeof(k->dir), "/dev/shm/spu-store.XXXXXX");
	if (mkdtemp(k->dir) == NULL) {
		snprintf(k->dir, sizeof(k->dir), "store.XXXXXX");
		if (mkdtemp(k->dir) == NULL)
			return -1;
	}
	k->now = (int64_t)2000000000 * S;
	fill(k, 1);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kit *k = *state;
	char command[96];

	store_close(k->s);
	disk_faulty_set(0, 0, false);
	snprintf(command, sizeof(command), "rm -rf '%s'", k->dir);
	mem_free(k);
	return system(command);
}

static int ask_as(struct kit *k, struct span tenant, struct blob_ask ask)
{
	store_do(k->s, tenant, k->now, &ask, &k->r);
	return k->r.fail.code;
}

#define ASK(k, ...) ask_as(k, TENANT, (struct blob_ask){ __VA_ARGS__ })

static int send_chunk(struct kit *k, unsigned i)
{
	return ASK(k, .op = BLOB_CHUNK, .upload = SPAN_LIT("up"), .offset = i * CHUNK,
		.data = span_part(span_of(k->bytes, SIZE), i * CHUNK, CHUNK));
}

static int commit(struct kit *k)
{
	return ASK(k, .op = BLOB_COMMIT, .upload = SPAN_LIT("up"), .hash = k->hash, .size = SIZE);
}

static int put(struct kit *k)
{
	int err = ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE);

	for (unsigned i = 0; i < 3 && err == 0; i++)
		err = send_chunk(k, i);
	return err < 0 ? err : commit(k);
}

/* Reads the whole from an offset on and compares. */
static int get(struct kit *k, uint64_t from)
{
	while (from < SIZE) {
		int err = ASK(k, .op = BLOB_READ, .hash = k->hash, .offset = from, .size = CHUNK);

		if (err < 0)
			return err;
		assert_true(k->r.data.len > 0 && k->r.data.len <= SIZE - from);
		assert_memory_equal(k->r.data.at, k->bytes + from, k->r.data.len);
		from += k->r.data.len;
	}
	return 0;
}

static int stat_blob(struct kit *k)
{
	return ASK(k, .op = BLOB_STAT, .hash = k->hash);
}

static void reopen(struct kit *k)
{
	store_close(k->s);
	assert_non_null(open_store(k));
}

static void test_in_and_out(void **state)
{
	struct kit *k = *state;

	assert_non_null(open_store(k));
	assert_int_equal(stat_blob(k), ERR_UNKNOWN);
	assert_int_equal(put(k), 0);
	assert_int_equal(k->r.size, SIZE);
	assert_int_equal(get(k, 0), 0);
	assert_int_equal(get(k, CHUNK + 77), 0);
	assert_int_equal(commit(k), 0); /* repeated */
	assert_int_equal(put(k), 0);    /* again: nothing more is held */
	assert_int_equal(k->s->index.bytes, SIZE);
	reopen(k);
	assert_int_equal(get(k, 5), 0);
	assert_int_equal(k->s->index.bytes, SIZE);
	assert_int_equal(
		ask_as(k, SPAN_LIT("bert"), (struct blob_ask){ .op = BLOB_STAT, .hash = k->hash }),
		ERR_UNKNOWN);
}

static void test_goes_on(void **state)
{
	struct kit *k = *state;

	assert_non_null(open_store(k));
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE), 0);
	assert_int_equal(send_chunk(k, 0), 0);
	assert_int_equal(send_chunk(k, 0), 0); /* twice changes nothing */
	assert_int_equal(k->r.offset, CHUNK);
	assert_int_equal(send_chunk(k, 2), ERR_INVALID);
	assert_string_equal(k->r.fail.field, "offset");
	assert_int_equal(k->r.fail.limit, CHUNK);
	reopen(k);
	assert_int_equal(send_chunk(k, 1), 0);
	reopen(k);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE), 0);
	assert_int_equal(k->r.offset, 2 * CHUNK);
	assert_int_equal(send_chunk(k, 2), 0);
	assert_int_equal(commit(k), 0);
	assert_int_equal(get(k, 0), 0);
}

static void test_refusals(void **state)
{
	struct kit *k = *state;

	assert_non_null(open_store(k));
	assert_int_equal(send_chunk(k, 0), ERR_UNKNOWN);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = 6 * SIZE),
		ERR_BUSY);
	assert_string_equal(k->r.fail.field, "tenant_bytes_max");
	assert_int_equal(k->r.fail.limit, 5 * SIZE);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE), 0);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = 5),
		ERR_CONFLICT);
	assert_int_equal(
		ASK(k, .op = BLOB_CHUNK, .upload = SPAN_LIT("up"), .data = span_of(k->bytes, 7)),
		ERR_INVALID);
	assert_string_equal(k->r.fail.field, "data");
	assert_int_equal(commit(k), ERR_INVALID);
	assert_string_equal(k->r.fail.field, "offset");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_chunk(k, i), 0);
	k->hash.at[3] ^= 1;
	assert_int_equal(commit(k), ERR_INVALID);
	assert_string_equal(k->r.fail.field, "hash");
	assert_int_equal(k->s->index.bytes, 0);
	k->hash.at[3] ^= 1;
	assert_int_equal(commit(k), ERR_UNKNOWN);
	assert_int_equal(put(k), 0);
	assert_int_equal(ASK(k, .op = BLOB_READ, .hash = k->hash, .offset = SIZE + 1, .size = 1),
		ERR_INVALID);
	assert_string_equal(k->r.fail.field, "offset");
	for (unsigned i = 0; i < 3; i++) {
		const char *const names[] = { "a", "b", "c" };

		assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = span_str(names[i]), .size = 1),
			0);
	}
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("d"), .size = 1), ERR_BUSY);
	assert_string_equal(k->r.fail.field, "uploads_max");
}

static void test_garbage(void **state)
{
	struct kit *k = *state;
	const int64_t start = k->now;

	assert_non_null(open_store(k));
	assert_int_equal(put(k), 0);
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("task"),
				 .expire_ms = (start + 300 * S) / 1000000),
		0);
	assert_int_equal(k->r.references, 1);
	reopen(k);
	k->now = start + 299 * S;
	store_sweep(k->s, k->now, 100);
	assert_int_equal(stat_blob(k), 0);
	assert_int_equal(k->r.references, 1);
	k->now = start + 301 * S; /* the reference goes, the grace begins */
	store_sweep(k->s, k->now, 100);
	store_sweep(k->s, k->now, 100);
	assert_int_equal(stat_blob(k), 0);
	assert_int_equal(k->r.references, 0);
	k->now = start + 402 * S;
	store_sweep(k->s, k->now, 100);
	store_sweep(k->s, k->now, 100);
	assert_int_equal(stat_blob(k), ERR_UNKNOWN);
	assert_int_equal(k->s->index.bytes, 0);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE), 0);
	store_sweep(k->s, k->now + 51 * S, 100);
	assert_int_equal(send_chunk(k, 0), ERR_UNKNOWN);
	assert_int_equal(k->s->index.bytes, 0);
	reopen(k);
	assert_int_equal(stat_blob(k), ERR_UNKNOWN);
}

static void test_unlink(void **state)
{
	struct kit *k = *state;

	assert_non_null(open_store(k));
	assert_int_equal(put(k), 0);
	for (int i = 1; i <= 3; i++) /* the same reason again only moves its end */
		assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("task"),
					 .expire_ms = k->now / 1000000 + i),
			0);
	assert_int_equal(k->r.references, 1);
	reopen(k);
	assert_int_equal(stat_blob(k), 0);
	assert_int_equal(k->r.references, 1);
	assert_int_equal(ASK(k, .op = BLOB_UNLINK, .hash = k->hash, .by = SPAN_LIT("task")), 0);
	assert_int_equal(k->r.references, 0);
	assert_int_equal(ASK(k, .op = BLOB_UNLINK, .hash = k->hash, .by = SPAN_LIT("task")), 0);
}

/* References have a ceiling, too: beyond it nothing is left in the folder that the next start would stumble over. */
static void test_as_many_references_as_go(void **state)
{
	struct kit *k = *state;
	char by[32];

	assert_non_null(open_store(k));
	assert_int_equal(put(k), 0);
	for (int i = 0; i < 110; i++) {
		snprintf(by, sizeof(by), "task-%d", i);
		assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = span_str(by),
					 .expire_ms = k->now / 1000000 + 1000),
			i < 100 ? 0 : ERR_BUSY);
	}
	assert_string_equal(k->r.fail.field, "blobs_max");
	assert_int_equal(k->r.fail.limit, 100);
	/* One that is there can be moved all the same. */
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("task-7"),
				 .expire_ms = k->now / 1000000 + 2000),
		0);
	reopen(k);
	assert_int_equal(stat_blob(k), 0);
	assert_int_equal(k->r.references, 100);
}

/* With a lower ceiling than the folder has blobs or references the store says so, and does not start. */
static void test_a_lower_ceiling_than_there_are(void **state)
{
	struct kit *k = *state;
	struct store_conf conf;
	struct fail why = { 0 };

	assert_non_null(open_store(k));
	assert_int_equal(put(k), 0);
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("one"),
				 .expire_ms = k->now / 1000000 + 1000),
		0);
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("two"),
				 .expire_ms = k->now / 1000000 + 1000),
		0);
	conf = k->s->conf;
	store_close(k->s);
	conf.dir = k->dir;
	conf.index.blobs_max = 1;
	k->s = store_open(&conf, &why);
	assert_null(k->s);
	assert_int_equal(why.code, ERR_BUSY);
	assert_string_equal(why.field, "blobs_max");
	assert_int_equal(why.limit, 1);
}

static uint32_t tenants(const struct kit *k)
{
	return k->s->index.tenants.used;
}

/* Who has nothing here takes no place: any number of tenants may come one after the other. */
static void test_tenants_come_and_go(void **state)
{
	struct kit *k = *state;
	char name[32];

	assert_non_null(open_store(k));
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "tenant-%d", i);
		assert_int_equal(ask_as(k, span_str(name), (struct blob_ask){ .op = BLOB_STAT }),
			ERR_UNKNOWN);
		assert_int_equal(tenants(k), 0);
	}
	/* An upload, and a blob, of no bytes is something, too. */
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("none"), .size = 0), 0);
	assert_int_equal(tenants(k), 1);
	assert_int_equal(put(k), 0);
	store_sweep(k->s, k->now + 51 * S, 100);
	assert_int_equal(tenants(k), 1);
	reopen(k);
	assert_int_equal(tenants(k), 1);
	store_sweep(k->s, k->now + 200 * S, 100);
	assert_int_equal(stat_blob(k), ERR_UNKNOWN);
	assert_int_equal(tenants(k), 0);
	/* One whose upload gave way to another's. */
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "tenant-%d", i);
		assert_int_equal(ask_as(k, span_str(name),
					 (struct blob_ask){ .op = BLOB_OPEN,
						 .upload = SPAN_LIT("up"),
						 .size = SIZE }),
			0);
		if (i == 2)
			k->now += 61 * S;
	}
	assert_int_equal(tenants(k), 3);
}

/* Change one byte of the blob's file. */
static void spoil(struct kit *k, off_t at)
{
	char hash[BLOB_HASH_TEXT + 1], path[256];
	unsigned char byte;
	int fd;

	blob_hash_text(&k->hash, hash);
	snprintf(path, sizeof(path), "%s/anna/%.2s/%.2s/%s", k->dir, hash, hash + 2, hash);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void test_damage_is_found_and_mended(void **state)
{
	struct kit *k = *state;
	const off_t places[] = { 0, CHUNK, SIZE - 1, SIZE + 3, SIZE + 24 + 3 };

	assert_non_null(open_store(k));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		assert_int_equal(put(k), 0);
		reopen(k);
		spoil(k, places[i]);
		assert_int_equal(get(k, 0), ERR_IO);
		assert_string_equal(k->r.fail.field, "hash");
		assert_int_equal(stat_blob(k), ERR_IO);
		assert_int_equal(put(k), 0);
		assert_int_equal(get(k, 0), 0);
		assert_int_equal(k->s->index.bytes, SIZE);
	}
}

static void test_one_store_a_folder(void **state)
{
	struct kit *k = *state;
	struct store *first = open_store(k);

	assert_non_null(first);
	assert_null(open_store(k));
	k->s = first;
}

/* What was acknowledged, and what was begun. */
struct told {
	bool put, linked, unlinking, sweeping;
};

/* Three lives: put, link, read; look, read again, an upload that is left, unlink; what nobody wants goes. */
static void run_with_faults(struct kit *k, struct told *t)
{
	const int64_t start = k->now;

	if (open_store(k) == NULL)
		return;
	t->put = put(k) == 0;
	t->linked = t->put && ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("t"),
				      .expire_ms = k->now / 1000000 + 60000) == 0;
	(void)get(k, 0);
	store_sweep(k->s, k->now, 100);
	store_close(k->s);
	if (open_store(k) == NULL)
		return;
	/* A start that does not see all there is must not succeed. */
	assert_true(!t->put || stat_blob(k) != ERR_UNKNOWN);
	(void)get(k, CHUNK);
	if (ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("left"), .size = SIZE) == 0)
		(void)ASK(k, .op = BLOB_CHUNK, .upload = SPAN_LIT("left"),
			.data = span_of(k->bytes, CHUNK));
	t->unlinking = true;
	(void)ASK(k, .op = BLOB_UNLINK, .hash = k->hash, .by = SPAN_LIT("t"));
	store_close(k->s);
	if (open_store(k) == NULL)
		return;
	assert_true(!t->put || stat_blob(k) != ERR_UNKNOWN);
	t->sweeping = true;
	for (k->now += 50 * S; k->now < start + 1000 * S; k->now += 200 * S)
		store_sweep(k->s, k->now, 100);
	store_close(k->s);
	k->s = NULL;
}

static void clear(const struct kit *k)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", k->dir);
	assert_int_equal(system(command), 0);
}

/* False: the n-th call is not made any more. */
static bool survives(struct kit *k, unsigned n, int cause, bool for_ever)
{
	struct told t = { .put = false };
	unsigned files = files_open(), calls;
	int64_t start = k->now;

	clear(k);
	disk_faulty_set(n, cause, for_ever);
	run_with_faults(k, &t);
	calls = disk_faulty_calls();
	disk_faulty_set(0, 0, false);
	store_close(k->s);
	assert_int_equal(files_open(), files);
	if (cause == EINTR || cause == DISK_SHORT) /* no errors */
		assert_true(t.put && t.linked && t.sweeping);
	k->now = start;
	assert_non_null(open_store(k));
	if (t.put && !t.sweeping)
		assert_int_equal(get(k, 0), 0);
	else
		assert_true(stat_blob(k) == ERR_UNKNOWN || get(k, 0) == 0);
	if (t.linked && !t.unlinking)
		assert_true(stat_blob(k) == 0 && k->r.references == 1);
	/* And it can be put, whatever is left. */
	assert_int_equal(put(k), 0);
	assert_int_equal(get(k, 0), 0);
	store_close(k->s);
	k->s = NULL;
	assert_int_equal(files_open(), files);
	return calls >= n;
}

static void test_every_call_of_the_disk_fails(void **state)
{
	static const struct {
		const char *name;
		int cause;
		bool for_ever;
	} modes[] = {
		{ "EIO once", EIO, false },
		{ "EIO from then on", EIO, true },
		{ "ENOSPC once", ENOSPC, false },
		{ "ENOSPC from then on", ENOSPC, true },
		{ "EINTR once", EINTR, false },
		{ "short once", DISK_SHORT, false },
		{ "short from then on", DISK_SHORT, true },
	};

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		unsigned n = 1;

		while (survives(*state, n, modes[i].cause, modes[i].for_ever))
			n++;
		print_message("# %s: each of %u calls\n", modes[i].name, n - 1);
		assert_true(n > 100);
	}
}

static int put_all(void *arg)
{
	struct kit *k = arg;
	int err = ERR_NO_MEMORY;

	clear(k);
	if (open_store(k) != NULL) {
		err = put(k);
		if (err == 0)
			err = ASK(k, .op = BLOB_READ, .hash = k->hash, .size = CHUNK);
	}
	store_close(k->s);
	k->s = NULL;
	return err == ERR_BUSY ? ERR_NO_MEMORY : err;
}

static void test_no_memory(void **state)
{
	assert_true(nth_alloc(put_all, *state) > 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_and_out),
		TEST(test_goes_on),
		TEST(test_refusals),
		TEST(test_garbage),
		TEST(test_unlink),
		TEST(test_tenants_come_and_go),
		TEST(test_as_many_references_as_go),
		TEST(test_a_lower_ceiling_than_there_are),
		TEST(test_damage_is_found_and_mended),
		TEST(test_one_store_a_folder),
		TEST(test_every_call_of_the_disk_fails),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
