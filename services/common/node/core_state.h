/* SPDX-License-Identifier: Apache-2.0
 *
 * core_state: what the files of the core share: core.c (orders, actions, turns), core_offer.c (what the node
 * announces) and core_report.c (what the backend tells).
 */
#pragma once
#include "base/limits.h"
#include "node/core.h"
#include "node/typical.h"
#include "node/worker.h"
#include "run/outbox.h"
#include "wire/subject.h"

/* What an encoded report takes besides the bytes it carries: the error's texts are the most of it. */
#define UP_ROOM 512u

struct node {
	struct node_core_conf conf;
	char name[LIMIT_TOKEN_BYTES + 1];
	char up_subject[SUBJECT_BYTES];
	struct worker *worker;
	struct outbox *outbox;
	struct bus_sub *subs[2]; /* orders to this node, to all nodes */
	struct arena message;    /* one message of the bus */
	struct arena job;        /* one job's body */
	struct arena offer;      /* one offer */
	struct typical typical;
	struct node_metrics metrics;
	uint32_t slots; /* as last told to the machine */
	bool opened;    /* the backend is */
	bool changed;   /* the backend's offer did */
	bool left;
};

/* Step the machine and perform its actions. May be called while an action is performed. */
void core_step(struct node *n, const struct worker_event *e);
/* Encode a report into the outbox; what does not go is counted. room: bytes it takes at most. */
void core_send(struct node *n, const struct up *up, size_t room);
/* Build and send an offer. */
void core_offer(struct node *n, uint64_t seq);
/* Ask the backend how many slots it has and tell the machine, which makes an offer due. */
void core_learn_slots(struct node *n);
