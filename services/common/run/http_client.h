/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client: POST and GET over libcurl's multi-socket interface, in the loop's epoll. Bounded: time, bytes
 * of the answer, no redirects, http and https only, no proxy or netrc from the environment.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"
#include "run/loop.h"

struct http_client;
struct http_call; /* a running request */

struct http_request {
	const char *url;
	const char *bearer;     /* Authorization: Bearer ..., or NULL; never logged */
	struct span body;       /* empty: GET; else POST of application/json. Copied */
	int64_t timeout_ns;     /* whole call */
	size_t answer_max_bytes;
};

struct http_answer {
	int err;              /* 0: an answer came, whatever its status; else ERR_TIMEOUT, ERR_UPSTREAM, ERR_TOO_BIG, ERR_CLOSED */
	long status;          /* HTTP status */
	int64_t retry_after_ms; /* from Retry-After, or 0 */
	struct span body;     /* until the callback returns */
	const char *detail;   /* curl's words when err != 0 */
};

/* calls_max: at once. NULL if libcurl cannot start. */
struct http_client *http_client_open(struct loop *l, unsigned calls_max) MUST_USE;
void http_client_close(struct http_client *c);
/* on_answer is called exactly once, unless the call is cancelled. NULL beyond calls_max or without memory. */
struct http_call *http_client_send(struct http_client *c, const struct http_request *r,
                                   void (*on_answer)(void *ctx, const struct http_answer *a), void *ctx) MUST_USE;
/* No callback follows. */
void http_client_cancel(struct http_client *c, struct http_call *call);
