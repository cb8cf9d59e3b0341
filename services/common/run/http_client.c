/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client: the only file that knows libcurl. curl tells which sockets it waits for and when it wants to
 * be called; the loop calls back; whatever ended is then read off and answered.
 *
 * There is no low-speed limit: a model may think for a minute before the first byte, and some APIs send a blank
 * now and then meanwhile. The whole time limits both.
 */
#include "run/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "run/address.h"
#include "version.h"

struct http_client {
	struct loop *loop;
	CURLM *multi;
	/* Always set, far ahead if there is nothing to do: a place in the loop that nobody can take away. */
	struct loop_timer timer;
	struct list calls;
	unsigned calls_n;
	unsigned calls_max;
	int broken; /* the error for which all calls end, as curl could not be told what it asked for */
	bool answering; /* inside on_answer */
};

/* A socket that curl waits for. */
struct socket {
	struct loop_fd fd;
	struct http_client *client;
};

struct http_call {
	struct list link;
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body; /* of the answer */
	size_t header_bytes;
	bool has_head; /* the empty line after the headers came */
	bool public_only;
	int refused; /* why a callback of ours ended the transfer */
	void (*on_answer)(void *ctx, const struct http_answer *a);
	void *ctx;
	char detail[CURL_ERROR_SIZE];
};

int http_err_from_curl(int code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_URL_MALFORMAT:
		return ERR_INVALID;
	case CURLE_OUT_OF_MEMORY:
		return ERR_NO_MEMORY;
	case CURLE_FILESIZE_EXCEEDED:
		return ERR_TOO_BIG;
	case CURLE_FAILED_INIT:
	case CURLE_SSL_CACERT_BADFILE: /* ours, the system's list of authorities */
		return ERR_IO;
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION:
	case CURLE_NOT_BUILT_IN:
		return ERR_BUG;
	default:
		return ERR_UPSTREAM;
	}
}

/* Memory: curl takes it where we do. */

static void *curl_calloc(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : mem_alloc(bytes);
}

static char *curl_strdup(const char *s)
{
	return mem_str(span_str(s));
}

/* Ends of calls */

/* It is no longer one of the client's. */
static void call_forget(struct http_call *call)
{
	list_drop(&call->link);
	call->client->calls_n--;
}

static void call_free(struct http_call *call)
{
	struct http_client *c = call->client;

	if (call->easy != NULL) {
		(void)curl_multi_remove_handle(c->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	buf_done(&call->body);
	mem_free(call);
}

static void answer(struct http_call *call, const struct http_answer *a)
{
	struct http_client *c = call->client;

	/* First, as on_answer may cancel all that are on the list, and send another one. */
	call_forget(call);
	c->answering = true;
	call->on_answer(call->ctx, a);
	c->answering = false;
	call_free(call);
}

static int64_t retry_after_ms(CURL *easy)
{
	curl_off_t s = 0;

	if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &s) != CURLE_OK || s < 0)
		return 0;
	return s > HTTP_RETRY_AFTER_MS_MAX / 1000 ? HTTP_RETRY_AFTER_MS_MAX : s * 1000;
}

static void ended(struct http_call *call, CURLcode code)
{
	struct http_answer a = { .err = http_err_from_curl((int)code), .detail = "" };

	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &a.status);
	a.retry_after_ms = retry_after_ms(call->easy);
	if (a.err == 0 && !call->has_head) { /* curl takes this for an empty answer */
		a.err = ERR_UPSTREAM;
		a.detail = "the answer ends within its headers";
	} else if (a.err < 0) {
		a.detail = call->detail[0] != '\0' ? call->detail : curl_easy_strerror(code);
		if (call->refused < 0)
			a.err = call->refused;
	} else {
		a.body = buf_span(&call->body);
	}
	answer(call, &a);
}

static void end_all(struct http_client *c, int err, const char *detail)
{
	const struct http_answer a = { .err = err, .detail = detail };
	/* Calls that an on_answer sends meanwhile are not meant. */
	struct list ending = c->calls;

	if (list_is_empty(&c->calls))
		return;
	ending.next->prev = &ending;
	ending.prev->next = &ending;
	list_init(&c->calls);
	while (!list_is_empty(&ending))
		answer(CONTAINER(ending.next, struct http_call, link), &a);
}

/* A connection that nobody waits for would stand still until its call's time is over, and it is not known which
 * calls need it: end them all. That closes the connection. */
static void give_up(struct http_client *c)
{
	int err = c->broken;

	c->broken = 0;
	end_all(c, err, "no memory or descriptor to wait for a connection");
}

/* After every call into curl that may have made progress, with what it returned. */
static void read_ends(struct http_client *c, CURLMcode code)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct http_call *call = NULL;
		CURLcode result = m->data.result;

		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		(void)curl_multi_remove_handle(c->multi, call->easy);
		ended(call, result);
	}
	if (code == CURLM_OUT_OF_MEMORY)
		c->broken = ERR_NO_MEMORY;
	if (c->broken < 0)
		give_up(c);
}

/* What curl asks for: sockets and a timer */

static void timer_set(struct http_client *c, int64_t due_ns)
{
	/* It has its place in the loop since the client was opened. */
	CHECK(loop_timer_set(c->loop, &c->timer, due_ns) == 0);
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct http_client *c = ctx;
	int running;

	(void)now_ns;
	timer_set(c, INT64_MAX);
	read_ends(c, curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running));
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_client *c = ctx;

	(void)multi;
	timer_set(c,
		timeout_ms < 0 ? INT64_MAX : clocks_now(&c->loop->clocks) + timeout_ms * NS_PER_MS);
	return 0;
}

static void on_ready(void *ctx, uint32_t events)
{
	const struct socket *s = ctx;
	struct http_client *c = s->client;
	int running, what = 0;

	if ((events & EPOLLIN) != 0)
		what |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		what |= CURL_CSELECT_OUT;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		what |= CURL_CSELECT_ERR;
	/* s may be gone after this. */
	read_ends(c, curl_multi_socket_action(c->multi, s->fd.fd, what, &running));
}

static int socket_add(struct http_client *c, curl_socket_t fd, uint32_t events)
{
	struct socket *s = mem_alloc(sizeof(*s));

	if (s == NULL)
		return ERR_NO_MEMORY;
	*s = (struct socket){
		.fd = { .fd = fd, .events = events, .on_ready = on_ready, .ctx = s },
		.client = c,
	};
	if (loop_fd_add(c->loop, &s->fd) < 0) {
		mem_free(s);
		return ERR_IO;
	}
	(void)curl_multi_assign(c->multi, fd, s);
	return 0;
}

static void socket_drop(struct http_client *c, struct socket *s)
{
	loop_fd_drop(c->loop, &s->fd);
	mem_free(s);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	static const uint32_t events[] = {
		[CURL_POLL_IN] = EPOLLIN,
		[CURL_POLL_OUT] = EPOLLOUT,
		[CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
	};
	struct http_client *c = ctx;
	struct socket *s = of_socket;
	int r = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			socket_drop(c, s);
		return 0;
	}
	CHECK(what >= 0 && (size_t)what < ARRAY_LEN(events));
	r = s == NULL ? socket_add(c, fd, events[what])
		      : loop_fd_set(c->loop, &s->fd, events[what]);
	if (r < 0) {
		/* Not told to curl, which would refuse all further calls; see give_up(). */
		c->broken = r;
		timer_set(c, 0);
	}
	return 0;
}

/* What an answer brings */

/* As for write callbacks: less than given ends the transfer. */
static size_t refuse(struct http_call *call, int err)
{
	call->refused = err;
	return 0;
}

static size_t on_header(char *at, size_t one, size_t n, void *ctx)
{
	struct http_call *call = ctx;

	(void)one;
	call->header_bytes += n;
	call->has_head = call->has_head || (n > 0 && n <= 2 && at[n - 1] == '\n');
	return call->header_bytes > HTTP_HEADER_BYTES_MAX ? refuse(call, ERR_TOO_BIG) : n;
}

static size_t on_body(char *at, size_t one, size_t n, void *ctx)
{
	struct http_call *call = ctx;

	(void)one;
	buf_add(&call->body, span_of(at, n));
	return buf_err(&call->body) < 0 ? refuse(call, buf_err(&call->body)) : n;
}

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_call *call = ctx;

	(void)purpose;
	if (call->public_only && !address_is_public(&a->addr)) {
		call->refused = ERR_DENIED;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Calls */

static bool header_add(struct http_call *call, const char *line)
{
	struct curl_slist *longer = curl_slist_append(call->headers, line);

	if (longer == NULL)
		return false;
	call->headers = longer;
	return true;
}

static bool is_visible(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < '!' || *s > '~')
			return false;
	}
	return true;
}

static bool bearer_add(struct http_call *call, const char *bearer)
{
	CLEANUP(buf_done) struct buf line = { 0 };

	buf_init(&line, 8192);
	if (!is_visible(bearer))
		return false;
	buf_fmt(&line, "Authorization: Bearer %s", bearer);
	buf_byte(&line, '\0');
	return buf_err(&line) == 0 && header_add(call, (const char *)line.at);
}

#define SET(option, value) (curl_easy_setopt(call->easy, CURLOPT_##option, (value)) == CURLE_OK)

static bool set_limits(struct http_call *call, const struct http_request *r)
{
	int64_t connect_ns = r->timeout_ns < HTTP_CONNECT_NS ? r->timeout_ns : HTTP_CONNECT_NS;

	/* 0 would be no limit at all. */
	return SET(TIMEOUT_MS, (long)(r->timeout_ns / NS_PER_MS + 1)) &&
	       SET(CONNECTTIMEOUT_MS, (long)(connect_ns / NS_PER_MS + 1)) &&
	       SET(PROTOCOLS_STR, "http,https") && SET(FOLLOWLOCATION, 0L) &&
	       SET(NETRC, (long)CURL_NETRC_IGNORED) && SET(PROXY, "") &&
	       SET(DISALLOW_USERNAME_IN_URL, 1L) && SET(SSL_VERIFYPEER, 1L) &&
	       SET(SSL_VERIFYHOST, 2L) && SET(NOSIGNAL, 1L);
}

static bool set_callbacks(struct http_call *call)
{
	return SET(PRIVATE, call) && SET(ERRORBUFFER, call->detail) &&
	       SET(WRITEFUNCTION, on_body) && SET(WRITEDATA, call) &&
	       SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, call) &&
	       SET(OPENSOCKETFUNCTION, on_open) && SET(OPENSOCKETDATA, call);
}

static bool set_request(struct http_call *call, const struct http_request *r)
{
	if (!SET(URL, r->url) || !SET(USERAGENT, "spu/" SPU_VERSION) ||
		!header_add(call, "Accept: application/json"))
		return false;
	if (r->bearer != NULL && !bearer_add(call, r->bearer))
		return false;
	/* An empty Expect: the body is sent at once, whatever its size. */
	if (r->body.len > 0 && (!header_add(call, "Content-Type: application/json") ||
				       !header_add(call, "Expect:") ||
				       !SET(POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) ||
				       !SET(COPYPOSTFIELDS, (const char *)r->body.at)))
		return false;
	return SET(HTTPHEADER, call->headers);
}

static CURLM *multi_new(struct http_client *c)
{
	CURLM *m = curl_multi_init();

	if (m == NULL)
		return NULL;
	if (curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
		curl_multi_setopt(m, CURLMOPT_SOCKETDATA, c) == CURLM_OK &&
		curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
		curl_multi_setopt(m, CURLMOPT_TIMERDATA, c) == CURLM_OK &&
		curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)c->calls_max) == CURLM_OK)
		return m;
	(void)curl_multi_cleanup(m);
	return NULL;
}

struct http_call *http_client_send(struct http_client *c, const struct http_request *r,
	void (*on_answer)(void *ctx, const struct http_answer *a), void *ctx)
{
	struct http_call *call;

	if (c->calls_n >= c->calls_max)
		return NULL;
	call = mem_alloc(sizeof(*call));
	if (call == NULL)
		return NULL;
	*call = (struct http_call){
		.client = c,
		.public_only = r->public_only,
		.on_answer = on_answer,
		.ctx = ctx,
	};
	buf_init(&call->body, r->answer_max_bytes);
	list_push(&c->calls, &call->link);
	c->calls_n++;
	call->easy = curl_easy_init();
	if (call->easy != NULL && set_limits(call, r) && set_callbacks(call) &&
		set_request(call, r) && curl_multi_add_handle(c->multi, call->easy) == CURLM_OK)
		return call;
	call_forget(call);
	call_free(call);
	return NULL;
}

void http_client_cancel(struct http_client *c, struct http_call *call)
{
	CHECK(call->client == c);
	call_forget(call);
	call_free(call);
}

struct http_client *http_client_open(struct loop *l, unsigned calls_max)
{
	struct http_client *c;

	CHECK(calls_max > 0);
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, mem_free, mem_grow, curl_strdup,
		    curl_calloc) != CURLE_OK)
		return NULL;
	c = mem_alloc(sizeof(*c));
	if (c == NULL)
		goto no_client;
	*c = (struct http_client){
		.loop = l,
		.timer = { .on_due = on_due, .ctx = c },
		.calls_max = calls_max,
	};
	list_init(&c->calls);
	if (loop_timer_set(l, &c->timer, INT64_MAX) < 0)
		goto no_client;
	c->multi = multi_new(c);
	if (c->multi != NULL)
		return c;
	loop_timer_stop(l, &c->timer);

no_client:
	mem_free(c);
	curl_global_cleanup();
	return NULL;
}

void http_client_close(struct http_client *c)
{
	if (c == NULL)
		return;
	CHECK(!c->answering);
	/* What an on_answer sends now is answered, too. */
	c->calls_max = 0;
	end_all(c, ERR_CLOSED, "the client is being closed");
	(void)curl_multi_cleanup(c->multi);
	loop_timer_stop(c->loop, &c->timer);
	mem_free(c);
	curl_global_cleanup();
}
