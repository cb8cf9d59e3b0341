/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client: POST and GET over libcurl's multi-socket interface, in the loop's epoll. Bounded: time, bytes
 * of the answer and of its headers, no redirects, http and https only, no proxy or netrc from the environment;
 * certificates are verified.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"
#include "run/loop.h"

struct http_client;
struct http_call; /* a running request */

#define HTTP_HEADER_BYTES_MAX 65536u    /* of an answer, all lines together */
#define HTTP_CONNECT_NS (10 * NS_PER_S) /* for name, connection and TLS, within the whole time */
/* A longer Retry-After counts as this; newer versions of libcurl do the same. */
#define HTTP_RETRY_AFTER_MS_MAX (INT64_C(6) * 3600 * 1000)

struct http_request {
	const char *url;    /* without user and password */
	const char *bearer; /* Authorization: Bearer ..., visible ASCII, or NULL; never logged */
	struct span body;   /* empty: GET; else POST of application/json. Copied */
	int64_t timeout_ns; /* whole call */
	size_t answer_max_bytes;
	bool public_only; /* refuse to connect to loopback, private and other special addresses */
};

struct http_answer {
	/* 0: an answer came, whatever its status; else ERR_TIMEOUT, ERR_UPSTREAM, ERR_TOO_BIG, ERR_CLOSED,
	 * ERR_INVALID (URL), ERR_DENIED (public_only), ERR_NO_MEMORY, ERR_IO */
	int err;
	long status;            /* HTTP status, 0 if none came */
	int64_t retry_after_ms; /* from Retry-After (seconds or date), or 0 */
	struct span body;       /* until the callback returns; empty if err != 0 */
	const char *detail;     /* curl's words when err != 0, or "" */
};

/* calls_max: at once, at least 1. NULL if libcurl cannot start. */
struct http_client *http_client_open(struct loop *l, unsigned calls_max) MUST_USE;
/* Calls in flight are answered with ERR_CLOSED. Not from on_answer. NULL is allowed. */
void http_client_close(struct http_client *c);
/* on_answer is called exactly once, from a later turn of the loop, unless the call is cancelled; the call is
 * over then, and on_answer may send and cancel others. NULL beyond calls_max, without memory, or for a bearer
 * that no header can hold. */
struct http_call *http_client_send(struct http_client *c, const struct http_request *r,
	void (*on_answer)(void *ctx, const struct http_answer *a), void *ctx) MUST_USE;
/* No callback follows. */
void http_client_cancel(struct http_client *c, struct http_call *call);
/* The error of a CURLcode: 0, or negative for every other number. */
int http_err_from_curl(int code) MUST_USE;
