/* SPDX-License-Identifier: Apache-2.0
 *
 * ready: a daemon tells those who started it that it serves, or that it is stopping.
 */
#pragma once
#include "run/daemon.h"

/* Subscribe to the message to itself. 0, or an error if the bus refuses. */
int ready_open(struct daemon *d) MUST_USE;
/* If the bus is up and readiness was not told: ask the server for the message to itself, which it delivers
 * after it has taken all subscriptions made before. May be repeated. */
void ready_ask(struct daemon *d);
/* Tell readiness, once, if the process can be reached and is not held. */
void ready_check(struct daemon *d);
/* One line such as "READY=1" to the supervisor that NOTIFY_SOCKET names (sd_notify(3)); nothing without. */
void ready_notify(const char *line);
