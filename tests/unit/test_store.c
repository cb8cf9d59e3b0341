/* SPDX-License-Identifier: Apache-2.0
 *
 * The store on a real folder: what it promises, what it refuses, and every call of the disk failing, once and from
 * then on: what was acknowledged is there and whole, and nothing else is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/files.h"
#include "tests/support/store_rig.h"

static void test_in_and_out(void **state)
{
	struct store_rig *k = *state;

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
	struct store_rig *k = *state;

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

static void test_garbage(void **state)
{
	struct store_rig *k = *state;
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
	struct store_rig *k = *state;

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

/* Change one byte of the blob's file. */
static void spoil(struct store_rig *k, off_t at)
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
	struct store_rig *k = *state;
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
	struct store_rig *k = *state;
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
static void run_with_faults(struct store_rig *k, struct told *t)
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

static void clear(const struct store_rig *k)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", k->dir);
	assert_int_equal(system(command), 0);
}

/* False: the n-th call is not made any more. */
static bool survives(struct store_rig *k, unsigned n, int cause, bool for_ever)
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
	struct store_rig *k = arg;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_and_out),
		TEST(test_goes_on),
		TEST(test_garbage),
		TEST(test_unlink),
		TEST(test_damage_is_found_and_mended),
		TEST(test_one_store_a_folder),
		TEST(test_every_call_of_the_disk_fails),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
