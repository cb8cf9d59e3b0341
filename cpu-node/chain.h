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

/* What lives from one step of a chain to the next. */
struct links {
	struct arena views;   /* of bodies */
	struct arena scratch; /* of one step */
	struct buf outs[2];   /* of the last step, and of this one */
	_Atomic uint32_t permille;
};

void links_init(struct links *l, size_t out_max);
void links_done(struct links *l);
/* Run the kinds in a row, the first one on the items of `in`; all find their parameters there. The last one's body
 * is appended to out. Steps are counted as the call's progress if it is told. May be called again and again. */
int links_run(const struct cpu_call *call, const struct chain *c, struct links *l,
	const struct body *in, struct buf *out, bool tell) MUST_USE;
/* ERR_UNSUPPORTED if one of them cannot be part of a chain. */
int chain_check(const struct cpu_call *call, const struct chain *c) MUST_USE;
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
