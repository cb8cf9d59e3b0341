/* SPDX-License-Identifier: Apache-2.0
 *
 * late: which running attempt is a straggler, and whether a second attempt of the same work elsewhere is worth it.
 * The rule is LATE (Zaharia and others, OSDI 2008: rank by the time that is left at the rate so far) with a benefit
 * check (Mantri, OSDI 2010: copy only what would end earlier). All integers, times in microseconds.
 *
 * What is usual is learned from the last attempts of the same sort (one kind, one class of nodes) that ended well.
 * Work with more input than usual may take longer in proportion: a large piece is no straggler, and a second
 * attempt of it would take as long.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

#define LATE_PAST 64u    /* attempts remembered */
#define LATE_SAMPLES 8u  /* without so many nothing is known ... */
#define LATE_SIBLINGS 3u /* ... but of parts, most of whose siblings are done, so many are enough */
#define LATE_WORTH_US INT64_C(100000) /* a second attempt saves so much at least */

struct late_conf {
	int64_t after_us; /* nobody is a straggler before */
	uint32_t
		share_percent; /* second attempts at once, of what there is; one is always allowed */
};

/* The last attempts of one sort. Zeroed: none. */
struct late_past {
	int64_t us[LATE_PAST];
	uint32_t n;     /* ended so far; stops far above LATE_PAST */
	uint32_t fresh; /* of those, since the figures were made */
	int64_t median_us;
	int64_t p95_us;
	int64_t mean_us; /* of all but the longest twentieth */
	uint64_t bytes;  /* of their input, moving average */
};

/* One that runs. */
struct late_run {
	int64_t elapsed_us;
	uint32_t permille; /* of progress, as it says; 0: nothing said */
	uint64_t bytes;    /* of its input */
	uint32_t siblings; /* parts of the same task, itself included; 0: it is no part */
	uint32_t siblings_done;
};

/* An attempt ended well after so long. O(1), but for a look at all that are remembered now and then. */
void late_note(struct late_past *p, int64_t us, uint64_t bytes);

/* The age from which on the attempt is a straggler: above the double median and the 95th percentile;
 * INT64_MAX: too little is known. */
int64_t late_age_us(const struct late_conf *conf, const struct late_past *p,
	const struct late_run *run);
/* How long it may take from now on: by its rate of progress. Of one that says nothing: as long again as it took. */
int64_t late_left_us(const struct late_run *run);
/* How long a new attempt takes on a node whose attempts take run_us (0: unknown, then as is usual), with
 * other_us for waiting and the way. */
int64_t late_anew_us(const struct late_past *p, const struct late_run *run, int64_t run_us,
	int64_t other_us);
/* Is a second attempt worth it? It ends clearly before the first would. */
bool late_pays(int64_t left_us, int64_t anew_us);
/* Second attempts allowed at once, of so many. */
uint32_t late_most(const struct late_conf *conf, uint32_t of);
