/* SPDX-License-Identifier: Apache-2.0
 *
 * place: which node gets an attempt. A policy sees rows of candidates that are open (up, ready, with a free
 * slot) as plain data, and picks one; it fetches nothing. What it looked at is written down for the explain
 * record. One file per policy: place_*.c; filter and cost are shared: score.c.
 */
#pragma once
#include "base/prng.h"
#include "wire/query.h"

/* What a node shares between all its kinds; kept up to date by the registry. */
struct place_load {
	uint32_t node; /* number in the registry */
	uint32_t slots;
	uint32_t busy; /* slots given out */
	uint32_t
		queued; /* attempts that wait, as the node said; of busy, and those of other routers */
	uint32_t health;    /* 0-1000 */
	uint32_t ended;     /* attempts that ended there */
	uint32_t bad_milli; /* share of failed and lost attempts, moving average, 0-1000 */
	int64_t rtt_us;     /* from an assignment to its acceptance, moving average */
};

/* One node's offer of one kind. */
struct place_row {
	const struct place_load *load;
	int64_t price_ucr;
	int64_t run_us;    /* of an attempt, moving average; 0: unknown */
	struct span model; /* names separated by commas; empty: any */
};

#define PLACE_AVOID 4 /* nodes where earlier attempts failed */

/* What a task needs. */
struct place_need {
	int64_t max_price_ucr;
	struct span model; /* empty: any */
	uint64_t body_bytes;
	uint32_t avoid[PLACE_AVOID]; /* node numbers */
	uint32_t avoid_n;
};

#define PLACE_SEEN 8 /* candidates written down for one decision */

struct place_seen {
	uint32_t node;
	enum verdict verdict;
	struct cost cost;
};

struct place_out {
	uint32_t pick;       /* index in rows, or PLACE_NONE */
	uint32_t considered; /* rows looked at */
	uint32_t seen_n;
	struct place_seen seen[PLACE_SEEN];
};
#define PLACE_NONE UINT32_MAX

struct place_in {
	const struct place_need *need;
	const struct place_row *rows;
	uint32_t rows_n;
	uint32_t *cursor; /* kept between decisions of one kind and class */
	struct prng *prng;
};

struct place_policy {
	const char *name;
	const char *text;
	/* Fill *out; out->pick stays PLACE_NONE if no row passes the filter. */
	void (*pick)(const struct place_in *in, struct place_out *out);
};

extern const struct place_policy place_p2c, place_least_loaded, place_round_robin, place_cost;
/* The i-th policy (the first is the default), or NULL past the end. */
const struct place_policy *place_policy_at(unsigned i);

/* VERDICT_NONE if the row may serve the need, else why not. O(model names). */
enum verdict place_filter(const struct place_need *need, const struct place_row *row);
/* Attempts before or with which another one would run there: those that wait at the node are of those given to
 * it, unless other routers gave them. */
uint32_t place_ahead(const struct place_load *l);
/* The terms of a row's cost. */
struct cost place_price(const struct place_need *need, const struct place_row *row);
int64_t cost_total(const struct cost *c);
/* Look at row i: filter it, price it, write it down. Returns its total, or -1 if it was refused. */
int64_t place_look(const struct place_in *in, struct place_out *out, uint32_t i);
/* Settle on row i, or PLACE_NONE: marks what was written down as chosen or dearer. */
void place_settle(const struct place_in *in, struct place_out *out, uint32_t i);

/* Rows that a scanning policy looks at, from a moving start; more only while none of them fits. */
#define PLACE_SCAN_MAX 4096u
/* New nodes get a share: one decision in PLACE_TRIAL_EVERY prefers a candidate with fewer than PLACE_TRIAL
 * ended attempts, if it sees one. */
#define PLACE_TRIAL 8u
#define PLACE_TRIAL_EVERY 16u
