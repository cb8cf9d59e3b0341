/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "services/cli/state_dir.h"

enum { STAGE_NATS, STAGE_ROUTER, STAGE_NODES };

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

/* "<folder>/<name>", if that is a program. */
static bool try_folder(struct span folder, const char *name, char to[PATH_MAX])
{
	int n = snprintf(to, PATH_MAX, "%.*s/%s", (int)folder.len, (const char *)folder.at, name);

	return folder.len > 0 && n < PATH_MAX && is_program(to);
}

/* Beside this program, else in PATH, else where Debian puts servers. */
static int find_program(const char *name, char to[PATH_MAX], struct fail *why)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	struct span folder = span_of(self, n < 0 ? 0 : (size_t)n);
	const char *path = getenv("PATH");
	struct span rest = span_str(path == NULL ? "" : path);

	while (folder.len > 0 && self[folder.len - 1] != '/')
		folder.len--;
	if (folder.len > 1)
		folder.len--;
	if (try_folder(folder, name, to))
		return 0;
	while (rest.len > 0)
		if (try_folder(span_cut(&rest, ':'), name, to))
			return 0;
	if (try_folder(SPAN_LIT("/usr/sbin"), name, to) ||
		try_folder(SPAN_LIT("/usr/local/sbin"), name, to))
		return 0;
	return fail_set(why, ERR_UNKNOWN, NULL, 0,
		"the program %s is neither beside spu nor in PATH%s", name,
		strcmp(name, "nats-server") == 0 ? " (apt-get install nats-server)" : "");
}

static int add_arg(struct plan_process *process, const char *arg, struct fail *why)
{
	unsigned i = 0;

	while (process->argv[i] != NULL)
		i++;
	CHECK(i + 1 < PLAN_ARGS);
	process->argv[i] = mem_str(span_str(arg));
	return process->argv[i] == NULL ? fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL) : 0;
}

/* program and arguments, ended by NULL. */
static int add_process(struct plan *p, unsigned stage, const char *name, const char *const *args,
	struct fail *why)
{
	struct plan_process *process = &p->processes[p->n];
	char path[PATH_MAX];
	int r = find_program(args[0], path, why);

	if (r < 0)
		return r;
	CHECK(p->n < SUPERVISE_MAX);
	p->n++;
	snprintf(process->name, sizeof(process->name), "%s", name);
	process->stage = stage;
	r = add_arg(process, path, why);
	for (unsigned i = 1; r == 0 && args[i] != NULL; i++)
		r = add_arg(process, args[i], why);
	return r;
}

static int add_daemon(struct plan *p, unsigned stage, const char *program, const char *name,
	struct fail *why)
{
	const char *const args[] = { program, "--url", p->url, "--name", name, "--ready-fd", "3",
		NULL };

	_Static_assert(PLAN_READY_FD == 3, "as said to the daemons");
	return add_process(p, stage, name, args, why);
}

/* The router keeps its journal in the mesh's folder. */
static int add_router(struct plan *p, struct fail *why)
{
	char journal[PATH_MAX];
	int r = state_dir_path(p->dir, "journal.db", journal);

	if (r < 0)
		return fail_set(why, r, "dir", PATH_MAX, "the folder's name is too long");
	r = add_daemon(p, STAGE_ROUTER, "spu-router", "router-1", why);
	if (r == 0)
		r = add_arg(&p->processes[p->n - 1], "--journal", why);
	return r < 0 ? r : add_arg(&p->processes[p->n - 1], journal, why);
}

static int add_store(struct plan *p, struct fail *why)
{
	char dir[PATH_MAX];
	int r = state_dir_path(p->dir, "store", dir);

	if (r < 0)
		return fail_set(why, r, "dir", PATH_MAX, "the folder's name is too long");
	r = add_daemon(p, STAGE_ROUTER, "spu-store", "store-1", why);
	if (r == 0)
		r = add_arg(&p->processes[p->n - 1], "--dir", why);
	return r < 0 ? r : add_arg(&p->processes[p->n - 1], dir, why);
}

static int add_all(struct plan *p, const struct opts *o, struct fail *why)
{
	int64_t cpu_nodes = o->cpu_nodes < 0 ? PLAN_CPU_NODES : o->cpu_nodes;
	char conf[PATH_MAX], name[32];
	const char *const nats[] = { "nats-server", "-c", conf, NULL };
	int r = state_dir_path(p->dir, "nats.conf", conf);

	if (r < 0)
		return fail_set(why, r, "dir", PATH_MAX, "the folder's name is too long");
	r = add_process(p, STAGE_NATS, "nats", nats, why);
	if (r == 0)
		r = add_router(p, why);
	if (r == 0)
		r = add_store(p, why);
	for (int64_t i = 1; r == 0 && i <= cpu_nodes; i++) {
		snprintf(name, sizeof(name), "cpu-%d", (int)i);
		r = add_daemon(p, STAGE_NODES, "spu-cpu-node", name, why);
	}
	if (r == 0 && !o->no_gpu)
		r = add_daemon(p, STAGE_NODES, "spu-gpu-node", "gpu-1", why);
	if (r == 0)
		r = add_daemon(p, STAGE_NODES, "spu-delegate", "delegate-1", why);
	if (r == 0)
		r = add_daemon(p, STAGE_NODES, "spu-inbox", "inbox-1", why);
	return r;
}

/* The port if it is free on the loopback interface; port 0: any free one. 0 if it is not. */
static uint16_t free_port(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;
	bool ok;

	if (fd < 0)
		return 0;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* As nats-server does: a port whose old connections linger is free. */
	ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	     bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	     getsockname(fd, (struct sockaddr *)&at, &len) == 0;
	close(fd);
	return ok ? ntohs(at.sin_port) : 0;
}

static int choose_port(struct plan *p, const struct opts *o, struct fail *why)
{
	p->port = free_port(o->port < 0 ? PLAN_PORT : (uint16_t)o->port);
	if (p->port == 0 && o->port >= 0)
		return fail_set(why, ERR_CONFLICT, "port", 0, "port %d is taken", (int)o->port);
	if (p->port == 0)
		p->port = free_port(0);
	if (p->port == 0)
		return fail_set(why, ERR_IO, "port", 0, "no free port: %s", strerror(errno));
	snprintf(p->url, sizeof(p->url), "nats://127.0.0.1:%u", p->port);
	return 0;
}

int plan_make(struct plan *p, const struct opts *o, const char *dir, struct fail *why)
{
	int r;

	*p = (struct plan){ 0 };
	if (snprintf(p->dir, sizeof(p->dir), "%s", dir) >= (int)sizeof(p->dir))
		return fail_set(why, ERR_INVALID, "dir", PATH_MAX, "the folder's name is too long");
	r = choose_port(p, o, why);
	return r == 0 ? add_all(p, o, why) : r;
}

void plan_done(struct plan *p)
{
	for (unsigned i = 0; i < p->n; i++)
		for (unsigned k = 0; k < PLAN_ARGS; k++)
			mem_free(p->processes[i].argv[k]);
	p->n = 0;
}

static void put_path(struct buf *b, const char *key, const char *dir, const char *name)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_fmt(b, "%s: ", key);
	buf_json(b, span_str(path));
	buf_byte(b, '\n');
}

int plan_write(const struct plan *p, struct fail *why)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int r;

	buf_init(&b, 65536);
	buf_str(&b, "# Written by `spu up` at each start.\n");
	buf_fmt(&b, "listen: \"127.0.0.1:%u\"\nserver_name: \"spu\"\nmax_payload: %u\n", p->port,
		(unsigned)LIMIT_MESSAGE_BYTES);
	put_path(&b, "pid_file", p->dir, "nats.pid");
	put_path(&b, "store_dir", p->dir, "nats");
	buf_byte(&b, 0);
	if (buf_err(&b) < 0)
		return fail_set(why, buf_err(&b), NULL, 0, NULL);
	r = state_dir_write(p->dir, "nats.conf", (const char *)b.at, why);
	buf_reset(&b);
	buf_fmt(&b, "%s\n", p->url);
	buf_byte(&b, 0);
	if (r == 0 && buf_err(&b) < 0)
		r = fail_set(why, buf_err(&b), NULL, 0, NULL);
	return r == 0 ? state_dir_write(p->dir, "url", (const char *)b.at, why) : r;
}
