/* SPDX-License-Identifier: Apache-2.0
 *
 * client_held: events of tasks that are not known yet, because the reply that names them is still on its
 * way. A held event can belong only to a batch of submits that was open when it came: when all of those are
 * answered, it is dropped, as are the oldest beyond a ceiling.
 */
#pragma once
#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "wire/task.h"

#define CLIENT_HELD_MAX 65536u               /* events */
#define CLIENT_HELD_BYTES ((size_t)64 << 20) /* encoded */

struct client_held {
	struct slots events;
	struct map by_task;
	struct list order; /* oldest first */
	size_t bytes;
};

void client_held_init(struct client_held *h);
void client_held_done(struct client_held *h);
/* Keep a copy. batch: the newest open one. Without memory the event is lost. */
void client_held_put(struct client_held *h, const struct event *e, uint64_t batch);
/* Take the oldest event of a task into a; false if none is held (or memory is short: it is lost). */
bool client_held_take(struct client_held *h, struct ulid task, struct arena *a, struct event *ret);
/* Drop what came when no batch from `oldest` on was open. */
void client_held_drop(struct client_held *h, uint64_t oldest);
