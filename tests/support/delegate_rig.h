/* SPDX-License-Identifier: Apache-2.0
 *
 * delegate_rig: the whole delegate between a router on a bus in memory and an API that behaves in every way. After each
 * test everything that left the delegate is searched for the key.
 */
#pragma once
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "node/core.h"
#include "run/bus_mem.h"
#include "run/log.h"
#include "services/delegate/delegate.h"
#include "tests/support/api.h"

#define KEY "sk-canary-0123456789"
#define GOOD                                                                                       \
	"{\"model\":\"m-1\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":"    \
	"\"because\"}}],"                                                                          \
	"\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}"

static struct {
	struct loop loop;
	struct api *api;
	struct bus_net *net;
	struct bus *router;
	struct bus *bus;
	struct node *node;
	struct delegate delegate;
	struct arena arena;
	struct up last; /* the last end: done, failed or refuse */
	unsigned ends;
	struct kind_offer offer; /* of the last offer */
	unsigned slots;
	char why[256]; /* of the last offer */
	char device[256];
	int64_t skew_ns; /* added to the clock */
	struct buf seen; /* all bytes that the delegate sent */
	int stderr_fd;
} t;

static inline void set_text(char *to, size_t room, const char *text)
{
	assert_true(span_copy(span_str(text), to, room) == strlen(text));
}

static inline void on_up(const struct up *u)
{
	if (u->kind == UP_OFFER) {
		t.offer = u->offer->kinds[0];
		t.slots = u->offer->slots;
		span_copy(t.offer.why, t.why, sizeof(t.why));
		span_copy(u->offer->device, t.device, sizeof(t.device));
	} else if (u->kind != UP_ACCEPT) {
		t.last = *u;
		t.ends++;
	}
}

static inline void on_ups(void *ctx, const struct bus_msg *m)
{
	struct up *ups = NULL;
	size_t ups_n = 0;

	(void)ctx;
	buf_add(&t.seen, m->data);
	/* not reset: t.last points into it */
	assert_int_equal(ups_decode(&t.arena, m->data, &ups, &ups_n, NULL), 0);
	for (size_t i = 0; i < ups_n; i++)
		on_up(&ups[i]);
}

static inline int64_t now(void *ctx)
{
	(void)ctx;
	return clocks_now(&t.loop.clocks) + t.skew_ns;
}

static inline void pump(void)
{
	do {
		while (bus_net_step(t.net, now(NULL)))
			;
		node_core_turn(t.node);
	} while (bus_net_next(t.net) <= now(NULL));
}

/* What is logged goes to a file of the test. */
static inline void catch_log(void)
{
	int fd = open("log", O_CREAT | O_TRUNC | O_WRONLY, 0600);

	t.stderr_fd = dup(2);
	dup2(fd, 2);
	close(fd);
	log_open("delegate", LOG_DEBUG, false);
}

static inline void write_key(void)
{
	FILE *f = fopen("key", "w");

	assert_non_null(f);
	fprintf(f, "%s\n", KEY);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("key", 0644), 0);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	write_key();
	catch_log();
	assert_int_equal(loop_open(&t.loop), 0);
	arena_init(&t.arena, 32 << 20);
	buf_init(&t.seen, 32 << 20);
	t.net = bus_net_new(NULL, NULL, 1);
	t.router = bus_mem_open(t.net, "r");
	t.bus = bus_mem_open(t.net, "n");
	assert_non_null(bus_subscribe(t.router, "spu.up.*", NULL, on_ups, NULL));
	t.delegate = (struct delegate){ .provider = &provider_openai, .loop = &t.loop };
	t.delegate.conf.calls_max = 4;
	t.delegate.conf.timeout_ns = 5 * NS_PER_S;
	t.delegate.conf.answer_max = 64 << 10;
	set_text(t.delegate.conf.llm_key, sizeof(t.delegate.conf.llm_key), "key");
	return 0;
}

static inline bool file_has(const char *path, const char *what)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");
	size_t n = f == NULL ? 0 : fread(text, 1, sizeof(text), f);

	if (f != NULL)
		fclose(f);
	return memmem(text, n, what, strlen(what)) != NULL;
}

static inline int teardown(void **state)
{
	(void)state;
	node_core_close(t.node);
	while (bus_net_step(t.net, now(NULL)))
		;
	bus_close(t.bus);
	bus_close(t.router);
	bus_net_free(t.net);
	loop_close(&t.loop);
	api_stop(t.api);
	dup2(t.stderr_fd, 2);
	close(t.stderr_fd);
	assert_int_equal(buf_err(&t.seen), 0);
	if (t.seen.len > 0)
		assert_null(memmem(t.seen.at, t.seen.len, KEY, strlen(KEY)));
	assert_false(file_has("log", KEY));
	arena_done(&t.arena);
	buf_done(&t.seen);
	return 0;
}

static inline struct node *open_node(struct fail *why)
{
	struct node_core_conf conf = {
		.bus = t.bus,
		.name = "delegate",
		.incarnation = 42,
		.slots_max = LIMIT_OFFER_SLOTS,
		.offer_every_ns = 5 * NS_PER_S,
		.now = now,
		.ops = &delegate_ops,
		.self = &t.delegate,
	};

	return node_core_open(&conf, why);
}

static inline void serve(const struct api_step *steps, size_t steps_n)
{
	struct fail why = { 0 };

	t.api = api_start(steps, steps_n);
	snprintf(t.delegate.conf.llm_url, sizeof(t.delegate.conf.llm_url), "%s/v1", api_url(t.api));
	t.node = open_node(&why);
	if (t.node == NULL)
		fail_msg("%s", why.detail);
	pump();
}

static inline void assign_body(unsigned i, struct span body, int64_t within_ms)
{
	struct buf b;
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = { .hi = 1, .lo = i },
		.attempt = 1,
		.task_kind = SPAN_LIT("llm.chat"),
		.tenant = SPAN_LIT("ada"),
		.lease_ms = 30000,
		.deadline_ms = now(NULL) / NS_PER_MS + within_ms,
		.body = body,
	};

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	downs_put(&b, &d);
	assert_int_equal(
		bus_publish(t.router, "spu.down.delegate", NULL, (struct span){ 0 }, buf_span(&b)),
		0);
	buf_done(&b);
	pump();
}

static inline void assign(unsigned i, const char *model)
{
	struct buf body;

	buf_init(&body, LIMIT_BODY_BYTES);
	body_put_param(&body, SPAN_LIT("prompt"), SPAN_LIT("why?"));
	if (model != NULL)
		body_put_param(&body, SPAN_LIT("model"), span_str(model));
	body_put_item(&body, SPAN_LIT("a.txt"), SPAN_LIT("text/plain"), SPAN_LIT("a text"));
	assign_body(i, buf_span(&body), 60000);
	buf_done(&body);
}

static inline void wait_for(unsigned ends)
{
	int64_t until_ns = clocks_mono() + 10 * NS_PER_S;

	while (t.ends < ends) {
		if (clocks_mono() > until_ns)
			fail_msg("%u of %u ends after 10 s", t.ends, ends);
		assert_int_equal(loop_turn(&t.loop, 10 * NS_PER_MS), 0);
		pump();
	}
}

/* Until the offer that a change asked for is there. */
static inline void wait_for_offer(bool ready)
{
	int64_t until_ns = clocks_mono() + 10 * NS_PER_S;

	while (t.offer.ready != ready) {
		if (clocks_mono() > until_ns)
			fail_msg("not %s after 10 s: %s", ready ? "ready" : "unready", t.why);
		assert_int_equal(loop_turn(&t.loop, 10 * NS_PER_MS), 0);
		pump();
	}
}

/* One task, and the code it ends with. */
static inline int ask(unsigned i)
{
	assign(i, NULL);
	wait_for(t.ends + 1);
	return t.last.kind == UP_DONE ? 0 : t.last.fail.code;
}
