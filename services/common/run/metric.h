/* SPDX-License-Identifier: Apache-2.0
 *
 * metric: counters, gauges and histograms of a process, declared as rows; the owner thread writes them
 * without locks. They appear in the reply to $SRV.STATS as the data object, named spu_<program>_<name>.
 */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/hist.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HIST };

struct metric_row {
	const char *name;
	enum metric_type type;
	size_t at; /* offsetof in the program's metrics struct: uint64_t, int64_t or struct hist */
	const char *unit; /* "us", "bytes", "" */
	const char *help;
};

/* A set to show. rows ends with name NULL. */
struct metric_set {
	const char *program; /* "cpu-node", shown as cpu_node; NULL: an empty set */
	const struct metric_row *rows;
	const void *values;
};

/* Append a JSON object of the set: numbers; of a histogram count, p50, p99 and max. */
void metric_json(struct buf *b, const struct metric_set *set);
/* The same, one object of several sets. */
void metric_json_all(struct buf *b, const struct metric_set *sets, unsigned sets_n);
