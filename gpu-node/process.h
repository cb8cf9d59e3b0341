/* SPDX-License-Identifier: Apache-2.0
 *
 * process: a started program: watched through a pidfd, so that its end is an event of the loop.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"

struct process {
	pid_t pid; /* 0: none */
	int fd;    /* pidfd: readable when the process has ended; -1: none */
};

#define PROCESS_NONE ((struct process){ 0, -1 })

/* Start argv[0], a path, with this process's environment, in a process group of its own (a Ctrl-C at the
 * terminal does not reach it), with no signal blocked. It finds `fd` at the number `as`; all other
 * descriptors of ours are expected to be close-on-exec. */
int process_start(const char *const argv[], int fd, int as, struct process *ret,
	struct fail *why) MUST_USE;
/* SIGKILL to it and to what it has started; nothing happens if it is none. */
void process_kill(const struct process *p);
#define PROCESS_END_BYTES 32
/* If it has ended: true, how in `text` ("killed by signal 9", "exit status 1"), and *p is none again. What it has
 * started and left is killed. */
bool process_reap(struct process *p, char text[PROCESS_END_BYTES]) MUST_USE;
/* Kill it and wait at most a second for its end; *p is none then. */
void process_end(struct process *p);
