/* SPDX-License-Identifier: Apache-2.0
 *
 * api: one thread accepts, one serves each connection with blocking reads and writes; api_stop shuts the
 * sockets down, which ends them. Memory comes from malloc, so that tests that make mem_alloc fail leave the
 * server alone.
 */
#include "tests/support/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/test.h"

#define CONNECTIONS_MAX 4096u
#define REQUESTS_KEPT 256u
#define REQUEST_BYTES_MAX (8u << 20)
#define DRIP_US 20000

struct connection {
	struct api *api;
	pthread_t thread;
	int fd;
};

struct api {
	int fd;
	uint16_t port;
	char url[40];
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	const struct api_step *steps;
	size_t steps_n;
	size_t step;
	bool stopping;
	unsigned connections_n;
	unsigned requests_n;
	struct connection connections[CONNECTIONS_MAX];
	struct api_request requests[REQUESTS_KEPT];
};

static void *get(size_t bytes)
{
	void *at = calloc(1, bytes);

	if (at == NULL)
		abort();
	return at;
}

static bool send_all(int fd, const char *at, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Requests */

/* What is read of a connection. */
struct input {
	char *at;
	size_t len;
};

static bool read_more(int fd, struct input *in)
{
	ssize_t n;

	if (in->len + 1 >= REQUEST_BYTES_MAX)
		return false;
	n = recv(fd, in->at + in->len, REQUEST_BYTES_MAX - 1 - in->len, 0);
	if (n <= 0)
		return false;
	in->len += (size_t)n;
	in->at[in->len] = '\0';
	return true;
}

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");

	return at == NULL ? 0 : strtoul(at + 17, NULL, 10);
}

/* The next request of the connection; false at its end. */
static bool read_request(int fd, struct input *in, struct api_request *ret)
{
	size_t head, whole;
	char *end;

	while ((end = in->len == 0 ? NULL : strstr(in->at, "\r\n\r\n")) == NULL) {
		if (!read_more(fd, in))
			return false;
	}
	head = (size_t)(end - in->at) + 4;
	ret->head = get(head + 1);
	memcpy(ret->head, in->at, head);
	ret->body_bytes = content_length(ret->head);
	whole = head + ret->body_bytes;
	while (in->len < whole) {
		if (!read_more(fd, in)) {
			free(ret->head);
			return false;
		}
	}
	ret->body = get(ret->body_bytes + 1);
	memcpy(ret->body, in->at + head, ret->body_bytes);
	memmove(in->at, in->at + whole, in->len - whole + 1);
	in->len -= whole;
	return true;
}

/* Keep the request, take the next step. */
static struct api_step next_step(struct api *a, const struct api_request *r)
{
	struct api_step step;

	pthread_mutex_lock(&a->lock);
	step = a->steps[a->step];
	if (a->step + 1 < a->steps_n)
		a->step++;
	if (a->requests_n < REQUESTS_KEPT) {
		a->requests[a->requests_n] = *r;
	} else {
		free(r->head);
		free(r->body);
	}
	a->requests_n++;
	pthread_mutex_unlock(&a->lock);
	return step;
}

/* Answers */

static bool send_head(int fd, const struct api_step *s, const char *framing)
{
	char head[4096];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\n%s%s\r\n",
		s->status == 0 ? 200 : s->status,
		s->headers == NULL ? "Content-Type: application/json\r\n" : s->headers, framing);

	return n > 0 && (size_t)n < sizeof(head) && send_all(fd, head, (size_t)n);
}

static bool send_announced(int fd, const struct api_step *s)
{
	char framing[64];

	snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", s->body_bytes);
	return send_head(fd, s, framing);
}

static bool send_chunked(int fd, const struct api_step *s)
{
	char size[32];

	if (!send_head(fd, s, "Transfer-Encoding: chunked\r\n"))
		return false;
	for (size_t at = 0; at < s->body_bytes;) {
		size_t n = s->body_bytes - at < 7 ? s->body_bytes - at : 7;

		snprintf(size, sizeof(size), "%zx\r\n", n);
		if (!send_all(fd, size, strlen(size)) || !send_all(fd, s->body + at, n) ||
			!send_all(fd, "\r\n", 2))
			return false;
		at += n;
	}
	return send_all(fd, "0\r\n\r\n", 5);
}

static void send_drip(int fd, const struct api_step *s)
{
	bool ok = send_announced(fd, s);

	for (size_t i = 0; i < s->body_bytes && ok; i++) {
		usleep(DRIP_US);
		ok = send_all(fd, s->body + i, 1);
	}
}

/* Until the peer closes. */
static void send_for_ever(int fd, const char *what)
{
	char block[4096];
	size_t n = strlen(what), len = 0;

	while (len + n <= sizeof(block)) {
		memcpy(block + len, what, n);
		len += n;
	}
	while (send_all(fd, block, len))
		;
}

/* True if the connection goes on. */
static bool answer(int fd, struct api_step s)
{
	char byte;

	if (s.body != NULL && s.body_bytes == 0)
		s.body_bytes = strlen(s.body);
	switch (s.way) {
	case API_WHOLE:
		return send_announced(fd, &s) && send_all(fd, s.body, s.body_bytes);
	case API_CHUNKED:
		return send_chunked(fd, &s);
	case API_HALF:
		(void)(send_announced(fd, &s) && send_all(fd, s.body, s.body_bytes / 2));
		return false;
	case API_DRIP:
		send_drip(fd, &s);
		return false;
	case API_ENDLESS:
		if (send_head(fd, &s, ""))
			send_for_ever(fd, "[\"and so on\"],");
		return false;
	case API_HEADERS:
		if (send_all(fd, "HTTP/1.1 200 OK\r\n", 17))
			send_for_ever(fd, "X-More: and so on\r\n");
		return false;
	case API_RAW:
		(void)send_all(fd, s.body, s.body_bytes);
		return false;
	case API_HANG:
		while (recv(fd, &byte, 1, 0) > 0)
			;
		return false;
	case API_CLOSE:
		return false;
	}
	return false;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct input in = { .at = get(REQUEST_BYTES_MAX) };
	struct api_request r;
	bool on = true;

	while (on && read_request(c->fd, &in, &r))
		on = answer(c->fd, next_step(c->api, &r));
	free(in.at);
	/* Not closed: api_stop may be about to shut it down. */
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct api *a = arg;

	for (;;) {
		int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);
		struct connection *c;

		pthread_mutex_lock(&a->lock);
		if (fd < 0 || a->stopping || a->connections_n == CONNECTIONS_MAX) {
			pthread_mutex_unlock(&a->lock);
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		c = &a->connections[a->connections_n];
		*c = (struct connection){ .api = a, .fd = fd };
		if (pthread_create(&c->thread, NULL, serve, c) != 0)
			abort();
		a->connections_n++;
		pthread_mutex_unlock(&a->lock);
	}
}

struct api *api_start(const struct api_step *steps, size_t steps_n)
{
	struct api *a = get(sizeof(*a));
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(to);

	a->steps = steps;
	a->steps_n = steps_n;
	pthread_mutex_init(&a->lock, NULL);
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(a->fd >= 0);
	assert_int_equal(bind(a->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(a->fd, 1024), 0);
	assert_int_equal(getsockname(a->fd, (struct sockaddr *)&to, &len), 0);
	a->port = ntohs(to.sin_port);
	snprintf(a->url, sizeof(a->url), "http://127.0.0.1:%u", a->port);
	assert_int_equal(pthread_create(&a->thread, NULL, accept_all, a), 0);
	return a;
}

void api_stop(struct api *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_mutex_unlock(&a->lock);
	shutdown(a->fd, SHUT_RDWR);
	pthread_join(a->thread, NULL);
	for (unsigned i = 0; i < a->connections_n; i++) {
		shutdown(a->connections[i].fd, SHUT_RDWR);
		pthread_join(a->connections[i].thread, NULL);
		close(a->connections[i].fd);
	}
	for (unsigned i = 0; i < a->requests_n && i < REQUESTS_KEPT; i++) {
		free(a->requests[i].head);
		free(a->requests[i].body);
	}
	close(a->fd);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void api_script(struct api *a, const struct api_step *steps, size_t steps_n)
{
	pthread_mutex_lock(&a->lock);
	a->steps = steps;
	a->steps_n = steps_n;
	a->step = 0;
	pthread_mutex_unlock(&a->lock);
}

uint16_t api_port(const struct api *a)
{
	return a->port;
}

const char *api_url(const struct api *a)
{
	return a->url;
}

unsigned api_requests(struct api *a)
{
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = a->requests_n;
	pthread_mutex_unlock(&a->lock);
	return n;
}

unsigned api_connections(struct api *a)
{
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = a->connections_n;
	pthread_mutex_unlock(&a->lock);
	return n;
}

const struct api_request *api_request(struct api *a, unsigned i)
{
	return i < api_requests(a) && i < REQUESTS_KEPT ? &a->requests[i] : NULL;
}
