/* SPDX-License-Identifier: Apache-2.0
 *
 * metric: rows to JSON.
 */
#include "run/metric.h"

#include <inttypes.h>

/* A dash cannot stand in a metric's name: "cpu-node" becomes "cpu_node". */
static void add_name(struct buf *b, const char *program, const char *name)
{
	buf_str(b, "\"spu_");
	for (; *program != '\0'; program++)
		buf_byte(b, *program == '-' ? '_' : (unsigned char)*program);
	buf_fmt(b, "_%s\":", name);
}

static void add_hist(struct buf *b, const struct hist *h)
{
	buf_fmt(b,
		"{\"count\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64
		"}",
		h->count, hist_at(h, 500), hist_at(h, 990), h->max);
}

static void add_value(struct buf *b, const struct metric_row *row, const void *at)
{
	switch (row->type) {
	case METRIC_COUNTER:
		buf_fmt(b, "%" PRIu64, *(const uint64_t *)at);
		break;
	case METRIC_GAUGE:
		buf_fmt(b, "%" PRId64, *(const int64_t *)at);
		break;
	case METRIC_HIST:
		add_hist(b, at);
		break;
	}
}

void metric_json_all(struct buf *b, const struct metric_set *sets, unsigned sets_n)
{
	const char *comma = "";

	buf_byte(b, '{');
	for (unsigned i = 0; i < sets_n; i++) {
		const struct metric_row *row = sets[i].program == NULL ? NULL : sets[i].rows;

		for (; row != NULL && row->name != NULL; row++, comma = ",") {
			buf_str(b, comma);
			add_name(b, sets[i].program, row->name);
			add_value(b, row, (const char *)sets[i].values + row->at);
		}
	}
	buf_byte(b, '}');
}

void metric_json(struct buf *b, const struct metric_set *set)
{
	metric_json_all(b, set, 1);
}
