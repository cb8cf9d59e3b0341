/* SPDX-License-Identifier: Apache-2.0
 *
 * proc: one of our daemons as a child process of a test or bench: started with a readiness pipe, ended by its
 * id; it dies with its parent.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid;        /* 0: not running */
	int64_t ready_ns; /* from the start to the newline of readiness */
};

#define PROC_PATH 512
/* Where one of our programs is: $SPU_BIN/<program>, or build/dev/bin/<program>. Returns ret. */
const char *proc_path(const char *program, char ret[PROC_PATH]);
/* Send the signal, and SIGKILL after that many milliseconds; returns what waitpid says, 0 if pid is 0. */
int proc_end(pid_t pid, int sig, int patience_ms);
/* Run it with the arguments, ended by NULL; --ready-fd is added.
 * Waits for readiness at most 10 s. 0, or -1 after a message. */
int proc_start(struct proc *p, const char *program, const char *const *args);
/* SIGTERM, and SIGKILL after 5 s. Returns the exit status, or 128 + the signal. */
int proc_stop(struct proc *p);
/* Resident memory in KB, -1 if it cannot be read. */
long proc_rss_kb(const struct proc *p);
