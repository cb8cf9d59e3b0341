/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_BYTES_MAX (16 << 20) /* a larger log is put aside at the next start */

/* Open the log for appending; a large one becomes <name>.log.old. */
static int open_log(const char *dir, const char *name)
{
	char path[PATH_MAX], old[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/log/%s.log", dir, name) >= (int)sizeof(path) ||
		snprintf(old, sizeof(old), "%s/log/%s.log.old", dir, name) >= (int)sizeof(old))
		return -1;
	if (stat(path, &st) == 0 && st.st_size > LOG_BYTES_MAX)
		(void)rename(path, old);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* In the child, before exec. Descriptors come in above 3, so that none is overwritten. */
static _Noreturn void become(const struct plan_process *process, pid_t parent, int null, int log,
	int ready)
{
	sigset_t none;

	sigemptyset(&none);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGPIPE, SIG_DFL);
	/* The parent may have died before the line above. */
	if (getppid() != parent || setpgid(0, 0) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		_exit(127);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
		dup2(log, STDERR_FILENO) < 0 || dup2(ready, PLAN_READY_FD) < 0)
		_exit(127);
	execv(process->argv[0], process->argv);
	dprintf(STDERR_FILENO, "spu: %s: %s\n", process->argv[0], strerror(errno));
	_exit(127);
}

/* fd, or a copy of it above PLAN_READY_FD. */
static int lift(int fd)
{
	int copy;

	if (fd < 0 || fd > PLAN_READY_FD)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, PLAN_READY_FD + 1);
	close(fd);
	return copy;
}

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

pid_t child_start(const struct plan_process *process, const char *dir, int *ret_ready_fd)
{
	int fds[] = { lift(open("/dev/null", O_RDONLY | O_CLOEXEC)),
		lift(open_log(dir, process->name)), -1 };
	int ready[2] = { -1, -1 };
	pid_t parent = getpid(), pid = -1;

	if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) == 0)
		fds[2] = lift(ready[1]);
	if (fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0)
		pid = fork();
	if (pid == 0)
		become(process, parent, fds[0], fds[1], fds[2]);
	close_all(fds, 3);
	if (pid < 0) {
		close_all(ready, 1);
		return ERR_IO;
	}
	*ret_ready_fd = ready[0];
	return pid;
}
