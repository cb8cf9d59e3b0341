/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_nats: the bus over NATS; the only module that knows libnats. The connection is driven by the loop's
 * epoll (libnats' event-loop interface with synchronous subscriptions): messages are read, parsed and
 * handled on the owner thread without a hand-over, and all that a turn publishes leaves in one write at its
 * end: immediate when alone, batched under load.
 */
#pragma once
#include "run/bus.h"
#include "run/loop.h"

struct bus_nats_conf {
	const char *url;  /* nats://host:port, several separated by commas */
	const char *name; /* client name, shown by the server */
	const char *nkey; /* file with the NKey seed, or NULL */
	/* Told on the owner thread, inside a turn: why an attempt to connect failed, and what the server refused
	 * later, such as a subscription (ERR_DENIED). May be NULL; it must not close the bus. */
	void (*on_error)(void *ctx, const struct fail *why);
	void *error_ctx;
};

/* Connect in the background (state BUS_LOST until then) and again for ever, with jitter. What is published
 * meanwhile waits, 8 MiB at most. On_state tells of both; subscriptions outlive connections. Closing sends all
 * that was published first, half a second at most. NULL and *why if the settings are wrong. */
struct bus *bus_nats_open(struct loop *l, const struct bus_nats_conf *conf,
	struct fail *why) MUST_USE;
