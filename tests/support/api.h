/* SPDX-License-Identifier: Apache-2.0
 *
 * api: an HTTP server on a free port of 127.0.0.1, in threads of the test, that answers by a script: as an API
 * should, and in every way in which it should not.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum api_way {
	API_WHOLE,   /* status, headers, body with Content-Length */
	API_CHUNKED, /* the same in chunks */
	API_HALF,    /* announces the body, sends half of it, closes */
	API_DRIP,    /* announces the body, sends a byte every 20 ms */
	API_ENDLESS, /* a body without length and end */
	API_HEADERS, /* header lines without end */
	API_RAW,     /* the body's bytes instead of HTTP, then closes */
	API_HANG,    /* reads the request, sends nothing, keeps the connection */
	API_CLOSE,   /* reads the request, closes */
};

struct api_step {
	enum api_way way;
	int status; /* 0: 200 */
	const char *
		headers; /* whole lines, each ended by \r\n, or NULL: Content-Type: application/json */
	const char *body;  /* or NULL: empty */
	size_t body_bytes; /* 0: strlen(body) */
};

/* A request as it came. */
struct api_request {
	char *head; /* request line and headers */
	char *body;
	size_t body_bytes;
};

struct api;

/* The test fails if it cannot be started. Every request takes one step, the last step serves all further ones.
 * The steps must live as long as the server. */
struct api *api_start(const struct api_step *steps, size_t steps_n);
/* Closes all connections, waits for the threads. NULL is allowed. */
void api_stop(struct api *a);
/* Another script from now on. */
void api_script(struct api *a, const struct api_step *steps, size_t steps_n);
uint16_t api_port(const struct api *a);
/* http://127.0.0.1:PORT, until the server is stopped. */
const char *api_url(const struct api *a);
/* How many requests came; the i-th of the first 256 of them, or NULL. */
unsigned api_requests(struct api *a);
const struct api_request *api_request(struct api *a, unsigned i);
/* Connections accepted so far. */
unsigned api_connections(struct api *a);
