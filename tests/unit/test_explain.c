/* SPDX-License-Identifier: Apache-2.0
 *
 * The explain record: what was written is read back, and what does not fit is counted.
 */
#include "router/explain.h"

#include "base/mem.h"
#include "tests/support/test.h"

static struct explain_note note_of(struct place_seen *seen, struct span *notes, struct prng *p)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog";
	struct explain_note n = {
		.at_us = (int64_t)prng_below(p, 1u << 30),
		.kind = (enum step_kind)prng_below(p, STEPS),
		.rung = (enum rung)prng_below(p, RUNGS),
		.to = (enum rung)prng_below(p, RUNGS),
		.node = (uint32_t)prng_next(p),
		.attempt = (uint32_t)prng_next(p),
		.code = -(int)prng_below(p, 20),
		.reason = span_of(text, prng_below(p, sizeof text)),
		.policy = text,
		.seen = seen,
		.seen_notes = prng_below(p, 2) == 0 ? notes : NULL,
		.seen_n = (uint32_t)prng_below(p, PLACE_SEEN + 1),
		.considered = (uint32_t)prng_next(p),
	};

	for (uint32_t i = 0; i < n.seen_n; i++) {
		seen[i] = (struct place_seen){
			.node = (uint32_t)prng_next(p),
			.verdict = (enum verdict)prng_below(p, VERDICTS),
			.cost = { (int64_t)prng_below(p, 1000), 2, 3, INT64_MAX / 4, -1 },
		};
		notes[i] = span_of(text, prng_below(p, sizeof text));
	}
	return n;
}

static void same(const struct explain_note *a, const struct explain_note *b,
	const struct explain_seen *seen)
{
	assert_int_equal(a->at_us, b->at_us);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->rung, b->rung);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->node, b->node);
	assert_int_equal(a->attempt, b->attempt);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->considered, b->considered);
	assert_int_equal(a->seen_n, b->seen_n);
	assert_ptr_equal(a->policy, b->policy);
	assert_true(span_eq(a->reason, b->reason));
	for (uint32_t i = 0; i < b->seen_n; i++) {
		assert_int_equal(seen[i].node, b->seen[i].node);
		assert_int_equal(seen[i].verdict, b->seen[i].verdict);
		assert_int_equal(seen[i].term_us[0], b->seen[i].cost.wait_us);
		assert_int_equal(seen[i].term_us[3], UINT32_MAX); /* clipped */
		assert_int_equal(seen[i].term_us[4], 0);
		assert_true(span_eq(explain_seen_note(seen, b->seen_n, i),
			b->seen_notes == NULL ? span_of(NULL, 0) : b->seen_notes[i]));
	}
}

static void test_round_trip(void **state)
{
	static struct place_seen seen[EXPLAIN_STEPS_MAX * 2][PLACE_SEEN];
	static struct span texts[EXPLAIN_STEPS_MAX * 2][PLACE_SEEN];
	static struct explain_note notes[EXPLAIN_STEPS_MAX * 2];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 200; round++) {
		struct explain x = { 0 };
		struct explain_note got;
		const struct explain_seen *got_seen;
		uint32_t at = 0, n = (uint32_t)prng_below(&p, EXPLAIN_STEPS_MAX * 2), kept = 0,
			 read = 0;

		for (uint32_t i = 0; i < n; i++) {
			struct explain_note note = note_of(seen[kept], texts[kept], &p);

			explain_add(&x, &note);
			if (x.steps_n > kept)
				notes[kept++] = note;
		}
		assert_int_equal(x.steps_n + x.dropped, n);
		assert_in_range(explain_bytes(&x), 0, EXPLAIN_BYTES_MAX + 64);
		while (explain_next(&x, &at, &got, &got_seen))
			same(&got, &notes[read++], got_seen);
		assert_int_equal(read, kept);
		explain_done(&x);
	}
	assert_int_equal(mem_held(), 0);
}

static void test_no_memory_is_counted(void **state)
{
	struct explain x = { 0 };
	struct explain_note note = { .kind = STEP_HOP };

	(void)state;
	mem_fail_at(1, 1);
	explain_add(&x, &note);
	mem_fail_at(0, 0);
	assert_int_equal(x.steps_n, 0);
	assert_int_equal(x.dropped, 1);
	explain_add(&x, &note);
	assert_int_equal(x.steps_n, 1);
	explain_done(&x);
}

static void test_long_reason_is_cut(void **state)
{
	static const char text[LIMIT_TEXT_BYTES + 100];
	struct explain x = { 0 };
	struct explain_note note = { .reason = span_of(text, sizeof text) };
	const struct explain_seen *seen;
	uint32_t at = 0;

	(void)state;
	explain_add(&x, &note);
	assert_true(explain_next(&x, &at, &note, &seen));
	assert_int_equal(note.reason.len, LIMIT_TEXT_BYTES);
	explain_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_memory_is_counted),
		cmocka_unit_test(test_long_reason_is_cut),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
