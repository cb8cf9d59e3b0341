/* SPDX-License-Identifier: Apache-2.0
 *
 * What hostile peers send: malformed bytes and memory bombs; and want of memory.
 */
#include "tests/unit/wire_decoders.h"

static void test_malformed_bytes(void **state)
{
	static const struct span wrong[] = {
		{ (const unsigned char *)"\x0a", 1 },                 /* no length */
		{ (const unsigned char *)"\x0a\x05\x00", 3 },         /* cut off */
		{ (const unsigned char *)"\xff\xff\xff\xff\xff", 5 }, /* endless varint */
		{ (const unsigned char *)"\x0b", 1 },                 /* a group */
		{ (const unsigned char *)"\x0f", 1 },                 /* no such wire type */
		{ (const unsigned char *)"\x00\x00", 2 },             /* field 0 */
		{ (const unsigned char *)"\x08\x01", 2 },             /* 1 as a number */
		{ (const unsigned char *)"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11 },
	};
	struct fix *f = *state;

	for (size_t d = 0; d < ARRAY_LEN(decoders); d++)
		for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
			int r = decoders[d].decode(&f->arena, wrong[i], &f->why);

			if (r != ERR_MALFORMED || f->why.code != r)
				fail_msg("%s: input %zu: %d", decoders[d].name, i, r);
			fresh(f);
		}
}

static void test_a_message_may_not_be_too_big(void **state)
{
	struct fix *f = *state;

	/* one unknown field fills it */
	for (size_t d = 0; d < ARRAY_LEN(decoders); d++) {
		int r;

		pb_bytes(&f->b, 100, xs(f, LONG_BYTES - 5));
		assert_int_equal(f->b.len, LONG_BYTES);
		r = decoders[d].decode(&f->arena, buf_span(&f->b), &f->why);
		assert_int_equal(r, ERR_TOO_BIG);
		assert_int_equal(f->why.limit,
			decoders[d].decode == decode_body ? LIMIT_BODY_BYTES : LIMIT_MESSAGE_BYTES);
		fresh(f);
	}
}

/* 1 MiB of one short field again and again, alone or in one message inside. Whatever it is decoded as,
 * little memory may go. */
static void bomb(struct fix *f, unsigned inside, unsigned field, unsigned wire, size_t bytes)
{
	unsigned char unit[4] = { 0 };
	size_t n = (size_t)(pb_varint(unit, field << 3 | wire) - unit) + 1;
	size_t count = (bytes - 8) / n;
	struct pb_mark m = { 0 };
	unsigned char *at;

	if (inside != 0)
		m = pb_open(&f->b, inside, count * n);
	at = buf_room(&f->b, count * n);
	assert_non_null(at);
	for (size_t i = 0; i < count; i++)
		memcpy(at + i * n, unit, n);
	buf_took(&f->b, count * n);
	if (inside != 0)
		pb_close(&f->b, m);
	for (size_t d = 0; d < ARRAY_LEN(decoders); d++) {
		int r;

		if ((decoders[d].decode == decode_body) != (bytes == LIMIT_BODY_BYTES))
			continue;
		r = decoders[d].decode(&f->arena, buf_span(&f->b), &f->why);
		if (f->arena.used > 4 << 20)
			fail_msg("%s: field %u in %u: %zu bytes of memory (returned %d)",
				decoders[d].name, field, inside, f->arena.used, r);
		arena_reset(&f->arena);
	}
	fresh(f);
}

static void test_memory_bombs(void **state)
{
	struct fix *f = *state;

	for (unsigned inside = 0; inside < 7; inside++)
		for (unsigned field = 1; field <= 17; field++)
			for (unsigned wire = 0; wire <= 2; wire += 2) {
				bomb(f, inside, field, wire, LIMIT_BODY_BYTES);
				bomb(f, inside, field, wire, LIMIT_MESSAGE_BYTES);
			}
}

static void test_nested_bombs(void **state)
{
	struct fix *f = *state;
	struct pb_mark up;
	struct pb_mark offer;
	struct up *rows;
	size_t n;

	/* 2,000 offers of 128 empty kinds each */
	for (int i = 0; i < 2000; i++) {
		up = pb_open(&f->b, 1, 300);
		offer = pb_open(&f->b, 1, 300);
		for (int k = 0; k < LIMIT_OFFER_KINDS; k++)
			pb_close(&f->b, pb_open(&f->b, 4, 0));
		pb_close(&f->b, offer);
		pb_close(&f->b, up);
	}
	assert_int_equal(buf_err(&f->b), 0);
	assert_int_equal(ups_decode(&f->arena, buf_span(&f->b), &rows, &n, &f->why), ERR_NO_MEMORY);
	assert_int_equal(f->why.code, ERR_NO_MEMORY);
	assert_true(f->arena.used <= ARENA_BYTES);
}

static void test_unknown_fields(void **state)
{
	struct fix *f = *state;

	for (int over = 0; over < 2; over++) {
		for (int i = 0; i < 64 + over; i++)
			pb_int(&f->b, 200, 1);
		query_encode(&f->b, &(struct query){ .kind = QUERY_MESH });
		expect(f, decode_query, over ? ERR_TOO_BIG : 0, "Query", 64);
	}
	/* beside the items of a batch they cost nothing and are passed over */
	for (int i = 0; i < 1000; i++)
		pb_bytes(&f->b, 200, T("abc"));
	ups_put(&f->b, &(struct up){ .kind = UP_BYE });
	expect(f, decode_ups, 1, "", 0);
}

static int decode_without_memory(void *arg)
{
	struct fix *f = arg;
	int worst = 0;

	for (size_t d = 0; d < ARRAY_LEN(decoders); d++) {
		struct arena a;
		int r;

		arena_init(&a, ARENA_BYTES);
		r = decoders[d].decode(&a, buf_span(&f->b), NULL);
		if (r == ERR_NO_MEMORY)
			worst = r;
		arena_done(&a);
	}
	return worst;
}

static void test_without_memory(void **state)
{
	struct fix *f = *state;
	struct kind_offer kinds[8];
	struct offer o = { .rung = RUNG_CPU };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kinds[i] = (struct kind_offer){ .kind = T("a"), .why = xs(f, 500) };
	o.kinds = kinds;
	o.kinds_n = ARRAY_LEN(kinds);
	for (int i = 0; i < 10; i++)
		ups_put(&f->b, &(struct up){ .kind = UP_OFFER, .offer = &o });
	assert_true(nth_alloc(decode_without_memory, f) >= ARRAY_LEN(decoders));
}

/* The arena's ceiling at every size: an error or all of it. */
static void test_every_ceiling(void **state)
{
	struct fix *f = *state;
	const struct submit s = { .kind = T("a.b"), .key = T("key"), .body = xs(f, 300) };

	for (int i = 0; i < 3; i++)
		submits_put(&f->b, &s);
	for (size_t max = 0; max < 8000; max += 16) {
		struct submit *rows = NULL;
		struct arena a;
		size_t n = 0;
		int r;

		arena_init(&a, max);
		r = submits_decode(&a, buf_span(&f->b), &rows, &n, &f->why);
		assert_true(r == 0 || r == ERR_NO_MEMORY);
		assert_true(r == 0 || rows == NULL);
		if (r == 0)
			assert_int_equal(rows[2].body.len, 300);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_malformed_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_message_may_not_be_too_big, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_bombs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested_bombs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_ceiling, setup, teardown),
	};

	return cmocka_run_group_tests_name("wire hostile", tests, NULL, NULL);
}
