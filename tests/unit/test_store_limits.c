/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store refuses: limits of all and of each tenant, and orders that make no sense.
 */
#include "tests/support/store_rig.h"

static void test_refusals(void **state)
{
	struct store_rig *k = *state;

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

/* One tenant leaves places to others. */
static void test_shares_of_tenants(void **state)
{
	const struct span other = SPAN_LIT("other");
	struct store_rig *k = *state;

	assert_non_null(open_store(k));
	k->s->conf.tenant_uploads_max = 2;
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("a"), .size = 1), 0);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("b"), .size = 1), 0);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("c"), .size = 1), ERR_BUSY);
	assert_string_equal(k->r.fail.field, "tenant_uploads_max");
	assert_int_equal(k->r.fail.limit, 2);
	assert_int_equal(
		ask_as(k, other,
			(struct blob_ask){ .op = BLOB_OPEN, .upload = SPAN_LIT("a"), .size = 1 }),
		0);
	/* its own that stands still makes room, nobody else's */
	k->now += 70 * S;
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("b"), .size = 1), 0);
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("c"), .size = 1), 0);
	assert_int_equal(k->s->uploads_n, 3);
	assert_int_equal(
		ask_as(k, other,
			(struct blob_ask){ .op = BLOB_OPEN, .upload = SPAN_LIT("a"), .size = 1 }),
		0);
	/* uploads count as blobs */
	k->s->conf.tenant_uploads_max = 3;
	k->s->conf.uploads_max = 4;
	k->s->index.conf.tenant_blobs_max = 2;
	assert_int_equal(ASK(k, .op = BLOB_OPEN, .upload = SPAN_LIT("d"), .size = 1), ERR_BUSY);
	assert_string_equal(k->r.fail.field, "tenant_blobs_max");
}

static void test_shares_of_references(void **state)
{
	struct store_rig *k = *state;
	int64_t later_ms = k->now / 1000000 + 1000;

	assert_non_null(open_store(k));
	assert_int_equal(put(k), 0);
	k->s->index.conf.tenant_blobs_max = 2;
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("a"),
				 .expire_ms = later_ms),
		0);
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("b"),
				 .expire_ms = later_ms),
		0);
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("c"),
				 .expire_ms = later_ms),
		ERR_BUSY);
	assert_string_equal(k->r.fail.field, "tenant_blobs_max");
	assert_int_equal(ASK(k, .op = BLOB_UNLINK, .hash = k->hash, .by = SPAN_LIT("a")), 0);
	assert_int_equal(ASK(k, .op = BLOB_LINK, .hash = k->hash, .by = SPAN_LIT("c"),
				 .expire_ms = later_ms),
		0);
}

/* References have a ceiling, too: beyond it nothing is left in the folder that the next start would stumble over. */
static void test_as_many_references_as_go(void **state)
{
	struct store_rig *k = *state;
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
	struct store_rig *k = *state;
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

static uint32_t tenants(const struct store_rig *k)
{
	return k->s->index.tenants.used;
}

/* Who has nothing here takes no place: any number of tenants may come one after the other. */
static void test_tenants_come_and_go(void **state)
{
	struct store_rig *k = *state;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refusals),
		TEST(test_shares_of_tenants),
		TEST(test_shares_of_references),
		TEST(test_as_many_references_as_go),
		TEST(test_a_lower_ceiling_than_there_are),
		TEST(test_tenants_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
