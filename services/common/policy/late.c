/* SPDX-License-Identifier: Apache-2.0
 *
 * late: stragglers, in numbers.
 */
#include "policy/late.h"

#include "base/pure.h"

#define N_MOST 1000000u
#define US_MOST                                                                                    \
	(INT64_C(30) * 24 * 3600 * 1000000) /* peers name times: these stay far from overflow */
#define SCALE 1000
#define SCALE_MOST                                                                                 \
	(1000 * SCALE) /* input of more than a thousand times the usual counts as so much */
#define BYTES_MOST (UINT64_C(1) << 50) /* and sizes: a thousand times as much still fits */
#define BYTES_SHIFT 3                  /* of the moving average: an eighth of the new value */
#define DONE_PERCENT 75                /* siblings that must be done */
#define PAYS_PERCENT 120               /* of the time of a new attempt, at least that is left */

static int64_t clip(int64_t us)
{
	return us < 0 ? 0 : us > US_MOST ? US_MOST : us;
}

static uint64_t clip_bytes(uint64_t bytes)
{
	return bytes > BYTES_MOST ? BYTES_MOST : bytes;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- what is usual --------------------------------------------------------------------------------- */

static void sort(int64_t *at, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		int64_t one = at[i];
		uint32_t k = i;

		for (; k > 0 && at[k - 1] > one; k--)
			at[k] = at[k - 1];
		at[k] = one;
	}
}

static void figures(struct late_past *p)
{
	int64_t sorted[LATE_PAST];
	uint32_t n = p->n < 1 ? 1 : p->n < LATE_PAST ? p->n : LATE_PAST;
	uint32_t p95;
	int64_t sum = 0;

	memcpy(sorted, p->us, n * sizeof *sorted);
	sort(sorted, n);
	p->median_us = sorted[(n - 1) / 2];
	p95 = (n * 95 + 99) / 100 - 1;
	p->p95_us = sorted[p95];
	for (uint32_t i = 0; i <= p95; i++)
		sum += sorted[i];
	p->mean_us = sum / (p95 + 1);
	p->fresh = 0;
}

void late_note(struct late_past *p, int64_t us, uint64_t bytes)
{
	bytes = clip_bytes(bytes);
	p->us[p->n % LATE_PAST] = clip(us);
	if (p->n == 0)
		p->bytes = bytes;
	else if (bytes >= p->bytes)
		p->bytes += (bytes - p->bytes) >> BYTES_SHIFT;
	else
		p->bytes -= (p->bytes - bytes) >> BYTES_SHIFT;
	p->n++;
	if (p->n == N_MOST)
		p->n -= N_MOST / 2 / LATE_PAST * LATE_PAST;
	p->fresh++;
	/* Often while there are few, then once a round: what it costs does not show. */
	if (p->n <= LATE_SAMPLES || p->fresh * 4 >= p->n || p->fresh >= LATE_PAST)
		figures(p);
}

/* How much more input than usual it has, in thousandths; less counts as usual: the rest of the work stays. */
static int64_t scale_of(const struct late_past *p, const struct late_run *run)
{
	uint64_t usual = p->bytes > 0 ? p->bytes : 1;
	uint64_t bytes = clip_bytes(run->bytes);

	if (bytes <= usual)
		return SCALE;
	if (bytes / usual >= SCALE_MOST / SCALE)
		return SCALE_MOST;
	return (int64_t)(bytes * SCALE / usual);
}

static bool is_known(const struct late_past *p, const struct late_run *run)
{
	return p->n >= LATE_SAMPLES || (p->n >= LATE_SIBLINGS && run->siblings > 0 &&
					       (uint64_t)run->siblings_done * 100 >=
						       (uint64_t)run->siblings * DONE_PERCENT);
}

/* --- decisions ------------------------------------------------------------------------------------- */

int64_t late_age_us(const struct late_conf *conf, const struct late_past *p,
	const struct late_run *run)
{
	if (!is_known(p, run))
		return INT64_MAX;
	return larger(conf->after_us,
		larger(2 * p->median_us, p->p95_us) * scale_of(p, run) / SCALE);
}

int64_t late_left_us(const struct late_run *run)
{
	int64_t elapsed = clip(run->elapsed_us);

	if (run->permille == 0)
		return elapsed;
	return run->permille >= 1000 ? 0
				     : elapsed * (int64_t)(1000 - run->permille) / run->permille;
}

int64_t late_anew_us(const struct late_past *p, const struct late_run *run, int64_t run_us,
	int64_t other_us)
{
	int64_t usual = run_us > 0 ? clip(run_us) : p->mean_us;

	return usual * scale_of(p, run) / SCALE + clip(other_us);
}

bool late_pays(int64_t left_us, int64_t anew_us)
{
	return left_us - anew_us >= LATE_WORTH_US && left_us * 100 >= anew_us * PAYS_PERCENT;
}

uint32_t late_most(const struct late_conf *conf, uint32_t of)
{
	uint64_t most = (uint64_t)of * conf->share_percent / 100;

	return most > 0 ? (uint32_t)most : 1;
}
