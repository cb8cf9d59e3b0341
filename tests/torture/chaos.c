/* SPDX-License-Identifier: Apache-2.0
 *
 * chaos: one deed at a time, drawn from the seed: SIGKILL and a new life a little later, SIGSTOP and SIGCONT, a clock
 * that is set, or, for the router, a disk that is full or nearly so for a while; where no file system may be mounted, a
 * life in which its files may not grow. Only processes started here are touched, and no clock but theirs.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fmt.h"
#include "tests/support/proc.h"
#include "tests/torture/torture.h"

#define PATH 256
/* Of the time between deeds, on average: */
#define LEAST(ns) ((ns) / 3)
#define SPREAD(ns) ((ns) / 3 * 4)
#define DEAD(ns) ((ns) / 3 * 5) /* at most */
#define STOPPED(ns) ((ns)*5)
#define FULL_BYTES (256u << 10) /* of a file, on a disk that is no file system of its own */
#define ROOM "16M"              /* with less the router takes nothing new */
#define NEARLY_FULL_BYTES (8u << 20)

static int64_t draw(struct chaos *c, int64_t below)
{
	return (int64_t)prng_below(&c->prng, (uint64_t)below);
}

/* --- lives -------------------------------------------------------------------------------------------- */

/* What is written beyond that fails, as on a full disk. */
static void limit_files(void)
{
	const struct rlimit limit = { FULL_BYTES, FULL_BYTES };

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void become(struct chaos *c, unsigned who, const char *log)
{
	char journal[PATH], conf[PATH], blobs[PATH], watch[PATH], name[16], path[PROC_PATH];
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
	snprintf(journal, sizeof journal, "%s/journal.db", c->disk.dir);
	snprintf(conf, sizeof conf, "%s/nats.conf", c->dir);
	snprintf(blobs, sizeof blobs, "%s/blobs", c->dir);
	snprintf(name, sizeof name, "cpu-%u", who);
	snprintf(watch, sizeof watch, "%s/%u.clock", c->dir, who);
	setenv("SPU_TEST_CLOCK", watch, 1);
	if (who == VICTIM_NATS) {
		const char *server = getenv("NATS_SERVER");

		execlp(server == NULL ? "nats-server" : server, "nats-server", "-c", conf,
			(char *)NULL);
	} else if (who == VICTIM_ROUTER) {
		if (c->member[who].full_disk)
			limit_files();
		execl(proc_path("spu-router", path), "spu-router", "--url", c->url, "--name",
			"router-1", "--journal", journal, "--lease", c->every_ns > 0 ? "4s" : "30s",
			"--suspect", c->every_ns > 0 ? "2s" : "15s", "--backoff", "100ms",
			"--attempts-cpu", "100", "--journal-room", ROOM, (char *)NULL);
	} else if (who == VICTIM_STORE) {
		execl(proc_path("spu-store", path), "spu-store", "--url", c->url, "--name",
			"store-1", "--dir", blobs, (char *)NULL);
	} else {
		execl(proc_path("spu-cpu-node", path), "spu-cpu-node", "--url", c->url, "--name",
			name, "--slots", "64", "--offer-every", "500ms", (char *)NULL);
	}
	_exit(127);
}

static void start(struct chaos *c, unsigned who)
{
	struct member *m = &c->member[who];
	char log[PATH];

	snprintf(log, sizeof log, "%s/%u.log", c->dir, who);
	m->pid = fork();
	if (m->pid == 0)
		become(c, who, log);
	m->was_full = m->full_disk;
	m->full_disk = false;
	m->go_on_ns = m->back_ns = 0;
}

void chaos_start(struct chaos *c, unsigned who)
{
	start(c, who);
}

static uint16_t free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = 0;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
		getsockname(fd, (struct sockaddr *)&a, &len) == 0)
		port = ntohs(a.sin_port);
	close(fd);
	return port;
}

/* Rather a disk than a folder in memory. */
static const char *folder(void)
{
	const char *tmp = getenv("TMPDIR");

	if (access("build", W_OK) == 0)
		return "build";
	return tmp == NULL ? "/tmp" : tmp;
}

static int open_watches(struct chaos *c)
{
	char path[PATH];

	for (unsigned i = 0; i < VICTIMS; i++) {
		snprintf(path, sizeof path, "%s/%u.clock", c->dir, i);
		c->member[i].watch = watch_open(path);
		if (c->member[i].watch == NULL)
			return -1;
	}
	return 0;
}

int chaos_open(struct chaos *c, uint64_t seed, int64_t every_ns)
{
	char path[PATH];
	FILE *conf;

	memset(c, 0, sizeof *c);
	prng_seed(&c->prng, seed);
	c->every_ns = every_ns;
	snprintf(c->dir, sizeof c->dir, "%.160s/torture.XXXXXX", folder());
	if (mkdtemp(c->dir) == NULL) {
		perror(c->dir);
		return -1;
	}
	if (!disk_open(&c->disk, c->dir)) {
		perror(c->dir);
		return -1;
	}
	if (!c->disk.is_own)
		printf("# no file system may be mounted here: a disk is full by a limit on "
		       "files\n");
	c->port = free_port();
	snprintf(c->url, sizeof c->url, "nats://127.0.0.1:%u", c->port);
	snprintf(path, sizeof path, "%s/nats.conf", c->dir);
	conf = fopen(path, "we");
	if (conf == NULL || open_watches(c) < 0) {
		perror(c->dir);
		return -1;
	}
	fprintf(conf, "listen: \"127.0.0.1:%u\"\nmax_payload: 1MB\n", c->port);
	fclose(conf);
	for (unsigned i = 0; i < VICTIMS; i++)
		start(c, i);
	return 0;
}

/* --- deeds -------------------------------------------------------------------------------------------- */

static void kill_one(struct chaos *c, unsigned who, int64_t now_ns, bool full)
{
	struct member *m = &c->member[who];

	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	m->pid = 0;
	m->full_disk = full;
	m->back_ns = now_ns + draw(c, DEAD(c->every_ns));
	c->kills++;
	c->full += full;
}

static void stop_one(struct chaos *c, unsigned who, int64_t now_ns)
{
	struct member *m = &c->member[who];

	kill(m->pid, SIGSTOP);
	m->go_on_ns = now_ns + draw(c, STOPPED(c->every_ns));
	c->stops++;
}

/* A file system fills up under a router that lives. */
static void fill_disk(struct chaos *c, int64_t now_ns)
{
	if (!c->disk.is_own) {
		kill_one(c, VICTIM_ROUTER, now_ns, true);
		return;
	}
	if (c->disk.until_ns != 0)
		return;
	disk_fill(&c->disk, draw(c, 2) == 0 ? 0 : NEARLY_FULL_BYTES,
		now_ns + draw(c, STOPPED(c->every_ns)));
	c->full++;
}

static void deed(struct chaos *c, int64_t now_ns)
{
	unsigned who = (unsigned)draw(c, VICTIMS);
	int64_t what = draw(c, 10);

	/* also of one that is dead: the next life begins with it */
	if (what >= 8 && who != VICTIM_NATS) {
		watch_set(c->member[who].watch, &c->prng);
		c->sets++;
		return;
	}
	if (c->member[who].pid == 0 || c->member[who].go_on_ns != 0)
		return;
	if (what <= 1 && who == VICTIM_ROUTER)
		fill_disk(c, now_ns);
	else if (what <= 2)
		stop_one(c, who, now_ns);
	else
		kill_one(c, who, now_ns, false);
}

static void look_after(struct chaos *c, unsigned who, int64_t now_ns)
{
	struct member *m = &c->member[who];

	if (m->go_on_ns != 0 && now_ns >= m->go_on_ns) {
		kill(m->pid, SIGCONT);
		m->go_on_ns = 0;
	}
	if (m->pid != 0 && waitpid(m->pid, NULL, WNOHANG) == m->pid) {
		c->ends++;
		m->pid = 0;
		m->back_ns = now_ns + 200 * NS_PER_MS;
	}
	if (m->pid == 0 && now_ns >= m->back_ns)
		start(c, who);
}

void chaos_turn(struct chaos *c, int64_t now_ns)
{
	if (!c->calm && now_ns >= c->next_ns) {
		if (c->next_ns != 0)
			deed(c, now_ns);
		c->next_ns = now_ns + LEAST(c->every_ns) + draw(c, SPREAD(c->every_ns));
	}
	disk_turn(&c->disk, now_ns);
	for (unsigned i = 0; i < VICTIMS; i++)
		look_after(c, i, now_ns);
}

void chaos_end(struct chaos *c, int64_t now_ns)
{
	c->calm = true;
	if (c->disk.until_ns != 0)
		c->disk.until_ns = now_ns;
	for (unsigned i = 0; i < VICTIMS; i++) {
		if (c->member[i].go_on_ns != 0)
			c->member[i].go_on_ns = now_ns;
		c->member[i].full_disk = false;
		if (c->member[i].was_full && c->member[i].pid != 0)
			kill_one(c, i, now_ns, false);
	}
}

void chaos_close(struct chaos *c, bool keep)
{
	char command[256];

	for (unsigned i = 0; i < VICTIMS; i++) {
		pid_t pid = c->member[VICTIMS - 1 - i].pid;

		if (pid != 0 && c->member[VICTIMS - 1 - i].go_on_ns != 0)
			kill(pid, SIGCONT);
		(void)proc_end(pid, SIGTERM, 5000);
		watch_close(c->member[VICTIMS - 1 - i].watch);
	}
	if (keep)
		disk_keep(&c->disk);
	disk_close(&c->disk);
	if (keep) {
		fprintf(stderr, "the folder is kept: %s\n", c->dir);
		return;
	}
	snprintf(command, sizeof command, "rm -rf '%s'", c->dir);
	if (system(command) != 0)
		fprintf(stderr, "%s is left\n", c->dir);
}
