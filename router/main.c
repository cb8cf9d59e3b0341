/* SPDX-License-Identifier: Apache-2.0
 *
 * spu-router: a daemon around the core.
 */
#include <stdio.h>

#include "router/core.h"
#include "router/journal_sqlite.h"
#include "router/mark.h"
#include "router/settings.h"
#include "run/daemon.h"
#include "run/keys.h"
#include "run/log.h"

struct process {
	struct daemon daemon;
	struct router_core *core; /* NULL while it is being opened */
	struct journal *journal;  /* NULL: none */
	struct loop_timer wake;
	int64_t wake_ns; /* what the timer is set to */
	struct mark mark;
	int64_t own_ns; /* what time it is by the router's own clock, while the core is being opened; or 0 */
	int64_t journal_room;
	bool is_short; /* the journal's disk has less */
	int status;
};

/* Being woken is enough: the work is done at the turn's end. */
static void on_wake(void *ctx, int64_t now_ns)
{
	struct process *p = ctx;

	(void)now_ns;
	p->wake_ns = INT64_MAX;
}

/* An earlier timer is left alone: it only makes one more turn. */
static void set_timer(struct process *p)
{
	int64_t due_ns = router_core_wake(p->core);

	if (due_ns >= p->wake_ns)
		return;
	if (loop_timer_set(&p->daemon.loop, &p->wake, due_ns) == 0)
		p->wake_ns = due_ns;
}

static void on_turn(void *ctx, int64_t now_ns)
{
	struct process *p = ctx;
	int err;

	(void)now_ns;
	if (p->core == NULL)
		return;
	err = router_core_turn(p->core);
	if (err < 0) {
		log_error("the journal failed: nothing more is acknowledged", "error", LOG_ERR(err),
			"detail",
			LOG_STR(p->journal == NULL ? "" : journal_sqlite_fail(p->journal)->detail));
		p->status = err_row(err)->exit;
		daemon_leave(&p->daemon);
		return;
	}
	set_timer(p);
}

/* Who runs the router learns of it once, and once that it is over. */
static void watch_room(struct process *p)
{
	bool is_short = p->journal != NULL && p->journal->room_bytes < p->journal_room;

	if (is_short && !p->is_short)
		log_warn("the journal's disk is nearly full: new tasks are refused", "free",
			LOG_INT(p->journal->room_bytes), "journal_room", LOG_INT(p->journal_room));
	else if (!is_short && p->is_short)
		log_info("the journal's disk has room again");
	p->is_short = is_short;
}

static void keep_mark(struct process *p)
{
	if (p->journal != NULL && mark_keep(&p->mark, router_core_now(p->core)) < 0)
		log_warn("what time it is cannot be kept beside the journal", "path",
			LOG_STR(p->mark.path));
}

static void on_control(void *ctx, int64_t now_ns)
{
	struct process *p = ctx;

	(void)now_ns;
	if (p->core == NULL)
		return;
	router_core_beat(p->core);
	router_core_measure(p->core);
	watch_room(p);
	keep_mark(p);
}

static void on_bus(void *ctx, enum bus_state state)
{
	struct process *p = ctx;

	if (p->core != NULL)
		router_core_bus(p->core, state);
}

static int64_t loop_now(void *ctx)
{
	const struct process *p = ctx;

	return p->daemon.loop.now_ns;
}

static int64_t wall_now(void *ctx)
{
	(void)ctx;
	return clocks_wall();
}

static int64_t journal_now(void *ctx)
{
	const struct process *p = ctx;

	if (p->core != NULL)
		return router_core_now(p->core);
	return p->own_ns != 0 ? p->own_ns : p->daemon.loop.now_ns;
}

/* Being woken is enough here too: the turn's end sends what is safe. */
static void on_safe(void *ctx)
{
	(void)ctx;
}

static int refuse(const char *what, const struct fail *why)
{
	log_error(what, "error", LOG_ERR(why->code), "field", LOG_STR(why->field), "detail",
		LOG_STR(why->detail));
	return err_row(why->code)->exit;
}

/* The journal that the settings name, or none (*ret NULL). 0 or an exit status. */
static int open_journal(struct process *p, const struct settings *s, struct journal **ret)
{
	struct fail why = { 0 };
	const struct journal_sqlite_conf conf = {
		.path = s->journal,
		.rows_max = s->journal_rows,
		.bytes_max = s->journal_bytes,
		.now = journal_now,
		.now_ctx = p,
	};

	*ret = NULL;
	if (s->journal[0] == '\0') {
		log_warn("no journal is set: tasks do not outlive this process");
		return 0;
	}
	p->own_ns = mark_open(&p->mark, s->journal);
	*ret = journal_sqlite_open(&p->daemon.loop, &conf, &why);
	if (*ret == NULL)
		return refuse("the journal cannot be opened", &why);
	(*ret)->on_safe = on_safe;
	p->journal = *ret;
	p->journal_room = s->journal_room;
	return 0;
}

static int serve(struct process *p, const struct settings *s)
{
	struct fail why = { 0 };
	struct journal *journal;
	struct tenant_weight weights[SETTINGS_WEIGHTS];
	uint32_t weights_n;
	int status;

	if (settings_weights(s, weights, &weights_n, &why) < 0 ||
		settings_check_operators(s, &why) < 0)
		return refuse("a setting is wrong", &why);
	status = open_journal(p, s, &journal);
	if (status != 0)
		return status;
	struct router_core_conf conf = {
		.bus = p->daemon.bus,
		.journal = journal,
		.backlog = { (uint64_t)s->journal_wait_rows, (uint64_t)s->journal_wait_bytes,
			s->journal_room },
		.name = p->daemon.name,
		.operators = s->operators,
		.own_ns = p->own_ns,
		.now = loop_now,
		.wall = wall_now,
		.now_ctx = p,
		.jitter_us = &p->daemon.loop.jitter_us,
	};

	settings_apply(s, &conf.machine);
	conf.machine.weights = weights;
	conf.machine.weights_n = weights_n;
	conf.machine.seed = keys_random();
	conf.machine.key_seed = keys_random();
	conf.machine.incarnation = p->daemon.incarnation;
	p->core = router_core_open(&conf, &why);
	if (p->core == NULL) {
		journal_close(journal);
		return refuse("the router cannot be opened", &why);
	}
	if (journal != NULL)
		log_info("the journal is read", "path", LOG_STR(s->journal), "open",
			LOG_INT(router_open(router_core_machine(p->core))), "kept",
			LOG_INT((int64_t)journal->kept));
	keep_mark(p);
	const struct router_metrics *m = router_core_metrics(p->core);
	const struct daemon_endpoint endpoints[] = {
		{ "submit", "spu.submit.*", "spu-router", &m->submits, &m->submit_errors },
		{ "query", "spu.query.*", "spu-router", &m->queries, &m->query_errors },
		{ "up", "spu.up.*", "spu-router", &m->ups, &m->up_errors },
		{ 0 },
	};

	p->daemon.metrics = (struct metric_set){ p->daemon.program, router_metric_rows, m };
	p->daemon.endpoints = endpoints;
	router_core_greet(p->core);
	status = daemon_run(&p->daemon);
	p->daemon.metrics = (struct metric_set){ 0 };
	p->daemon.endpoints = NULL;
	router_core_close(p->core);
	p->core = NULL;
	journal_close(journal);
	return p->status != 0 ? p->status : status;
}

static int check(const char *path)
{
	struct fail why = { 0 };
	int faults = path[0] == '\0' ? fail_set(&why, ERR_INVALID, "journal", 0,
					       "no journal is set: --journal FILE")
				     : journal_check(path, stdout, &why);

	if (faults < 0)
		fprintf(stderr, "spu-router: %s\n", why.detail);
	return faults < 0 ? err_row(why.code)->exit : faults > 0;
}

int main(int argc, char **argv)
{
	struct settings settings = { 0 };
	struct process p = { .wake = { .on_due = on_wake, .ctx = &p }, .wake_ns = INT64_MAX };
	struct daemon_hooks hooks = {
		.on_turn = on_turn,
		.on_control = on_control,
		.on_bus = on_bus,
		.ctx = &p,
	};
	int status;
	int r = conf_load(&settings, settings_rows, "router",
		"takes tasks, places them on nodes, and goes down the ladder until one does them",
		argc, argv);

	if (r != 0)
		return r > 0 ? 0 : 2;
	if (settings.check_journal)
		return check(settings.journal);
	r = daemon_open(&p.daemon, "router", &settings.base, &hooks);
	if (r < 0)
		return err_row(r)->exit;
	status = serve(&p, &settings);
	daemon_close(&p.daemon);
	return status;
}
