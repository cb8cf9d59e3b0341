/* SPDX-License-Identifier: Apache-2.0
 *
 * chain: kinds by name, one after the other, and which parameters are whose: those of KIND are named KIND.KEY.
 */
#pragma once
#include "cpu-node/kinds.h"

#define CHAIN_MAX 16u

struct chain {
	struct span kinds[CHAIN_MAX];
	size_t n;
};

/* Names between commas; `field` is the parameter that they are from. ERR_INVALID: no name of a kind, or too many. */
int chain_read(const struct cpu_call *call, const char *field, struct span text,
	struct chain *ret) MUST_USE;
bool chain_has(const struct chain *c, struct span kind);
/* Append those of the parameters that are the kind's, with or without its name before them. */
void chain_put_params(struct buf *b, const struct body *from, struct span kind, bool named);
/* Append "kinds" of task.chain, and the parameters of all of them. */
void chain_put(struct buf *b, const struct body *from, const struct chain *c);
/* A body with the kind's parameters alone and these items, checked against its row if it has one. What *ret points
 * to lives in a and in from. */
int chain_body(struct arena *a, const struct body *from, struct span kind, struct body *ret,
	struct fail *why) MUST_USE;
