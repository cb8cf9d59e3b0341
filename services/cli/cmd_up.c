/* SPDX-License-Identifier: Apache-2.0
 *
 * spu up, down.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "services/cli/cli.h"
#include "services/cli/plan.h"
#include "services/cli/state_dir.h"
#include "services/cli/up.h"

#define DOWN_NS (60 * NS_PER_S) /* two stages that are killed, and some */
#define DOWN_LOOK_NS (20 * NS_PER_MS)

struct start {
	struct cli *c;
	struct plan *plan;
	int ready_fd; /* gets a newline when all are ready; -1: not detached */
};

static void say_where(const struct start *s)
{
	const struct plan *p = s->plan;
	char own[PATH_MAX];
	bool is_usual = state_dir_find(NULL, own, NULL) == 0 && strcmp(own, p->dir) == 0;

	if (s->c->opts.quiet)
		return;
	fprintf(stderr,
		"\nthe mesh runs\n"
		"  NATS    %s\n"
		"  state   %s (logs in %s/log)\n"
		"  nodes   spu nodes\n"
		"  submit  spu submit blob.compress --in FILE --out FILE.zst\n"
		"  stop    %s\n",
		p->url, p->dir, p->dir, s->ready_fd < 0 ? "Ctrl-C, or spu down" : "spu down");
	if (!is_usual)
		fprintf(stderr, "  first   export SPU_DIR='%s', so that spu finds it\n", p->dir);
	fflush(stderr);
}

/* From here on a detached supervisor writes into its log and belongs to nobody's terminal. */
static void detach(const struct start *s)
{
	char path[PATH_MAX];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1;

	if (state_dir_path(s->plan->dir, "log/up.log", path) == 0)
		log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		log = null;
	if (null >= 0 && log >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(log, STDOUT_FILENO);
		(void)dup2(log, STDERR_FILENO);
	}
	if (log > STDERR_FILENO && log != null)
		close(log);
	if (null > STDERR_FILENO)
		close(null);
}

static void on_ready(void *ctx)
{
	struct start *s = ctx;

	say_where(s);
	if (s->ready_fd < 0)
		return;
	detach(s);
	if (write(s->ready_fd, "\n", 1) != 1)
		fprintf(stderr, "spu: nobody waits for readiness: %s\n", strerror(errno));
	close(s->ready_fd);
}

/* In the process that supervises: lock, plan, run. */
static int supervise(struct start *s, const char *dir)
{
	struct fail why = { 0 };
	char log[PATH_MAX];
	int lock = -1, r, exit;

	/* Neither who waited for readiness nor a reader of our messages ends the mesh by going away. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = state_dir_make(dir, &why);
	if (r == 0)
		r = state_dir_lock(dir, &lock, &why);
	if (r == 0)
		r = state_dir_path(dir, "log", log);
	if (r == 0)
		r = state_dir_make(log, &why);
	if (r == 0)
		r = plan_make(s->plan, &s->c->opts, dir, &why);
	if (r == 0)
		r = plan_write(s->plan, &why);
	exit = r < 0 ? cli_fail(&why) : up_run(s->plan, s->c->opts.quiet, on_ready, s);
	if (lock >= 0)
		close(lock);
	return exit;
}

/* Wait for the newline of the process that supervises, or for its end. */
static int await_ready(pid_t pid, int fd)
{
	char byte = 0;
	int status = 0;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n == 1)
		return 0;
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	return cli_fail_text(ERR_BUG, "the supervisor ended before the mesh was ready");
}

static int start_detached(struct start *s, const char *dir)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cli_fail_text(ERR_IO, "pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return cli_fail_text(ERR_IO, "fork: %s", strerror(errno));
	}
	if (pid > 0) {
		close(fds[1]);
		return await_ready(pid, fds[0]);
	}
	close(fds[0]);
	s->ready_fd = fds[1];
	(void)setsid();
	return supervise(s, dir);
}

int cmd_up(struct cli *c)
{
	struct start s = { .c = c, .plan = mem_alloc(sizeof(*s.plan)), .ready_fd = -1 };
	char dir[PATH_MAX];
	struct fail why = { 0 };
	int exit;

	if (s.plan == NULL)
		return cli_fail_text(ERR_NO_MEMORY, "no memory to start with");
	if (state_dir_find(c->opts.dir, dir, &why) < 0)
		exit = cli_fail(&why);
	else
		exit = c->opts.detach ? start_detached(&s, dir) : supervise(&s, dir);
	plan_done(s.plan);
	mem_free(s.plan);
	return exit;
}

int cmd_down(struct cli *c)
{
	const struct timespec look = { .tv_nsec = DOWN_LOOK_NS };
	char dir[PATH_MAX];
	struct fail why = { 0 };
	int64_t began_ns = clocks_mono();
	pid_t owner;

	if (state_dir_find(c->opts.dir, dir, &why) < 0)
		return cli_fail(&why);
	owner = state_dir_owner(dir);
	if (owner <= 0)
		return cli_fail_text(ERR_UNKNOWN, "no mesh runs in %s", dir);
	if (kill(owner, SIGTERM) < 0)
		return cli_fail_text(ERR_DENIED, "process %d: %s", (int)owner, strerror(errno));
	while (state_dir_owner(dir) == owner) {
		if (clocks_mono() - began_ns > DOWN_NS)
			return cli_fail_text(ERR_TIMEOUT,
				"process %d was told to stop, and still runs", (int)owner);
		nanosleep(&look, NULL);
	}
	if (!c->opts.quiet)
		fprintf(stderr, "the mesh in %s is stopped\n", dir);
	return 0;
}
