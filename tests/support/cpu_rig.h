/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu_rig: the backend of the CPU node under a real node core, loop and pool of one thread; the router is a peer
 * on a bus in memory. What came up is read back as lines of text.
 */
#pragma once
#include <stdlib.h>

#include "tests/support/test.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cpu-node/backend_cpu.h"
#include "cpu-node/kinds.h"
#include "node/core.h"
#include "run/bus_mem.h"

#define CPU_RIG_SLOTS 4
#define CPU_RIG_QUEUE_BYTES 4096
#define CPU_RIG_PATIENCE_NS                                                                        \
	(100 * NS_PER_S) /* for what takes milliseconds, under any sanitizer and load */

struct cpu_rig {
	struct cpu_conf conf;
	struct cpu_backend backend;
	struct daemon daemon; /* only its loop */
	struct bus_net *net;
	struct bus *router;
	struct bus *bus;
	struct node *node;
	struct arena arena;
	struct buf seen; /* lines of what came up */
	unsigned ends;   /* done, failed and refused */
	unsigned progress;
	uint64_t chunks; /* of one task */
	size_t chunk_bytes;
	uint32_t offered_slots;
	uint32_t queued; /* of the last offer */
	int64_t held;    /* blocks before set-up */
	const char *tenant;
};
static struct cpu_rig cpu_rig;

static inline int64_t cpu_rig_now(void *ctx)
{
	(void)ctx;
	return clocks_now(&cpu_rig.daemon.loop.clocks);
}

/* The router's side. */

static inline void see_up(const struct up *u)
{
	static const char *const
		names[] = { [UP_REFUSE] = "refuse", [UP_DONE] = "done", [UP_FAILED] = "failed" };

	cpu_rig.progress += u->kind == UP_PROGRESS;
	if (u->kind == UP_CHUNK) {
		assert_int_equal(u->chunk_seq, ++cpu_rig.chunks);
		assert_int_equal(cpu_rig.ends, 0); /* pieces come before the end */
		cpu_rig.chunk_bytes += u->data.len;
	}
	if (u->kind == UP_OFFER) {
		cpu_rig.queued = u->offer->queued;
		cpu_rig.offered_slots = u->offer->slots;
	}
	if (u->kind >= ARRAY_LEN(names) || names[u->kind] == NULL)
		return;
	cpu_rig.ends++;
	buf_fmt(&cpu_rig.seen, "%s %c%s", names[u->kind], (int)u->task.lo,
		u->cache_hit ? " hit" : "");
	if (u->fail.code != 0)
		buf_fmt(&cpu_rig.seen, " %s %s %d", err_row(u->fail.code)->name, u->fail.field,
			(int)u->fail.limit);
	buf_byte(&cpu_rig.seen, '\n');
}

static inline void on_ups(void *ctx, const struct bus_msg *m)
{
	struct up *ups = NULL;
	size_t ups_n = 0;

	(void)ctx;
	arena_reset(&cpu_rig.arena);
	assert_int_equal(ups_decode(&cpu_rig.arena, m->data, &ups, &ups_n, NULL), 0);
	for (size_t i = 0; i < ups_n; i++)
		see_up(&ups[i]);
}

static inline void cpu_rig_pump(void)
{
	do {
		while (bus_net_step(cpu_rig.net, cpu_rig_now(NULL)))
			;
		if (cpu_rig.node != NULL)
			node_core_turn(cpu_rig.node);
	} while (bus_net_next(cpu_rig.net) <= cpu_rig_now(NULL));
}

static inline void send_down(const struct down *d)
{
	struct buf b;

	buf_init(&b, LIMIT_MESSAGE_BYTES);
	downs_put(&b, d);
	assert_int_equal(buf_err(&b), 0);
	bus_net_now(cpu_rig.net, cpu_rig_now(NULL));
	assert_int_equal(
		bus_publish(cpu_rig.router, "spu.down.n1", NULL, (struct span){ 0 }, buf_span(&b)),
		0);
	buf_done(&b);
	cpu_rig_pump();
}

static inline struct ulid cpu_rig_task(char letter)
{
	return (struct ulid){ .hi = 1, .lo = (uint64_t)letter };
}

/* An order for a kind with one parameter and one item, which may both be missing. */
static inline void cpu_rig_assign(char letter, const char *kind, const char *key, const char *value,
	struct span data)
{
	struct down d = {
		.kind = DOWN_ASSIGN,
		.task = cpu_rig_task(letter),
		.attempt = 1,
		.task_kind = span_str(kind),
		.tenant = span_str(cpu_rig.tenant),
		.lease_ms = 30000,
		.deadline_ms = cpu_rig_now(NULL) / NS_PER_MS + 60000,
	};
	struct buf b;

	assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 0),
		0); /* its time is that of its last turn */
	buf_init(&b, LIMIT_BODY_BYTES);
	if (key != NULL)
		body_put_param(&b, span_str(key), span_str(value));
	if (data.len > 0)
		body_put_item(&b, SPAN_LIT("data"), (struct span){ 0 }, data);
	d.body = buf_span(&b);
	send_down(&d);
	buf_done(&b);
}

/* Work for minutes, that looks at its mark every few milliseconds. */
static inline void cpu_rig_assign_long(char letter)
{
	cpu_rig_assign(letter, "compute.montecarlo", "samples", "10000000000", (struct span){ 0 });
}

/* "": of everybody. */
static inline void cpu_rig_purge(const char *tenant)
{
	send_down(&(struct down){ .kind = DOWN_PURGE, .tenant = span_str(tenant) });
}

static inline void cpu_rig_cancel(char letter)
{
	send_down(
		&(struct down){ .kind = DOWN_CANCEL, .task = cpu_rig_task(letter), .attempt = 1 });
}

/* Turns until so many attempts have ended since the last look. */
static inline void cpu_rig_turn_until_ends(unsigned ends)
{
	int64_t until_ns = cpu_rig_now(NULL) + CPU_RIG_PATIENCE_NS;

	while (cpu_rig.ends < ends) {
		assert_true(cpu_rig_now(NULL) < until_ns);
		assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 10 * NS_PER_MS), 0);
		cpu_rig_pump();
	}
}

/* Turns until no more than so many runs are held. */
static inline void cpu_rig_turn_until_runs(unsigned runs)
{
	while (cpu_rig.backend.runs_n > runs)
		assert_int_equal(loop_turn(&cpu_rig.daemon.loop, 10 * NS_PER_MS), 0);
}

static inline void cpu_rig_expect_seen(const char *lines)
{
	buf_byte(&cpu_rig.seen, 0);
	assert_string_equal((const char *)cpu_rig.seen.at, lines);
	buf_reset(&cpu_rig.seen);
	cpu_rig.ends = 0;
}

static inline int cpu_rig_line_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int r = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);

	return r != 0 ? r : (x->len > y->len) - (x->len < y->len);
}

/* Ends of different tasks that threads computed may come in any order. lines: sorted. */
static inline void cpu_rig_expect_sorted(const char *lines)
{
	struct span all = buf_span(&cpu_rig.seen), line[32];
	struct buf sorted;
	size_t n = 0;

	for (; all.len > 0; n++) {
		assert_true(n < ARRAY_LEN(line));
		line[n] = span_cut(&all, '\n');
	}
	qsort(line, n, sizeof(*line), cpu_rig_line_order);
	buf_init(&sorted, cpu_rig.seen.max);
	for (size_t i = 0; i < n; i++) {
		buf_add(&sorted, line[i]);
		buf_byte(&sorted, '\n');
	}
	buf_reset(&cpu_rig.seen);
	buf_add(&cpu_rig.seen, buf_span(&sorted));
	buf_done(&sorted);
	cpu_rig_expect_seen(lines);
}

static inline void cpu_rig_expect_idle(void)
{
	assert_int_equal(cpu_rig.backend.runs_n, 0);
	assert_int_equal(cpu_rig.backend.pooled_n, 0);
	assert_int_equal(cpu_rig.backend.turns.waiting, 0);
	assert_int_equal(cpu_rig.backend.turns.tenants.used, 0);
	assert_int_equal(cpu_rig.backend.held_bytes, 0);
	assert_true(list_is_empty(&cpu_rig.backend.runs));
}

/* The node alone, as cpu_rig.conf says. */
static inline void cpu_rig_open(void)
{
	struct node_core_conf conf = {
		.bus = cpu_rig.bus,
		.name = "n1",
		.incarnation = 42,
		.slots_max = LIMIT_OFFER_SLOTS,
		.offer_every_ns = 5 * NS_PER_S,
		.drain_ns = NS_PER_S,
		.now = cpu_rig_now,
		.ops = &cpu_backend_ops,
		.self = &cpu_rig.backend,
		.daemon = &cpu_rig.daemon,
	};

	cpu_backend_init(&cpu_rig.backend, &cpu_rig.conf);
	cpu_rig.node = node_core_open(&conf, NULL);
	assert_non_null(cpu_rig.node);
	cpu_rig_pump();
}

/* For cmocka; a leak is an error of teardown. */
static inline int cpu_rig_setup(void **state)
{
	(void)state;
	memset(&cpu_rig, 0, sizeof(cpu_rig));
	cpu_rig.held = mem_held();
	cpu_rig.tenant = "ada";
	cpu_rig.conf.threads = 1;
	cpu_rig.conf.slots = CPU_RIG_SLOTS;
	cpu_rig.conf.queue_bytes = CPU_RIG_QUEUE_BYTES;
	cpu_rig.conf.price_ucr = 7;
	arena_init(&cpu_rig.arena, 16 << 20);
	buf_init(&cpu_rig.seen, 65536);
	assert_int_equal(loop_open(&cpu_rig.daemon.loop), 0);
	cpu_rig.net = bus_net_new(NULL, NULL, 1);
	cpu_rig.router = bus_mem_open(cpu_rig.net, "r");
	cpu_rig.bus = bus_mem_open(cpu_rig.net, "n");
	assert_non_null(bus_subscribe(cpu_rig.router, "spu.up.*", NULL, on_ups, NULL));
	cpu_rig_open();
	assert_int_equal(cpu_rig.offered_slots, CPU_RIG_SLOTS);
	return 0;
}

static inline void cpu_rig_close(void)
{
	node_core_close(cpu_rig.node);
	cpu_rig.node = NULL;
	cpu_rig_pump();
}

static inline int cpu_rig_teardown(void **state)
{
	(void)state;
	cpu_rig_close();
	bus_close(cpu_rig.bus);
	bus_close(cpu_rig.router);
	bus_net_free(cpu_rig.net);
	loop_close(&cpu_rig.daemon.loop);
	arena_done(&cpu_rig.arena);
	buf_done(&cpu_rig.seen);
	return mem_held() == cpu_rig.held ? 0 : -1;
}

/* A backend beside the node's, from open to close. */
static inline int run_nth(void *arg)
{
	const struct span *raw = arg;
	struct cpu_backend b;
	struct fail why = { 0 };
	int r;

	cpu_backend_init(&b, &cpu_rig.conf);
	r = cpu_backend_ops.open(&b, cpu_rig.node, &why);
	if (r == 0) {
		struct body body = { .params_n = 0 };
		struct arena a;
		struct job job = {
			.task = cpu_rig_task('A'),
			.attempt = 1,
			.kind = SPAN_LIT("blob.compress"),
			.tenant = SPAN_LIT("ada"),
			.row = kind_find(SPAN_LIT("blob.compress")),
			.raw = *raw,
			.body = &body,
		};
		struct offer o = { 0 };

		r = cpu_backend_ops.start(&b, &job, &why);
		arena_init(&a, 65536);
		if (r == 0)
			r = cpu_backend_ops.offer(&b, &a, &o);
		arena_done(&a);
		cpu_backend_ops.close(&b);
		assert_int_equal(b.runs_n, 0);
	}
	assert_true(r == 0 || r == ERR_NO_MEMORY);
	return r;
}

/* A backend beside the node's takes a job, with every request for memory failing once. Returns how many. */
static inline unsigned cpu_rig_nth_alloc(void)
{
	struct span raw;
	struct buf b;
	unsigned n;

	buf_init(&b, LIMIT_BODY_BYTES);
	body_put_item(&b, SPAN_LIT("doc"), SPAN_LIT("text/plain"), SPAN_LIT("One. Two."));
	raw = buf_span(&b);
	n = nth_alloc(run_nth, &raw);
	buf_done(&b);
	return n;
}
