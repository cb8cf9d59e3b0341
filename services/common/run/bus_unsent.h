/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_unsent: messages published while there is no connection, in order, until there is one. Part of bus_nats;
 * nobody else includes it.
 */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

struct bus_unsent {
	struct buf records; /* each a struct head and its bytes */
};

struct bus_unsent_msg {
	const char *subject;
	const char *reply; /* or NULL */
	struct span trace, data;
};

/* It holds 8 MiB at most. */
void bus_unsent_init(struct bus_unsent *u);
void bus_unsent_done(struct bus_unsent *u);
/* Keep a copy. ERR_BUSY if it is full, or ERR_NO_MEMORY; the messages kept before stay. */
int bus_unsent_add(struct bus_unsent *u, const struct bus_unsent_msg *m) MUST_USE;
/* The message at *at, borrowed from u, and *at moves behind it; *at is 0 for the first. False after the last. */
bool bus_unsent_next(const struct bus_unsent *u, size_t *at, struct bus_unsent_msg *ret);
