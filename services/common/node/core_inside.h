/* SPDX-License-Identifier: Apache-2.0
 *
 * core_inside: what the files of the core share: core.c (orders, actions, offers, turns) and core_report.c (what the
 * backend reports).
 */
#pragma once
#include "node/core.h"
#include "node/haul.h"
#include "node/recent.h"
#include "node/typical.h"
#include "node/worker.h"
#include "run/outbox.h"
#include "wire/subject.h"

struct node {
	struct node_core_conf conf;
	char name[LIMIT_TOKEN_BYTES + 1];
	char up_subject[SUBJECT_BYTES];
	struct worker *worker;
	struct hauls *hauls; /* NULL: without blobs */
	struct outbox *outbox;
	struct bus_sub *subs[2]; /* orders to this node, to all nodes */
	struct arena message;    /* one message of the bus */
	struct arena job;        /* one job's body */
	struct arena offer;      /* one offer */
	struct typical typical;
	struct recent recent; /* ends that a router may not have heard */
	struct node_metrics metrics;
	uint32_t slots;  /* as last told to the machine */
	bool told_again; /* in this turn */
	bool opened;     /* the backend is */
	bool changed;    /* the backend's offer did */
	bool left;
};

/* Step the machine and perform its actions. */
void core_step(struct node *n, const struct worker_event *e);
/* For the hauls: a large result can be told, or not. */
void core_on_out(void *ctx, const struct worker_event *done, const struct fail *why);
