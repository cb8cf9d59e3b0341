/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gpu_process: what a device's process has started ends with it. Each test's pipe is held open by a program that
 * sleeps, so its end is seen as the end of the file.
 */
#include "tests/support/test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "gpu-node/process.h"

#define PATIENCE_MS 60000

/* A shell that leaves a sleeping child behind, and says so by a byte; then it does `last`. */
static void start_shell(const char *last, struct process *ret, int *ret_fd)
{
	char script[128];
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct fail why;
	int fds[2];
	char byte;

	snprintf(script, sizeof(script), "sleep 1000 & printf x; %s", last);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(process_start(argv, fds[1], STDOUT_FILENO, ret, &why), 0);
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	*ret_fd = fds[0];
}

static void expect_end_of_file(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void test_killed(void **state)
{
	struct process p;
	int fd;

	(void)state;
	start_shell("wait", &p, &fd);
	process_end(&p);
	assert_int_equal(p.pid, 0);
	expect_end_of_file(fd);
}

static void test_ended_by_itself(void **state)
{
	char how[PROCESS_END_BYTES];
	struct process p;
	struct pollfd ended;
	int fd;

	(void)state;
	start_shell("exit 3", &p, &fd);
	ended = (struct pollfd){ .fd = p.fd, .events = POLLIN };
	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	assert_true(process_reap(&p, how));
	assert_string_equal(how, "exit status 3");
	expect_end_of_file(fd);
}

static void test_runs_on(void **state)
{
	char how[PROCESS_END_BYTES];
	struct process p;
	int fd;

	(void)state;
	start_shell("wait", &p, &fd);
	assert_false(process_reap(&p, how));
	assert_true(p.pid > 0);
	process_end(&p);
	expect_end_of_file(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_ended_by_itself),
		cmocka_unit_test(test_runs_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
