/* SPDX-License-Identifier: Apache-2.0 */
#include "run/zip_dict.h"

#include <pthread.h>

#include "base/mem.h"
#include "tests/support/messages.h"
#include "tests/support/nth.h"
#include "tests/support/test.h"

#define SAMPLES 400
#define MIB ((int64_t)1 << 20)

static struct buf all, dict, other;
static size_t sizes[SAMPLES];

static void make(struct buf *to, struct prng *p)
{
	buf_reset(&all);
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t before = all.len;

		message_put(&all, p);
		sizes[i] = all.len - before;
	}
	assert_int_equal(zip_dict_train(to, buf_span(&all), sizes, SAMPLES, 8192, NULL), 0);
	assert_true(to->len > 256 && to->len <= 8192);
	assert_true(zip_dict_number(buf_span(to)) != 0);
}

static int set_up(void **state)
{
	struct prng p;

	(void)state;
	if (keys_open() < 0)
		return -1;
	buf_init(&all, 1 << 20);
	buf_init(&dict, 65536);
	buf_init(&other, 65536);
	rand_start(&p);
	make(&dict, &p);
	make(&other, &p);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_done(&all);
	buf_done(&dict);
	buf_done(&other);
	return 0;
}

static const struct zip_dict *take(struct zip_dicts *ds, const struct buf *bytes, int level)
{
	const struct zip_dict *d = NULL;

	assert_int_equal(zip_dicts_take(ds, buf_span(bytes), level, &d, NULL), 0);
	return d;
}

/* Short messages become much shorter with it than alone, and come back. */
static void packs_short_messages(void **state)
{
	struct zip_how with = { .dict = take(NULL, &dict, 3) }, alone = { .level = 3 };
	const struct zip_dict *back = take(NULL, &dict, 0);
	const struct zip_caps caps = { MIB, MIB, &back, 1, NULL };
	size_t with_bytes = 0, alone_bytes = 0;
	CLEANUP(zip_done) struct zip zip = { 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int i = 0; i < 100; i++) {
		CLEANUP(buf_done)
		struct buf m = { .max = 1000 }, packed = { .max = 1000 }, out = { .max = 1000 };

		message_put(&m, &p);
		assert_int_equal(zip_pack(&zip, &packed, buf_span(&m), &alone, NULL), 0);
		alone_bytes += packed.len;
		buf_reset(&packed);
		assert_int_equal(zip_pack(&zip, &packed, buf_span(&m), &with, NULL), 0);
		with_bytes += packed.len;
		assert_int_equal(zip_dict_of_frame(buf_span(&packed)),
			zip_dict_number(buf_span(&dict)));
		assert_int_equal(zip_unpack(&zip, &out, buf_span(&packed), &caps, NULL), 0);
		assert_true(span_eq(buf_span(&out), buf_span(&m)));
	}
	assert_true(with_bytes * 2 < alone_bytes);
	zip_dicts_give(NULL, with.dict);
	zip_dicts_give(NULL, back);
}

/* Frames behind each other may each need another one, or none. */
static void finds_the_dictionary_of_each_frame(void **state)
{
	const struct zip_dict *back[] = { take(NULL, &other, 0), take(NULL, &dict, 0) };
	struct zip_how how[] = { { .dict = take(NULL, &dict, 3) }, { .level = 3 },
		{ .dict = take(NULL, &other, 19), .is_bare = true } };
	struct zip_caps caps = { MIB, MIB, back, 2, NULL };
	CLEANUP(buf_done) struct buf packed = { .max = 10000 }, out = { .max = 10000 };
	CLEANUP(zip_done) struct zip zip = { 0 };
	struct fail why = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(how); i++)
		assert_int_equal(zip_pack(&zip, &packed, SPAN_LIT("one and "), &how[i], NULL), 0);
	assert_int_equal(zip_unpack(&zip, &out, buf_span(&packed), &caps, NULL), 0);
	assert_true(span_is(buf_span(&out), "one and one and one and "));
	caps.dicts_n = 1;
	buf_reset(&out);
	assert_int_equal(zip_unpack(&zip, &out, buf_span(&packed), &caps, &why), ERR_UNKNOWN);
	assert_string_equal(why.field, "dictionary");
	assert_int_equal(why.limit, zip_dict_number(buf_span(&dict)));
	assert_int_equal(out.len, 0);
	/* and the context is as good as new */
	caps.dicts_n = 2;
	assert_int_equal(zip_unpack(&zip, &out, buf_span(&packed), &caps, NULL), 0);
	zip_dicts_give(NULL, back[0]);
	zip_dicts_give(NULL, back[1]);
	zip_dicts_give(NULL, how[0].dict);
	zip_dicts_give(NULL, how[2].dict);
}

static void refuses_what_gives_no_dictionary(void **state)
{
	CLEANUP(buf_done) struct buf b = { .max = 8192 };
	size_t ones[100];
	unsigned char same[100];
	struct fail why = { 0 };
	int r;

	(void)state;
	memset(same, 'x', sizeof(same));
	for (size_t i = 0; i < ARRAY_LEN(ones); i++)
		ones[i] = 1;
	assert_int_equal(zip_dict_train(&b, buf_span(&all), sizes, 7, 8192, &why), ERR_INVALID);
	assert_string_equal(why.field, "items");
	assert_int_equal(why.limit, ZIP_SAMPLES_MIN);
	/* zstd may see a dictionary in anything, or not */
	r = zip_dict_train(&b, span_of(same, sizeof(same)), ones, 100, 8192, &why);
	assert_true(r == 0 || r == ERR_INVALID);
	buf_reset(&b);
	assert_int_equal(zip_dict_train(&b, buf_span(&all), sizes, SAMPLES, 8193, &why),
		ERR_TOO_BIG);
}

static void refuses_what_is_no_dictionary(void **state)
{
	static unsigned char large[ZIP_DICT_BYTES_MAX + 1];
	const struct zip_dict *d = NULL;
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(zip_dicts_take(NULL, SPAN_LIT("text, text"), 3, &d, &why), ERR_INVALID);
	assert_string_equal(why.field, "dictionary");
	assert_int_equal(zip_dicts_take(NULL, (struct span){ 0 }, 0, &d, &why), ERR_INVALID);
	memcpy(large, dict.at, dict.len);
	assert_int_equal(zip_dicts_take(NULL, span_of(large, sizeof(large)), 0, &d, &why),
		ERR_TOO_BIG);
	assert_int_equal(why.limit, ZIP_DICT_BYTES_MAX);
	/* cut off anywhere within its tables */
	for (size_t n = 0; n < 64; n++)
		if (zip_dicts_take(NULL, span_part(buf_span(&dict), 0, n), 0, &d, &why) == 0)
			zip_dicts_give(NULL, d);
	assert_ptr_not_equal(d, &why);
}

/* The same one is made ready once, for each level; of those that nobody uses the oldest go. */
static void keeps_a_bounded_number(void **state)
{
	struct zip_dicts *ds = zip_dicts_new(512 * 1024);
	const struct zip_dict *first = take(ds, &dict, 3), *again = take(ds, &dict, 3);
	unsigned most = 0;

	(void)state;
	assert_ptr_equal(first, again);
	assert_int_equal(zip_dicts_count(ds), 1);
	zip_dicts_give(ds, again);
	for (int level = 0; level <= ZIP_LEVEL_MAX; level++) {
		zip_dicts_give(ds, take(ds, &other, level));
		if (zip_dicts_count(ds) > most)
			most = zip_dicts_count(ds);
	}
	assert_true(most > 1 && most < 21);
	again = take(ds, &dict, 3); /* it is used: it stayed */
	assert_ptr_equal(first, again);
	zip_dicts_give(ds, again);
	zip_dicts_give(ds, first);
	zip_dicts_free(ds);
	ds = zip_dicts_new(0); /* room for none: each use has its own */
	first = take(ds, &dict, 3);
	assert_int_equal(zip_dicts_count(ds), 0);
	zip_dicts_give(ds, first);
	zip_dicts_free(ds);
	zip_dicts_free(NULL);
}

static void *work(void *arg)
{
	struct zip_dicts *ds = arg;
	struct zip zip = { 0 };

	for (int i = 0; i < 60; i++) {
		const struct zip_dict *d = NULL, *back = NULL;
		struct zip_caps caps = { MIB, MIB, &back, 1, NULL };
		struct buf packed = { .max = 1000 }, out = { .max = 1000 };
		const struct buf *which = i % 3 == 0 ? &other : &dict;
		int r = zip_dicts_take(ds, buf_span(which), 1 + i % 2, &d, NULL);

		CHECK(r == 0 && zip_dicts_take(ds, buf_span(which), 0, &back, NULL) == 0);
		r = zip_pack(&zip, &packed, SPAN_LIT("hello"), &(struct zip_how){ .dict = d },
			NULL);
		CHECK(r == 0 && zip_unpack(&zip, &out, buf_span(&packed), &caps, NULL) == 0);
		CHECK(span_is(buf_span(&out), "hello"));
		zip_dicts_give(ds, d);
		zip_dicts_give(ds, back);
		buf_done(&packed);
		buf_done(&out);
	}
	zip_done(&zip);
	return NULL;
}

static void serves_many_threads(void **state)
{
	struct zip_dicts *ds = zip_dicts_new(150 * 1024);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, ds), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	zip_dicts_free(ds);
}

static int take_and_give(void *arg)
{
	struct zip_dicts *ds = zip_dicts_new((size_t)MIB);
	const struct zip_dict *d;
	int r;

	(void)arg;
	if (ds == NULL)
		return ERR_NO_MEMORY;
	r = zip_dicts_take(ds, buf_span(&dict), 3, &d, NULL);
	if (r == 0)
		zip_dicts_give(ds, d);
	zip_dicts_free(ds);
	return r;
}

static void survives_a_lack_of_memory(void **state)
{
	int64_t before = mem_held();

	(void)state;
	assert_true(nth_alloc(take_and_give, NULL) >= 2);
	assert_int_equal(mem_held(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packs_short_messages),
		cmocka_unit_test(finds_the_dictionary_of_each_frame),
		cmocka_unit_test(refuses_what_gives_no_dictionary),
		cmocka_unit_test(refuses_what_is_no_dictionary),
		cmocka_unit_test(keeps_a_bounded_number),
		cmocka_unit_test(serves_many_threads),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
