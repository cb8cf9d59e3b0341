/* SPDX-License-Identifier: Apache-2.0
 *
 * nats: the server's name is unique, so that a stranger's server on our port is not taken for ours.
 */
#include "tests/support/nats.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/proc.h"
#include "tests/support/test.h"

#define START_MS 10000
#define STOP_MS 10000

static int loopback(uint16_t port, struct sockaddr_in *ret)
{
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void pause_ms(long ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

void broker_init(struct broker *b)
{
	const char *tmp = getenv("TMPDIR");
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd = loopback(0, &a);

	*b = (struct broker){ 0 };
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	b->port = ntohs(a.sin_port);
	(void)snprintf(b->url, sizeof(b->url), "nats://127.0.0.1:%u", b->port);
	(void)snprintf(b->dir, sizeof(b->dir), "%.40s/nats-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(b->dir));
}

/* Does our server answer? */
static int is_ready(const struct broker *b)
{
	const struct timeval patience = { .tv_sec = 1 };
	char info[4096] = "", name[96];
	struct sockaddr_in a;
	int fd = loopback(b->port, &a);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		recv(fd, info, sizeof(info) - 1, 0) < 0)
		info[0] = '\0';
	close(fd);
	(void)snprintf(name, sizeof(name), "\"server_name\":\"%s\"", b->dir);
	return strstr(info, name) != NULL;
}

static void write_conf(const struct broker *b, const char *path, const char *conf)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fprintf(file, "listen: \"127.0.0.1:%u\"\nserver_name: \"%s\"\nmax_payload: 1MB\n%s\n",
		b->port, b->dir, conf == NULL ? "" : conf);
	assert_int_equal(fclose(file), 0);
}

_Noreturn static void become_server(const struct broker *b, const char *path)
{
	char log[96];
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(log, sizeof(log), "%s/log", b->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	execlp("nats-server", "nats-server", "-c", path, (char *)NULL);
	_exit(127);
}

void broker_start(struct broker *b, const char *conf)
{
	char path[96];

	assert_int_equal(b->pid, 0);
	(void)snprintf(path, sizeof(path), "%s/conf", b->dir);
	write_conf(b, path, conf);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0)
		become_server(b, path);
	for (int ms = 0; !is_ready(b); ms += 10) {
		int status;

		if (waitpid(b->pid, &status, WNOHANG) == b->pid) {
			b->pid = 0;
			fail_msg("nats-server ended with status %d; see %s/log", status, b->dir);
		}
		if (ms > START_MS)
			fail_msg("nats-server does not answer; see %s/log", b->dir);
		pause_ms(10);
	}
}

void broker_stop(struct broker *b, int hard)
{
	(void)proc_end(b->pid, hard ? SIGKILL : SIGTERM, STOP_MS);
	b->pid = 0;
}

void broker_done(struct broker *b)
{
	static const char *const files[] = { "conf", "log" };
	char path[96];

	broker_stop(b, 1);
	for (unsigned i = 0; i < ARRAY_LEN(files) && b->dir[0] != '\0'; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", b->dir, files[i]);
		unlink(path);
	}
	if (b->dir[0] != '\0')
		rmdir(b->dir);
	*b = (struct broker){ 0 };
}
