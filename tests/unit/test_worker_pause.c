/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts that stand still, in the worker machine.
 */
#include "tests/support/worker_play.h"

/* What stands still is held, listed and in its slot; the time it stands is not counted. */
static void test_pause_and_resume(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 5, "pause A1", "hold A1" }, { 6, "pause A1", "" }, { 7, "resume B1", "" },
		{ 7, "assign B1", "start B1" }, { 7, "assign C1", "refuse C1 BUSY" },
		{ 105, "resume A1", "go A1" }, { 106, "resume A1", "" },
		{ 108, "done A1", "done A1 7000us" }, { 109, "pause A1", "" },
		{ 110, "resume A1", "" });
	PLAY({ 1, "assign A1", "start A1" }, { 5, "pause A1", "hold A1" });
	assert_int_equal(worker_running(worker), 1);
	assert_true(worker_running_at(worker, 0).paused);
	assert_true(worker_is_paused(worker, worker_running_at(worker, 0).task, 1));
	assert_false(worker_is_paused(worker, worker_running_at(worker, 0).task, 2));
	PLAY({ 1, "assign A1", "start A1" }, { 5, "pause A1", "hold A1" },
		{ 9, "resume A1", "go A1" });
	assert_false(worker_running_at(worker, 0).paused);
	assert_false(worker_is_paused(worker, worker_running_at(worker, 0).task, 1));
}

/* Other attempts than the one that is held are not meant. */
static void test_pause_of_another_attempt(void **state)
{
	(void)state;
	PLAY({ 0, "pause A1", "" }, { 1, "assign A2", "start A2" }, { 2, "pause A1", "" },
		{ 3, "pause A3", "" }, { 4, "pause A2", "hold A2" },
		{ 5, "assign A3", "kill A2, start A3" }, { 6, "pause A2", "" },
		{ 6, "resume A2", "" }, { 7, "failed A2 CANCELLED", "" },
		{ 8, "pause A3", "hold A3" });
}

/* A pause keeps nothing alive: cancel, deadline, lease and stop end it as ever. */
static void test_ends_of_what_stands_still(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "started A1", "accept A1" },
		{ 2, "pause A1", "hold A1" }, { 3, "cancel A1", "kill A1" }, { 4, "resume A1", "" },
		{ 5, "failed A1 CANCELLED", "failed A1 CANCELLED" });
	PLAY({ 1, "assign A1 deadline 500", "start A1" }, { 2, "pause A1", "hold A1" },
		{ 499, "tick", "" }, { 500, "tick", "kill A1" },
		{ 501, "failed A1 CANCELLED", "failed A1 EXPIRED" });
	PLAY({ 1, "assign A1 lease 300", "start A1" }, { 2, "pause A1", "hold A1" },
		{ 100, "lost", "" }, { 400, "tick", "kill A1" },
		{ 401, "failed A1 CANCELLED", "" });
	PLAY({ 1, "assign A1", "start A1" }, { 2, "pause A1", "hold A1" },
		{ 3, "done A1", "done A1 1000us" });
}

/* A node that stops does not wait for what stands still. */
static void test_stop_gives_up_what_stands_still(void **state)
{
	(void)state;
	PLAY({ 1, "assign A1", "start A1" }, { 1, "assign B1", "start B1" },
		{ 1, "started A1", "accept A1" }, { 1, "started B1", "accept B1" },
		{ 2, "pause A1", "hold A1" }, { 3, "stop", "offer 2" }, { 3, "tick", "kill A1" },
		{ 4, "failed A1 CANCELLED", "failed A1 CLOSED" }, { 5, "pause B1", "hold B1" },
		{ 5, "tick", "kill B1" },
		{ 6, "failed B1 CANCELLED", "failed B1 CLOSED, bye 77, leave" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_pause_and_resume, teardown),
		cmocka_unit_test_teardown(test_pause_of_another_attempt, teardown),
		cmocka_unit_test_teardown(test_ends_of_what_stands_still, teardown),
		cmocka_unit_test_teardown(test_stop_gives_up_what_stands_still, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
