/* SPDX-License-Identifier: Apache-2.0
 *
 * process: see process.h.
 */
#include "gpu-node/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_WAIT_MS 1000

static int attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attr, 0);
	if (r == 0)
		r = posix_spawnattr_setflags(attr,
			POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	return r;
}

static int spawn(const char *const argv[], int fd, int as, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = attributes(&attr);
		if (r == 0)
			r = posix_spawn_file_actions_adddup2(&actions, fd, as);
		if (r == 0) /* which does not change what argv points to */
			r = posix_spawn(ret_pid, argv[0], &actions, &attr,
				(char *const *)(uintptr_t)argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

int process_start(const char *const argv[], int fd, int as, struct process *ret, struct fail *why)
{
	struct process p = PROCESS_NONE;
	int r = spawn(argv, fd, as, &p.pid);

	if (r != 0)
		return fail_set(why, ERR_IO, NULL, 0, "cannot start %s: %s", argv[0], strerror(r));
	p.fd = pidfd_open(p.pid, 0);
	if (p.fd < 0) {
		r = errno;
		kill(p.pid, SIGKILL);
		waitpid(p.pid, NULL, 0);
		return fail_set(why, ERR_IO, NULL, 0, "pidfd_open: %s", strerror(r));
	}
	*ret = p;
	return 0;
}

void process_kill(const struct process *p)
{
	if (p->pid > 0)
		kill(-p->pid, SIGKILL); /* not reaped so far, so the number is still its group's */
}

bool process_reap(struct process *p, char text[PROCESS_END_BYTES])
{
	siginfo_t ended = { 0 };
	int status;

	if (p->pid <= 0 || waitid(P_PID, (id_t)p->pid, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		ended.si_pid != p->pid)
		return false;
	process_kill(p); /* what it started and left, such as a driver's compiler */
	if (waitpid(p->pid, &status, 0) != p->pid)
		return false;
	if (WIFSIGNALED(status))
		snprintf(text, PROCESS_END_BYTES, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, PROCESS_END_BYTES, "exit status %d", WEXITSTATUS(status));
	close(p->fd);
	*p = PROCESS_NONE;
	return true;
}

void process_end(struct process *p)
{
	char text[PROCESS_END_BYTES];
	struct pollfd ended = { .fd = p->fd, .events = POLLIN };

	if (p->pid <= 0)
		return;
	process_kill(p);
	(void)poll(&ended, 1, END_WAIT_MS);
	if (process_reap(p, text))
		return;
	close(p->fd); /* stuck in its driver; init inherits it when we are gone */
	*p = PROCESS_NONE;
}
