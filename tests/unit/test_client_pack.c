/* SPDX-License-Identifier: Apache-2.0 */
#include "run/client_pack.h"

#include "tests/support/test.h"

static const unsigned char zeros[2 * PACK_BYTES];

static bool is_packed(struct client_pack *p, size_t bytes)
{
	struct submit s = { .body = span_of(zeros, bytes) };

	client_pack_submit(p, &s);
	assert_true(s.packed ? s.body.len < 100 : s.body.at == zeros && s.body.len == bytes);
	return s.packed;
}

/* Once the router has said so, until it does not answer. */
static void packs_what_the_router_reads(void **state)
{
	const struct submit_reply plain = { 0 }, packs = { .packs = true };
	struct client_pack p;

	(void)state;
	client_pack_init(&p, true);
	assert_false(is_packed(&p, sizeof(zeros)));
	client_pack_heard(&p, &plain);
	assert_false(is_packed(&p, sizeof(zeros)));
	client_pack_heard(&p, &packs);
	assert_true(is_packed(&p, sizeof(zeros)));
	client_pack_heard(&p, &plain); /* said of large bodies only */
	assert_true(is_packed(&p, sizeof(zeros)));
	assert_true(is_packed(&p, PACK_BYTES));
	assert_false(is_packed(&p, PACK_BYTES - 1));
	client_pack_heard(&p, NULL);
	assert_false(is_packed(&p, sizeof(zeros)));
	client_pack_done(&p);
}

static void packs_nothing_if_it_is_not_to(void **state)
{
	const struct submit_reply packs = { .packs = true };
	struct client_pack p;

	(void)state;
	client_pack_init(&p, false);
	client_pack_heard(&p, &packs);
	assert_false(is_packed(&p, sizeof(zeros)));
	client_pack_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packs_what_the_router_reads),
		cmocka_unit_test(packs_nothing_if_it_is_not_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
