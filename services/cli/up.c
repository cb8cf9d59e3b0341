/* SPDX-License-Identifier: Apache-2.0
 *
 * up: the thin driver of supervise.c: signals, ends of children, readiness and timers become its events.
 */
#include "services/cli/up.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "run/loop.h"
#include "services/cli/child.h"
#include "services/cli/cli.h"
#include "services/cli/state_dir.h"

#define NATS 0 /* its process */
#define PROBE_NS (10 * NS_PER_MS)

struct mesh;
struct running {
	struct mesh *mesh;
	unsigned i;
	pid_t pid;            /* 0: does not run */
	struct loop_fd ready; /* fd -1: none */
};

struct mesh {
	const struct plan *plan;
	struct supervise supervise;
	struct running running[SUPERVISE_MAX];
	struct loop loop;
	struct loop_fd signals;
	struct loop_timer timer; /* of the supervision */
	struct loop_timer probe; /* asks whether nats-server accepts connections */
	struct loop_hook hook;
	bool quiet;
	bool changed; /* the file of processes is old */
	bool left;
	void (*on_ready)(void *ctx);
	void *ctx;
};

static void step(struct mesh *m, enum supervise_event_kind kind, unsigned child);

/* What goes wrong is told in any case. */
static void tell(const char *format, ...) PRINTF_LIKE(1, 2);
static void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(stderr);
}

/* What goes well, unless the user wants quiet. */
#define SAY(m, ...) ((m)->quiet ? (void)0 : tell(__VA_ARGS__))

static const char *name_of(const struct mesh *m, unsigned i)
{
	return m->plan->processes[i].name;
}

static void drop_ready(struct running *run)
{
	if (run->ready.fd < 0)
		return;
	loop_fd_drop(&run->mesh->loop, &run->ready);
	close(run->ready.fd);
	run->ready.fd = -1;
}

static void is_ready(struct mesh *m, unsigned i)
{
	char took[24];

	SAY(m, "%-12s ready after %s", name_of(m, i),
		fmt_duration_text(m->loop.now_ns - m->supervise.children[i].since_ns, took));
	step(m, SUPERVISE_IS_READY, i);
}

static void on_ready_fd(void *ctx, uint32_t events)
{
	struct running *run = ctx;
	char byte = 0;
	ssize_t n = read(run->ready.fd, &byte, 1);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	drop_ready(run);
	if (n == 1 && byte == '\n')
		is_ready(run->mesh, run->i);
}

static bool nats_accepts(const struct mesh *m)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(m->plan->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ok = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static void on_probe(void *ctx, int64_t now_ns)
{
	struct mesh *m = ctx;

	if (m->supervise.children[NATS].state != SUPERVISE_STARTING || m->running[NATS].pid == 0)
		return;
	if (nats_accepts(m))
		is_ready(m, NATS);
	else if (loop_timer_set(&m->loop, &m->probe, now_ns + PROBE_NS) < 0)
		step(m, SUPERVISE_STOP, 0);
}

static void start(struct mesh *m, unsigned i)
{
	struct running *run = &m->running[i];
	int fd = -1;
	pid_t pid = child_start(&m->plan->processes[i], m->plan->dir, &fd);

	if (pid < 0) {
		tell("%-12s cannot be started: %s", name_of(m, i), strerror(errno));
		step(m, SUPERVISE_ENDED, i);
		return;
	}
	run->pid = pid;
	if (i == NATS) {
		close(fd);
		on_probe(m, m->loop.now_ns);
		return;
	}
	run->ready = (struct loop_fd){
		.fd = fd,
		.events = EPOLLIN,
		.on_ready = on_ready_fd,
		.ctx = run,
	};
	if (loop_fd_add(&m->loop, &run->ready) < 0) {
		close(fd);
		run->ready.fd = -1; /* killed as one that does not become ready */
	}
}

static void perform(struct mesh *m, const struct supervise_action *a)
{
	char wait[24];

	switch (a->kind) {
	case SUPERVISE_START:
		start(m, a->child);
		return;
	case SUPERVISE_TERM:
	case SUPERVISE_KILL:
		if (a->kind == SUPERVISE_KILL)
			tell("%-12s is killed", name_of(m, a->child));
		if (m->running[a->child].pid > 0)
			(void)kill(m->running[a->child].pid,
				a->kind == SUPERVISE_KILL ? SIGKILL : SIGTERM);
		return;
	case SUPERVISE_AGAIN:
		tell("%-12s starts again in %s", name_of(m, a->child),
			fmt_duration_text(a->wait_ns, wait));
		return;
	case SUPERVISE_ALL_READY:
		m->on_ready(m->ctx);
		return;
	case SUPERVISE_LEAVE:
		m->left = true;
		loop_stop(&m->loop);
		return;
	}
}

static void step(struct mesh *m, enum supervise_event_kind kind, unsigned child)
{
	struct supervise_actions *actions = mem_alloc(sizeof(*actions));

	/* Nothing can be supervised without memory; the children are ended with this process. */
	CHECK(actions != NULL);
	supervise_step(&m->supervise, m->loop.now_ns, kind, child, actions);
	for (unsigned i = 0; i < actions->n; i++)
		perform(m, &actions->at[i]);
	mem_free(actions);
	m->changed = true;
}

static void on_due(void *ctx, int64_t now_ns)
{
	(void)now_ns;
	step(ctx, SUPERVISE_TICK, 0);
}

static void say_end(const struct mesh *m, unsigned i, int status)
{
	if (m->supervise.stopping)
		SAY(m, "%-12s stopped", name_of(m, i));
	else if (WIFSIGNALED(status))
		tell("%-12s was ended by signal %d (%s); see %s/log/%s.log", name_of(m, i),
			WTERMSIG(status), strsignal(WTERMSIG(status)), m->plan->dir, name_of(m, i));
	else
		tell("%-12s ended with status %d; see %s/log/%s.log", name_of(m, i),
			WEXITSTATUS(status), m->plan->dir, name_of(m, i));
}

static void reap(struct mesh *m)
{
	for (unsigned i = 0; i < m->plan->n; i++) {
		struct running *run = &m->running[i];
		int status = 0;

		if (run->pid == 0 || waitpid(run->pid, &status, WNOHANG) != run->pid)
			continue;
		run->pid = 0;
		drop_ready(run);
		say_end(m, i, status);
		step(m, SUPERVISE_ENDED, i);
	}
}

static void on_signal(void *ctx, uint32_t events)
{
	struct mesh *m = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(m->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(m);
			continue;
		}
		if (!m->supervise.stopping)
			SAY(m, "stopping");
		step(m, SUPERVISE_STOP, 0);
	}
}

/* Tell `spu status`. */
static void write_processes(struct mesh *m)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct fail why = { 0 };

	buf_init(&b, 65536);
	for (unsigned i = 0; i < m->plan->n; i++) {
		const struct supervise_child *c = &m->supervise.children[i];

		buf_fmt(&b, "%s %d %s %u %lld\n", name_of(m, i), (int)m->running[i].pid,
			supervise_state_name(c->state), c->restarts,
			(long long)(c->since_ns / NS_PER_MS));
	}
	buf_byte(&b, 0);
	if (buf_err(&b) == 0 &&
		state_dir_write(m->plan->dir, "processes", (const char *)b.at, &why) < 0)
		tell("%s", why.detail);
	m->changed = false;
}

/* Set the timer to what is due next. */
static void on_turn(void *ctx, int64_t now_ns)
{
	struct mesh *m = ctx;

	(void)now_ns;
	if (loop_timer_set(&m->loop, &m->timer, supervise_wake(&m->supervise)) < 0)
		step(m, SUPERVISE_STOP, 0);
	if (m->changed)
		write_processes(m);
}

static int open_signals(struct mesh *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ERR_IO;
	m->signals = (struct loop_fd){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = EPOLLIN,
		.on_ready = on_signal,
		.ctx = m,
	};
	return m->signals.fd < 0 ? ERR_IO : loop_fd_add(&m->loop, &m->signals);
}

static int run(struct mesh *m)
{
	int r = loop_open(&m->loop);

	if (r == 0)
		r = open_signals(m);
	if (r < 0)
		return cli_fail_text(r, "cannot start: %s", strerror(errno));
	supervise_init(&m->supervise);
	for (unsigned i = 0; i < m->plan->n; i++) {
		m->running[i] = (struct running){ .mesh = m, .i = i, .ready = { .fd = -1 } };
		(void)supervise_add(&m->supervise, m->plan->processes[i].stage);
	}
	m->timer = (struct loop_timer){ .on_due = on_due, .ctx = m };
	m->probe = (struct loop_timer){ .on_due = on_probe, .ctx = m };
	m->hook = (struct loop_hook){ .on_turn = on_turn, .ctx = m };
	loop_hook_add(&m->loop, &m->hook);
	m->loop.now_ns = clocks_now(&m->loop.clocks);
	step(m, SUPERVISE_BEGIN, 0);
	on_turn(m, m->loop.now_ns);
	r = loop_run(&m->loop);
	if (r < 0)
		return cli_fail_text(r, "supervision failed: %s", strerror(errno));
	return 0;
}

int up_run(const struct plan *plan, bool quiet, void (*on_ready)(void *ctx), void *ctx)
{
	struct mesh *m = mem_alloc(sizeof(*m));
	int exit;

	if (m == NULL)
		return cli_fail_text(ERR_NO_MEMORY, "no memory to start with");
	m->plan = plan;
	m->quiet = quiet;
	m->on_ready = on_ready;
	m->ctx = ctx;
	exit = run(m);
	if (m->signals.fd > 0)
		close(m->signals.fd);
	loop_close(&m->loop);
	mem_free(m);
	return exit;
}
