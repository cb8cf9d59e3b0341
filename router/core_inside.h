/* SPDX-License-Identifier: Apache-2.0
 *
 * core_inside: what the files of the core share: core.c (submits, reports, turns) and core_query.c (questions).
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "router/clock.h"
#include "router/core.h"
#include "run/outbox.h"
#include "run/pack.h"
#include "wire/subject.h"

struct router_core {
	struct router_core_conf conf;
	struct router *machine;
	struct outbox *outbox; /* about `fast` tasks and nodes */
	struct held held;      /* about tasks of the journal: until that is safe */
	struct outbox *late;   /* replies that may wait for an event */
	int64_t late_ns;       /* when they leave at the latest; INT64_MAX: there are none */
	bool told;             /* an event leaves in this turn */
	struct arena arena;
	struct packer packer;
	struct buf reply; /* to the message that is handled */
	bool all_fast;    /* it says nothing of a task in the journal */
	bool may_wait;
	struct router_out out;
	struct router_metrics metrics;
	struct bus_sub *subs[3];
	struct clock clock;
	int64_t skew_ns; /* of the wall clock, as the machine was told */
	int err;         /* the journal's: stop */
};

int router_core_step(struct router_core *c, const struct router_event *e);
/* Where what is said of a task waits until it may leave. */
struct outbox *router_core_outbox(struct router_core *c, bool fast);
/* What was begun by outbox_put is all there. */
void router_core_put_end(struct router_core *c, struct outbox *o, struct buf *b);
/* May a task of the journal be added to what waits for its flush? 0, or ERR_BUSY and *why. */
int router_core_admit(struct router_core *c, struct fail *why) MUST_USE;
/* May this message be answered where it asks to be? One that asks for more is dropped whole. */
bool router_core_is_honest(const struct bus_msg *m, struct span who);

/* The bus's. */
void router_core_on_query(void *ctx, const struct bus_msg *m);
