/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds of the CPU node that stream: the pieces together are the result.
 */
#include "base/limits.h"
#include "base/mem.h"
#include "cpu-node/kinds.h"
#include "tests/support/test.h"

static struct buf pieces; /* one after the other */
static unsigned pieces_n;

static void on_piece(const struct cpu_call *call, void *ctx, struct span data)
{
	(void)call;
	(void)ctx;
	buf_add(&pieces, data);
	pieces_n++;
}

/* Counts; the result must be the pieces. */
static int count(const char *to, const char *every_ms, bool is_cancelled)
{
	struct param params[] = { { SPAN_LIT("to"), span_str(to) },
		{ SPAN_LIT("every_ms"), span_str(every_ms) } };
	struct body in = { .params = params, .params_n = 2 }, result;
	_Atomic uint32_t permille = 0;
	_Atomic bool cancel = is_cancelled;
	struct fail why = { 0 };
	struct arena arena;
	struct buf out;
	struct cpu_call call = {
		.kind = kind_find(SPAN_LIT("util.count")),
		.in = &in,
		.attempt = 1,
		.arena = &arena,
		.out = &out,
		.why = &why,
		.cancel = &cancel,
		.permille = &permille,
		.chunk = on_piece,
	};
	int r;

	pieces_n = 0;
	arena_init(&arena, 16 << 20);
	buf_init(&out, LIMIT_BODY_BYTES);
	buf_init(&pieces, LIMIT_BODY_BYTES);
	r = cpu_kind_run(cpu_kind_find(SPAN_LIT("util.count")), &call);
	assert_int_equal(why.code, r);
	if (r == 0) {
		assert_in_range(permille, 900, 1000);
		assert_int_equal(body_decode(&arena, buf_span(&out), &result, NULL), 0);
		assert_int_equal(result.items_n, 1);
		assert_true(span_eq(result.items[0].data, buf_span(&pieces)));
	}
	arena_done(&arena);
	buf_done(&out);
	return r;
}

static void test_count(void **state)
{
	(void)state;
	assert_int_equal(count("12", "0", false), 0);
	assert_int_equal(pieces_n, 12);
	assert_true(span_is(buf_span(&pieces), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"));
	buf_done(&pieces);
	assert_int_equal(count("50000", "0", false), 0); /* the most */
	assert_int_equal(pieces.len, 288894);
	buf_done(&pieces);
	assert_int_equal(count("50000", "60000", true), ERR_CANCELLED);
	assert_int_equal(pieces_n, 0);
	buf_done(&pieces);
	assert_int_equal(mem_held(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests_name("cpu_stream", tests, NULL, NULL);
}
