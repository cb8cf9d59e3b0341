/* SPDX-License-Identifier: Apache-2.0
 *
 * core_inside: what the files of the core share: core.c (orders, actions, offers, turns), core_pack.c (packed bodies) and
 * core_report.c (what the backend reports).
 */
#pragma once
#include "node/core.h"
#include "node/haul.h"
#include "node/recent.h"
#include "node/typical.h"
#include "node/worker.h"
#include "run/outbox.h"
#include "run/pack.h"
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
	struct packer packer;
	struct buf end;    /* one report, as it would be without packing */
	bool router_packs; /* it reads packed bodies */
	uint32_t slots;    /* as last told to the machine */
	bool told_again;   /* in this turn */
	bool opened;       /* the backend is */
	bool changed;      /* the backend's offer did */
	bool left;
};

/* What an encoded report takes besides the bytes it carries: the error's texts are the most of it. */
#define CORE_UP_ROOM 512u

/* core_pack.c: send a report with its body packed; false: it is not to be, and was not sent. */
bool core_send_packed(struct node *n, const struct up *up);
/* The body of an order in its place. False: it cannot be had, and the attempt has failed before it began. */
bool core_unpack(struct node *n, struct down *d);
/* Step the machine and perform its actions. */
void core_step(struct node *n, const struct worker_event *e);
/* For the hauls: a large result can be told, or not. */
void core_on_out(void *ctx, const struct worker_event *done, const struct fail *why);
