/* SPDX-License-Identifier: Apache-2.0
 *
 * router: the machine that takes tasks and always finds someone to do them: accepts, places, leases, fences,
 * retries, goes down the ladder, splits, ends, keeps results. Pure: no clock, no I/O; one seed gives one run.
 *
 * Events go in by router_step; what follows comes out through the calls of struct router_out, in order,
 * before the step returns. What they are handed is borrowed until they return, and they must not step the
 * machine.
 */
#pragma once
#include "base/streams.h"
#include "policy/late.h"
#include "router/answers.h"
#include "router/journal.h"
#include "router/registry.h"
#include "router/retry.h"
#include "router/task.h"
#include "router/tenant.h"
#include "wire/query.h"

struct router_conf {
	uint32_t tasks_max;  /* open tasks */
	uint64_t bodies_max; /* bytes of their bodies */
	struct admit_limits of_tenant;
	uint32_t results_max; /* ended tasks kept */
	uint64_t results_bytes_max;
	uint32_t tenants_max;
	const struct tenant_weight *weights; /* of tenants; they outlive the machine */
	uint32_t weights_n;
	int64_t keep_ns;                /* how long ended tasks are kept */
	int64_t keep_max_ns;            /* how long a submitter may ask for */
	int64_t lease_ns;               /* silence after which an attempt is lost */
	int64_t deadline_ns;            /* of a task that sets none */
	int64_t human_deadline_ns;      /* the same, where a person may be asked */
	int64_t start_within_ns[RUNGS]; /* the not-started-in-time clock */
	struct retry_conf retry;
	int64_t settle_ns;    /* after the start, before an empty class means a hop */
	uint32_t split_parts; /* parts asked for */
	unsigned policy;      /* index for place_policy_at */
	bool speculation;     /* stragglers get a second attempt */
	struct late_conf late;
	struct registry_conf registry;
	struct streams_conf streams;
	struct answers_conf answers; /* its seed is the machine's own */
	uint64_t seed;
	uint64_t
		key_seed; /* secret: of hashes of what tenants choose; task ids tell of the other */
	uint64_t incarnation;
};

/* The defaults of design: leases of 30 s, 3 attempts on GPU and API, 10 on CPU, ... */
void router_conf_default(struct router_conf *conf);

/* What happened, for those who watch the machine (metrics, the simulator's oracle); not kept. */
enum journal_kind {
	JOURNAL_ACCEPTED, /* tenant, submit */
	JOURNAL_ASSIGNED, /* node, attempt */
	JOURNAL_ENDED,    /* result */
	JOURNAL_FORGOTTEN,
};

struct journal_record {
	enum journal_kind kind;
	struct ulid task;
	int64_t at_ns;
	struct span tenant;
	const struct submit *submit;
	struct span node;
	uint32_t attempt;
	uint32_t beside; /* ASSIGNED: the current attempt, of which this is a second one; or 0 */
	const struct result *result;
};

struct router_out {
	void *ctx;
	/* fast: about a task that is not in the journal (or about none). */
	void (*on_down)(void *ctx, struct span node, const struct down *d, bool fast);
	void (*on_event)(void *ctx, struct span tenant, const char *stream, const struct event *e,
		bool fast);
	/* Something happened, for who watches. */
	void (*on_record)(void *ctx, const struct journal_record *record);
	/* A task that is not `fast` changed: its row for the journal, at the step's end. NULL: nobody keeps
	 * them. What the step says must not leave before this is safe. 0 or negative ERR_*. */
	int (*on_image)(void *ctx, const struct journal_image *image);
};

enum router_event_kind {
	ROUTER_SUBMIT, /* who: tenant; submit, hash, model, reply */
	ROUTER_UP,     /* who: node; up */
	ROUTER_CANCEL, /* who: tenant; task */
	ROUTER_DRAIN,  /* node; on */
	ROUTER_REPLAY, /* who: tenant; task, ended without success: the new one's id goes to *ret_task */
	ROUTER_FORGET, /* who: tenant; task, ended */
	ROUTER_PAUSE,  /* who: tenant; task, no part; one that has ended stays as it is */
	ROUTER_RESUME, /* the same */
	ROUTER_PURGE, /* who: tenant whose kept results go, here and on the nodes; empty: all of them */
	ROUTER_BACK, /* nobody could be heard until now: what is lost by that is nobody's fault */
	ROUTER_TICK,
};

struct router_event {
	enum router_event_kind kind;
	struct span who;
	const struct submit *submit;
	const unsigned char
		*hash;     /* TASK_HASH bytes over the content; needed if submit has a key */
	struct span model; /* asked for in the body, or empty */
	struct submit_reply *reply; /* filled */
	const struct up *up;
	struct ulid task;
	struct ulid *ret_task;
	struct fail *why; /* REPLAY: what it is refused with, if that is BUSY; or NULL */
	struct span node;
	bool on;
};

struct router_counts {
	uint64_t accepted, refused, succeeded, failed, cancelled, expired, dead;
	uint64_t placed, hops, retries, lost, stale, offers_refused, evicted, resends;
	uint64_t tokens_in, tokens_out, tokens_saved; /* of language models */
	uint64_t twins, twins_won; /* of those, that took their tasks over or were done first */
};

struct router;

struct router *router_new(const struct router_conf *conf, int64_t now_ns) MUST_USE;
void router_free(struct router *r);
/* 0, or ERR_UNKNOWN or ERR_DENIED for CANCEL and DRAIN, ERR_UNKNOWN, ERR_INVALID (it has not ended, or succeeded) or
 * ERR_BUSY for REPLAY and FORGET, ERR_UNKNOWN or ERR_INVALID (a part) for PAUSE and RESUME, ERR_INVALID, ERR_BUSY or ERR_NO_MEMORY for an offer that
 * is not taken; a refused SUBMIT is told in its reply. Reports that
 * change nothing (stale, unknown) are counted, not returned. */
int router_step(struct router *r, int64_t now_ns, const struct router_event *e,
	const struct router_out *out);
/* An image could not be made or kept: the router must stop before it says more. */
int router_image_err(const struct router *r);

/* --- after a restart --------------------------------------------------------------------------------- */

/* Bring a row of the journal back: open ones in the order of their numbers before the first step, kept ones
 * at any time between steps. 0, or why it cannot be. */
int router_restore(struct router *r, const struct journal_image *image, struct fail *why);
/* When all open rows are back: let their tasks go on. */
void router_resume(struct router *r, int64_t now_ns, const struct router_out *out);
/* New rows have numbers from here on. Before the first step. */
void router_next_row(struct router *r, uint64_t row);
/* A hash of all open rows as they would be written: the same before a crash and after the restart, between
 * router_restore and router_resume. */
int router_hash(struct router *r, uint64_t *ret);

/* The latest moment that the rows tell of. */
int64_t router_newest_ns(const struct router *r);

/* The wall clock is so far ahead of the time that steps are given. Deadlines that submitters named move with it: at
 * the next ROUTER_TICK those end that have passed. */
void router_set_skew(struct router *r, int64_t skew_ns);
/* A moment of ours on the wall clock, in ms; 0 (never) stays. */
int64_t router_wall_ms(const struct router *r, int64_t ns);

/* When ROUTER_TICK has something to do next. */
int64_t router_wake(const struct router *r);

/* --- read access, for queries, metrics, tests and the simulator's invariants ------------------------- */

const struct router_counts *router_counts(const struct router *r);
const struct tasks *router_tasks(const struct router *r);
const struct registry *router_registry(const struct router *r);
const struct place_policy *router_policy(const struct router *r);
const struct streams *router_streams(const struct router *r);
const struct answers *router_answers(const struct router *r);
/* Its cache of results. */
struct cache_view router_cache(const struct router *r, int64_t now_ns);
/* Of a task that streams or did, or NULL if nothing is known of that. */
const struct stream *router_stream(const struct router *r, const struct task *t);
int64_t router_started_ns(const struct router *r);
uint64_t router_incarnation(const struct router *r);
/* A step about this task comes soon: bring near what finds it. */
void router_expect(const struct router *r, struct ulid id);
/* The task, if it belongs to the tenant (or to anybody: operator); else NULL. */
const struct task *router_task(const struct router *r, struct span tenant, bool operator_,
	struct ulid id);
/* Of the task with this key, or NULL. */
const struct task *router_key(const struct router *r, struct span tenant, struct span key);
/* Which has or had the task; or empty. */
struct span router_node_name(const struct router *r, const struct task *t);
struct span router_tenant(const struct router *r, uint32_t tenant);
uint32_t router_open(const struct router *r);
/* How an ended task ended; spans point into the machine, until its next step. */
void finish_result(const struct router *r, const struct task *t, struct result *ret);
