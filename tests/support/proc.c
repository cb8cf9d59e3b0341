/* SPDX-License-Identifier: Apache-2.0
 *
 * proc: start, readiness, end, memory.
 */
#include "tests/support/proc.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/clocks.h"

#define ARGS_MAX 40
#define READY_MS 10000
#define STOP_MS 5000

const char *proc_path(const char *program, char ret[PROC_PATH])
{
	const char *bin = getenv("SPU_BIN");

	snprintf(ret, PROC_PATH, "%s/%s", bin == NULL ? "build/dev/bin" : bin, program);
	return ret;
}

static void run(const char *program, const char *const *args, int ready_fd)
{
	const char *argv[ARGS_MAX + 4];
	char path[PROC_PATH], fd[16];
	int n = 0;

	snprintf(fd, sizeof fd, "%d", ready_fd);
	argv[n++] = proc_path(program, path);
	while (n < ARGS_MAX && *args != NULL)
		argv[n++] = *args++;
	argv[n++] = "--ready-fd";
	argv[n++] = fd;
	argv[n] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(path, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "cannot run %s\n", path);
	_exit(127);
}

int proc_start(struct proc *p, const char *program, const char *const *args)
{
	int64_t begun = clocks_mono();
	struct pollfd ready;
	int pipes[2];
	char c;

	if (pipe(pipes) != 0)
		return -1;
	p->pid = fork();
	if (p->pid == 0) {
		close(pipes[0]);
		run(program, args, pipes[1]);
	}
	close(pipes[1]);
	ready = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
	if (p->pid < 0 || poll(&ready, 1, READY_MS) != 1 || read(pipes[0], &c, 1) != 1) {
		fprintf(stderr, "%s does not get ready\n", program);
		close(pipes[0]);
		proc_stop(p);
		return -1;
	}
	p->ready_ns = clocks_mono() - begun;
	close(pipes[0]);
	return 0;
}

int proc_end(pid_t pid, int sig, int patience_ms)
{
	const struct timespec pause = { 0, 1000000 };
	int status = 0;

	if (pid <= 0)
		return 0;
	kill(pid, sig);
	for (int ms = 0; waitpid(pid, &status, WNOHANG) == 0; ms++) {
		if (ms == patience_ms)
			kill(pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
	return status;
}

int proc_stop(struct proc *p)
{
	int status = proc_end(p->pid, SIGTERM, STOP_MS);

	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

long proc_rss_kb(const struct proc *p)
{
	char path[64], line[256];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
			break;
	fclose(f);
	return kb;
}
