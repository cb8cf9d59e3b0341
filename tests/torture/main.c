/* SPDX-License-Identifier: Apache-2.0
 *
 * torture [--seconds S] [--seed N] [--every MS] [--rolling]: so long processes are killed and stopped, their clocks are
 * set and the journal's disk is filled, one deed in MS milliseconds; then all of them live, and everything that was accepted must end, once, with the
 * right result. The last line is the verdict; the exit status is 1 if anything was lost, doubled, left unfinished, or
 * did not succeed.
 * With --rolling nothing is killed: each process is told to end and started again in turn, until the round is over in
 * which the time ends, and every task must succeed.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "run/keys.h"
#include "tests/torture/torture.h"

#define TURN_NS (20 * NS_PER_MS)
#define EVERY_LEAST_MS 20
#define SETTLE_NS (120 * NS_PER_S) /* after the last deed, until all must have ended */

static bool turn(struct loop *l, struct chaos *c)
{
	chaos_turn(c, l->now_ns);
	return loop_turn(l, TURN_NS) == 0;
}

static void torment(struct loop *l, struct chaos *c, struct tenant *t, int64_t stop_ns)
{
	while (l->now_ns < stop_ns && turn(l, c))
		tenant_turn(t, l->now_ns, false);
	chaos_end(c, l->now_ns);
}

static void roll(struct loop *l, struct chaos *c, struct tenant *t, struct rolling *r,
	int64_t stop_ns)
{
	rolling_open(r);
	while ((l->now_ns < stop_ns || !rolling_is_between(r)) && loop_turn(l, TURN_NS) == 0) {
		rolling_turn(r, c, l->now_ns);
		tenant_turn(t, l->now_ns, false);
	}
	chaos_end(c, l->now_ns);
}

static void settle(struct loop *l, struct chaos *c, struct tenant *t)
{
	int64_t last_ns = l->now_ns + SETTLE_NS;

	while (l->now_ns < last_ns && !tenant_is_answered(t) && turn(l, c))
		tenant_turn(t, l->now_ns, true);
	while (l->now_ns < last_ns && !tenant_is_checked(t) && turn(l, c))
		tenant_check(t);
}

static void explain(struct loop *l, struct chaos *c, struct tenant *t)
{
	int64_t last_ns = l->now_ns + SETTLE_NS;

	while (l->now_ns < last_ns && !tenant_is_explained(t) && turn(l, c))
		tenant_explain(t);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'n' }, { "every", required_argument, NULL, 'e' },
		{ "rolling", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	static struct loop loop;
	static struct chaos chaos;
	int64_t seconds = 60, every_ms = 600, stop_ns;
	uint64_t seed = 1;
	struct tenant *tenant;
	struct rolling rolling = { 0 };
	struct outcome v = { 0 };
	bool bad, is_rolling = false;
	int o;

	setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines, between those of others */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			seconds = strtoll(optarg, NULL, 10);
		else if (o == 'n')
			seed = strtoull(optarg, NULL, 10);
		else if (o == 'e')
			every_ms = strtoll(optarg, NULL, 10);
		else if (o == 'r')
			is_rolling = true;
		else
			return 2;
	}
	if (every_ms < EVERY_LEAST_MS || keys_open() < 0 || loop_open(&loop) < 0 ||
		chaos_open(&chaos, seed, is_rolling ? 0 : every_ms * NS_PER_MS) < 0)
		return 2;
	tenant = tenant_open(&loop, chaos.url, seed);
	if (tenant == NULL)
		return 2;
	stop_ns = loop.now_ns + seconds * NS_PER_S;
	if (is_rolling)
		roll(&loop, &chaos, tenant, &rolling, stop_ns);
	else
		torment(&loop, &chaos, tenant, stop_ns);
	settle(&loop, &chaos, tenant);
	if (is_rolling)
		explain(&loop, &chaos, tenant);
	tenant_tell_unfinished(tenant);
	tenant_judge(tenant, &v);
	tenant_close(tenant);
	bad = v.accepted == 0 || v.lost + v.doubled + v.unfinished + v.other > 0 ||
	      (is_rolling && chaos.ends + rolling.bad > 0);
	chaos_close(&chaos, bad);
	loop_close(&loop);
	printf("# seed %" PRIu64 ", %" PRId64 " s: %" PRIu64 " kills, %" PRIu64 " stops, %" PRIu64
	       " full disks, %" PRIu64 " clocks set, %" PRIu64
	       " processes ended by themselves; %" PRIu64 " submits, %" PRIu64
	       " succeeded (%" PRIu64 " large), %" PRIu64 " ended otherwise\n",
		seed, seconds, chaos.kills, chaos.stops, chaos.full, chaos.sets, chaos.ends,
		v.asked, v.succeeded, v.large, v.other);
	if (is_rolling)
		printf("# %u restarts in %u rounds; %" PRIu64 " tasks given out again, %" PRIu64
		       " of them lost or failed at first; the longest submit %" PRId64 " ms\n",
			rolling.restarts, rolling.rounds, v.again, v.in_vain,
			v.longest_ns / NS_PER_MS);
	printf("%s - torture\n", bad ? "not ok 1" : "ok 1");
	printf("accepted %" PRIu64 " lost %" PRIu64 " doubled %" PRIu64 " unfinished %" PRIu64 "\n",
		v.accepted, v.lost, v.doubled, v.unfinished);
	return bad;
}
