/* SPDX-License-Identifier: Apache-2.0
 *
 * client: a tenant's side of the protocol: submits tasks and hears what happens to them, asks routers and
 * inboxes. One per tenant and process; all of it on the loop's thread.
 *
 * The events of all its tasks come on one stream, a random token. What one turn submits leaves as few
 * messages (spu.v1.Submits), each with a reply subject of its own: its replies are matched by order, since a
 * submit's `key` belongs to the submitter. Events may overtake the reply that names their task: they wait.
 *
 * Nothing is repeated here: who hears of ERR_TIMEOUT may submit again, with the same key (run/insist.h does). Events can be lost,
 * as all of the bus can: who must know asks with client_query.
 */
#pragma once
#include "run/bus.h"
#include "run/loop.h"
#include "wire/query.h"
#include "wire/task.h"

struct client;

struct client_conf {
	struct span tenant; /* token; copied */
	int64_t timeout_ns; /* how long a reply may take; 0: 10 s */
	int64_t submit_ns;  /* the same of a submit; 0: as others */
	uint32_t tasks_max; /* open at once; 0: 65,536 */
	bool packs; /* large bodies leave packed, once the router has said that it reads such */
	uint32_t asks_max; /* queries and asks open at once; 0: 1,024 */
};

/* How a submit was answered; called once. fail.code: 0 for an accepted task, what the router refused it with,
 * or ERR_TIMEOUT, ERR_NO_NODE (no router listens), ERR_MALFORMED (a reply that cannot be read), ERR_CLOSED
 * (client_close). Spans live until it returns. */
typedef void client_reply_fn(void *ctx, const struct submit_reply *r);
/* What happens to an accepted task, in the order of arrival; after EVENT_END no more. */
typedef void client_event_fn(void *ctx, const struct event *e);

/* keys_open came before. NULL without memory, or if tenant is no token or the bus refuses. */
struct client *client_open(struct loop *l, struct bus *b, const struct client_conf *conf) MUST_USE;
/* Unanswered submits and questions end with ERR_CLOSED. Before the bus is closed; not from a callback. NULL
 * is allowed. */
void client_close(struct client *c);

/* Hand over a task; s is copied, its `stream` replaced by the client's. It leaves at the end of this turn (or
 * of the next, between turns). on_event may be NULL: nothing is heard, and the task is not open once it is
 * answered. 0, or without any callback ERR_TOO_BIG (body), ERR_BUSY (tasks_max), ERR_NO_MEMORY.
 *
 * A reply with `existing`: events come only if this client submitted it before; if its state is final, none
 * come. Ask with client_query. */
int client_submit(struct client *c, const struct submit *s, client_reply_fn *on_reply,
	client_event_fn *on_event, void *ctx) MUST_USE;
/* Hear no more of an accepted task. Unknown ones are allowed. */
void client_forget(struct client *c, struct ulid task);
/* Tasks submitted and not yet ended, refused or forgotten. */
uint32_t client_open_tasks(const struct client *c);

/* Ask the router, or an inbox. r->fail has what it was refused with, or the errors above (ERR_NO_NODE: nobody
 * listens). Called once, with spans that live until it returns. 0, or without a callback ERR_BUSY, or
 * bus_publish's errors. */
typedef void client_query_fn(void *ctx, const struct query_reply *r);
typedef void client_ask_fn(void *ctx, const struct ask_reply *r);
int client_query(struct client *c, const struct query *q, client_query_fn *on_reply,
	void *ctx) MUST_USE;
int client_ask(struct client *c, const struct ask *q, client_ask_fn *on_reply, void *ctx) MUST_USE;

/* Hear the events of all tasks of the tenant, whoever submitted them. NULL on_event: no longer. ERR_NO_MEMORY
 * or ERR_INVALID. */
int client_watch(struct client *c, client_event_fn *on_event, void *ctx) MUST_USE;
