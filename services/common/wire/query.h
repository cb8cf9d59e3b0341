/* SPDX-License-Identifier: Apache-2.0
 *
 * query: questions to the router and to an inbox (proto/spu/v1/query.proto) as domain structs, and their
 * codecs; the rules of wire/task.h hold here too.
 */
#pragma once
#include "wire/node.h"
#include "wire/task.h"

enum query_kind {
	QUERY_NONE,
	QUERY_STATUS,
	QUERY_RESULT,
	QUERY_EXPLAIN,
	QUERY_CANCEL,
	QUERY_TASKS,
	QUERY_NODES,
	QUERY_DRAIN,
	QUERY_MESH,
	QUERY_REPLAY,
	QUERY_FORGET,
	QUERY_PAUSE,
	QUERY_RESUME,
	QUERY_STREAM,
	QUERY_CACHE,
};

struct query {
	enum query_kind kind;
	struct ulid
		task;   /* STATUS, RESULT, EXPLAIN, CANCEL, REPLAY, FORGET, PAUSE, RESUME, STREAM */
	uint32_t limit; /* TASKS, NODES; 0: LIMIT_LIST_ROWS */
	enum state state;   /* TASKS: only these; STATE_NONE: all */
	bool paused;        /* TASKS: only these */
	struct span node;   /* DRAIN */
	bool on;            /* DRAIN */
	bool purge;         /* CACHE: forget first */
	bool all;           /* CACHE: what everybody has */
	uint64_t chunk_seq; /* STREAM: the first that is wanted; 0: the oldest that is kept */
	uint32_t attempt;   /* STREAM: which that counts in; 0: the newest */
};

int query_decode(struct arena *a, struct span bytes, struct query *ret, struct fail *why) MUST_USE;
void query_encode(struct buf *b, const struct query *q);

struct task_view {
	struct ulid task;
	struct span kind;
	enum state state;
	enum rung rung;
	struct span node;
	uint32_t attempt;
	uint32_t priority;
	int64_t accepted_ms;
	int64_t deadline_ms;
	int64_t ended_ms;
	uint32_t permille;
	struct span note;
	uint32_t parts;
	uint32_t parts_done;
	struct ulid parent; /* zero: none */
	bool paused;
};

/* Numbers as in spu.v1.Verdict. */
enum verdict {
	VERDICT_NONE,
	VERDICT_CHOSEN,
	VERDICT_DEARER,
	VERDICT_KIND,
	VERDICT_NOT_READY,
	VERDICT_MODEL,
	VERDICT_PRICE,
	VERDICT_FULL,
	VERDICT_DRAINING,
	VERDICT_SUSPECT,
	VERDICT_DOWN,
	VERDICT_FAILED_BEFORE,
	VERDICT_UNHEALTHY,
};
#define VERDICTS 13
const char *verdict_name(enum verdict v); /* "CHOSEN" ... */

/* The terms of a placement's cost, in microseconds; the total decides. */
struct cost {
	int64_t wait_us;  /* until a slot is free */
	int64_t run_us;   /* the attempt itself */
	int64_t move_us;  /* bytes there and back */
	int64_t price_us; /* the price, as time */
	int64_t risk_us;  /* failures, losses, ill health */
};

struct candidate_view {
	struct span node;
	enum verdict verdict;
	struct span note;
	struct cost cost;
};

/* Numbers as in spu.v1.StepKind. */
enum step_kind {
	STEP_NONE,
	STEP_ACCEPTED,
	STEP_PLACED,
	STEP_REFUSED,
	STEP_LOST,
	STEP_FAILED,
	STEP_RETRY,
	STEP_HOP,
	STEP_SPLIT,
	STEP_JOIN,
	STEP_END,
	STEP_TWIN,
	STEP_OUTRUN,
	STEP_PAUSE,
	STEP_RESUME,
	STEP_DONE, /* an attempt, and how */
	STEP_CACHE,
};
#define STEPS 17
const char *step_name(enum step_kind k); /* "PLACED" ... */

struct step_view {
	int64_t at_us; /* since acceptance */
	enum step_kind kind;
	enum rung rung;
	enum rung to;
	struct span node;
	uint32_t attempt;
	int code; /* ERR_x or 0 */
	struct span reason;
	struct candidate_view *candidates;
	size_t candidates_n;
	uint32_t considered;
	struct span policy;
};

struct explain_view {
	struct task_view task;
	struct ladder ladder;
	struct step_view *steps;
	size_t steps_n;
	/* For who encodes only; what is decoded has all in steps. */
	const struct step_view *steps_accepted; /* before all others, or NULL */
	struct span steps_before;               /* encoded by explain_steps_put */
	const struct step_view *steps_end;      /* behind all others, or NULL */
	uint32_t dropped;
	struct ulid *parts;
	size_t parts_n;
};

/* The encoded steps alone (before and steps): an Explain without its other fields. Two such are one. */
void explain_steps_put(struct buf *b, const struct explain_view *e);

enum node_state { NODE_NONE, NODE_UP, NODE_SUSPECT, NODE_DOWN, NODE_GONE };
const char *node_state_name(enum node_state s); /* "up", "suspect", "down", "gone" */

struct node_view {
	struct span node;
	enum node_state state;
	struct offer offer;
	uint32_t busy;
	int64_t silent_ms;
	uint64_t done;
	uint64_t failed;
	uint64_t lost;
	bool drain_asked;
};

struct mesh_view {
	struct span router;
	uint64_t incarnation;
	struct span policy;
	int64_t up_ms;
	uint64_t accepted, refused, succeeded, failed, cancelled, expired, dead;
	uint32_t queued, running, nodes_up;
	uint64_t hops;
	uint64_t stale;
	int64_t jitter_p99_us;
};

/* Chunks of a task's newest attempt, without gaps. */
struct stream_part {
	uint32_t attempt;
	uint64_t oldest; /* that is kept */
	uint64_t last;   /* that was made so far; 0: none */
	bool ended;
	struct chunk *chunks;
	size_t chunks_n;
};

struct cache_row {
	struct span name;
	enum rung rung; /* RUNG_NONE: the router's */
	struct cache_view cache;
};

enum query_reply_kind {
	REPLY_NONE, /* an error only */
	REPLY_TASK,
	REPLY_RESULT,
	REPLY_EXPLAIN,
	REPLY_TASKS,
	REPLY_NODES,
	REPLY_MESH,
	REPLY_STREAM,
	REPLY_CACHES,
};

struct query_reply {
	struct fail fail;
	enum query_reply_kind kind;
	struct task_view task;       /* TASK */
	struct result result;        /* RESULT */
	struct explain_view explain; /* EXPLAIN */
	struct task_view *tasks;     /* TASKS */
	size_t tasks_n;
	uint64_t tasks_total;    /* TASKS: that match, listed or not */
	struct node_view *nodes; /* NODES */
	size_t nodes_n;
	struct mesh_view mesh;     /* MESH */
	struct stream_part stream; /* STREAM */
	struct cache_row *caches;  /* CACHES */
	size_t caches_n;
};

int query_reply_decode(struct arena *a, struct span bytes, struct query_reply *ret,
	struct fail *why) MUST_USE;
void query_reply_encode(struct buf *b, const struct query_reply *r);

enum ask_kind { ASK_NONE, ASK_LIST, ASK_SHOW, ASK_ANSWER, ASK_DECLINE };

struct ask {
	enum ask_kind kind;
	struct ulid task;   /* SHOW, ANSWER, DECLINE */
	struct span body;   /* ANSWER: encoded Body */
	struct span person; /* ANSWER */
	uint32_t limit;     /* LIST */
};

struct question_view {
	struct ulid task;
	struct span kind;
	struct span tenant;
	int64_t asked_ms;
	int64_t deadline_ms;
	struct span prompt;
	struct span body;
};

struct ask_reply {
	struct fail fail;
	struct question_view *questions;
	size_t questions_n;
};

int ask_decode(struct arena *a, struct span bytes, struct ask *ret, struct fail *why) MUST_USE;
void ask_encode(struct buf *b, const struct ask *q);
int ask_reply_decode(struct arena *a, struct span bytes, struct ask_reply *ret,
	struct fail *why) MUST_USE;
void ask_reply_encode(struct buf *b, const struct ask_reply *r);
