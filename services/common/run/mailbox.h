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
	void **ring;
	uint32_t cap;
	uint32_t head;
	uint32_t len;
	int fd; /* eventfd */
};

int mailbox_open(struct mailbox *m, uint32_t cap) MUST_USE;
void mailbox_close(struct mailbox *m);
/* Any thread. False if full: the caller keeps what it wanted to move. */
bool mailbox_post(struct mailbox *m, void *what) MUST_USE;
/* Owner only: the oldest, or NULL. */
void *mailbox_take(struct mailbox *m);
