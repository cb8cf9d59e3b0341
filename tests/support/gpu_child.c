/* SPDX-License-Identifier: Apache-2.0
 *
 * gpu_child: see gpu_child.h.
 */
#include "tests/support/gpu_child.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fmt.h"
#include "run/clocks.h"
#include "tests/support/proc.h"
#include "tests/support/test.h"

static void spawn(struct gpu_child *c, int fd)
{
	char path[PROC_PATH];
	char *const argv[] = { path, (char[]){ "--device" }, (char[]){ "0" }, (char[]){ "--fd" },
		(char[]){ "3" }, (char[]){ "--cache" }, (char[]){ "cache" }, NULL };
	posix_spawn_file_actions_t actions;

	proc_path("spu-gpu-device", path);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fd, GPU_CHILD_FD), 0);
	assert_int_equal(posix_spawn(&c->pid, path, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
}

void gpu_child_start(struct gpu_child *c)
{
	struct frame frame;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	spawn(c, pair[1]);
	close(pair[1]);
	c->fd = pair[0];
	frames_init(&c->in, GPU_FRAME_BYTES);
	frames_init(&c->out, GPU_FRAME_BYTES);
	assert_true(gpu_child_take(c, &frame, 60000));
	assert_int_equal(frame.type, GPU_HELLO);
}

int gpu_child_end(struct gpu_child *c)
{
	int status = -1;

	close(c->fd);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	frames_done(&c->in);
	frames_done(&c->out);
	return status;
}

void gpu_child_put(struct gpu_child *c, enum gpu_frame type, uint64_t id, uint32_t arg,
	struct span body)
{
	assert_int_equal(frames_put(&c->out, &(struct frame){ type, arg, id, body }), 0);
	while (frames_waiting(&c->out) > 0) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };

		assert_true(poll(&p, 1, 10000) > 0);
		assert_int_equal(frames_send(&c->out, c->fd), 0);
	}
}

bool gpu_child_take(struct gpu_child *c, struct frame *ret, int ms)
{
	const int64_t end_ns = clocks_mono() + ms * NS_PER_MS;

	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		const int got = frames_take(&c->in, ret);
		const int64_t left_ns = end_ns - clocks_mono();

		assert_true(got >= 0);
		if (got == 1)
			return true;
		if (left_ns <= 0 || poll(&p, 1, (int)(left_ns / NS_PER_MS) + 1) <= 0)
			return false;
		if (frames_read(&c->in, c->fd) < 0)
			return false;
	}
}

void gpu_child_answer(struct gpu_child *c, struct frame *ret)
{
	do
		assert_true(gpu_child_take(c, ret, 30000));
	while (ret->type == GPU_PROGRESS);
}
