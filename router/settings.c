/* SPDX-License-Identifier: Apache-2.0
 *
 * settings: rows, and what they mean for the machine.
 */
#include "router/settings.h"

#include "base/fmt.h"

#define AT(member) offsetof(struct settings, member)
#define DAY_NS (24 * 3600 * NS_PER_S)

const struct conf_row settings_rows[] = {
	{ "journal", CONF_TEXT, AT(journal), "", 0, SETTINGS_PATH, NULL,
		"file that keeps the tasks over a restart; empty: they live in memory only" },
	{ "journal_rows", CONF_INT, AT(journal_rows), "2000000", 1, INT64_C(1) << 40, NULL,
		"ended tasks that the journal keeps; beyond that the oldest go before their time" },
	{ "journal_bytes", CONF_BYTES, AT(journal_bytes), "4G", 1 << 20, INT64_C(1) << 50, NULL,
		"of ended tasks that the journal keeps; beyond that, too" },
	{ "journal_wait_rows", CONF_INT, AT(journal_wait_rows), "131072", 1, 16777216, NULL,
		"tasks that wait for the journal's flush; beyond that new ones are refused as "
		"busy" },
	{ "journal_wait_bytes", CONF_BYTES, AT(journal_wait_bytes), "256M", 1 << 20,
		INT64_C(1) << 29, NULL, "of tasks that wait for the journal's flush, too" },
	{ "journal_room", CONF_BYTES, AT(journal_room), "64M", 0, INT64_C(1) << 50, NULL,
		"free bytes on the journal's disk; with less, new tasks are refused as busy, and "
		"those that were accepted go on" },
	{ "check_journal", CONF_BOOL, AT(check_journal), "no", 0, 0, NULL,
		"only read the journal, say what it holds and what is wrong with it, and exit" },
	{ "policy", CONF_CHOICE, AT(policy), "p2c", 0, 0, "p2c,least-loaded,round-robin,cost",
		"how a node is picked: two random ones, the cheaper; least loaded; in turn; the "
		"cheapest of all" },
	{ "operators", CONF_TEXT, AT(operators), "local", 0, 255, NULL,
		"tenants that see all tasks and may drain nodes, separated by commas" },
	{ "tasks_max", CONF_INT, AT(tasks_max), "131072", 1, 16777216, NULL,
		"open tasks; more are refused as busy" },
	{ "bodies", CONF_BYTES, AT(bodies_max), "256M", 1 << 20, INT64_C(1) << 40, NULL,
		"memory for the bodies of open tasks; more are refused as busy" },
	{ "tenant_tasks", CONF_INT, AT(tenant_tasks), "0", 0, 16777216, NULL,
		"open tasks of one tenant; 0: a part of what is free, 8/9 of all while it is "
		"alone" },
	{ "tenant_bytes", CONF_BYTES, AT(tenant_bytes), "0", 0, INT64_C(1) << 40, NULL,
		"the same of the memory for their bodies" },
	{ "tenant_rate", CONF_INT, AT(tenant_rate), "0", 0, 1000000, NULL,
		"submits of one tenant in a second; 0: any" },
	{ "tenant_burst", CONF_INT, AT(tenant_burst), "0", 0, 1000000, NULL,
		"of those at once; 0: as many as in a second" },
	{ "tenant_weights", CONF_TEXT, AT(tenant_weights), "", 0, 4095, NULL,
		"shares of node time where it is scarce, as NAME=N,...; everybody else has 1" },
	{ "results_max", CONF_INT, AT(results_max), "100000", 1, 16777216, NULL,
		"ended tasks that are kept" },
	{ "results_bytes", CONF_BYTES, AT(results_bytes_max), "64M", 1 << 20, INT64_C(1) << 40,
		NULL, "memory for the ended tasks that are kept" },
	{ "keep", CONF_TIME, AT(keep_ns), "24h", NS_PER_S, 365 * DAY_NS, NULL,
		"how long ended tasks are kept" },
	{ "keep_max", CONF_TIME, AT(keep_max_ns), "7d", NS_PER_S, 365 * DAY_NS, NULL,
		"the same, where the submit says how long; it may not say more" },
	{ "nodes_max", CONF_INT, AT(nodes_max), "16384", 1, NODES_MOST, NULL,
		"nodes known at once" },
	{ "lease", CONF_TIME, AT(lease_ns), "30s", NS_PER_S, 3600 * NS_PER_S, NULL,
		"how long a silent node keeps an attempt" },
	{ "suspect", CONF_TIME, AT(suspect_ns), "15s", 100 * NS_PER_MS, 3600 * NS_PER_S, NULL,
		"silence after which a node gets no new attempts" },
	{ "forget", CONF_TIME, AT(forget_ns), "10m", NS_PER_S, 30 * DAY_NS, NULL,
		"silence after which a node is forgotten" },
	{ "deadline", CONF_TIME, AT(deadline_ns), "10m", NS_PER_S, 30 * DAY_NS, NULL,
		"of a task that sets none" },
	{ "human_deadline", CONF_TIME, AT(human_deadline_ns), "24h", NS_PER_S, 30 * DAY_NS, NULL,
		"the same, where a person may be asked" },
	{ "start_within_cpu", CONF_TIME, AT(start_within_ns[RUNG_CPU]), "60s", NS_PER_MS, DAY_NS,
		NULL, "not started on a CPU node by then: the task goes down the ladder" },
	{ "start_within_gpu", CONF_TIME, AT(start_within_ns[RUNG_GPU]), "30s", NS_PER_MS, DAY_NS,
		NULL, "the same on GPU nodes" },
	{ "start_within_api", CONF_TIME, AT(start_within_ns[RUNG_API]), "30s", NS_PER_MS, DAY_NS,
		NULL, "the same on delegates" },
	{ "start_within_human", CONF_TIME, AT(start_within_ns[RUNG_HUMAN]), "60s", NS_PER_MS,
		DAY_NS, NULL, "the same in inboxes: how long one may be missing" },
	{ "attempts_cpu", CONF_INT, AT(attempts_cpu), "10", 1, 100, NULL, "attempts on CPU nodes" },
	{ "attempts_gpu", CONF_INT, AT(attempts_gpu), "3", 1, 100, NULL, "attempts on GPU nodes" },
	{ "attempts_api", CONF_INT, AT(attempts_api), "3", 1, 100, NULL, "attempts on delegates" },
	{ "backoff", CONF_TIME, AT(backoff_ns), "1s", NS_PER_MS, 3600 * NS_PER_S, NULL,
		"before the first retry at most; doubles" },
	{ "backoff_max", CONF_TIME, AT(backoff_max_ns), "100s", NS_PER_MS, DAY_NS, NULL,
		"before any retry at most" },
	{ "settle", CONF_TIME, AT(settle_ns), "1s", 0, 600 * NS_PER_S, NULL,
		"after the start, before a class without nodes makes tasks go down the ladder" },
	{ "split_parts", CONF_INT, AT(split_parts), "8", 1, LIMIT_PARTS, NULL,
		"parts that a task is split into at most" },
	{ "speculation", CONF_BOOL, AT(speculation), "yes", 0, 0, NULL,
		"an attempt that takes far longer than usual gets a second one on another node, "
		"where both are free of charge" },
	{ "speculation_after", CONF_TIME, AT(speculation_after_ns), "500ms", 10 * NS_PER_MS,
		3600 * NS_PER_S, NULL, "the same: an attempt runs at least so long first" },
	{ "speculation_share", CONF_INT, AT(speculation_share), "10", 0, 100, NULL,
		"the same: second attempts at once, in percent of all, or of the nodes, if these "
		"are more; "
		"one is always allowed" },
	{ "streams_max", CONF_INT, AT(streams_max), "16384", 1, 16777216, NULL,
		"tasks whose chunks are kept at once, so that readers can go on after a loss" },
	{ "stream_bytes", CONF_BYTES, AT(stream_bytes), "1M", 0, INT64_C(1) << 30, NULL,
		"memory for the chunks of one of them; the oldest go first" },
	{ "streams_bytes", CONF_BYTES, AT(streams_bytes), "32M", 0, INT64_C(1) << 40, NULL,
		"memory for the chunks of all of them; those of ended tasks go first" },
	{ "stream_beat", CONF_TIME, AT(stream_beat_ns), "2s", 10 * NS_PER_MS, 60 * NS_PER_S, NULL,
		"a task that streams is heard of at least so often" },
	{ "stream_keep", CONF_TIME, AT(stream_keep_ns), "60s", 0, DAY_NS, NULL,
		"how long the chunks of an ended task are kept" },
	{ "cache_bytes", CONF_BYTES, AT(cache_bytes), "16M", 0, INT64_C(1) << 40, NULL,
		"memory for results that are kept for equal tasks, 64K or more; 0: none" },
	{ "cache_ttl", CONF_TIME, AT(cache_ttl_ns), "1h", NS_PER_MS, 366 * DAY_NS, NULL,
		"how long a result is kept" },
	{ "cache_near", CONF_BOOL, AT(cache_near), "no", 0, 0, NULL,
		"tasks that say cache.near=yes may have the result of one with nearly the same "
		"prompt" },
	CONF_INCLUDE(struct settings, base, conf_base_rows),
	{ 0 },
};

static int add_weight(struct span item, struct tenant_weight *to, struct fail *why)
{
	struct span text = item, name = span_cut(&text, '=');
	int64_t n;

	if (!fmt_is_token(name) || fmt_int(text, &n) < 0 || n < 1 || n > LIMIT_WEIGHT)
		return fail_set(why, ERR_INVALID, "tenant_weights", LIMIT_WEIGHT,
			"\"%.*s\" is not NAME=N with N from 1 to %d", (int)item.len,
			(const char *)item.at, LIMIT_WEIGHT);
	span_copy(name, to->name, sizeof to->name);
	to->weight = (uint32_t)n;
	return 0;
}

int settings_weights(const struct settings *s, struct tenant_weight ret[SETTINGS_WEIGHTS],
	uint32_t *ret_n, struct fail *why)
{
	struct span rest = span_str(s->tenant_weights);

	*ret_n = 0;
	while (rest.len > 0) {
		int err;

		if (*ret_n == SETTINGS_WEIGHTS)
			return fail_set(why, ERR_TOO_BIG, "tenant_weights", SETTINGS_WEIGHTS,
				"more than %d tenants", SETTINGS_WEIGHTS);
		err = add_weight(span_trim(span_cut(&rest, ',')), &ret[(*ret_n)++], why);
		if (err < 0)
			return err;
	}
	return 0;
}

/* What is too little for the tables is rounded up. */
static size_t settings_cache_bytes(const struct settings *s)
{
	size_t bytes = (size_t)s->cache_bytes;

	return bytes > 0 && bytes < CACHE_BYTES_MIN ? CACHE_BYTES_MIN : bytes;
}

int settings_check_operators(const struct settings *s, struct fail *why)
{
	struct span rest = span_str(s->operators);

	while (rest.len > 0) {
		struct span name = span_trim(span_cut(&rest, ','));

		if (!fmt_is_token(name))
			return fail_set(why, ERR_INVALID, "operators", LIMIT_TOKEN_BYTES,
				"\"%.*s\" is no tenant's name", (int)name.len,
				(const char *)name.at);
	}
	return 0;
}

void settings_apply(const struct settings *s, struct router_conf *conf)
{
	router_conf_default(conf);
	conf->policy = (unsigned)s->policy;
	conf->tasks_max = (uint32_t)s->tasks_max;
	conf->bodies_max = (uint64_t)s->bodies_max;
	conf->of_tenant = (struct admit_limits){
		.tasks = (uint32_t)s->tenant_tasks,
		.bytes = (uint64_t)s->tenant_bytes,
		.rate = (uint32_t)s->tenant_rate,
		.burst = (uint32_t)(s->tenant_burst > 0 ? s->tenant_burst : s->tenant_rate),
	};
	conf->results_max = (uint32_t)s->results_max;
	conf->results_bytes_max = (uint64_t)s->results_bytes_max;
	conf->keep_ns = s->keep_ns;
	conf->keep_max_ns = s->keep_max_ns;
	conf->registry.nodes_max = (uint32_t)s->nodes_max;
	conf->lease_ns = s->lease_ns;
	conf->registry.suspect_ns = s->suspect_ns;
	conf->registry.down_ns = s->lease_ns > s->suspect_ns ? s->lease_ns : s->suspect_ns;
	conf->registry.forget_ns =
		s->forget_ns > conf->registry.down_ns ? s->forget_ns : conf->registry.down_ns;
	conf->deadline_ns = s->deadline_ns;
	conf->human_deadline_ns = s->human_deadline_ns;
	conf->start_within_ns[RUNG_CPU] = s->start_within_ns[RUNG_CPU];
	conf->start_within_ns[RUNG_GPU] = s->start_within_ns[RUNG_GPU];
	conf->start_within_ns[RUNG_API] = s->start_within_ns[RUNG_API];
	conf->start_within_ns[RUNG_HUMAN] = s->start_within_ns[RUNG_HUMAN];
	conf->retry.attempts_max[RUNG_CPU] = (uint32_t)s->attempts_cpu;
	conf->retry.attempts_max[RUNG_GPU] = (uint32_t)s->attempts_gpu;
	conf->retry.attempts_max[RUNG_API] = (uint32_t)s->attempts_api;
	conf->retry.backoff_ns = s->backoff_ns;
	conf->retry.backoff_max_ns =
		s->backoff_max_ns > s->backoff_ns ? s->backoff_max_ns : s->backoff_ns;
	conf->settle_ns = s->settle_ns;
	conf->split_parts = (uint32_t)s->split_parts;
	conf->speculation = s->speculation;
	conf->late.after_us = s->speculation_after_ns / NS_PER_US;
	conf->late.share_percent = (uint32_t)s->speculation_share;
	conf->streams = (struct streams_conf){
		.max = (uint32_t)s->streams_max,
		.bytes_max = (size_t)s->stream_bytes,
		.all_bytes_max = (size_t)s->streams_bytes,
		.beat_ns = s->stream_beat_ns,
		.keep_ns = s->stream_keep_ns,
	};
	conf->answers = (struct answers_conf){
		.bytes_max = settings_cache_bytes(s),
		.ttl_ns = s->cache_ttl_ns,
		.near = s->cache_near,
	};
}
