/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon on the bus in memory: in this process for what it answers, in a child for signals.
 */
#include "run/daemon.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/bus_mem.h"
#include "run/bus_nats.h"
#include "run/log.h"
#include "tests/support/test.h"

static struct {
	struct bus_net *net;
	struct bus *peer;
	struct loop_hook carry;
	bool refuses;
	bool begins_lost;
} net;

static void carry(void *ctx, int64_t now_ns)
{
	(void)ctx;
	bus_net_now(net.net, now_ns);
	while (bus_net_step(net.net, now_ns))
		;
}

/* Instead of the one in the library. */
struct bus *bus_nats_open(struct loop *l, const struct bus_nats_conf *conf, struct fail *why)
{
	struct bus *b;

	if (net.refuses) {
		fail_set(why, ERR_INVALID, "url", 0, NULL);
		return NULL;
	}
	b = bus_mem_open(net.net, conf->name);
	if (b == NULL)
		return NULL;
	if (net.begins_lost)
		b->state = BUS_LOST;
	net.carry = (struct loop_hook){ .on_turn = carry };
	loop_hook_add(l, &net.carry);
	return b;
}

static int open_net(void **state)
{
	(void)state;
	memset(&net, 0, sizeof(net));
	net.net = bus_net_new(NULL, NULL, 1);
	net.peer = bus_mem_open(net.net, "peer");
	return net.peer == NULL ? -1 : 0;
}

static int close_net(void **state)
{
	(void)state;
	bus_close(net.peer);
	bus_net_free(net.net);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static struct conf_base conf_of(const char *name, int ready_fd)
{
	struct conf_base c = { .log_level = LOG_ERROR, .ready_fd = ready_fd };

	span_copy(span_str(name), c.name, sizeof(c.name));
	return c;
}

static void turns(struct daemon *d, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(loop_turn(&d->loop, 0), 0);
}

/* Questions */

struct answers {
	json_t *last;
	unsigned n;
};

static void on_answer(void *ctx, const struct bus_msg *m)
{
	struct answers *a = ctx;
	json_error_t error;

	json_decref(a->last);
	a->last = json_loadb((const char *)m->data.at, m->data.len, JSON_REJECT_DUPLICATES, &error);
	if (a->last == NULL)
		fail_msg("%s: %.*s", error.text, (int)m->data.len, (const char *)m->data.at);
	a->n++;
}

static void ask(struct daemon *d, const char *subject, const char *reply)
{
	assert_int_equal(bus_publish(net.peer, subject, reply, span_of(NULL, 0), span_of(NULL, 0)),
		0);
	turns(d, 3);
}

static const char *text_at(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	assert_non_null(s);
	return s;
}

static void has_head(const json_t *j, const char *type, const struct daemon *d)
{
	const json_t *about = json_object_get(j, "metadata");
	char incarnation[24];

	assert_string_equal(text_at(j, "type"), type);
	assert_string_equal(text_at(j, "name"), "spu-test");
	assert_string_equal(text_at(j, "id"), d->name);
	assert_true(strspn(text_at(j, "version"), "0123456789") > 0);
	assert_string_equal(text_at(about, "program"), "test");
	assert_string_equal(text_at(about, "node"), d->name);
	snprintf(incarnation, sizeof(incarnation), "%llu", (unsigned long long)d->incarnation);
	assert_string_equal(text_at(about, "incarnation"), incarnation);
}

struct metrics {
	uint64_t tasks;
};
static const struct metric_row metric_rows[] = {
	{ "tasks", METRIC_COUNTER, offsetof(struct metrics, tasks), "", "tasks" },
	{ 0 },
};

static void answers_service_discovery(void **state)
{
	static const uint64_t requests = 41;
	const struct daemon_endpoint endpoints[] = {
		{ "submit", "spu.submit.*", "spu-router", &requests, NULL },
		{ "down", "spu.down.n1", "", NULL, NULL },
		{ 0 },
	};
	static const char *const asked[] = { "PING", "PING.spu-test", "PING.spu-test.n1", "INFO",
		"INFO.spu-test", "INFO.spu-test.n1", "STATS", "STATS.spu-test",
		"STATS.spu-test.n1" };
	static const char *const types[] = { "io.nats.micro.v1.ping_response",
		"io.nats.micro.v1.info_response", "io.nats.micro.v1.stats_response" };
	struct conf_base conf = conf_of("n1", -1);
	struct metrics metrics = { 7 };
	struct answers answers = { 0 };
	struct daemon *d = calloc(1, sizeof(*d));
	const json_t *e, *data;

	(void)state;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), 0);
	assert_non_null(bus_subscribe(net.peer, "_INBOX.>", NULL, on_answer, &answers));
	d->endpoints = endpoints;
	d->metrics = (struct metric_set){ "test", metric_rows, &metrics };
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		char subject[64];

		snprintf(subject, sizeof(subject), "$SRV.%s", asked[i]);
		ask(d, subject, "_INBOX.a.b");
		assert_int_equal(answers.n, i + 1);
		has_head(answers.last, types[i / 3], d);
		if (i == 4) {
			e = json_array_get(json_object_get(answers.last, "endpoints"), 1);
			assert_string_equal(text_at(e, "name"), "down");
			assert_string_equal(text_at(e, "subject"), "spu.down.n1");
		}
	}
	e = json_array_get(json_object_get(answers.last, "endpoints"), 0);
	assert_string_equal(text_at(e, "queue_group"), "spu-router");
	assert_int_equal(json_integer_value(json_object_get(e, "num_requests")), 41);
	assert_int_equal(json_integer_value(json_object_get(e, "num_errors")), 0);
	assert_int_equal(strlen(text_at(answers.last, "started")), 24);
	data = json_object_get(answers.last, "data");
	assert_int_equal(json_integer_value(json_object_get(data, "spu_test_tasks")), 7);
	assert_true(json_is_object(json_object_get(data, "spu_test_control_late_us")));
	assert_int_equal(json_integer_value(json_object_get(data, "spu_test_bus_sent")), 8);
	/* Without endpoints and metrics, too. */
	d->endpoints = NULL;
	d->metrics = (struct metric_set){ 0 };
	ask(d, "$SRV.STATS", "_INBOX.a.b");
	assert_int_equal(json_array_size(json_object_get(answers.last, "endpoints")), 0);
	json_decref(answers.last);
	daemon_close(d);
	free(d);
}

static void count(void *ctx, const struct bus_msg *m)
{
	*(unsigned *)ctx += !m->no_responders;
}

static void answers_to_inboxes_only(void **state)
{
	struct conf_base conf = conf_of("n1", -1);
	struct daemon *d = calloc(1, sizeof(*d));
	unsigned heard = 0;

	(void)state;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), 0);
	assert_non_null(bus_subscribe(net.peer, "spu.>", NULL, count, &heard));
	assert_non_null(bus_subscribe(net.peer, "_INBOX.>", NULL, count, &heard));
	ask(d, "$SRV.PING", "spu.up.n2");
	ask(d, "$SRV.INFO", "spu.inbox.n1.1");
	ask(d, "$SRV.STATS", NULL);
	ask(d, "$SRV.PING.other", "_INBOX.a");
	ask(d, "$SRV.PING.spu-test.n2", "_INBOX.a");
	assert_int_equal(heard, 0);
	ask(d, "$SRV.PING", "_INBOX.a");
	assert_int_equal(heard, 1);
	daemon_close(d);
	free(d);
}

static void makes_names_that_are_tokens(void **state)
{
	struct conf_base conf = conf_of("", -1);
	struct daemon *d = calloc(2, sizeof(*d));

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(daemon_open(&d[i], "cpu-node", &conf, NULL), 0);
		assert_true(fmt_is_token(span_str(d[i].name)));
		assert_int_equal(strncmp(d[i].name, "cpu-node-", 9), 0);
		assert_true(d[i].incarnation != 0);
	}
	assert_string_not_equal(d[0].name, d[1].name);
	assert_true(d[0].incarnation != d[1].incarnation);
	for (int i = 0; i < 2; i++) {
		daemon_close(&d[i]);
		daemon_close(&d[i]);
	}
	free(d);
}

static void opens_or_leaves_nothing(void **state)
{
	struct conf_base conf = conf_of("n1", -1);
	struct daemon *d = calloc(1, sizeof(*d));
	int64_t held;

	(void)state;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), 0); /* the net's tables grow once */
	daemon_close(d);
	held = mem_held();
	net.refuses = true;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), ERR_INVALID);
	net.refuses = false;
	conf.ready_fd = 987;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), ERR_INVALID);
	conf.ready_fd = -1;
	assert_int_equal(mem_held(), held);
	assert_null(d->program);
	for (unsigned n = 1;; n++) {
		int r;

		mem_fail_at(n, 0);
		r = daemon_open(d, "test", &conf, NULL);
		if (r == 0)
			daemon_close(d);
		if (mem_failed() == 0)
			break;
		mem_fail_at(0, 0);
		assert_true(r < 0);
		assert_int_equal(mem_held(), held);
	}
	mem_fail_at(0, 0);
	free(d);
}

/* Turns and readiness */

static int end_of_pipe(int pipe_fds[2])
{
	char bytes[8];
	struct pollfd p = { .fd = pipe_fds[0], .events = POLLIN };

	if (poll(&p, 1, 0) == 0)
		return -1;
	return (int)read(pipe_fds[0], bytes, sizeof(bytes));
}

static void tells_readiness_when_the_bus_is_up(void **state)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "notify" };
	int fds[2], notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char path[PATH_MAX], line[32] = "";
	struct conf_base conf;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	conf = conf_of("n1", fds[1]);
	unlink("notify");
	assert_int_equal(bind(notify, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_non_null(realpath("notify", path));
	setenv("NOTIFY_SOCKET", path, 1);
	net.begins_lost = true;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), 0);
	assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
	turns(d, 3);
	assert_int_equal(end_of_pipe(fds), -1);
	assert_true(recv(notify, line, sizeof(line), 0) < 0);
	bus_set_state(d->bus, BUS_UP);
	turns(d, 3);
	assert_int_equal(end_of_pipe(fds), 1);
	assert_int_equal(recv(notify, line, sizeof(line), 0), 7);
	assert_string_equal(line, "READY=1");
	/* Once only, and the descriptor is closed. */
	bus_set_state(d->bus, BUS_LOST);
	bus_set_state(d->bus, BUS_UP);
	turns(d, 3);
	assert_int_equal(end_of_pipe(fds), 0);
	assert_true(recv(notify, line, sizeof(line), 0) < 0);
	daemon_close(d);
	close(fds[0]);
	close(notify);
	free(d);
}

/* What was called, as letters. */
struct order {
	char log[256];
	unsigned n;
	struct daemon *d;
};

static void order_turn(void *ctx, int64_t now_ns)
{
	struct order *o = ctx;

	(void)now_ns;
	if (o->n < 4)
		o->log[o->n++] = 't';
}

static void order_bus(void *ctx, enum bus_state state)
{
	struct order *o = ctx;

	o->log[o->n++] = state == BUS_UP ? 'U' : 'L';
}

static void order_control(void *ctx, int64_t now_ns)
{
	struct order *o = ctx;

	(void)now_ns;
	o->log[o->n++] = 'c';
	daemon_leave(o->d);
}

static void runs_its_hooks(void **state)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct order o = { .d = d };
	const struct daemon_hooks hooks = { order_turn, order_control, order_bus, NULL, &o };
	struct conf_base conf = conf_of("n1", -1);

	(void)state;
	assert_int_equal(daemon_open(d, "test", &conf, &hooks), 0);
	bus_set_state(d->bus, BUS_LOST);
	bus_set_state(d->bus, BUS_UP);
	assert_int_equal(daemon_run(d), 0);
	assert_int_equal(strncmp(o.log, "LU", 2), 0);
	assert_non_null(strchr(o.log, 't'));
	assert_non_null(strchr(o.log, 'c'));
	assert_true(d->is_ready);
	assert_int_equal(d->loop.jitter_us.count, 1);
	daemon_close(d);
	free(d);
}

static void a_bus_that_ends_ends_the_process(void **state)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct conf_base conf = conf_of("n1", -1);

	(void)state;
	assert_int_equal(daemon_open(d, "test", &conf, NULL), 0);
	bus_set_state(d->bus, BUS_CLOSED);
	assert_int_equal(daemon_run(d), 7);
	daemon_close(d);
	free(d);
}

/* Signals, in a child */

enum drain { AT_ONCE, IN_THE_NEXT_BEAT, NEVER, IN_CLEANUP };

struct child {
	struct daemon d;
	enum drain drain;
	bool stopping;
};

static void child_stop(void *ctx, int64_t now_ns)
{
	struct child *c = ctx;

	(void)now_ns;
	c->stopping = true;
	(void)!write(STDOUT_FILENO, "s", 1);
}

static void child_control(void *ctx, int64_t now_ns)
{
	struct child *c = ctx;

	(void)now_ns;
	if (c->stopping && c->drain == IN_THE_NEXT_BEAT)
		daemon_leave(&c->d);
}

static _Noreturn void run_child(enum drain drain, int to_parent)
{
	struct child *c = calloc(1, sizeof(*c));
	const struct daemon_hooks hooks = {
		.on_control = child_control,
		.on_stop = child_stop,
		.ctx = c,
	};
	struct conf_base conf = conf_of("n1", to_parent);
	int status;

	dup2(to_parent, STDOUT_FILENO);
	c->drain = drain;
	if (daemon_open(&c->d, "test", &conf,
		    drain == AT_ONCE || drain == IN_CLEANUP ? NULL : &hooks) < 0)
		_exit(99);
	c->d.drain_ns =
		drain == NEVER && getenv("SHORT") != NULL ? 50 * NS_PER_MS : DAEMON_DRAIN_NS;
	status = daemon_run(&c->d);
	if (drain == IN_CLEANUP) {
		(void)!write(STDOUT_FILENO, "s", 1);
		sleep(60);
	}
	daemon_close(&c->d);
	_exit(status);
}

/* Start a child and wait until it is ready; *ret_fd gets what it tells. */
static pid_t start(enum drain drain, int *ret_fd)
{
	int fds[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_child(drain, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, '\n');
	*ret_fd = fds[0];
	return pid;
}

static int status_of(pid_t pid, int fd)
{
	int status;

	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void await(int fd, char wanted)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, wanted);
}

static void a_signal_ends_it_after_its_drain(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT };
	int fd;
	pid_t pid;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pid = start(AT_ONCE, &fd);
		kill(pid, SIGPIPE); /* ignored */
		kill(pid, signals[i]);
		assert_int_equal(status_of(pid, fd), 0);
		pid = start(IN_THE_NEXT_BEAT, &fd);
		kill(pid, signals[i]);
		await(fd, 's');
		assert_int_equal(status_of(pid, fd), 0);
	}
}

static void a_second_signal_ends_it_at_once(void **state)
{
	int fd;
	pid_t pid = start(NEVER, &fd);

	(void)state;
	kill(pid, SIGINT);
	await(fd, 's');
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid, fd), 130);
	pid = start(IN_CLEANUP, &fd); /* after daemon_run, too */
	kill(pid, SIGTERM);
	await(fd, 's');
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid, fd), 130);
}

static void an_endless_drain_is_cut_off(void **state)
{
	pid_t pid;
	int fd;

	(void)state;
	setenv("SHORT", "1", 1);
	pid = start(NEVER, &fd);
	unsetenv("SHORT");
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid, fd), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_net, close_net)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_service_discovery),
		TEST(answers_to_inboxes_only),
		TEST(makes_names_that_are_tokens),
		TEST(opens_or_leaves_nothing),
		TEST(tells_readiness_when_the_bus_is_up),
		TEST(runs_its_hooks),
		TEST(a_bus_that_ends_ends_the_process),
		TEST(a_signal_ends_it_after_its_drain),
		TEST(a_second_signal_ends_it_at_once),
		TEST(an_endless_drain_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
