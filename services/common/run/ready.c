/* SPDX-License-Identifier: Apache-2.0
 *
 * ready: a subscription that the server has not taken yet misses messages; so readiness is told only when a
 * message to ourselves, sent after the subscriptions, has come back.
 */
#include "run/ready.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run/log.h"

#define INBOX_BYTES 48

static void inbox(const struct daemon *d, char to[INBOX_BYTES])
{
	snprintf(to, INBOX_BYTES, "_INBOX.ready-%016" PRIx64, d->incarnation);
}

static void tell_fd(struct daemon *d)
{
	if (d->ready_fd < 0)
		return;
	if (write(d->ready_fd, "\n", 1) != 1)
		log_warn("nobody was told of readiness", "ready_fd", LOG_INT(d->ready_fd), "detail",
			LOG_STR(strerror(errno)));
	/* Who waits at the other end may wait for the end of file; the standard descriptors stay. */
	if (d->ready_fd > STDERR_FILENO)
		close(d->ready_fd);
	d->ready_fd = -1;
}

void ready_check(struct daemon *d)
{
	if (d->is_ready || d->is_held || !d->is_reachable)
		return;
	d->is_ready = true;
	log_info("ready", "name", LOG_STR(d->name), "after_us",
		LOG_INT((d->loop.now_ns - d->started_ns) / NS_PER_US));
	tell_fd(d);
	ready_notify("READY=1");
}

static void on_reached(void *ctx, const struct bus_msg *m)
{
	struct daemon *d = ctx;

	(void)m;
	d->is_reachable = true;
	ready_check(d);
}

int ready_open(struct daemon *d)
{
	char subject[INBOX_BYTES];

	inbox(d, subject);
	d->ready_sub = bus_subscribe(d->bus, subject, NULL, on_reached, d);
	return d->ready_sub == NULL ? ERR_NO_MEMORY : 0;
}

void ready_ask(struct daemon *d)
{
	char subject[INBOX_BYTES];

	if (d->bus->state != BUS_UP)
		return;
	if (d->is_reachable) {
		/* Not in on_reached: there it is the subscription being served. */
		bus_unsubscribe(d->bus, d->ready_sub);
		d->ready_sub = NULL;
		return;
	}
	inbox(d, subject);
	/* If it cannot be sent now, the next beat of the control loop asks again. */
	(void)!bus_publish(d->bus, subject, NULL, span_of(NULL, 0), span_of(NULL, 0));
}

void ready_notify(const char *line)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@') /* the abstract name space */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, line, strlen(line), MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
