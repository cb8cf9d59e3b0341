/* SPDX-License-Identifier: Apache-2.0
 *
 * service: the inbox as a node of class human: a backend whose jobs are questions (backend.c), and the subject
 * on which people deal with them (handlers.c).
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "node/node.h"
#include "services/inbox/inbox.h"

#define OPERATORS_BYTES 1024

struct service_conf {
	struct node_conf node;
	int64_t questions_max;
	int64_t bytes_max;
	int64_t price_ucr;  /* of one answer */
	int64_t typical_ns; /* what people usually take */
	char operators[OPERATORS_BYTES +
		       1]; /* tenants that see every question, separated by commas */
};
extern const struct conf_row service_rows[];

struct service {
	struct service_conf conf;
	struct node *node;
	struct inbox *inbox;
	struct bus_sub *questions;
	struct arena arena; /* one request */
	struct buf reply;
	struct buf answer;
	uint64_t unanswered; /* requests that named no place to answer to, or a foreign one */
};

/* self is a struct service with conf set, the rest zero. */
extern const struct backend_ops service_ops;

/* Answer one message of spu.question.<tenant>. */
void service_on_question(void *ctx, const struct bus_msg *m);
