/* SPDX-License-Identifier: Apache-2.0
 *
 * store_rig: a store on a real folder, whose calls of the disk can be made to fail, and a blob to put into it.
 */
#pragma once
#include "services/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/disk_faulty.h"
#include "tests/support/test.h"

#define S INT64_C(1000000000)
#define CHUNK LIMIT_BLOB_CHUNK_BYTES
#define SIZE (2 * CHUNK + 1000)
#define TENANT SPAN_LIT("anna")

struct store_rig {
	char dir[64];
	struct store *s;
	int64_t now;
	unsigned char bytes[SIZE];
	struct blob_hash hash;
	struct blob_reply r;
};

static inline struct store *open_store(struct store_rig *k)
{
	const struct store_conf conf = {
		.io = &disk_io_faulty,
		.dir = k->dir,
		.index = { 10 * SIZE, 5 * SIZE, 100, 1000, 10, 100 * S },
		.uploads_max = 3,
		.tenant_uploads_max = 9,
		.upload_idle_ns = 50 * S,
	};
	struct fail why = { 0 };

	k->s = store_open(&conf, &why);
	return k->s;
}

static inline void fill(struct store_rig *k, unsigned char seed)
{
	struct keys_stream hash;

	for (size_t i = 0; i < SIZE; i++)
		k->bytes[i] = (unsigned char)(seed + i * 31 + i / 253);
	keys_stream_start(&hash);
	keys_stream_add(&hash, span_of(k->bytes, SIZE));
	keys_stream_end(&hash, k->hash.at);
}

static inline int setup(void **state)
{
	struct store_rig *k = mem_alloc(sizeof(*k));

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

static inline int teardown(void **state)
{
	struct store_rig *k = *state;
	char command[96];

	store_close(k->s);
	disk_faulty_set(0, 0, false);
	snprintf(command, sizeof(command), "rm -rf '%s'", k->dir);
	mem_free(k);
	return system(command);
}

static inline int ask_as(struct store_rig *k, struct span tenant, struct blob_ask ask)
{
	store_do(k->s, tenant, k->now, &ask, &k->r);
	return k->r.fail.code;
}

#define ASK(k, ...) ask_as(k, TENANT, (struct blob_ask){ __VA_ARGS__ })

static inline int send_chunk(struct store_rig *k, unsigned i)
{
	return ASK(k, .op = BLOB_CHUNK, .upload = SPAN_LIT("up"), .offset = i * CHUNK,
		.data = span_part(span_of(k->bytes, SIZE), i * CHUNK, CHUNK));
}

static inline int commit(struct store_rig *k)
{
	return ASK(k, .op = BLOB_COMMIT, .upload = SPAN_LIT("up"), .hash = k->hash, .size = SIZE);
}

static inline int put(struct store_rig *k)
{
	int err = ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("up"), .size = SIZE);

	for (unsigned i = 0; i < 3 && err == 0; i++)
		err = send_chunk(k, i);
	return err < 0 ? err : commit(k);
}

/* Reads the whole from an offset on and compares. */
static inline int get(struct store_rig *k, uint64_t from)
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

static inline int stat_blob(struct store_rig *k)
{
	return ASK(k, .op = BLOB_STAT, .hash = k->hash);
}

static inline void reopen(struct store_rig *k)
{
	store_close(k->s);
	assert_non_null(open_store(k));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
