/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: gathers encoded items per subject during a turn, so that many items leave as one message. Items
 * of one subject keep their order.
 */
#pragma once
#include "base/buf.h"
#include "run/bus.h"

#define OUTBOX_SUBJECTS 256 /* gathered at once; one more sends what was gathered */

struct outbox;

struct outbox *outbox_new(struct bus *bus) MUST_USE;
/* What was not sent is dropped. NULL is allowed. */
void outbox_free(struct outbox *o);
/* Open an item: the buffer to append it to. If the subject's message would go beyond LIMIT_BATCH_BYTES with
 * `room` more bytes, or has LIMIT_ITEMS_PER_MESSAGE items, it is sent first. Never NULL: a lack of memory
 * shows at outbox_put_end, which must be called before the next item is opened. */
struct buf *outbox_put(struct outbox *o, const char *subject, size_t room) MUST_USE;
/* Close the item: 0, or the buffer's error (the item is taken back, earlier ones stay). */
int outbox_put_end(struct outbox *o, struct buf *b) MUST_USE;
/* Send everything, subjects in the order of their first items. Returns the number of messages that the bus
 * refused since the last call; their items are dropped. */
unsigned outbox_send(struct outbox *o);

/* An outbox that holds: what it gathers is not sent, but sealed with a mark and let go when the mark is reached,
 * such as when a journal is safe up to there. Instead of outbox_send: */
struct outbox *outbox_new_held(struct bus *bus) MUST_USE;
/* All that was put since the last seal may leave from this mark on. Marks never fall. */
void outbox_seal(struct outbox *o, uint64_t mark);
/* Send what was sealed with marks up to this one. Returns as outbox_send does; what could not be held for lack of
 * memory counts too. */
unsigned outbox_release(struct outbox *o, uint64_t mark);
/* Bytes of what was put and has not left. */
size_t outbox_bytes(const struct outbox *o);
/* Is anything held, sealed or not? */
bool outbox_holds(const struct outbox *o);
