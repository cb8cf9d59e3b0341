/* SPDX-License-Identifier: Apache-2.0
 *
 * task: the record of one task, and the table of them all: by id, by idempotency key, by time. task_move is
 * the only writer of a state, and holds it against the matrix of task_states.def.
 */
#pragma once
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "policy/pace.h"
#include "router/explain.h"
#include "wire/task.h"

#define TASK_NONE UINT32_MAX
#define TASK_HASH 32 /* of the content, given by the caller */

enum task_event {
	TASK_PLACE,
	TASK_ACCEPT,
	TASK_BACK, /* refused, lost, failed and to be tried again, or the split failed */
	TASK_HOP,
	TASK_SPLIT,
	TASK_ANSWER, /* an equal task's result will do */
	TASK_DONE,
	TASK_FAIL,
	TASK_CANCEL,
	TASK_EXPIRE,
	TASK_EXHAUST,
	TASK_EVENTS
};
const char *task_event_name(enum task_event e);
/* The state that follows, or STATE_NONE if the event cannot happen in this state. */
enum state task_next(enum state s, enum task_event e);

/* What a task is to its parent. */
enum task_role { ROLE_TASK, ROLE_PLAN, ROLE_PART, ROLE_JOIN };

struct asked;
struct graph_run;
struct lane;

/* A second attempt of a task, beside its current one (twin.c). */
struct twin {
	uint32_t task; /* index */
	uint32_t attempt;
	uint32_t node;
	uint16_t permille;
	bool is_started; /* the node said so */
	int64_t assigned_ns;
	int64_t started_ns;
	int64_t lease_ns;
	uint64_t offer_seq;  /* the last offer of the node that listed it */
	struct list on_node; /* in struct node.twins; not between a restore and router_resume */
	char *was_on;        /* the node's name, as the journal had it, or NULL */
};

/* How much work each part is. */
struct split_pace {
	uint64_t key;
	uint32_t parts_n;
	char unit[PACE_UNIT_BYTES];
	uint64_t units[];
};

/* A parent's parts. */
struct split {
	struct ulid *parts; /* ids, in order; then those of the levels of the join's tree */
	uint32_t parts_n;
	uint32_t parts_done;
	struct ulid plan; /* the child that plans */
	struct ulid join; /* the child that joins; zero until then */
	bool released; /* the parent has ended or goes another way: what its children do is not its business */
	unsigned char *join_body; /* encoded Body of the join, before the parts' results */
	size_t join_len;
	char join_kind[LIMIT_KIND_BYTES + 1];
	uint32_t fan_in;         /* of the join; 0: it takes all at once */
	int64_t told_ps;         /* the pace that the planner was told; 0: none */
	uint32_t level_at;       /* the first of those whose results are joined next */
	struct split_pace *pace; /* what is learned of its parts, or NULL: not after a restart */
	struct graph_run
		*graph; /* of a graph that goes on, or NULL: made again from body and children */
};

struct task {
	struct ulid id;
	uint32_t index;  /* of itself */
	uint32_t tenant; /* index in the tenants */
	uint32_t kind;   /* index in the registry's kinds */
	uint8_t state;   /* enum state */
	uint8_t role;    /* enum task_role */
	uint8_t priority;
	uint8_t rung_at; /* index in the ladder */
	bool fast;
	bool deadline_is_wall; /* its submitter named it: a moment of the wall clock */
	bool is_counted;       /* among its tenant's open ones */
	bool blocked_told;     /* the record says already that all nodes are full */
	bool streams;          /* it has sent a chunk */
	uint8_t depth;         /* 0; parts are one deeper */
	uint8_t twins;         /* second attempts so far */
	struct ladder ladder;
	uint8_t tries; /* on this rung */
	uint8_t avoid_n;
	uint16_t permille;
	uint32_t avoid[PLACE_AVOID];
	uint32_t attempt;  /* the current one, or the last; the fence */
	uint32_t attempts; /* given out so far */
	uint32_t node;     /* which has the attempt, or NODE_NOBODY */
	uint32_t parent;   /* index, or TASK_NONE */
	uint32_t part;     /* number among its parent's parts */
	int64_t accepted_ns;
	int64_t deadline_ns;
	int64_t start_within_ns; /* on each rung; 0: the rung's default */
	int64_t keep_ns;         /* after its end; 0: the router's default */
	int64_t rung_ns;         /* when it came to this rung */
	int64_t start_by_ns;     /* QUEUED: not placed by then, it leaves the rung */
	int64_t lease_ns;        /* ASSIGNED, RUNNING: when the attempt is lost */
	int64_t retry_ns;        /* QUEUED: not before; 0: at once */
	int64_t paused_ns; /* since when it stands still: rung_ns and start_by_ns are as then; 0: it does not */
	int64_t assigned_ns;
	int64_t started_ns;
	int64_t ended_ns;
	int64_t max_price_ucr;
	int64_t price_ucr; /* of the node that has or had it */
	int64_t spent_ucr; /* by children that succeeded */
	int64_t run_us;
	int64_t cache_age_ms; /* of the result, if cache_hit */
	uint64_t seq;         /* of its events */
	uint64_t chunks;      /* of the attempt: the highest number that is known */
	struct slot_id
		stream_id;  /* in the streams; not there: it has not streamed, or nothing is kept */
	uint64_t seq_kept;  /* what the journal has: not below seq; a restart goes on from there */
	uint64_t offer_seq; /* the last offer of the node that listed the attempt */
	unsigned char *body; /* encoded; freed at the end */
	uint32_t body_len;
	uint32_t counted_bytes; /* of its body, at its tenant */
	uint32_t result_len;
	unsigned char *result; /* encoded Body, if it succeeded */
	struct fail *fail;     /* if it did not */
	bool cache_hit;        /* the result was computed for an equal task */
	uint16_t cache_near;   /* or for one of nearly the same words: permille */
	struct asked *asked;   /* for those that are equal to it, or NULL */
	char *note;            /* of its progress, or NULL */
	char *key;             /* idempotency key, or NULL */
	char *stream;          /* or NULL: its id */
	char *model;           /* asked for, or NULL */
	unsigned char *hash;   /* TASK_HASH bytes, if it has a key */
	struct split *split;
	uint64_t row;        /* in the journal; 0: not there (yet) */
	char *was_on;        /* the node's name, as the journal had it, or NULL */
	unsigned char *told; /* encoded steps from before a restart of the router, or NULL */
	uint32_t told_len;
	struct explain explain;
	struct list touched; /* in the list of those whose durable state changed */
	struct list on_node; /* in struct node.tasks */
	struct list late;    /* in the stragglers */
	struct twin *twin;   /* or NULL */
	struct lane *lane;   /* where it waits, or NULL */
	struct list queued;  /* in a level there */
	int64_t paid_us;     /* of node time, by its tenant's share, for the current attempt */
	uint64_t kept_bytes; /* counted in the table's ended_bytes */
	struct list kept;    /* in ended or ended_own, the oldest first */
};

struct tasks {
	struct slots slots;
	struct map by_id;
	struct map by_key;
	uint64_t key_seed; /* of its hashes */
	struct heap due;
	struct list touched;   /* by the step that runs; `fast` ones never */
	struct list ended;     /* that are kept for the usual time */
	struct list ended_own; /* for a time of their own: due then */
	uint32_t ended_n;      /* in both */
	uint64_t ended_bytes;
	uint32_t count[STATES];
};

/* key_seed: nobody who chooses keys knows it, or can choose such that all are looked through. */
void tasks_init(struct tasks *ts, uint32_t max, uint64_t key_seed);
void tasks_done(struct tasks *ts);
/* A new record in state QUEUED with this id; NULL at the ceiling or without memory. */
struct task *tasks_add(struct tasks *ts, struct ulid id) MUST_USE;
/* Take a record out and free all it holds. */
void tasks_drop(struct tasks *ts, struct task *t);
struct task *tasks_at(const struct tasks *ts, uint32_t index);
/* NULL if unknown. */
struct task *tasks_find(const struct tasks *ts, struct ulid id);
/* Give a task its idempotency key and content hash. 0 or ERR_NO_MEMORY. */
int tasks_set_key(struct tasks *ts, struct task *t, struct span key,
	const unsigned char hash[TASK_HASH]) MUST_USE;
struct task *tasks_find_key(const struct tasks *ts, uint32_t tenant, struct span key);
/* Look at the task at this time at the latest: an earlier time moves it, a later one does not. */
void tasks_wake_by(struct tasks *ts, struct task *t, int64_t due_ns);

/* What the journal keeps of the task has changed. */
void task_touch(struct tasks *ts, struct task *t);
/* Free its twin, which is in no list. */
void task_forget_twin(struct task *t);
/* Free what is known of its parts, of an earlier run. */
void task_forget_split(struct task *t);
void task_move(struct tasks *ts, struct task *t, enum task_event e);
enum rung task_rung(const struct task *t);
/* Bytes that the ended task holds. */
uint64_t task_bytes(const struct task *t);
