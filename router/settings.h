/* SPDX-License-Identifier: Apache-2.0
 *
 * settings: the router's configuration.
 */
#pragma once
#include "router/router.h"
#include "run/conf.h"

#define SETTINGS_PATH 1023  /* longest path */
#define SETTINGS_WEIGHTS 64 /* tenants with a weight of their own */

struct settings {
	struct conf_base base;
	char operators[256];
	char journal[SETTINGS_PATH + 1]; /* file, or empty: tasks live in memory only */
	int64_t journal_rows;
	int64_t journal_bytes;
	int64_t journal_wait_rows;
	int64_t journal_wait_bytes;
	int64_t journal_room;
	bool check_journal;
	int policy;
	int64_t tasks_max;
	int64_t bodies_max;
	int64_t tenant_tasks;
	int64_t tenant_bytes;
	int64_t tenant_rate;
	int64_t tenant_burst;
	char tenant_weights[4096];
	int64_t results_max;
	int64_t results_bytes_max;
	int64_t keep_ns;
	int64_t keep_max_ns;
	int64_t nodes_max;
	int64_t lease_ns;
	int64_t suspect_ns;
	int64_t forget_ns;
	int64_t deadline_ns;
	int64_t human_deadline_ns;
	int64_t start_within_ns[RUNGS];
	int64_t attempts_cpu;
	int64_t attempts_gpu;
	int64_t attempts_api;
	int64_t backoff_ns;
	int64_t backoff_max_ns;
	int64_t settle_ns;
	int64_t split_parts;
	bool speculation;
	int64_t speculation_after_ns;
	int64_t speculation_share;
	int64_t streams_max;
	int64_t stream_bytes;
	int64_t streams_bytes;
	int64_t stream_beat_ns;
	int64_t stream_keep_ns;
	int64_t cache_bytes;
	int64_t cache_ttl_ns;
	bool cache_near;
};

extern const struct conf_row settings_rows[];

/* Tenants with their weights, from the setting. 0, or ERR_INVALID and *why. */
int settings_weights(const struct settings *s, struct tenant_weight ret[SETTINGS_WEIGHTS],
	uint32_t *ret_n, struct fail *why) MUST_USE;
/* Are the operators tenants' names? 0, or ERR_INVALID and *why. */
int settings_check_operators(const struct settings *s, struct fail *why) MUST_USE;
/* The machine's configuration; seed, incarnation and weights are the caller's. */
void settings_apply(const struct settings *s, struct router_conf *conf);
