/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics: the router's numbers by name.
 */
#include "router/core.h"

#define ROW(name, type, unit, help)                                                                \
	{                                                                                          \
#name, type, offsetof(struct router_metrics, name), unit, help                     \
	}

const struct metric_row router_metric_rows[] = {
	ROW(submits, METRIC_COUNTER, "", "messages with submits"),
	ROW(submit_errors, METRIC_COUNTER, "", "of those, malformed"),
	ROW(queries, METRIC_COUNTER, "", "queries"),
	ROW(query_errors, METRIC_COUNTER, "", "of those, answered with an error"),
	ROW(ups, METRIC_COUNTER, "", "messages with nodes' reports"),
	ROW(up_errors, METRIC_COUNTER, "", "messages and reports that were malformed"),
	ROW(unsent, METRIC_COUNTER, "", "messages and items that could not be sent"),
	ROW(accepted, METRIC_COUNTER, "", "tasks accepted"),
	ROW(refused, METRIC_COUNTER, "", "submits refused"),
	ROW(behind, METRIC_COUNTER, "",
		"of those refused, because the journal was behind or its disk nearly full"),
	ROW(unread, METRIC_COUNTER, "", "and because it could not be read, queries too"),
	ROW(succeeded, METRIC_COUNTER, "", "tasks that succeeded"),
	ROW(failed, METRIC_COUNTER, "", "tasks that failed"),
	ROW(cancelled, METRIC_COUNTER, "", "tasks cancelled"),
	ROW(expired, METRIC_COUNTER, "", "tasks whose deadline passed"),
	ROW(dead, METRIC_COUNTER, "", "tasks that nobody could do"),
	ROW(placed, METRIC_COUNTER, "", "attempts given to nodes, parts included"),
	ROW(hops, METRIC_COUNTER, "", "steps down a ladder"),
	ROW(retries, METRIC_COUNTER, "", "attempts after a failed or lost one"),
	ROW(lost, METRIC_COUNTER, "", "attempts lost with their node or lease"),
	ROW(stale, METRIC_COUNTER, "", "reports that changed nothing"),
	ROW(offers_refused, METRIC_COUNTER, "", "nodes' offers that were not taken"),
	ROW(evicted, METRIC_COUNTER, "", "ended tasks no longer kept"),
	ROW(twins, METRIC_COUNTER, "", "second attempts, of stragglers"),
	ROW(twins_won, METRIC_COUNTER, "", "of those, done first or left alone"),
	ROW(resends, METRIC_COUNTER, "", "times that a node was asked for lost chunks of a stream"),
	ROW(tokens_in, METRIC_COUNTER, "",
		"tokens that language models were given, as their APIs count"),
	ROW(tokens_out, METRIC_COUNTER, "", "tokens of their answers"),
	ROW(tokens_saved, METRIC_COUNTER, "",
		"tokens that compressed prompts had before, and not after"),
	ROW(cache_hits, METRIC_COUNTER, "", "tasks that had the result of an equal one at once"),
	ROW(cache_misses, METRIC_COUNTER, "", "tasks that might have, but none was kept"),
	ROW(cache_followed, METRIC_COUNTER, "", "tasks that waited for an equal one's result"),
	ROW(cache_near, METRIC_COUNTER, "", "of the hits, by nearly the same prompt"),
	ROW(cache_evicted, METRIC_COUNTER, "", "results that made room"),
	ROW(cache_expired, METRIC_COUNTER, "", "results that became too old"),
	ROW(cache_entries, METRIC_GAUGE, "", "results kept now"),
	ROW(cache_bytes, METRIC_GAUGE, "bytes", "that they and their tables take"),
	ROW(streams, METRIC_GAUGE, "", "streams whose chunks are kept"),
	ROW(stream_bytes, METRIC_GAUGE, "bytes", "memory of these chunks"),
	ROW(queued, METRIC_GAUGE, "", "tasks and parts that wait"),
	ROW(running, METRIC_GAUGE, "", "tasks and parts on nodes"),
	ROW(split, METRIC_GAUGE, "", "tasks that wait for their parts"),
	ROW(kept, METRIC_GAUGE, "", "ended tasks that are kept"),
	ROW(nodes, METRIC_GAUGE, "", "nodes known"),
	ROW(nodes_up, METRIC_GAUGE, "", "nodes up"),
	ROW(place_us, METRIC_HIST, "us", "taking one submit in, placement included"),
	{ 0 },
};

static void count_cache(struct router_metrics *m, const struct router *r)
{
	const struct answers *a = router_answers(r);

	m->cache_hits = a->hits;
	m->cache_misses = a->misses;
	m->cache_followed = a->followed;
	m->cache_near = a->near_hits;
	m->cache_evicted = a->cache.stats.evicted;
	m->cache_expired = a->cache.stats.expired;
	m->cache_entries = a->cache.stats.entries;
	m->cache_bytes = a->cache.stats.bytes;
}

void router_metrics_measure(struct router_metrics *m, const struct router *r)
{
	const struct router_counts *n = router_counts(r);
	const struct tasks *ts = router_tasks(r);

	m->accepted = n->accepted;
	m->refused = n->refused + m->behind + m->unread;
	m->succeeded = n->succeeded;
	m->failed = n->failed;
	m->cancelled = n->cancelled;
	m->expired = n->expired;
	m->dead = n->dead;
	m->placed = n->placed;
	m->hops = n->hops;
	m->retries = n->retries;
	m->lost = n->lost;
	m->stale = n->stale;
	m->offers_refused = n->offers_refused;
	m->evicted = n->evicted;
	m->tokens_in = n->tokens_in;
	m->tokens_out = n->tokens_out;
	m->tokens_saved = n->tokens_saved;
	m->twins = n->twins;
	m->twins_won = n->twins_won;
	m->resends = n->resends;
	count_cache(m, r);
	m->streams = router_streams(r)->slots.used;
	m->stream_bytes = (int64_t)router_streams(r)->bytes;
	m->queued = ts->count[STATE_QUEUED];
	m->running = ts->count[STATE_ASSIGNED] + ts->count[STATE_RUNNING];
	m->split = ts->count[STATE_SPLIT];
	m->kept = ts->ended_n;
	m->nodes = router_registry(r)->nodes.used;
	m->nodes_up = router_registry(r)->up_n;
}
