/* SPDX-License-Identifier: Apache-2.0
 *
 * share: whose turn it is among tenants who want the same nodes. Deficit round robin (Shreedhar, Varghese: Efficient
 * fair queuing using deficit round robin, 1995) in the form that lets a turn end in the red (surplus round robin:
 * Adiseshu, Parulkar, Varghese, 1996), since what a task costs is known only when its node is. In each round
 * a tenant may use SHARE_QUANTUM_US of node time for each point of its weight; who has used that up is in a later
 * round than the others, and the lowest round goes first. Rounds are numbers and not a ring, so that one
 * standing holds over many queues.
 */
#pragma once
#include <stdint.h>

#include "base/limits.h"

#define SHARE_QUANTUM_US INT64_C(10000)
#define SHARE_MOST_US (INT64_C(86400) * 1000000) /* that one payment moves */
#define SHARE_LAG                                                                                  \
	100u /* rounds that one who waits stays behind at most: what it may catch up later */

struct share {
	uint64_t round;
	int64_t credit_us; /* left in this round: 1 to quantum */
	uint32_t weight;   /* 1 to LIMIT_WEIGHT */
	uint32_t waiting;  /* tasks */
};

void share_init(struct share *s, uint32_t weight);
/* One more task waits, in round `now` of the others: who was idle has saved nothing up. */
void share_wait(struct share *s, uint64_t now);
/* One less. */
void share_leave(struct share *s);
/* It uses node time, in round `now` of the others. */
void share_pay(struct share *s, int64_t us, uint64_t now);
/* It was less than was paid for. */
void share_give_back(struct share *s, int64_t us);
