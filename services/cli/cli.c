/* SPDX-License-Identifier: Apache-2.0
 *
 * cli: connects for a command and waits with it. SIGINT and SIGTERM come through the loop, so that a command
 * that waits can say what it leaves behind.
 */
#include "services/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "run/bus_nats.h"
#include "run/keys.h"
#include "run/pack.h"
#include "services/cli/state_dir.h"
#include "services/cli/table.h"

#define DEFAULT_URL "nats://127.0.0.1:4222"

struct answer {
	struct cli *c;
	cli_show_query *show_query;
	cli_show_ask *show_ask;
	int exit;
	int done;
};

static int fail_about(const char *about, const struct fail *why)
{
	const struct err_row *row = err_row(why->code);

	/* these two may be a node's words */
	text_print(stderr, "spu: %s%s%s", about == NULL ? "" : about, about == NULL ? "" : ": ",
		why->detail[0] != 0 ? why->detail : row->text);
	if (why->field[0] != 0)
		text_print(stderr, " (field %s)", why->field);
	if (why->limit != 0)
		fprintf(stderr, " (limit %lld)", (long long)why->limit);
	fprintf(stderr, " [%s]\n", row->name);
	if (why->retry_after_ms > 0)
		fprintf(stderr, "spu: try again in %lld ms\n", (long long)why->retry_after_ms);
	return row->exit;
}

int cli_fail(const struct fail *why)
{
	return fail_about(NULL, why);
}

int cli_fail_text(int code, const char *format, ...)
{
	va_list args;

	fputs("spu: ", stderr);
	va_start(args, format);
	text_vprint(stderr, format, args);
	va_end(args);
	fprintf(stderr, " [%s]\n", err_row(code)->name);
	return err_row(code)->exit;
}

int cli_usage(const char *format, ...)
{
	va_list args;

	fputs("spu: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

static void on_signal(void *ctx, uint32_t events)
{
	struct cli *c = ctx;
	struct signalfd_siginfo info;

	(void)events;
	if (read(c->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		c->interrupted = true;
}

static int open_signals(struct cli *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ERR_IO;
	c->signals = (struct loop_fd){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = EPOLLIN,
		.on_ready = on_signal,
		.ctx = c,
	};
	return c->signals.fd < 0 ? ERR_IO : loop_fd_add(&c->loop, &c->signals);
}

static void choose_url(struct cli *c)
{
	const char *url = c->opts.url != NULL ? c->opts.url : getenv("SPU_URL");

	if (url != NULL && url[0] != '\0')
		snprintf(c->url, sizeof(c->url), "%s", url);
	else if (!state_dir_url(c->opts.dir, c->url, sizeof(c->url)))
		snprintf(c->url, sizeof(c->url), DEFAULT_URL);
	bus_servers_text(c->url, c->servers, sizeof(c->servers));
}

static int choose_tenant(struct cli *c)
{
	const char *tenant = c->opts.tenant != NULL ? c->opts.tenant : getenv("SPU_TENANT");

	if (tenant == NULL || tenant[0] == '\0')
		tenant = "local";
	if (!fmt_is_token(span_str(tenant)))
		return cli_usage("SPU_TENANT: %s: 1 to 64 letters, digits, _ or - are allowed",
			tenant);
	span_copy(span_str(tenant), c->tenant, sizeof(c->tenant));
	return 0;
}

static void on_timeout(void *ctx, int64_t now_ns)
{
	(void)now_ns;
	*(int *)ctx = 1;
}

static void on_bus_error(void *ctx, const struct fail *why)
{
	struct cli *c = ctx;

	c->bus_why = *why;
}

static int unreached(const struct cli *c)
{
	if (c->bus_why.code == ERR_DENIED)
		return cli_fail_text(ERR_DENIED, "the NATS server at %s refuses: %s", c->servers,
			c->bus_why.detail);
	return cli_fail_text(ERR_NO_NODE,
		"no NATS server answers at %s; is the mesh running? (spu up)", c->servers);
}

/* Wait until the bus is up. */
static int await_bus(struct cli *c)
{
	int late = 0;
	struct loop_timer timer = { .on_due = on_timeout, .ctx = &late };
	int r = loop_timer_set(&c->loop, &timer, clocks_now(&c->loop.clocks) + CLI_CONNECT_NS);

	while (r == 0 && c->bus->state != BUS_UP && late == 0 && !c->interrupted)
		r = loop_turn(&c->loop, -1);
	loop_timer_stop(&c->loop, &timer);
	if (r < 0)
		return cli_fail_text(r, "waiting failed");
	if (c->interrupted)
		return EXIT_INTERRUPTED;
	return c->bus->state == BUS_UP ? 0 : unreached(c);
}

static int open_client(struct cli *c)
{
	struct bus_nats_conf conf = {
		.url = c->url,
		.name = "spu",
		.on_error = on_bus_error,
		.error_ctx = c,
	};
	struct client_conf client = { .tenant = span_str(c->tenant) };
	struct fail why = { 0 };
	int r;

	c->bus = bus_nats_open(&c->loop, &conf, &why);
	if (c->bus == NULL)
		return cli_fail(&why);
	c->patience_ns = c->opts.timeout_ns < 0 ? CLI_TIMEOUT_NS : c->opts.timeout_ns;
	client.packs = !pack_is_near(c->url);
	client.timeout_ns = c->patience_ns;
	client.submit_ns = c->patience_ns / CLI_SUBMITS;
	r = await_bus(c);
	if (r != 0)
		return r;
	c->client = client_open(&c->loop, c->bus, &client);
	return c->client != NULL ? 0 : cli_fail_text(ERR_NO_MEMORY, "no memory for a client");
}

int cli_open(struct cli *c)
{
	int r = choose_tenant(c);

	if (r != 0)
		return r;
	choose_url(c);
	r = keys_open();
	if (r == 0)
		r = loop_open(&c->loop);
	if (r < 0)
		return cli_fail_text(r, "cannot start");
	c->is_looping = true;
	r = open_signals(c);
	if (r < 0)
		return cli_fail_text(r, "signals: %s", strerror(errno));
	return open_client(c);
}

void cli_close(struct cli *c)
{
	if (!c->is_looping)
		return;
	client_close(c->client);
	bus_close(c->bus);
	if (c->signals.fd > 0)
		close(c->signals.fd);
	loop_close(&c->loop);
	c->is_looping = false;
}

int cli_wait(struct cli *c, const int *done)
{
	while (*done == 0 && !c->interrupted) {
		int r = loop_turn(&c->loop, -1);

		if (r < 0)
			return cli_fail_text(r, "waiting failed: %s", strerror(errno));
	}
	return *done == 0 ? EXIT_INTERRUPTED : 0;
}

static void on_query(void *ctx, const struct query_reply *r)
{
	struct answer *a = ctx;

	if (a->c->interrupted)
		return;
	a->exit = r->fail.code != 0 ? fail_about(a->c->about, &r->fail) : a->show_query(a->c, r);
	a->done = 1;
}

static void on_ask(void *ctx, const struct ask_reply *r)
{
	struct answer *a = ctx;

	if (a->c->interrupted)
		return;
	a->exit = r->fail.code != 0 ? cli_fail(&r->fail) : a->show_ask(a->c, r);
	a->done = 1;
}

static int await_answer(struct answer *a, int sent)
{
	int r;

	if (sent < 0)
		return cli_fail_text(sent, "the question could not be sent");
	r = cli_wait(a->c, &a->done);
	if (r == 0)
		return a->exit;
	/* The callback must not find a stack that is gone. */
	client_close(a->c->client);
	a->c->client = NULL;
	return r;
}

int cli_query(struct cli *c, const struct query *q, cli_show_query *show)
{
	struct answer a = { .c = c, .show_query = show };

	return await_answer(&a, client_query(c->client, q, on_query, &a));
}

int cli_ask(struct cli *c, const struct ask *q, cli_show_ask *show)
{
	struct answer a = { .c = c, .show_ask = show };

	return await_answer(&a, client_ask(c->client, q, on_ask, &a));
}

int cli_task_arg(const struct cli *c, unsigned i, struct ulid *ret)
{
	if (ulid_parse(span_str(c->opts.args.at[i]), ret) == 0)
		return 0;
	return cli_usage("%s: not a task's id (26 letters and digits)", c->opts.args.at[i]);
}
