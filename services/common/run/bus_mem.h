/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_mem: a bus in memory with virtual time. One net joins many buses (peers). Messages wait in the net in
 * order of arrival time; the simulator decides delay, loss, doubling and partitions through a callback.
 */
#pragma once
#include "base/prng.h"
#include "run/bus.h"

struct bus_net;

/* What happens to one delivery: copies = 0 loses it, 2 doubles it; each copy arrives at now + delay_ns[i].
 * from and to are peers' names. */
struct bus_fate {
	unsigned copies; /* at most 2 */
	int64_t delay_ns[2];
};
typedef struct bus_fate bus_fate_fn(void *ctx, int64_t now_ns, const char *from, const char *to);

/* fate NULL: every message arrives at once, in order. NULL without memory. */
struct bus_net *bus_net_new(bus_fate_fn *fate, void *ctx, uint64_t seed) MUST_USE;
void bus_net_free(struct bus_net *net);
/* A peer of the net; name is copied (63 bytes). Closing it drops its subscriptions and what is on its way to
 * it. All peers are closed before the net is freed. */
struct bus *bus_mem_open(struct bus_net *net, const char *name) MUST_USE;
/* Arrival time of the next message, or INT64_MAX. */
int64_t bus_net_next(const struct bus_net *net);
/* Deliver the next message if it is due; false if there is none. What its handler publishes is sent at now_ns. */
bool bus_net_step(struct bus_net *net, int64_t now_ns);
/* The time used for messages published from now on. */
void bus_net_now(struct bus_net *net, int64_t now_ns);
