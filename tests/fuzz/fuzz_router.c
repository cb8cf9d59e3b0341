/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as events of tenants, nodes and time to a router machine; what must hold after each is in
 * router_model.h, and in the end, when all deadlines have passed, nothing is open.
 */
#include "tests/support/router_model.h"
#include "wire/kinds.h"

#define FUZZ_NODES 5u
#define FUZZ_TASKS 32u
#define START_NS (INT64_C(1700000000) * NS_PER_S)

struct fuzz_router {
	struct router *r;
	struct router_out out;
	struct span bytes;
	int64_t now_ns;
	uint64_t seq;
	uint64_t incarnation[FUZZ_NODES];
	struct ulid tasks[FUZZ_TASKS]; /* assigned last */
	uint32_t attempts[FUZZ_TASKS];
	unsigned tasks_n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned byte(struct fuzz_router *f)
{
	unsigned b = f->bytes.len == 0 ? 0 : f->bytes.at[0];

	f->bytes = span_part(f->bytes, 1, f->bytes.len);
	return b;
}

static struct span node_name(unsigned i)
{
	static const char *const names[FUZZ_NODES] = { "c1", "c2", "g1", "api", "h1" };

	return span_str(names[i % FUZZ_NODES]);
}

static void on_down(void *ctx, struct span node, const struct down *d, bool fast)
{
	(void)fast;
	struct fuzz_router *f = ctx;

	CHECK(node.len > 0);
	if (d->kind != DOWN_ASSIGN)
		return;
	f->tasks[f->tasks_n % FUZZ_TASKS] = d->task;
	f->attempts[f->tasks_n++ % FUZZ_TASKS] = d->attempt;
}

static void on_event(void *ctx, struct span tenant, const char *stream, const struct event *e,
	bool fast)
{
	(void)fast;
	(void)ctx;
	CHECK(tenant.len > 0 && stream[0] != '\0' && e->seq > 0);
}

static void on_record(void *ctx, const struct journal_record *record)
{
	(void)ctx;
	if (record->kind != JOURNAL_ENDED)
		return;
	CHECK(state_is_final(record->result->state));
	CHECK((record->result->state == STATE_SUCCEEDED) == (record->result->fail.code == 0));
}

static int step(struct fuzz_router *f, const struct router_event *e)
{
	int err = router_step(f->r, f->now_ns, e, &f->out);

	router_model_check(f->r);
	return err;
}

static void submit(struct fuzz_router *f)
{
	static const char *const kinds[] = { "util.echo", "llm.chat", "image.filter", "human.ask",
		"own.kind", "text.extract" };
	static const char *const keys[] = { "", "", "", "k" };
	/* cache.mode */
	static const struct span bodies[] = { SPAN_LIT(""), SPAN_LIT(""),
		SPAN_LIT("\x0a\x14\x0a\x0a"
			 "cache.mode\x12\x06"
			 "shared"),
		SPAN_LIT("\x0a\x11\x0a\x0a"
			 "cache.mode\x12\x03"
			 "off"),
		SPAN_LIT("\x0a\x10\x0a\x0a"
			 "cache.mode\x12\x02"
			 "no") };
	unsigned a = byte(f), b = byte(f);
	unsigned char hash[TASK_HASH] = { (unsigned char)a };
	struct submit_reply reply;
	struct submit s = {
		.kind = span_str(kinds[a % ARRAY_LEN(kinds)]),
		.key = span_str(keys[a / 8 % ARRAY_LEN(keys)]),
		.priority = b % (LIMIT_PRIORITY + 1),
		.max_price_ucr = b / 16,
		.fast = b % 2 == 0,
		.body = bodies[b / 2 % ARRAY_LEN(bodies)],
	};

	if (a >= 128) {
		unsigned limits = byte(f);

		s.deadline_ms = f->now_ns / NS_PER_MS + (int64_t)limits * 500 - 1000;
		s.start_within_ms = limits % 3 == 0 ? 0 : limits * 100;
		s.allow.n = limits % 4 == 3;
		s.allow.rung[0] = (uint8_t)(1 + limits / 4 % 5);
	}
	step(f, &(struct router_event){
			.kind = ROUTER_SUBMIT,
			.who = b % 3 == 0 ? SPAN_LIT("t1") : SPAN_LIT("t2"),
			.submit = &s,
			.hash = hash,
			.model = a % 7 == 0 ? SPAN_LIT("big") : span_str(NULL),
			.reply = &reply,
		});
	CHECK((reply.fail.code == 0) == !ulid_is_zero(reply.task));
}

static void offer(struct fuzz_router *f)
{
	static const enum rung rungs[FUZZ_NODES] = { RUNG_CPU, RUNG_CPU, RUNG_GPU, RUNG_API,
		RUNG_HUMAN };
	unsigned i = byte(f) % FUZZ_NODES, how = byte(f), list = byte(f);
	struct kind_offer kinds[] = {
		{
			.kind = SPAN_LIT("llm.chat"),
			.ready = how % 2 == 0,
			.model = how % 8 < 4 ? SPAN_LIT("big,small") : span_str(NULL),
		},
		{
			.kind = SPAN_LIT("image.filter"),
			.ready = true,
			.typical_us = INT64_MAX,
			.price_ucr = how % 3,
		},
		{ .kind = SPAN_LIT("task.split"), .ready = true },
		{
			.kind = SPAN_LIT("text.extract"),
			.ready = how % 16 != 1,
			.why = SPAN_LIT("why"),
		},
		{ .kind = SPAN_LIT("util.echo"), .ready = true },
		{
			.kind = how % 5 == 0 ? SPAN_LIT("util.echo") : SPAN_LIT("own.kind"),
			.ready = true,
		},
	};
	struct attempt_ref running[FUZZ_TASKS];
	struct offer o = {
		.incarnation = f->incarnation[i],
		.seq = f->seq++,
		.rung = how == 255 ? RUNG_GPU : rungs[i],
		.kinds = kinds,
		.kinds_n = how / 8 % (ARRAY_LEN(kinds) + 1),
		.slots = list % 8,
		.queued = how == 7 ? UINT32_MAX : 0,
		.draining = how % 32 == 31,
		.health = how % 64 == 63 ? 0 : 1000,
		.running = running,
	};

	for (unsigned k = 0; k < FUZZ_TASKS && k < f->tasks_n && list < 224; k++)
		running[o.running_n++] =
			(struct attempt_ref){ .task = f->tasks[k], .attempt = f->attempts[k] };
	step(f, &(struct router_event){
			.kind = ROUTER_UP,
			.who = node_name(i),
			.up = &(struct up){ .kind = UP_OFFER, .offer = &o },
		});
}

/* A report about an attempt that was given out, most often from the node that has it. */
static void report(struct fuzz_router *f, enum up_kind kind)
{
	static const int codes[] = { ERR_IO, ERR_BUSY, ERR_UNSUPPORTED, ERR_INVALID, ERR_LOST,
		ERR_EXPIRED, 0, ERR_CLOSED };
	unsigned which = byte(f), how = byte(f);
	struct up u = {
		.kind = kind,
		.task = f->tasks[which % FUZZ_TASKS],
		.attempt = f->attempts[which % FUZZ_TASKS],
		.run_us = how == 9 ? INT64_MAX : 100,
		.permille = how * 10,
		.note = SPAN_LIT("note"),
	};
	const struct task *t = tasks_find(&f->r->tasks, u.task);
	struct span from = node_name(how);

	if (how < 224 && t != NULL && t->node != NODE_NOBODY &&
		slots_is_taken(&f->r->registry.nodes, t->node))
		from = span_str(registry_node(&f->r->registry, t->node)->name);
	u.fail.code = codes[how % ARRAY_LEN(codes)];
	u.fail.retry_after_ms = how == 17 ? INT64_MAX : how % 4 == 0 ? how * 10 : 0;
	if (kind == UP_DONE && t != NULL && t->role == ROLE_PLAN && how % 8 != 0)
		u.body = SPAN_LIT("\x0a\x0e\x0a\x0ctext.extract\x0a\x0a\x0a\x08llm."
				  "chat\x12\x0e\x0a\x0ctext.extract");
	step(f, &(struct router_event){ .kind = ROUTER_UP, .who = from, .up = &u });
}

static void world(struct fuzz_router *f, unsigned kind)
{
	unsigned i = byte(f);
	struct up bye = { .kind = UP_BYE, .incarnation = f->incarnation[i % FUZZ_NODES] };
	struct router_event e = { .kind = ROUTER_TICK };

	if (kind == 0) {
		f->incarnation[i % FUZZ_NODES]++;
	} else if (kind == 1) {
		e = (struct router_event){
			.kind = ROUTER_DRAIN,
			.node = node_name(i),
			.on = i % 2 == 0,
		};
	} else if (kind == 2) {
		e = (struct router_event){
			.kind = ROUTER_CANCEL,
			.who = i % 4 == 0 ? SPAN_LIT("t1") : SPAN_LIT("t2"),
			.task = f->tasks[i % FUZZ_TASKS],
		};
	} else {
		e = (struct router_event){ .kind = ROUTER_UP, .who = node_name(i), .up = &bye };
	}
	(void)step(f, &e);
}

/* All that is due on the way, as a driver would do it. */
static void pass(struct fuzz_router *f, int64_t ns)
{
	int64_t end = f->now_ns + ns;
	unsigned turns = 0;

	while (router_wake(f->r) <= end) {
		if (router_wake(f->r) > f->now_ns)
			f->now_ns = router_wake(f->r);
		step(f, &(struct router_event){ .kind = ROUTER_TICK });
		CHECK(++turns < 100000);
	}
	f->now_ns = end;
}

static void event(struct fuzz_router *f)
{
	static const enum up_kind kinds[] = { UP_ACCEPT, UP_REFUSE, UP_PROGRESS, UP_CHUNK, UP_DONE,
		UP_FAILED };
	unsigned what = byte(f) % 24;

	if (what < 5)
		submit(f);
	else if (what < 9)
		offer(f);
	else if (what < 15)
		report(f, kinds[what - 9]);
	else if (what < 17)
		report(f, UP_DONE);
	else if (what < 21)
		world(f, what - 17);
	else
		pass(f, (int64_t)byte(f) * byte(f) * NS_PER_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_router f = {
		.bytes = span_of(data, size > 4096 ? 4096 : size),
		.now_ns = START_NS,
	};
	struct router_conf conf;

	f.out = (struct router_out){ &f, on_down, on_event, on_record, NULL };
	router_conf_default(&conf);
	conf.policy = byte(&f) % 4;
	conf.tasks_max = 1 + byte(&f) % 64;
	conf.results_max = 8;
	conf.tenants_max = 2;
	conf.registry.kinds_max = 8; /* of their own */
	for (unsigned i = 0; kind_at(i) != NULL; i++)
		conf.registry.kinds_max++;
	conf.registry.nodes_max = 4;
	conf.human_deadline_ns = conf.deadline_ns;
	f.r = router_new(&conf, f.now_ns);
	CHECK(f.r != NULL);
	while (f.bytes.len > 0)
		event(&f);
	pass(&f, conf.deadline_ns);
	CHECK(router_open(f.r) == 0);
	router_free(f.r);
	return 0;
}
