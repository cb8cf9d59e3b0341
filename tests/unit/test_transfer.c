/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine of a transfer: tables of what happens and what it does then, and random losses against the one thing
 * that must hold: it ends, with every byte moved in order.
 */
#include "policy/transfer.h"

#include "base/err.h"
#include "base/fmt.h"
#include "tests/support/test.h"

#define S INT64_C(1000000000)

enum what { STEP, OPENED, ACKED, BROKE };

/* At a time, something comes; STEP: what the machine wants. */
struct row {
	int64_t at;
	enum what what;
	uint64_t a,
		b; /* OPENED: have, window. ACKED: upto, round. STEP: offset, len of a MOVE. BROKE: round */
	int wanted; /* STEP: enum transfer_step; else the return value */
};

static void run_rows(uint64_t size, const struct row *rows, size_t n)
{
	const struct transfer_conf conf = { size, 10, 25, 2 * S, 10 * S };
	struct transfer_piece p;
	struct transfer t;

	transfer_init(&t, &conf, 0);
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];

		switch (r->what) {
		case STEP:
			assert_int_equal(transfer_step(&t, r->at, &p), r->wanted);
			if (r->wanted == TRANSFER_MOVE) {
				assert_int_equal(p.offset, r->a);
				assert_int_equal(p.len, r->b);
			}
			break;
		case OPENED:
			assert_int_equal(transfer_opened(&t, r->at, t.round, r->a, size, r->b),
				r->wanted);
			break;
		case ACKED:
			assert_int_equal(transfer_acked(&t, r->at, (uint32_t)r->b, r->a),
				r->wanted);
			break;
		case BROKE:
			transfer_broke(&t, r->at, (uint32_t)r->a);
			break;
		}
	}
}
#define RUN(size, ...)                                                                             \
	do {                                                                                       \
		static const struct row rows[] = { __VA_ARGS__ };                                  \
		run_rows(size, rows, ARRAY_LEN(rows));                                             \
	} while (0)

static void test_window(void **state)
{
	(void)state;
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, STEP, 0, 0, TRANSFER_WAIT },
		{ 0, OPENED, 0, 0, 0 }, { 0, STEP, 0, 10, TRANSFER_MOVE },
		{ 0, STEP, 10, 10, TRANSFER_MOVE }, { 0, STEP, 0, 0, TRANSFER_WAIT },
		{ 1, ACKED, 10, 0, 0 }, { 1, STEP, 20, 10, TRANSFER_MOVE },
		{ 1, STEP, 0, 0, TRANSFER_WAIT }, { 2, ACKED, 30, 0, 0 },
		{ 2, STEP, 30, 10, TRANSFER_MOVE }, { 2, STEP, 40, 5, TRANSFER_MOVE },
		{ 2, STEP, 0, 0, TRANSFER_WAIT }, { 3, ACKED, 45, 0, 0 },
		{ 3, STEP, 0, 0, TRANSFER_END });
}

static void test_the_other_side_has_a_smaller_window(void **state)
{
	(void)state;
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 0, 3, 0 },
		{ 0, STEP, 0, 10, TRANSFER_MOVE }, { 0, STEP, 0, 0, TRANSFER_WAIT },
		{ 1, ACKED, 10, 0, 0 }, { 1, STEP, 10, 10, TRANSFER_MOVE });
}

static void test_nothing_to_move(void **state)
{
	(void)state;
	RUN(0, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 0, 0, 0 },
		{ 0, STEP, 0, 0, TRANSFER_END });
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 45, 0, 0 },
		{ 0, STEP, 0, 0, TRANSFER_END });
}

static void test_goes_on_from_where_it_was(void **state)
{
	(void)state;
	/* From inside a chunk: the first piece ends at its border. */
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 13, 0, 0 },
		{ 0, STEP, 13, 7, TRANSFER_MOVE }, { 0, STEP, 20, 10, TRANSFER_MOVE },
		{ 1, BROKE, 0, 0, 0 }, { 1, STEP, 0, 0, TRANSFER_WAIT },
		/* an ack of the old round changes nothing */
		{ 1, ACKED, 30, 0, 0 }, { S, STEP, 0, 0, TRANSFER_ASK }, { S, OPENED, 20, 0, 0 },
		{ S, STEP, 20, 10, TRANSFER_MOVE }, { S, ACKED, 30, 1, 0 }, { S, BROKE, 0, 0, 0 },
		{ S, STEP, 30, 10, TRANSFER_MOVE });
}

static void test_silence(void **state)
{
	(void)state;
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 0, 0, 0 },
		{ 0, STEP, 0, 10, TRANSFER_MOVE }, { 0, STEP, 10, 10, TRANSFER_MOVE },
		{ 2 * S - 1, STEP, 0, 0, TRANSFER_WAIT }, { 2 * S, STEP, 0, 0, TRANSFER_WAIT },
		{ 3 * S, STEP, 0, 0, TRANSFER_ASK }, { 5 * S, STEP, 0, 0, TRANSFER_WAIT },
		{ 6 * S, STEP, 0, 0, TRANSFER_ASK }, { 10 * S, STEP, 0, 0, TRANSFER_LOST });
}

static void test_what_cannot_be(void **state)
{
	(void)state;
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 46, 0, ERR_INVALID });
	RUN(45, { 0, STEP, 0, 0, TRANSFER_ASK }, { 0, OPENED, 0, 0, 0 },
		{ 0, STEP, 0, 10, TRANSFER_MOVE }, { 0, ACKED, 20, 0, ERR_INVALID },
		{ 0, ACKED, 0, 0, 0 }, { 0, ACKED, 10, 0, 0 }, { 0, ACKED, 5, 0, 0 });
}

/* A receiver that takes pieces in order and loses some, and some acks. */
static void test_random_losses(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		const struct transfer_conf conf = { seed * 7, 10, 40, 2 * S, 1000 * S };
		struct prng rng;
		struct transfer t;
		uint64_t arrived = 0;
		int64_t now = 0;
		unsigned turns = 0;
		bool ended = false;

		prng_seed(&rng, seed);
		transfer_init(&t, &conf, now);
		while (!ended && turns++ < 100000) {
			struct transfer_piece p;
			bool lost = prng_below(&rng, 8) == 0, deaf = prng_below(&rng, 8) == 0;

			switch (transfer_step(&t, now, &p)) {
			case TRANSFER_ASK:
				if (!lost)
					assert_int_equal(transfer_opened(&t, now, t.round, arrived,
								 conf.size, 0),
						0);
				break;
			case TRANSFER_MOVE:
				assert_true(p.offset + p.len <= conf.size);
				if (!lost && p.offset == arrived)
					arrived += p.len;
				if (!deaf)
					assert_int_equal(
						transfer_acked(&t, now, t.round,
							arrived < t.next ? arrived : t.next),
						0);
				break;
			case TRANSFER_WAIT:
				assert_true(transfer_wake(&t) > now);
				now = transfer_wake(&t);
				break;
			case TRANSFER_END:
				ended = true;
				break;
			case TRANSFER_LOST:
				fail_msg("seed %lu: lost", (unsigned long)seed);
			}
		}
		if (!ended || arrived != conf.size)
			fail_msg("seed %lu: %lu of %lu bytes", (unsigned long)seed,
				(unsigned long)arrived, (unsigned long)conf.size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_the_other_side_has_a_smaller_window),
		cmocka_unit_test(test_nothing_to_move),
		cmocka_unit_test(test_goes_on_from_where_it_was),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_what_cannot_be),
		cmocka_unit_test(test_random_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
