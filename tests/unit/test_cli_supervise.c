/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_supervise: the rules of starting and stopping, as lines: at an instant (ms) something happens, and
 * these are the actions. Children: 0 in stage 0, 1 in stage 1, 2 and 3 in stage 2.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "services/cli/supervise.h"

struct row {
	int64_t at_ms;
	char event; /* b begin, r ready, e ended, s stop, t tick */
	unsigned child;
	const char *actions;
};

static void open_mesh(struct supervise *s)
{
	supervise_init(s);
	supervise_add(s, 0);
	supervise_add(s, 1);
	supervise_add(s, 2);
	supervise_add(s, 2);
}

static void put(char *to, size_t room, const struct supervise_action *a)
{
	static const char *const names[] = { "start", "term", "kill", "again", "ready", "leave" };
	size_t at = strlen(to);

	if (at > 0)
		at += (size_t)snprintf(to + at, room - at, " ");
	if (a->kind == SUPERVISE_ALL_READY || a->kind == SUPERVISE_LEAVE)
		snprintf(to + at, room - at, "%s", names[a->kind]);
	else if (a->kind == SUPERVISE_AGAIN)
		snprintf(to + at, room - at, "again%u:%d", a->child, (int)(a->wait_ns / NS_PER_MS));
	else
		snprintf(to + at, room - at, "%s%u", names[a->kind], a->child);
}

static void run(struct supervise *s, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		static const char letters[] = "brest";
		struct supervise_actions a;
		char text[512] = "";

		supervise_step(s, rows[i].at_ms * NS_PER_MS,
			(enum supervise_event_kind)(strchr(letters, rows[i].event) - letters),
			rows[i].child, &a);
		for (unsigned k = 0; k < a.n; k++)
			put(text, sizeof(text), &a.at[k]);
		if (strcmp(text, rows[i].actions) != 0)
			fail_msg("row %zu (%c%u at %d ms): \"%s\", expected \"%s\"", i,
				rows[i].event, rows[i].child, (int)rows[i].at_ms, text,
				rows[i].actions);
	}
}

static const struct row up[] = {
	{ 0, 'b', 0, "start0" },
	{ 10, 'r', 0, "start1" },
	{ 20, 'r', 1, "start2 start3" },
	{ 30, 'r', 3, "" },
	{ 40, 'r', 2, "ready" },
	{ 41, 'r', 2, "" },
};

static void test_up_and_down(void **state)
{
	static const struct row down[] = {
		{ 100, 's', 0, "term2 term3" },
		{ 110, 'e', 3, "" },
		{ 120, 'e', 2, "term1" },
		{ 130, 'e', 1, "term0" },
		{ 140, 'e', 0, "leave" },
	};
	struct supervise s;

	(void)state;
	open_mesh(&s);
	run(&s, up, ARRAY_LEN(up));
	assert_true(s.was_ready);
	assert_true(supervise_wake(&s) == INT64_MAX);
	run(&s, down, ARRAY_LEN(down));
}

static void test_backoff(void **state)
{
	static const struct row rows[] = {
		{ 100, 'e', 2, "again2:200" },
		{ 299, 't', 0, "" },
		{ 300, 't', 0, "start2" },
		{ 310, 'e', 2, "again2:400" },
		{ 710, 't', 0, "start2" },
		{ 720, 'r', 2, "" },
		{ 60719, 'e', 2, "again2:800" },
		{ 61519, 't', 0, "start2" },
		{ 61520, 'r', 2, "" },
		{ 121520, 'e', 2, "again2:200" },
		{ 121720, 't', 0, "start2" },
	};
	struct supervise s;

	(void)state;
	open_mesh(&s);
	run(&s, up, ARRAY_LEN(up));
	run(&s, rows, ARRAY_LEN(rows));
	assert_int_equal(s.children[2].restarts, 4);
	assert_int_equal(s.children[3].restarts, 0);
}

static void test_backoff_is_bounded(void **state)
{
	struct supervise_actions a;
	int64_t now_ns = 0, most_ns = 0;
	struct supervise s;

	(void)state;
	supervise_init(&s);
	supervise_add(&s, 0);
	supervise_step(&s, 0, SUPERVISE_BEGIN, 0, &a);
	for (int i = 0; i < 200; i++) {
		supervise_step(&s, now_ns, SUPERVISE_ENDED, 0, &a);
		assert_int_equal(a.n, 1);
		most_ns = a.at[0].wait_ns > most_ns ? a.at[0].wait_ns : most_ns;
		now_ns = supervise_wake(&s);
		supervise_step(&s, now_ns, SUPERVISE_TICK, 0, &a);
		assert_int_equal(a.at[0].kind, SUPERVISE_START);
	}
	assert_true(most_ns == SUPERVISE_BACKOFF_MOST_NS);
}

static void test_never_ready(void **state)
{
	static const struct row rows[] = {
		{ 0, 'b', 0, "start0" },
		{ 29999, 't', 0, "" },
		{ 30000, 't', 0, "kill0" },
		{ 30001, 'r', 0, "" },
		{ 30002, 't', 0, "" },
		{ 30010, 'e', 0, "again0:200" },
	};
	struct supervise s;

	(void)state;
	open_mesh(&s);
	run(&s, rows, ARRAY_LEN(rows));
}

static void test_stops_while_starting(void **state)
{
	static const struct row rows[] = {
		{ 0, 'b', 0, "start0" },
		{ 5, 'r', 0, "start1" },
		{ 6, 'e', 1, "again1:200" },
		{ 7, 's', 0, "term0" },
		{ 300, 't', 0, "" },
		{ 301, 'e', 0, "leave" },
	};
	struct supervise s;

	(void)state;
	open_mesh(&s);
	run(&s, rows, ARRAY_LEN(rows));
}

static void test_slow_stop(void **state)
{
	static const struct row rows[] = {
		{ 100, 's', 0, "term2 term3" },
		{ 200, 'e', 2, "" },
		{ 12100, 't', 0, "kill3" },
		{ 12101, 't', 0, "" },
		{ 12110, 'e', 3, "term1" },
		{ 12200, 's', 0, "kill0 kill1" },
		{ 12300, 'e', 1, "" },
		{ 12400, 'e', 0, "leave" },
	};
	struct supervise s;

	(void)state;
	open_mesh(&s);
	run(&s, up, ARRAY_LEN(up));
	run(&s, rows, ARRAY_LEN(rows));
}

/* Random events: a child is started only when it does not run, and every stop ends in one LEAVE. */
static void test_random(void **state)
{
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 500; round++) {
		bool runs[4] = { false };
		struct supervise_actions a;
		int64_t now_ns = 0;
		unsigned leaves = 0;
		struct supervise s;

		open_mesh(&s);
		for (int i = 0; i < 200 && leaves == 0; i++) {
			unsigned child = (unsigned)prng_below(&p, 4);
			enum supervise_event_kind kind = SUPERVISE_TICK;

			if (i == 0)
				kind = SUPERVISE_BEGIN;
			else if (i >= 100)
				kind = s.stopping ? SUPERVISE_ENDED : SUPERVISE_STOP;
			else if (prng_chance(&p, 2, 3))
				kind = prng_chance(&p, 1, 2) ? SUPERVISE_ENDED : SUPERVISE_IS_READY;
			if ((kind == SUPERVISE_ENDED || kind == SUPERVISE_IS_READY) && !runs[child])
				continue;
			if (kind == SUPERVISE_ENDED)
				runs[child] = false;
			now_ns += (int64_t)prng_below(&p, 2000) * NS_PER_MS;
			supervise_step(&s, now_ns, kind, child, &a);
			for (unsigned k = 0; k < a.n; k++) {
				const struct supervise_action *act = &a.at[k];

				leaves += act->kind == SUPERVISE_LEAVE;
				if (act->kind == SUPERVISE_START) {
					assert_false(runs[act->child]);
					runs[act->child] = true;
				} else if (act->kind == SUPERVISE_TERM ||
					   act->kind == SUPERVISE_KILL) {
					assert_true(runs[act->child]);
				}
			}
		}
		assert_int_equal(leaves, !(runs[0] || runs[1] || runs[2] || runs[3]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up_and_down),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_is_bounded),
		cmocka_unit_test(test_never_ready),
		cmocka_unit_test(test_stops_while_starting),
		cmocka_unit_test(test_slow_stop),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
