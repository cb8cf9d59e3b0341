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
};

/* Connect; goes on trying in the background if the server is not there yet (state BUS_LOST until then), and
 * reconnects for ever, with jitter. NULL and *why if the settings are wrong. */
struct bus *bus_nats_open(struct loop *l, const struct bus_nats_conf *conf, struct fail *why) MUST_USE;
