/* SPDX-License-Identifier: Apache-2.0
 *
 * spu cache: what the router and the nodes keep of results, and forgetting it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/cli/cli.h"
#include "services/cli/json.h"
#include "services/cli/table.h"

/* In tenths of a percent; -1: nobody has asked. */
static int64_t hit_permille(const struct cache_view *c)
{
	uint64_t asked = c->hits + c->misses;

	return asked == 0 ? -1 : (int64_t)(c->hits * 1000.0 / (double)asked);
}

static void add_count(struct table *t, uint64_t n)
{
	table_fmt(t, COLOUR_NONE, "%" PRIu64, n);
}

static void add_cache(struct table *t, const struct cache_row *row)
{
	const struct cache_view *c = &row->cache;
	int64_t permille = hit_permille(c);
	char bytes[24], most[24], age[24];

	table_text(t, COLOUR_NONE, row->name);
	table_text(t, COLOUR_NONE,
		span_str(row->rung == RUNG_NONE ? "router" : rung_name(row->rung)));
	if (c->bytes_max == 0) {
		table_text(t, COLOUR_FAINT, SPAN_LIT("off"));
		table_end_row(t);
		return;
	}
	table_text(t, COLOUR_NONE, span_str(fmt_bytes_text(c->bytes, bytes)));
	table_text(t, COLOUR_NONE, span_str(fmt_bytes_text(c->bytes_max, most)));
	add_count(t, c->entries);
	add_count(t, c->hits);
	add_count(t, c->misses);
	if (permille < 0)
		table_text(t, COLOUR_NONE, SPAN_LIT("-"));
	else
		table_fmt(t, COLOUR_NONE, "%" PRId64 ".%" PRId64 " %%", permille / 10,
			permille % 10);
	add_count(t, c->evicted);
	add_count(t, c->expired);
	add_count(t, c->purged);
	table_text(t, COLOUR_NONE,
		span_str(c->entries == 0 ? "-" : fmt_duration_text(c->oldest_ms * NS_PER_MS, age)));
}

static void cache_json(struct json *j, const struct cache_row *row)
{
	const struct cache_view *c = &row->cache;

	json_open(j, NULL, '{');
	json_text(j, "name", row->name);
	json_text(j, "class", span_str(row->rung == RUNG_NONE ? "router" : rung_name(row->rung)));
	json_int(j, "bytes", (int64_t)c->bytes);
	json_int(j, "bytes_max", (int64_t)c->bytes_max);
	json_int(j, "entries", (int64_t)c->entries);
	json_int(j, "hits", (int64_t)c->hits);
	json_int(j, "misses", (int64_t)c->misses);
	json_int(j, "evicted", (int64_t)c->evicted);
	json_int(j, "expired", (int64_t)c->expired);
	json_int(j, "purged", (int64_t)c->purged);
	json_int(j, "oldest_ms", c->oldest_ms);
	json_shut(j, '}');
}

static int print_lines(const struct query_reply *r)
{
	CLEANUP(json_done) struct json j = { 0 };
	int err = 0;

	json_init(&j);
	for (size_t i = 0; err == 0 && i < r->caches_n; i++) {
		cache_json(&j, &r->caches[i]);
		err = json_print(&j);
	}
	return err;
}

static int print_table(const struct query_reply *r)
{
	CLEANUP(table_done) struct table t = { 0 };

	table_init(&t, "",
		"name class >bytes >of >results >hits >misses >rate >evicted >expired >purged "
		">oldest");
	for (size_t i = 0; i < r->caches_n; i++)
		add_cache(&t, &r->caches[i]);
	return table_print(&t);
}

static int show_stat(struct cli *c, const struct query_reply *r)
{
	int err = c->opts.json ? print_lines(r) : print_table(r);

	return err < 0 ? cli_fail_text(err, "the list cannot be written") : 0;
}

static int show_purge(struct cli *c, const struct query_reply *r)
{
	if (c->opts.json)
		return show_stat(c, r);
	if (!c->opts.quiet)
		fprintf(stderr, "%s forgotten by the router; %zu node%s told\n",
			c->opts.all ? "everybody's results are" : "your results are",
			r->caches_n > 0 ? r->caches_n - 1 : 0, r->caches_n == 2 ? " is" : "s are");
	return 0;
}

int cmd_cache(struct cli *c)
{
	const char *what = c->opts.args.n == 0 ? "stat" : c->opts.args.at[0];
	struct query q = { .kind = QUERY_CACHE, .all = c->opts.all };
	int r;

	q.purge = strcmp(what, "purge") == 0;
	if (!q.purge && strcmp(what, "stat") != 0)
		return cli_usage("%s: cache knows stat and purge", what);
	if (c->opts.all && !q.purge)
		return cli_usage("--all goes with purge");
	r = cli_open(c);
	return r != 0 ? r : cli_query(c, &q, q.purge ? show_purge : show_stat);
}
