/* SPDX-License-Identifier: Apache-2.0
 *
 * spu status: what the router counts, and the processes of the embedded mesh.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/cli/cli.h"
#include "services/cli/json.h"
#include "services/cli/state_dir.h"
#include "services/cli/table.h"

#define PROCESSES_MAX 128u

struct process {
	char name[65], state[16];
	int pid;
	unsigned restarts;
	long long since_ms;
	int64_t memory_bytes;
};

struct processes {
	char dir[PATH_MAX];
	struct process at[PROCESSES_MAX];
	unsigned n;
};

/* Resident memory of a process, or 0. */
static int64_t memory_of(int pid)
{
	char path[64];
	long long pages = 0, all;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = pid > 0 ? fopen(path, "re") : NULL;
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lld %lld", &all, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* None, unless the mesh in the state directory runs and is the one that is asked. */
static void read_processes(const struct cli *c, struct processes *p)
{
	char path[PATH_MAX], line[256], url[CLI_URL_BYTES];
	FILE *f;

	p->n = 0;
	if (state_dir_find(c->opts.dir, p->dir, NULL) < 0 ||
		!state_dir_url(c->opts.dir, url, sizeof(url)) || strcmp(url, c->url) != 0 ||
		state_dir_path(p->dir, "processes", path) < 0)
		return;
	f = fopen(path, "re");
	if (f == NULL)
		return;
	while (p->n < PROCESSES_MAX && fgets(line, sizeof(line), f) != NULL) {
		struct process *at = &p->at[p->n];

		if (sscanf(line, "%64s %d %15s %u %lld", at->name, &at->pid, at->state,
			    &at->restarts, &at->since_ms) != 5)
			continue;
		at->memory_bytes = memory_of(at->pid);
		p->n++;
	}
	fclose(f);
}

static int print_processes(const struct processes *p)
{
	CLEANUP(table_done) struct table t = { 0 };
	int64_t now_ms = clocks_wall() / NS_PER_MS;

	if (p->n == 0)
		return 0;
	printf("\nprocesses (state in %s)\n", p->dir);
	table_init(&t, "  ", "process state >since >pid >memory >restarts");
	for (unsigned i = 0; i < p->n; i++) {
		const struct process *at = &p->at[i];
		char text[24];

		table_text(&t, COLOUR_NONE, span_str(at->name));
		table_text(&t, strcmp(at->state, "ready") == 0 ? COLOUR_GOOD : COLOUR_WARN,
			span_str(at->state));
		table_text(&t, COLOUR_NONE,
			span_str(fmt_duration_text((now_ms - at->since_ms) * NS_PER_MS, text)));
		if (at->pid > 0)
			table_fmt(&t, COLOUR_NONE, "%d", at->pid);
		else
			table_text(&t, COLOUR_NONE, span_str("-"));
		table_text(&t, COLOUR_NONE, span_str(fmt_bytes_text(at->memory_bytes, text)));
		table_fmt(&t, COLOUR_NONE, "%u", at->restarts);
	}
	return table_print(&t);
}

static void print_mesh(const struct cli *c, const struct mesh_view *m)
{
	char up[24], jitter[24];

	printf("%srouter %.*s%s at %s, up %s, policy %.*s\n", colour_on(COLOUR_BOLD),
		(int)m->router.len, (const char *)m->router.at, colour_off(), c->servers,
		fmt_duration_text(m->up_ms * NS_PER_MS, up), (int)m->policy.len,
		(const char *)m->policy.at);
	printf("  now    %u queued, %u running, %u nodes up\n", m->queued, m->running, m->nodes_up);
	printf("  tasks  %llu accepted, %llu refused\n", (unsigned long long)m->accepted,
		(unsigned long long)m->refused);
	printf("  ended  %llu succeeded, %llu failed, %llu cancelled, %llu expired, %llu dead\n",
		(unsigned long long)m->succeeded, (unsigned long long)m->failed,
		(unsigned long long)m->cancelled, (unsigned long long)m->expired,
		(unsigned long long)m->dead);
	printf("  also   %llu hops, %llu stale reports, control loop jitter p99 %s\n",
		(unsigned long long)m->hops, (unsigned long long)m->stale,
		fmt_duration_text(m->jitter_p99_us * NS_PER_US, jitter));
}

static void mesh_json(struct json *j, const struct mesh_view *m)
{
	json_text(j, "router", m->router);
	json_text(j, "policy", m->policy);
	json_int(j, "up_ms", m->up_ms);
	json_int(j, "accepted", (int64_t)m->accepted);
	json_int(j, "refused", (int64_t)m->refused);
	json_int(j, "succeeded", (int64_t)m->succeeded);
	json_int(j, "failed", (int64_t)m->failed);
	json_int(j, "cancelled", (int64_t)m->cancelled);
	json_int(j, "expired", (int64_t)m->expired);
	json_int(j, "dead", (int64_t)m->dead);
	json_int(j, "queued", m->queued);
	json_int(j, "running", m->running);
	json_int(j, "nodes_up", m->nodes_up);
	json_int(j, "hops", (int64_t)m->hops);
	json_int(j, "stale", (int64_t)m->stale);
	json_int(j, "jitter_p99_us", m->jitter_p99_us);
}

static int print_json(const struct cli *c, const struct mesh_view *m, const struct processes *p)
{
	CLEANUP(json_done) struct json j = { 0 };

	json_init(&j);
	json_open(&j, NULL, '{');
	json_text(&j, "url", span_str(c->servers));
	mesh_json(&j, m);
	if (p->n > 0)
		json_text(&j, "dir", span_str(p->dir));
	json_open(&j, "processes", '[');
	for (unsigned i = 0; i < p->n; i++) {
		json_open(&j, NULL, '{');
		json_text(&j, "name", span_str(p->at[i].name));
		/* 0 would be a trap: to signal it is to signal oneself. */
		if (p->at[i].pid > 0)
			json_int(&j, "pid", p->at[i].pid);
		else
			json_null(&j, "pid");
		json_text(&j, "state", span_str(p->at[i].state));
		json_int(&j, "since_ms", p->at[i].since_ms);
		json_int(&j, "restarts", p->at[i].restarts);
		json_int(&j, "memory_bytes", p->at[i].memory_bytes);
		json_shut(&j, '}');
	}
	json_shut(&j, ']');
	json_shut(&j, '}');
	return json_print(&j);
}

static int show(struct cli *c, const struct query_reply *r)
{
	struct processes p;
	int err;

	read_processes(c, &p);
	if (c->opts.json) {
		err = print_json(c, &r->mesh, &p);
	} else {
		print_mesh(c, &r->mesh);
		err = print_processes(&p);
	}
	return err < 0 ? cli_fail_text(err, "standard output") : 0;
}

int cmd_status(struct cli *c)
{
	struct query q = { .kind = QUERY_MESH };
	int r = cli_open(c);

	return r != 0 ? r : cli_query(c, &q, show);
}
