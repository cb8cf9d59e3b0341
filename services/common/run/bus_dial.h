/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_dial: makes connections to a NATS server on a thread of its own, because libnats connects by blocking
 * calls, and hands them to the owner thread one at a time. Part of bus_nats; nobody else includes it.
 */
#pragma once
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "run/bus_nats.h"

struct bus_dial;

/* A connection. It has three holders: the owner, libnats until it calls detach, and libnats until its last
 * callback; the last of them frees it. What is atomic is written by threads of libnats. */
struct bus_link {
	natsConnection *nc;
	/* A duplicate of the connection's socket: libnats closes its own whenever it likes, on any thread, and a
	 * number that may by then be another file's must not be in the owner's epoll. */
	int fd;
	natsSock socket;
	natsConnection *attached; /* nc before Connect has returned, too: what detach is about */
	int wake_fd;              /* an own duplicate too, for the same reason */
	pthread_t owner;
	atomic_uint holders;
	atomic_bool want_write; /* libnats' buffer holds something */
	atomic_bool gone;       /* the connection has ended */
	atomic_uint slow;       /* a subscription was full */
	pthread_mutex_t lock;   /* of the next two */
	struct fail why;
	bool has_why;
};

/* wake_fd: an eventfd that is made readable when bus_dial_take or a link has something new. Called by the
 * owner thread. NULL and *why if the settings are wrong. */
struct bus_dial *bus_dial_new(const struct bus_nats_conf *conf, int wake_fd,
	struct fail *why) MUST_USE;
/* Ends the thread; waits for an attempt under way (2 s at most for each address of each server). */
void bus_dial_free(struct bus_dial *d);
/* Make one connection; goes on until it succeeds. */
void bus_dial_start(struct bus_dial *d);
/* The connection made, which is then the caller's, or NULL. */
struct bus_link *bus_dial_take(struct bus_dial *d);
/* What went wrong since the last call; false if nothing. */
bool bus_dial_why(struct bus_dial *d, struct fail *ret);

/* What the server or libnats complained about since the last call; false if nothing. */
bool bus_link_why(struct bus_link *link, struct fail *ret);
/* End the connection, if it has not ended, and let go of it. With wait, its callbacks have run afterwards
 * (or a second has passed). */
void bus_link_drop(struct bus_link *link, bool wait);
