/* SPDX-License-Identifier: Apache-2.0
 *
 * router_kit: a router machine for tests, with a clock of the test's own and nodes of one line. What it
 * sends is kept to be looked at; after each step the rules of router_model.h are checked.
 */
#pragma once
#include "router/machine.h"
#include "tests/support/router_images.h"

#define KIT_SAID 4096u
#define KIT_TEXT 128u
#define MS NS_PER_MS
#define SEC NS_PER_S
#define KIT_START_NS (INT64_C(1700000000) * SEC)

/* An order, an event or a journal record as it left. */
struct kit_said {
	enum { SAID_DOWN, SAID_EVENT, SAID_RECORD } what;
	int kind; /* enum down_kind, event_kind, journal_kind */
	struct ulid task;
	uint32_t attempt;
	uint64_t chunk;    /* RESEND, CHUNK, BEAT: its number */
	char to[KIT_TEXT]; /* node; tenant/stream */
	enum state state;  /* CHANGE, END */
	enum rung rung;
	int code;
	bool paused;         /* CHANGE */
	char text[KIT_TEXT]; /* the order's kind; reason; detail; result */
};

struct kit {
	struct router *r;
	struct router_out out;
	int64_t now_ns;
	struct submit_reply reply; /* to the last submit */
	struct kit_said said[KIT_SAID];
	unsigned said_n;
	unsigned seen; /* those before this one were looked at */
	uint64_t incarnation;
	uint64_t seq;
	bool tells_time;  /* offers say when they left */
	int64_t delay_ns; /* so long ago */
	struct router_conf conf;
	struct images images; /* since kit_keep */
};

/* A machine that has settled, with the defaults (and nothing kept of results) but for what `change` (may be NULL) does
 * to them. */
struct kit *kit_new(void (*change)(struct router_conf *conf));
void kit_free(struct kit *k);
/* cmocka's: the kit in *state. */
int kit_set_up(void **state);
int kit_tear_down(void **state);

/* From now on what the journal would have is kept. */
void kit_keep(struct kit *k);
/* The router is gone, and a new one goes on with what was kept: it has what the old one had. */
void kit_restart(struct kit *k);

int kit_step(struct kit *k, const struct router_event *e);
/* Let time pass, with every tick on the way. */
void kit_pass(struct kit *k, int64_t ns);

/* A node's offer from a line: "NAME CLASS slots=2 price=5 model=a,b kinds=llm.chat,util.echo !ready draining
 * pauses queued=1 health=900 run_us=3". What a line does not say: slots 1, health 1000, kind util.echo. */
void kit_offer(struct kit *k, const char *line);
/* The same with a list of what it runs. */
void kit_offer_running(struct kit *k, const char *line, const struct attempt_ref *running,
	size_t n);

/* Submit a kind for the tenant "t" and expect acceptance. */
struct task *kit_submit(struct kit *k, const char *kind);
/* Submit what is said here; the reply is in k->reply, the task (or NULL) is returned. */
struct task *kit_submit_as(struct kit *k, const char *tenant, const struct submit *s);
/* A submit of this kind with the rest unset, and an empty body. */
struct submit kit_task(const char *kind);

/* Reports about a task's current attempt, from the node that has it. */
void kit_up(struct kit *k, enum up_kind kind, const struct task *t);
void kit_done(struct kit *k, const struct task *t, struct span body);
void kit_fails(struct kit *k, const struct task *t, int code);
void kit_refuses(struct kit *k, const struct task *t, int code, int64_t retry_after_ms);
/* Any report. */
void kit_up_from(struct kit *k, const char *node, const struct up *u);

/* Name of the node that has the task's attempt, or "". */
const char *kit_node(const struct kit *k, const struct task *t);
/* The next of what was said of this sort since the last look; the test fails if there is none. */
const struct kit_said *kit_next(struct kit *k, int what, int kind);
/* Was nothing of this sort said since the last look? */
bool kit_none(const struct kit *k, int what, int kind);
/* Forget what was said so far. */
void kit_look_away(struct kit *k);
/* How many steps of this kind the task's explain record has; *ret_last (may be NULL) the last of them. */
unsigned kit_steps(const struct task *t, enum step_kind kind, struct explain_note *ret_last);
