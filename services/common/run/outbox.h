/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: gathers encoded items per subject during a turn, so that many items leave as one message. Items
 * of one subject keep their order.
 */
#pragma once
#include "base/buf.h"
#include "run/bus.h"

#define OUTBOX_SUBJECTS 256 /* gathered at once; one more sends the oldest */

struct outbox;

struct outbox *outbox_new(struct bus *bus) MUST_USE;
void outbox_free(struct outbox *o);
/* The buffer to append one item to. If what it holds plus `room` bytes goes beyond LIMIT_BATCH_BYTES, it is
 * sent first. reply may be NULL. After appending call outbox_put_end. NULL without memory. */
struct buf *outbox_put(struct outbox *o, const char *subject, size_t room);
/* Close the item: 0, or the buffer's error (the item is taken back, earlier ones stay). */
int outbox_put_end(struct outbox *o, struct buf *b) MUST_USE;
/* Send everything. Returns the number of messages that the bus refused. */
unsigned outbox_send(struct outbox *o);
