/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_nats: the owner's side of a connection. libnats parses what the loop finds readable and queues it in
 * synchronous subscriptions, which are emptied at once, so they never fill up; what is published gathers in
 * libnats' buffer and is written once, at the end of the turn. What the socket does not take waits for it to
 * be writable. While there is no connection, what is published waits here.
 */
#include "run/bus_nats.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/list.h"
#include "base/mem.h"
#include "run/bus_dial.h"
#include "run/bus_unsent.h"

#define TRACE_HEADER "traceparent"
#define BUFFERED_BYTES_MAX (8u << 20) /* by a connection that takes nothing */
#define WRITE_EARLY_BYTES (64u << 10) /* more than that does not wait for the turn's end */
#define MESSAGE_EXTRA_BYTES 40u       /* of the protocol, about, for each message */
#define PENDING_MESSAGES 1000000      /* more than one read can bring */
#define PENDING_BYTES (64 << 20)
#define READ_MAX 256     /* handled messages that are not yet freed */
#define READ_ENOUGH 128u /* so many, or so many bytes, are freed at the end of a turn */
#define READ_ENOUGH_BYTES (256u << 10)
#define LAST_WRITE_MS 500
#define LAST_READ_MS 500

struct bus_sub {
	struct list link;
	struct bus_nats *n;
	natsSubscription *ns; /* NULL while there is no connection */
	void (*on_msg)(void *ctx, const struct bus_msg *m);
	void *ctx;
	bool ended; /* unsubscribed inside a handler */
	char *pattern;
	char *group; /* or NULL */
};

struct bus_nats {
	struct bus bus;
	struct loop *loop;
	struct bus_dial *dial;
	struct bus_link *link; /* NULL: lost */
	natsStatistics *stats;
	uint64_t seen;    /* messages of this connection that were looked at */
	struct list subs; /* those that had messages lately first */
	unsigned ended;
	bool draining;
	size_t buffered_bytes;   /* about, in libnats' buffer */
	natsMsg *read[READ_MAX]; /* handled, not yet freed */
	unsigned read_n;
	size_t read_bytes;
	struct bus_unsent waiting; /* while there is no connection */
	int64_t hook_ns;           /* the turn in which the hook ran last */
	struct loop_fd wake;
	struct loop_fd socket;
	struct loop_hook hook;
	void (*on_error)(void *ctx, const struct fail *why);
	void *error_ctx;
};

static struct bus_nats *nats_of(struct bus *b)
{
	return CONTAINER(b, struct bus_nats, bus);
}

/* Writing */

static void set_polled(struct bus_nats *n, uint32_t events)
{
	/* It cannot fail for a registered descriptor; if it did, the next turn with output tries again. */
	if (n->socket.events != events && loop_fd_set(n->loop, &n->socket, events) < 0)
		n->socket.events = 0;
}

/* Hand the socket what libnats has gathered; the rest when it takes more. */
static void write_out(struct bus_nats *n)
{
	bool more;
	int left;

	if (n->link == NULL || !atomic_load_explicit(&n->link->want_write, memory_order_relaxed))
		return;
	natsConnection_ProcessWriteEvent(n->link->nc);
	more = atomic_load(&n->link->want_write);
	left = more ? natsConnection_Buffered(n->link->nc) : 0;
	n->buffered_bytes = left > 0 ? (size_t)left : 0;
	set_polled(n, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* libnats frees messages on a thread of its own, and waking it costs more than handling a small message: so
 * many are freed at a time, after the turn's output is on its way. */
static void read_free(struct bus_nats *n)
{
	while (n->read_n > 0)
		natsMsg_Destroy(n->read[--n->read_n]);
	n->read_bytes = 0;
}

static void read_put(struct bus_nats *n, natsMsg *msg)
{
	if (n->read_n == READ_MAX)
		read_free(n);
	n->read[n->read_n++] = msg;
	n->read_bytes += (size_t)natsMsg_GetDataLength(msg);
}

static void on_turn(void *ctx, int64_t now_ns)
{
	struct bus_nats *n = ctx;

	n->hook_ns = now_ns;
	write_out(n);
	if (n->read_n >= READ_ENOUGH || n->read_bytes >= READ_ENOUGH_BYTES)
		read_free(n);
}

/* After something was published: it leaves with this turn's hook, but if that has run already the socket must
 * end the loop's next wait. */
static void note_output(struct bus_nats *n)
{
	if (n->buffered_bytes >= WRITE_EARLY_BYTES)
		write_out(n);
	else if (n->hook_ns == n->loop->now_ns)
		set_polled(n, EPOLLIN | EPOLLOUT);
}

static int err_from_status(natsStatus s)
{
	switch (s) {
	case NATS_OK:
		return 0;
	case NATS_NO_MEMORY:
		return ERR_NO_MEMORY;
	case NATS_MAX_PAYLOAD: /* a server may allow less than we do */
		return ERR_TOO_BIG;
	default:
		return ERR_IO;
	}
}

static natsStatus publish_traced(natsConnection *nc, const char *subject, const char *reply,
	struct span trace, struct span data)
{
	char text[BUS_TRACE_BYTES + 1];
	natsMsg *msg = NULL;
	natsStatus s = natsMsg_Create(&msg, subject, reply, (const char *)data.at, (int)data.len);

	(void)span_copy(trace, text, sizeof(text));
	if (s == NATS_OK)
		s = natsMsgHeader_Set(msg, TRACE_HEADER, text);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(nc, msg);
	natsMsg_Destroy(msg);
	return s;
}

/* ERR_CLOSED if the connection has just ended. */
static int publish_now(struct bus_nats *n, const char *subject, const char *reply,
	struct span trace, struct span data)
{
	natsConnection *nc = n->link->nc;
	natsStatus s;

	if (n->buffered_bytes > BUFFERED_BYTES_MAX)
		return ERR_BUSY;
	if (trace.len > 0)
		s = publish_traced(nc, subject, reply, trace, data);
	else if (reply != NULL)
		s = natsConnection_PublishRequest(nc, subject, reply, data.at, (int)data.len);
	else
		s = natsConnection_Publish(nc, subject, data.at, (int)data.len);
	if (s == NATS_CONNECTION_CLOSED ||
		atomic_load_explicit(&n->link->gone, memory_order_relaxed))
		return ERR_CLOSED;
	if (s == NATS_OK) {
		n->buffered_bytes += data.len + MESSAGE_EXTRA_BYTES;
		note_output(n);
	}
	return err_from_status(s);
}

/* Publish what has waited. What the server does not take now it would not take later: it is dropped. */
static void send_waiting(struct bus_nats *n)
{
	struct bus_unsent waiting = n->waiting;
	struct bus_unsent_msg m;
	size_t at = 0;

	bus_unsent_init(&n->waiting);
	while (bus_unsent_next(&waiting, &at, &m)) {
		if (publish_now(n, m.subject, m.reply, m.trace, m.data) < 0)
			n->bus.dropped++;
	}
	bus_unsent_done(&waiting);
}

static int nats_publish(struct bus *b, const char *subject, const char *reply, struct span trace,
	struct span data)
{
	const struct bus_unsent_msg m = { subject, reply, trace, data };
	struct bus_nats *n = nats_of(b);
	int r = n->link == NULL ? ERR_CLOSED : publish_now(n, subject, reply, trace, data);

	return r == ERR_CLOSED ? bus_unsent_add(&n->waiting, &m) : r;
}

/* Reading */

static void hand_over(struct bus_sub *sub, const struct bus_msg *m)
{
	sub->n->bus.received++;
	sub->n->bus.received_bytes += m->data.len;
	sub->on_msg(sub->ctx, m);
}

static void deliver(struct bus_sub *sub, natsMsg *msg)
{
	const char *trace = NULL;
	struct bus_msg m = {
		.subject = span_str(natsMsg_GetSubject(msg)),
		.reply = span_str(natsMsg_GetReply(msg)),
		.data = span_of(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)),
	};

	if (natsMsgHeader_Get(msg, TRACE_HEADER, &trace) == NATS_OK &&
		bus_is_trace(span_str(trace)))
		m.trace = span_str(trace);
	hand_over(sub, &m);
	read_put(sub->n, msg);
}

/* libnats has swallowed the message and only says that there was one. */
static void deliver_no_responders(struct bus_sub *sub)
{
	struct bus_msg m = { .subject = span_str(""), .no_responders = true };

	hand_over(sub, &m);
}

/* Call the handler for each message that waits; returns how many did. */
static uint64_t drain_sub(struct bus_sub *sub)
{
	int n = 0, bytes = 0;

	if (sub->ns == NULL || natsSubscription_GetPending(sub->ns, &n, &bytes) != NATS_OK)
		return 0;
	for (int i = 0; i < n && !sub->ended; i++) {
		natsMsg *msg = NULL;
		natsStatus s = natsSubscription_NextMsg(&msg, sub->ns, 0);

		if (s == NATS_OK)
			deliver(sub, msg);
		else if (s == NATS_NO_RESPONDERS)
			deliver_no_responders(sub);
		else
			break;
	}
	return n > 0 ? (uint64_t)n : 0;
}

static void sub_free(struct bus_sub *sub)
{
	if (sub->ns != NULL)
		natsSubscription_Destroy(sub->ns);
	list_drop(&sub->link);
	mem_free(sub->pattern);
	mem_free(sub->group);
	mem_free(sub);
}

static void free_ended(struct bus_nats *n)
{
	struct list *next;

	for (struct list *l = n->subs.next; n->ended > 0 && l != &n->subs; l = next) {
		struct bus_sub *sub = CONTAINER(l, struct bus_sub, link);

		next = l->next;
		if (sub->ended) {
			sub_free(sub);
			n->ended--;
		}
	}
}

/* Empty the subscriptions: as many messages as came in since the last time, so that not all of them must be
 * asked; those that were busy lately come first. */
static void drain(struct bus_nats *n)
{
	uint64_t in = 0, in_bytes, out, out_bytes, reconnects;
	struct list *next;

	if (natsConnection_GetStats(n->link->nc, n->stats) != NATS_OK ||
		natsStatistics_GetCounts(n->stats, &in, &in_bytes, &out, &out_bytes, &reconnects) !=
			NATS_OK)
		return;
	n->draining = true;
	for (struct list *l = n->subs.next; n->seen < in && l != &n->subs; l = next) {
		uint64_t done = drain_sub(CONTAINER(l, struct bus_sub, link));

		next = l->next;
		n->seen += done;
		if (done > 0 && l->prev != &n->subs) {
			list_drop(l);
			list_push(n->subs.next, l);
		}
	}
	/* What is left over was for subscriptions that have ended. */
	n->seen = in;
	n->draining = false;
	free_ended(n);
}

static void on_socket(void *ctx, uint32_t events)
{
	struct bus_nats *n = ctx;

	/* Once a turn at most, and only if a hook was added after ours: ours sends what they produce. */
	if (n->loop->hooks.prev != &n->hook.link) {
		loop_hook_drop(n->loop, &n->hook);
		loop_hook_add(n->loop, &n->hook);
	}
	if ((events & ~(uint32_t)EPOLLOUT) != 0) {
		natsConnection_ProcessReadEvent(n->link->nc);
		drain(n);
	}
	if ((events & EPOLLOUT) != 0) {
		write_out(n);
		if (!atomic_load(&n->link->want_write))
			set_polled(n, EPOLLIN);
	}
}

/* Subscriptions */

static void sub_open(struct bus_sub *sub)
{
	natsConnection *nc = sub->n->link->nc;
	natsStatus s;

	if (sub->group == NULL)
		s = natsConnection_SubscribeSync(&sub->ns, nc, sub->pattern);
	else
		s = natsConnection_QueueSubscribeSync(&sub->ns, nc, sub->pattern, sub->group);
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(sub->ns, PENDING_MESSAGES, PENDING_BYTES);
	/* Not subscribed for lack of memory, or the connection has just ended: then the next one brings it. */
	if (s == NATS_NO_MEMORY && sub->n->on_error != NULL) {
		struct fail why = { 0 };

		(void)fail_set(&why, ERR_NO_MEMORY, "nats", 0, "subscribing to %s", sub->pattern);
		sub->n->on_error(sub->n->error_ctx, &why);
	}
}

static struct bus_sub *nats_subscribe(struct bus *b, const char *pattern, const char *group,
	void (*on_msg)(void *ctx, const struct bus_msg *m), void *ctx)
{
	struct bus_nats *n = nats_of(b);
	struct bus_sub *sub = mem_alloc(sizeof(*sub));

	if (sub == NULL)
		return NULL;
	list_init(&sub->link);
	sub->n = n;
	sub->on_msg = on_msg;
	sub->ctx = ctx;
	sub->pattern = mem_str(span_str(pattern));
	sub->group = group == NULL ? NULL : mem_str(span_str(group));
	if (sub->pattern == NULL || (group != NULL && sub->group == NULL)) {
		sub_free(sub);
		return NULL;
	}
	list_push(&n->subs, &sub->link);
	if (n->link != NULL) {
		sub_open(sub);
		note_output(n);
	}
	return sub;
}

static void nats_unsubscribe(struct bus *b, struct bus_sub *sub)
{
	struct bus_nats *n = nats_of(b);

	CHECK(sub->n == n);
	if (n->draining) {
		n->ended += !sub->ended;
		sub->ended = true;
		return;
	}
	sub_free(sub);
	if (n->link != NULL)
		note_output(n);
}

/* Connections that come and go */

static void say(struct bus_nats *n, const struct fail *why)
{
	if (n->on_error != NULL)
		n->on_error(n->error_ctx, why);
}

static void adopt(struct bus_nats *n, struct bus_link *link)
{
	n->socket.fd = link->fd;
	n->socket.events = EPOLLIN;
	if (loop_fd_add(n->loop, &n->socket) < 0) {
		struct fail why = { 0 };

		(void)fail_set(&why, ERR_IO, "nats", 0, "epoll refuses the connection: %m");
		say(n, &why);
		bus_link_drop(link, false);
		bus_dial_start(n->dial);
		return;
	}
	n->link = link;
	n->seen = 0;
	n->buffered_bytes = 0;
	for (struct list *l = n->subs.next; l != &n->subs; l = l->next)
		sub_open(CONTAINER(l, struct bus_sub, link));
	send_waiting(n);
	bus_set_state(&n->bus, BUS_UP);
}

static void lose(struct bus_nats *n, bool wait)
{
	struct bus_link *link = n->link;

	n->link = NULL;
	loop_fd_drop(n->loop, &n->socket);
	/* The connection first: else each subscription writes an UNSUB, and libnats waits half a second for the
	 * answer to a ping that nobody reads. */
	bus_link_drop(link, wait);
	for (struct list *l = n->subs.next; l != &n->subs; l = l->next) {
		struct bus_sub *sub = CONTAINER(l, struct bus_sub, link);

		if (sub->ns != NULL)
			natsSubscription_Destroy(sub->ns);
		sub->ns = NULL;
	}
}

/* Threads of libnats and of bus_dial have something to say. */
static void on_wake(void *ctx, uint32_t events)
{
	struct bus_nats *n = ctx;
	struct bus_link *fresh;
	struct fail why;
	uint64_t count;

	(void)events;
	if (read(n->wake.fd, &count, sizeof(count)) < 0)
		return;
	if (n->link != NULL) {
		n->bus.dropped += atomic_exchange(&n->link->slow, 0);
		if (bus_link_why(n->link, &why))
			say(n, &why);
	}
	if (n->link != NULL && atomic_load(&n->link->gone)) {
		lose(n, false);
		bus_dial_start(n->dial);
		bus_set_state(&n->bus, BUS_LOST);
	}
	if (bus_dial_why(n->dial, &why))
		say(n, &why);
	fresh = n->link == NULL ? bus_dial_take(n->dial) : NULL;
	if (fresh != NULL)
		adopt(n, fresh);
}

/* Opening and closing */

static bool wait_for(const struct bus_nats *n, short events, int64_t end_ns)
{
	struct pollfd p = { .fd = n->link->fd, .events = events };
	int64_t left_ms = (end_ns - clocks_mono()) / NS_PER_MS;

	return left_ms > 0 && poll(&p, 1, (int)left_ms) > 0;
}

/* Write all out, then read until the server has read it and closes: a socket closed with unread input would
 * reset the connection, and what we sent might be lost with it. */
static void say_goodbye(struct bus_nats *n)
{
	int64_t end_ns = clocks_mono() + LAST_WRITE_MS * NS_PER_MS;
	char rest[4096];

	write_out(n);
	while (atomic_load(&n->link->want_write) && wait_for(n, POLLOUT, end_ns))
		write_out(n);
	if (atomic_load(&n->link->gone) || shutdown(n->link->fd, SHUT_WR) < 0)
		return;
	end_ns = clocks_mono() + LAST_READ_MS * NS_PER_MS;
	while (wait_for(n, POLLIN, end_ns) &&
		recv(n->link->fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

static void nats_flush(struct bus *b)
{
	write_out(nats_of(b));
}

static void nats_close(struct bus *b)
{
	struct bus_nats *n = nats_of(b);

	CHECK(!n->draining);
	n->bus.state = BUS_CLOSED;
	if (n->link != NULL) {
		say_goodbye(n);
		lose(n, true);
	}
	while (!list_is_empty(&n->subs))
		sub_free(CONTAINER(n->subs.next, struct bus_sub, link));
	read_free(n);
	bus_dial_free(n->dial);
	if (n->hook.on_turn != NULL)
		loop_hook_drop(n->loop, &n->hook);
	if (n->wake.fd >= 0) {
		loop_fd_drop(n->loop, &n->wake);
		close(n->wake.fd);
	}
	natsStatistics_Destroy(n->stats);
	bus_unsent_done(&n->waiting);
	mem_free(n);
}

static const struct bus_ops nats_ops = {
	.publish = nats_publish,
	.subscribe = nats_subscribe,
	.unsubscribe = nats_unsubscribe,
	.flush = nats_flush,
	.close = nats_close,
};

static int open_parts(struct bus_nats *n, const struct bus_nats_conf *conf, struct fail *why)
{
	n->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->wake.fd < 0)
		return fail_set(why, ERR_IO, NULL, 0, "eventfd: %m");
	n->dial = bus_dial_new(conf, n->wake.fd, why);
	if (n->dial == NULL)
		return why->code;
	if (natsStatistics_Create(&n->stats) != NATS_OK)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	if (loop_fd_add(n->loop, &n->wake) < 0)
		return fail_set(why, ERR_IO, NULL, 0, "epoll: %m");
	n->hook.on_turn = on_turn;
	n->hook.ctx = n;
	loop_hook_add(n->loop, &n->hook);
	return 0;
}

struct bus *bus_nats_open(struct loop *l, const struct bus_nats_conf *conf, struct fail *why)
{
	struct bus_nats *n = mem_alloc(sizeof(*n));
	struct fail unused = { 0 };

	if (why == NULL)
		why = &unused;
	if (n == NULL) {
		(void)fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	n->bus.ops = &nats_ops;
	n->loop = l;
	n->hook_ns = l->now_ns;
	n->on_error = conf->on_error;
	n->error_ctx = conf->error_ctx;
	n->wake = (struct loop_fd){ .fd = -1, .events = EPOLLIN, .on_ready = on_wake, .ctx = n };
	n->socket = (struct loop_fd){ .fd = -1, .on_ready = on_socket, .ctx = n };
	list_init(&n->subs);
	bus_unsent_init(&n->waiting);
	if (open_parts(n, conf, why) < 0) {
		nats_close(&n->bus);
		return NULL;
	}
	bus_dial_start(n->dial);
	return &n->bus;
}
