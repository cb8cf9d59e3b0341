/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: the life of a process, from blocked signals to the last flush.
 */
#include "run/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "run/bus_nats.h"
#include "run/discovery.h"
#include "run/keys.h"
#include "run/log.h"
#include "run/ready.h"

#define PATIENCE_BEATS 10             /* of the control loop: 1 s */
#define TELL_AGAIN_NS (60 * NS_PER_S) /* the log says so often that no server answers */
#define COMPLAINTS 16u                /* of the server in that time that the log has */

/* Names */

static char token_char(char c)
{
	return fmt_is_token(span_of(&c, 1)) ? c : '-';
}

/* "<program>-<host>-<4 random characters>": tells people where it runs, and is not used twice. */
static void make_name(struct daemon *d)
{
	static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
	char host[64] = "";
	uint64_t random = keys_random();
	size_t len;

	if (gethostname(host, sizeof(host)) != 0 || host[0] == '\0' || host[0] == '.')
		span_copy(SPAN_LIT("host"), host, sizeof(host));
	host[sizeof(host) - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	len = (size_t)snprintf(d->name, sizeof(d->name), "%.20s-%.38s-", d->program, host);
	for (int i = 0; i < 4; i++, random >>= 5)
		d->name[len++] = letters[random & 31];
	for (size_t i = 0; i < len; i++)
		d->name[i] = token_char(d->name[i]);
	d->name[len] = '\0';
}

/* Stopping */

static void on_drain_over(void *ctx, int64_t now_ns)
{
	struct daemon *d = ctx;

	(void)now_ns;
	log_warn("the drain took too long and was cut off", "drain_ms",
		LOG_INT(d->drain_ns / NS_PER_MS));
	d->status = 1;
	daemon_leave(d);
}

static void begin_stop(struct daemon *d, uint32_t signal)
{
	d->phase = DAEMON_DRAINS;
	log_info("stopping", "signal", LOG_STR(signal == SIGINT ? "SIGINT" : "SIGTERM"));
	ready_notify("STOPPING=1");
	if (d->hooks.on_stop == NULL) {
		daemon_leave(d);
		return;
	}
	if (loop_timer_set(&d->loop, &d->stop_timer, d->loop.now_ns + d->drain_ns) < 0)
		log_warn("no timer is left: the drain is not limited");
	d->hooks.on_stop(d->hooks.ctx, d->loop.now_ns);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct daemon *d = ctx;
	struct signalfd_siginfo info;

	(void)events;
	if (read(d->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (d->phase == DAEMON_RUNS) {
		begin_stop(d, info.ssi_signo);
		return;
	}
	log_warn("a second signal: ending at once");
	_exit(130);
}

void daemon_leave(struct daemon *d)
{
	d->phase = DAEMON_LEAVES;
	loop_stop(&d->loop);
}

/* Turns */

static void on_turn(void *ctx, int64_t now_ns)
{
	struct daemon *d = ctx;

	if (d->hooks.on_turn != NULL)
		d->hooks.on_turn(d->hooks.ctx, now_ns);
}

static void on_send(void *ctx, int64_t now_ns)
{
	struct daemon *d = ctx;

	(void)now_ns;
	bus_flush(d->bus);
}

static void on_control(void *ctx, int64_t now_ns)
{
	struct daemon *d = ctx;

	if (!d->is_reachable || d->ready_sub != NULL)
		ready_ask(d);
	if (!d->is_reachable && d->told_ns == 0 && d->loop.jitter_us.count == PATIENCE_BEATS)
		log_warn("not ready yet: no answer of the NATS server; still trying", "url",
			LOG_STR(d->servers));
	if (d->hooks.on_control != NULL)
		d->hooks.on_control(d->hooks.ctx, now_ns);
}

static void on_bus(void *ctx, enum bus_state state)
{
	struct daemon *d = ctx;

	switch (state) {
	case BUS_UP:
		log_info("connected to NATS", "url", LOG_STR(d->servers));
		d->told_ns = 0;
		if (!d->is_reachable)
			ready_ask(d);
		break;
	case BUS_LOST:
		log_warn("the connection to NATS is lost; connecting again");
		break;
	case BUS_CLOSED:
		log_error("the connection to NATS has ended for good");
		d->status = err_row(ERR_CLOSED)->exit;
		daemon_leave(d);
		break;
	}
	if (d->hooks.on_bus != NULL)
		d->hooks.on_bus(d->hooks.ctx, state);
}

static void exit_now(int signal)
{
	(void)signal;
	_exit(130);
}

/* While the program cleans up nobody reads signal_fd, and a second signal must still end it. */
static void heed_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGTERM, exit_now);
	signal(SIGINT, exit_now);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void daemon_hold(struct daemon *d)
{
	d->is_held = true;
}

void daemon_release(struct daemon *d)
{
	d->is_held = false;
	ready_check(d);
}

int daemon_run(struct daemon *d)
{
	ready_ask(d);
	/* The first turn does not wait: what was published so far leaves now. */
	if (loop_turn(&d->loop, 0) < 0 || loop_run(&d->loop) < 0) {
		log_error("the loop failed", "detail", LOG_STR(strerror(errno)));
		d->status = err_row(ERR_IO)->exit;
	}
	heed_signals();
	return d->status;
}

/* Opening and closing */

/* Blocked before any thread exists, so that every thread inherits it and only the loop sees them. */
static int open_signals(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return ERR_IO;
	d->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	d->signals = (struct loop_fd){ d->signal_fd, EPOLLIN, on_signal, d };
	return d->signal_fd < 0 ? ERR_IO : loop_fd_add(&d->loop, &d->signals);
}

static int open_loop(struct daemon *d)
{
	int r = loop_open(&d->loop);

	if (r < 0)
		return r;
	d->started_ns = d->loop.now_ns;
	r = open_signals(d);
	if (r < 0)
		return r;
	d->stop_timer = (struct loop_timer){ .on_due = on_drain_over, .ctx = d };
	d->turn_hook = (struct loop_hook){ .on_turn = on_turn, .ctx = d };
	d->send_hook = (struct loop_hook){ .on_turn = on_send, .ctx = d };
	loop_hook_add(&d->loop, &d->turn_hook);
	loop_hook_add(&d->loop, &d->send_hook);
	return loop_control(&d->loop, on_control, d);
}

/* An attempt to connect failed. They come several a second at first: the log says it once, and once a minute. */
static void tell_unreached(struct daemon *d, const struct fail *why)
{
	if (d->told_ns != 0 && d->told_code == why->code &&
		d->loop.now_ns - d->told_ns < TELL_AGAIN_NS)
		return;
	d->told_ns = d->loop.now_ns;
	d->told_code = why->code;
	log_warn(why->code == ERR_DENIED
			 ? "the NATS server refuses this process; still trying (see --url, --nkey)"
			 : "no NATS server answers; still trying (see --url)",
		"url", LOG_STR(d->servers), "error", LOG_ERR(why->code), "detail",
		LOG_STR(why->detail));
}

/* What the server refuses while the connection is up. It may refuse the same again and again. */
static void tell_complaint(struct daemon *d, const struct fail *why)
{
	if (d->loop.now_ns - d->complained_ns >= TELL_AGAIN_NS) {
		d->complained_ns = d->loop.now_ns;
		d->complaints = 0;
	} else if (d->complaints >= COMPLAINTS || strcmp(why->detail, d->complaint) == 0) {
		return;
	}
	d->complaints++;
	span_copy(span_str(why->detail), d->complaint, sizeof(d->complaint));
	log_warn("the NATS server has complained", "error", LOG_ERR(why->code), "detail",
		LOG_STR(why->detail));
}

static void on_bus_error(void *ctx, const struct fail *why)
{
	struct daemon *d = ctx;

	if (d->bus == NULL || d->bus->state != BUS_UP)
		tell_unreached(d, why);
	else
		tell_complaint(d, why);
}

static int open_bus(struct daemon *d, const struct conf_base *conf, struct fail *why)
{
	struct bus_nats_conf nats = {
		.url = conf->url,
		.name = d->name,
		.nkey = conf->nkey[0] == '\0' ? NULL : conf->nkey,
		.on_error = on_bus_error,
		.error_ctx = d,
	};
	int r;

	bus_servers_text(conf->url, d->servers, sizeof(d->servers));
	d->bus = bus_nats_open(&d->loop, &nats, why);
	if (d->bus == NULL)
		return why->code < 0 ? why->code : ERR_NO_MEMORY;
	d->bus->on_state = on_bus;
	d->bus->state_ctx = d;
	r = discovery_open(d);
	return r < 0 ? r : ready_open(d);
}

static int open_all(struct daemon *d, const struct conf_base *conf, struct fail *why)
{
	int r = keys_open();

	if (r < 0)
		return fail_set(why, r, NULL, 0, "libsodium cannot start");
	/* A later start has a greater number: what an earlier one said is recognised as old. */
	d->incarnation = ((uint64_t)(clocks_wall() / NS_PER_MS) << 20) | (keys_random() & 0xFFFFF);
	span_copy(span_str(conf->name), d->name, sizeof(d->name));
	if (d->name[0] == '\0')
		make_name(d);
	if (d->ready_fd >= 0 && fcntl(d->ready_fd, F_SETFD, FD_CLOEXEC) != 0)
		return fail_set(why, ERR_INVALID, "ready_fd", 0, "descriptor %d is not open",
			d->ready_fd);
	r = open_loop(d);
	if (r < 0)
		return fail_set(why, r, NULL, 0, "the loop cannot start: %s",
			r == ERR_IO ? strerror(errno) : err_row(r)->text);
	return open_bus(d, conf, why);
}

int daemon_open(struct daemon *d, const char *program, const struct conf_base *conf,
	const struct daemon_hooks *hooks)
{
	struct fail why = { 0 };
	int r;

	*d = (struct daemon){
		.program = program,
		.signal_fd = -1,
		.ready_fd = (int)conf->ready_fd,
		.drain_ns = DAEMON_DRAIN_NS,
	};
	if (hooks != NULL)
		d->hooks = *hooks;
	log_open(program, (enum log_level)conf->log_level, conf->log_format == 1);
	r = open_all(d, conf, &why);
	if (r == 0)
		return 0;
	log_error("cannot start", "error", LOG_ERR(r), "detail",
		LOG_STR(why.detail[0] != '\0' ? why.detail : err_row(r)->text));
	daemon_close(d);
	return r;
}

void daemon_close(struct daemon *d)
{
	if (d->program == NULL)
		return;
	if (d->bus != NULL)
		d->bus->on_state = NULL;
	bus_close(d->bus);
	loop_close(&d->loop);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	*d = (struct daemon){ .signal_fd = -1, .ready_fd = -1 };
}
