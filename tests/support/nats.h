/* SPDX-License-Identifier: Apache-2.0
 *
 * nats: a nats-server of a test's own, on a free port of 127.0.0.1, in a directory of its own; it dies with
 * the test.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct broker {
	pid_t pid; /* 0: not running */
	uint16_t port;
	char dir[64];
	char url[64]; /* nats://127.0.0.1:port */
};

/* Choose a port and a directory; nothing runs yet. The test fails if it cannot. */
void broker_init(struct broker *b);
/* Start it with these lines of configuration (NULL: none) and wait until it serves; again after broker_stop
 * it gets the same port. */
void broker_start(struct broker *b, const char *conf);
/* End it, by SIGKILL with `hard`. */
void broker_stop(struct broker *b, int hard);
/* End it, remove its directory. A zeroed broker is allowed. */
void broker_done(struct broker *b);
