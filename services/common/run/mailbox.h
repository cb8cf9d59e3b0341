/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: the one way from other threads to the owner thread: a bounded ring of pointers, many producers,
 * one consumer, with a descriptor that is readable while something waits. What is posted is moved.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct mailbox {
	pthread_mutex_t lock;
	void **ring;   /* NULL: not open */
	uint32_t cap;  /* places of ring */
	uint32_t head; /* place of the oldest */
	uint32_t len;  /* waiting */
	int fd;        /* eventfd: readable while len > 0 */
};

/* cap: at most so many wait. 0, ERR_NO_MEMORY or ERR_IO (no descriptor left). */
int mailbox_open(struct mailbox *m, uint32_t cap) MUST_USE;
/* Producers have ended. What still waits is the caller's: take it first. A zeroed mailbox is allowed. */
void mailbox_close(struct mailbox *m);
/* Any thread; what is not NULL. False if full: the caller keeps what it wanted to move. */
bool mailbox_post(struct mailbox *m, void *what) MUST_USE;
/* Owner only: the oldest, or NULL. */
void *mailbox_take(struct mailbox *m);
