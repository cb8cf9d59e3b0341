/* SPDX-License-Identifier: Apache-2.0
 *
 * blob.train, and dictionaries of blob.compress and blob.decompress.
 */
#include "tests/support/cpu_trial.h"

#include "base/mem.h"
#include "tests/support/messages.h"
#include "tests/support/nth.h"
#include "wire/blob.h"

static struct buf dict;
static char id[BLOB_HASH_TEXT + 1];

static void put_samples(struct trial *t, struct prng *p, size_t n, bool lines)
{
	CLEANUP(buf_done) struct buf b = { .max = LIMIT_BODY_BYTES };

	for (size_t i = 0; i < n; i++) {
		message_put(&b, p);
		if (lines)
			buf_byte(&b, '\n');
		if (lines && i + 1 < n)
			continue;
		trial_item(t, "sample", buf_span(&b));
		buf_reset(&b);
	}
}

static const char *text_of(const struct trial *t, const char *key)
{
	static char text[100];

	assert_non_null(body_param(&t->result, key));
	span_copy(body_param(&t->result, key)->value, text, sizeof(text));
	return text;
}

/* A dictionary that helps, by its own account; the same from items and from lines of one. */
static void test_train(void **state)
{
	struct trial t[2];

	(void)state;
	for (int lines = 0; lines < 2; lines++) {
		struct prng p;

		rand_start(&p);
		trial_open(&t[lines]);
		trial_param(&t[lines], "max_bytes", "8192");
		if (lines)
			trial_param(&t[lines], "unit", "line");
		put_samples(&t[lines], &p, 400, lines);
		assert_int_equal(trial_run(&t[lines], "blob.train", 1), 0);
		assert_int_equal(trial_number(&t[lines], "samples"), 350);
		assert_int_equal(trial_number(&t[lines], "tested"), 50);
		assert_true(trial_number(&t[lines], "tested_bytes_with") * 2 <
			    trial_number(&t[lines], "tested_bytes_alone"));
		assert_true(trial_number(&t[lines], "tested_bytes_alone") <
			    trial_number(&t[lines], "tested_bytes"));
	}
	assert_int_equal(t[0].result.items_n, 1);
	assert_true(span_eq(t[0].result.items[0].data, t[1].result.items[0].data));
	assert_true(span_is(t[0].result.items[0].name, "dictionary.zdict"));
	assert_true(span_is(t[0].result.items[0].media, CPU_DICT_MEDIA));
	assert_int_equal(trial_number(&t[0], "number"), zip_dict_number(t[0].result.items[0].data));
	strcpy(id, text_of(&t[0], "dictionary"));
	assert_int_equal(strlen(id), BLOB_HASH_TEXT);
	buf_reset(&dict);
	buf_add(&dict, t[0].result.items[0].data);
	trial_close(&t[0]);
	trial_close(&t[1]);
}

static void test_train_refuses(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_refuse(&t, "blob.train", ERR_INVALID, "items", "needs an item");
	for (int i = 0; i < 9; i++)
		trial_item(&t, "", SPAN_LIT(""));
	trial_refuse(&t, "blob.train", ERR_INVALID, "items", "0 samples are too few");
	trial_close(&t);
}

static void put_dict(struct trial *t, const char *media)
{
	body_put_item(&t->in, SPAN_LIT("d"), span_str(media), buf_span(&dict));
}

/* There and back; by its media type, by its id, or both. */
static void test_there_and_back(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		CLEANUP(buf_done) struct buf m = { .max = 1000 };
		struct trial t, back;
		struct prng p;

		rand_start(&p);
		message_put(&m, &p);
		trial_open(&t);
		trial_open(&back);
		trial_item(&t, "m", buf_span(&m));
		put_dict(&t, how == 1 ? "" : CPU_DICT_MEDIA);
		if (how > 0)
			trial_param(&t, "dictionary", id);
		assert_int_equal(trial_run(&t, "blob.compress", 1), 0);
		assert_string_equal(text_of(&t, "dictionary"), id);
		assert_int_equal(t.result.items_n, 1);
		assert_true(t.result.items[0].data.len < m.len * 6 / 10);
		trial_item(&back, "m.zst", t.result.items[0].data);
		trial_refuse(&back, "blob.decompress", ERR_UNKNOWN, "dictionary", "which is not");
		assert_int_equal(back.why.limit, zip_dict_number(buf_span(&dict)));
		put_dict(&back, "");
		if (how > 0)
			trial_param(&back, "dictionary", id);
		assert_int_equal(trial_run(&back, "blob.decompress", 1), 0);
		assert_int_equal(back.result.items_n, 1);
		assert_true(span_eq(back.result.items[0].data, buf_span(&m)));
		trial_close(&t);
		trial_close(&back);
	}
}

static void test_refuses(void **state)
{
	static const char *const kinds[] = { "blob.compress", "blob.decompress" };
	char wrong[BLOB_HASH_TEXT + 1];

	(void)state;
	strcpy(wrong, id);
	wrong[5] = wrong[5] == '0' ? '1' : '0';
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct trial t;

		trial_open(&t);
		put_dict(&t, CPU_DICT_MEDIA);
		trial_refuse(&t, kinds[i], ERR_INVALID, "items", "besides");
		trial_item(&t, "m", SPAN_LIT("some text"));
		trial_param(&t, "dictionary", wrong);
		trial_refuse(&t, kinds[i], ERR_UNKNOWN, "dictionary", wrong);
		trial_param(&t, "dictionary", "1234");
		trial_refuse(&t, kinds[i], ERR_INVALID, "dictionary", "64 hexadecimal digits");
		trial_close(&t);
		trial_open(&t);
		trial_item(&t, "m", SPAN_LIT("some text"));
		body_put_item(&t.in, SPAN_LIT("d"), SPAN_LIT(CPU_DICT_MEDIA), SPAN_LIT("none"));
		trial_refuse(&t, kinds[i], ERR_INVALID, "dictionary", "no zstd dictionary");
		trial_close(&t);
	}
}

static void test_says_which_of_two(void **state)
{
	struct trial t;

	(void)state;
	trial_open(&t);
	trial_item(&t, "m", SPAN_LIT("some text"));
	put_dict(&t, CPU_DICT_MEDIA);
	put_dict(&t, CPU_DICT_MEDIA);
	trial_refuse(&t, "blob.compress", ERR_INVALID, "dictionary", "which of the 2");
	trial_close(&t);
}

static void test_lack_of_memory(void **state)
{
	struct trial t;
	struct prng p;

	(void)state;
	rand_start(&p);
	trial_open(&t);
	trial_param(&t, "max_bytes", "1024");
	put_samples(&t, &p, 60, false);
	(void)trial_nth(&t, "blob.train");
	trial_close(&t);
	trial_open(&t);
	trial_item(&t, "m", SPAN_LIT("some text"));
	put_dict(&t, CPU_DICT_MEDIA);
	(void)trial_nth(&t, "blob.compress");
	trial_close(&t);
}

static int64_t held;

static int set_up(void **state)
{
	(void)state;
	held = mem_held();
	buf_init(&dict, 65536);
	return keys_open();
}

static int tear_down(void **state)
{
	(void)state;
	buf_done(&dict);
	return mem_held() == held ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_train), /* the others use its dictionary */
		cmocka_unit_test(test_train_refuses),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_says_which_of_two),
		cmocka_unit_test(test_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
