/* SPDX-License-Identifier: Apache-2.0
 *
 * bus: publish and subscribe, with two implementations: NATS (bus_nats.h) and memory (bus_mem.h, for the
 * simulator and tests). Handlers run on the owner thread, inside a turn. At most once: messages may be lost;
 * whoever needs more repeats. The messages of one publisher to one subscription keep their order; between
 * subscriptions there is none.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

/* A message that came in; the spans live until the handler returns. A zero byte follows subject and reply, so
 * they serve as C strings too. reply is the sender's choice: see subject_may_reply. */
struct bus_msg {
	struct span subject;
	struct span reply; /* where an answer goes, or empty */
	struct span trace; /* traceparent (W3C), or empty */
	struct span data;
	/* The server's answer to a request that nobody listens for, told to one subscription that matches its
	 * reply subject. The subject is empty: libnats does not say whose request it was. */
	bool no_responders;
};

enum bus_state { BUS_LOST, BUS_UP, BUS_CLOSED };

struct bus;
struct bus_sub; /* a subscription; owned by the bus */

struct bus_ops {
	int (*publish)(struct bus *b, const char *subject, const char *reply, struct span trace,
		struct span data);
	struct bus_sub *(*subscribe)(struct bus *b, const char *pattern, const char *group,
		void (*on_msg)(void *ctx, const struct bus_msg *m), void *ctx);
	void (*unsubscribe)(struct bus *b, struct bus_sub *sub);
	void (*flush)(struct bus *b);
	void (*close)(struct bus *b);
};

#define BUS_SUBJECT_BYTES 255u /* longest subject, pattern or group */
#define BUS_TRACE_BYTES 64u    /* longest traceparent */

/* The common head of every implementation. */
struct bus {
	const struct bus_ops *ops;
	enum bus_state state;
	void (*on_state)(void *ctx, enum bus_state state); /* may be NULL; on the owner thread */
	void *state_ctx;
	uint64_t sent, received, dropped; /* messages */
	uint64_t sent_bytes, received_bytes;
};

/* Queue a message for sending; it leaves at the latest at the turn's end, in order. While the connection is
 * lost it waits for the next one. subject (and reply, may be NULL) come from wire/subject.h or are literals.
 * data is copied. ERR_INVALID if subject, reply or trace is none, ERR_TOO_BIG above LIMIT_MESSAGE_BYTES (the
 * header of a trace counts), ERR_BUSY if the send buffer is full, ERR_CLOSED. */
int bus_publish(struct bus *b, const char *subject, const char *reply, struct span trace,
	struct span data) MUST_USE;
/* group NULL: every subscriber gets each message; else one of the group. NULL if pattern or group is none, or
 * without memory. A server may still refuse it later; that comes as an error of the connection. */
struct bus_sub *bus_subscribe(struct bus *b, const char *pattern, const char *group,
	void (*on_msg)(void *ctx, const struct bus_msg *m), void *ctx) MUST_USE;
/* From now on its handler is not called. Allowed inside a handler. NULL is allowed. */
void bus_unsubscribe(struct bus *b, struct bus_sub *sub);
/* Send what is queued now. */
void bus_flush(struct bus *b);
/* Flush, end the connection, free the bus and its subscriptions; not inside a handler. NULL is allowed. */
void bus_close(struct bus *b);

/* Addresses of servers as they may be shown: "nats://user:password@host:4222,..." without users and passwords. */
void bus_servers_text(const char *urls, char *to, size_t room);
/* Tokens joined by single dots, without blanks, control characters and wildcards. */
bool bus_is_subject(const char *s);
/* The same with `*` for any one token and `>` for all that remain, at the end. */
bool bus_is_pattern(const char *s);
/* A subject against a pattern; both are well formed. */
bool bus_matches(const char *pattern, const char *subject);
/* Hexadecimal digits and dashes, at most BUS_TRACE_BYTES. */
bool bus_is_trace(struct span trace);
/* For implementations: change the state and tell. */
void bus_set_state(struct bus *b, enum bus_state state);
