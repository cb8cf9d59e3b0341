/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gpu_device: spu-gpu-device as a process: what it lists, how it serves, and that it ends when told,
 * when confused and when alone.
 */
#include "tests/support/test.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fmt.h"
#include "kernel/montecarlo.h"
#include "run/clocks.h"
#include "tests/support/gpu_child.h"
#include "tests/support/proc.h"
#include "wire/body.h"

static struct gpu_child child;

static int start(void **state)
{
	(void)state;
	gpu_child_start(&child);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(gpu_child_end(&child), 0);
	return 0;
}

static struct span montecarlo_body(struct buf *b, const char *samples)
{
	buf_init(b, 1000);
	body_put_param(b, SPAN_LIT("samples"), span_str(samples));
	body_put_param(b, SPAN_LIT("seed"), SPAN_LIT("7"));
	return buf_span(b);
}

static void check_montecarlo(uint64_t id)
{
	struct arena arena;
	struct body body;
	struct frame frame;
	struct buf b;
	char inside[24];

	gpu_child_put(&child, GPU_JOB, id, GPU_MONTECARLO, montecarlo_body(&b, "5000"));
	gpu_child_answer(&child, &frame);
	assert_int_equal(frame.type, GPU_DONE);
	assert_true(frame.id == id);
	arena_init(&arena, 1u << 20);
	assert_int_equal(body_decode(&arena, frame.body, &body, NULL), 0);
	snprintf(inside, sizeof(inside), "%llu", (unsigned long long)montecarlo_ref(5000, 7, 0));
	assert_true(span_is(body_param(&body, "inside")->value, inside));
	arena_done(&arena);
	buf_done(&b);
}

static void check_failed_with(uint64_t id, int code)
{
	struct frame frame;

	gpu_child_answer(&child, &frame);
	assert_int_equal(frame.type, GPU_FAILED);
	assert_true(frame.id == id);
	assert_int_equal(err_from_wire(frame.arg), code);
}

static void test_jobs_one_after_the_other(void **state)
{
	(void)state;
	for (uint64_t id = 1; id < 20; id++)
		check_montecarlo(id);
}

static void test_bad_jobs_do_no_harm(void **state)
{
	struct buf b;

	(void)state;
	gpu_child_put(&child, GPU_JOB, 1, GPU_KINDS, montecarlo_body(&b, "1"));
	check_failed_with(1, ERR_UNKNOWN);
	gpu_child_put(&child, GPU_JOB, 2, UINT32_MAX, buf_span(&b));
	check_failed_with(2, ERR_UNKNOWN);
	buf_done(&b);
	gpu_child_put(&child, GPU_JOB, 3, GPU_MONTECARLO, montecarlo_body(&b, "0"));
	check_failed_with(3, ERR_INVALID);
	buf_done(&b);
	gpu_child_put(&child, GPU_JOB, 4, GPU_MONTECARLO, SPAN_LIT("\xff\xff\xff"));
	check_failed_with(4, ERR_MALFORMED);
	buf_init(&b, 1000);
	body_put_item(&b, SPAN_LIT("x"), SPAN_LIT("image/png"), SPAN_LIT("no picture at all"));
	gpu_child_put(&child, GPU_JOB, 5, GPU_FILTER, buf_span(&b));
	check_failed_with(5, ERR_UNSUPPORTED);
	buf_done(&b);
	check_montecarlo(6);
}

/* Start what takes minutes, wait for a sign of life. */
static void start_long_job(uint64_t id)
{
	struct frame frame;
	struct buf b;

	gpu_child_put(&child, GPU_JOB, id, GPU_MONTECARLO, montecarlo_body(&b, "10000000000"));
	buf_done(&b);
	assert_true(gpu_child_take(&child, &frame, 30000));
	assert_int_equal(frame.type, GPU_PROGRESS);
	assert_true(frame.id == id);
	assert_true(frame.arg <= 1000);
}

static void test_cancel_within_200_ms(void **state)
{
	int64_t started_ns, best_ns = INT64_MAX;

	(void)state;
	/* The best of three, as the machine may be busy with other tests. */
	for (uint64_t id = 1; id <= 3; id++) {
		start_long_job(id);
		gpu_child_put(&child, GPU_CANCEL, id + 100, 0,
			(struct span){ 0 }); /* another one */
		started_ns = clocks_mono();
		gpu_child_put(&child, GPU_CANCEL, id, 0, (struct span){ 0 });
		check_failed_with(id, ERR_CANCELLED);
		if (clocks_mono() - started_ns < best_ns)
			best_ns = clocks_mono() - started_ns;
	}
	assert_true(best_ns < 200 * NS_PER_MS);
	gpu_child_put(&child, GPU_CANCEL, 3, 0,
		(struct span){ 0 }); /* it has ended: nothing happens */
	check_montecarlo(4);
}

static void test_second_job_meanwhile_is_refused(void **state)
{
	struct buf b;

	(void)state;
	start_long_job(1);
	gpu_child_put(&child, GPU_JOB, 2, GPU_MONTECARLO, montecarlo_body(&b, "1"));
	buf_done(&b);
	check_failed_with(2, ERR_BUSY);
	gpu_child_put(&child, GPU_CANCEL, 1, 0, (struct span){ 0 });
	check_failed_with(1, ERR_CANCELLED);
}

static void test_ends_with_its_supervisor(void **state)
{
	int64_t started_ns;

	(void)state;
	gpu_child_start(&child);
	start_long_job(1);
	started_ns = clocks_mono();
	assert_int_equal(gpu_child_end(&child), 0);
	assert_true(clocks_mono() - started_ns < 5 * NS_PER_S);
}

/* It says so with its exit status, and does not crash. */
static void check_ends_confused(struct span bytes)
{
	struct frame frame;
	int status;

	gpu_child_start(&child);
	assert_int_equal(send(child.fd, bytes.at, bytes.len, 0), bytes.len);
	assert_false(gpu_child_take(&child, &frame, 10000)); /* it closes the socket */
	status = gpu_child_end(&child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_garbage_ends_it(void **state)
{
	static const uint32_t oversize[6] = { GPU_FRAME_BYTES + 1, GPU_JOB };
	static const uint32_t unknown[6] = { 0, 77 };
	static const uint32_t reply[6] = { 0, GPU_DONE };

	(void)state;
	check_ends_confused(SPAN_LIT("GET / HTTP/1.1\r\nHost: here\r\n\r\n"));
	check_ends_confused(span_of(oversize, sizeof(oversize)));
	check_ends_confused(span_of(unknown, sizeof(unknown)));
	check_ends_confused(span_of(reply, sizeof(reply)));
}

static void test_list_is_json(void **state)
{
	char command[600], path[PROC_PATH], line[4096];
	unsigned n = 0;
	FILE *pipe;

	(void)state;
	snprintf(command, sizeof(command), "'%s' --list", proc_path("spu-gpu-device", path));
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe) != NULL) {
		json_t *row = json_loads(line, 0, NULL);

		assert_non_null(row);
		assert_int_equal(json_integer_value(json_object_get(row, "index")), n++);
		assert_true(json_string_length(json_object_get(row, "name")) > 0);
		assert_true(json_integer_value(json_object_get(row, "memory_bytes")) > 0);
		json_decref(row);
	}
	assert_int_equal(pclose(pipe), 0);
	assert_true(n > 0);
}

static int run_program(const char *arguments)
{
	char command[700], path[PROC_PATH];
	int status;

	snprintf(command, sizeof(command), "'%s' %s >/dev/null 2>&1",
		proc_path("spu-gpu-device", path), arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_arguments(void **state)
{
	(void)state;
	assert_int_equal(run_program("--help"), 0);
	assert_int_equal(run_program(""), 2);
	assert_int_equal(run_program("--list --device 0"), 2);
	assert_int_equal(run_program("--device -1"), 2);
	assert_int_equal(run_program("--device zero"), 2);
	assert_int_equal(run_program("--unknown"), 2);
	assert_int_equal(run_program("--device 0 more"), 2);
	assert_int_equal(run_program("--device 63"), 1);
	assert_int_equal(run_program("--device 0 --cache /proc/none"), 0); /* works, says so */
}

/* Two processes on one device do not share a cache. */
static void test_caches_apart(void **state)
{
	struct gpu_child second;

	(void)state;
	gpu_child_start(&second);
	assert_int_equal(access("cache", F_OK), 0);
	assert_int_equal(access("cache.1", F_OK), 0);
	assert_int_equal(gpu_child_end(&second), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_jobs_one_after_the_other, start, end),
		cmocka_unit_test_setup_teardown(test_bad_jobs_do_no_harm, start, end),
		cmocka_unit_test_setup_teardown(test_cancel_within_200_ms, start, end),
		cmocka_unit_test_setup_teardown(test_second_job_meanwhile_is_refused, start, end),
		cmocka_unit_test(test_ends_with_its_supervisor),
		cmocka_unit_test(test_garbage_ends_it),
		cmocka_unit_test(test_list_is_json),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test_setup_teardown(test_caches_apart, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
