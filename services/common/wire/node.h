/* SPDX-License-Identifier: Apache-2.0
 *
 * node: the worker protocol (proto/spu/v1/node.proto) as domain structs, and their codecs; the rules of
 * wire/task.h hold here too.
 */
#pragma once
#include "wire/task.h"

struct kind_offer {
	struct span kind;
	bool ready;
	struct span why; /* if not ready */
	int64_t price_ucr;
	int64_t typical_us; /* 0: unknown */
	struct span model;
	bool pauses; /* attempts can be paused */
};

struct attempt_ref {
	struct ulid task;
	uint32_t attempt;
	uint64_t chunks; /* sent so far */
	bool paused;
};

/* A cache of results, at a moment. */
struct cache_view {
	uint64_t bytes, bytes_max; /* 0: there is none */
	uint64_t entries, hits, misses, evicted, expired, purged;
	int64_t oldest_ms;
};

struct offer {
	uint64_t incarnation;
	uint64_t seq;
	enum rung rung;
	struct kind_offer *kinds;
	size_t kinds_n;
	uint32_t slots;
	uint32_t queued;
	bool draining;
	struct attempt_ref *running;
	size_t running_n;
	struct span device;
	struct span version;
	uint32_t health;     /* 0-1000 */
	uint32_t load;       /* 0-1000 */
	int64_t sent_ms;     /* Unix time by the node's clock; 0: unknown */
	uint32_t pack_bytes; /* bodies from so many bytes on are wanted packed; 0: never */
	struct cache_view cache;
};

/* Of a language model. */
struct usage {
	uint64_t tokens_in, tokens_out; /* as its API counts; 0: not told */
	uint64_t tokens_saved;          /* by compressing the prompt */
};
#define USAGE_TOKENS_MAX (UINT64_C(1) << 40) /* more is taken for this */

enum up_kind {
	UP_NONE,
	UP_OFFER,
	UP_ACCEPT,
	UP_REFUSE,
	UP_PROGRESS,
	UP_CHUNK,
	UP_DONE,
	UP_FAILED,
	UP_BYE
};

/* One report of a node. task and attempt are set for all but OFFER and BYE. */
struct up {
	enum up_kind kind;
	struct ulid task;
	uint32_t attempt;
	struct fail fail;          /* REFUSE, FAILED */
	int64_t run_us;            /* DONE, FAILED */
	struct span body;          /* DONE: encoded Body or SplitPlan */
	bool packed;               /* DONE: body is a zstd frame of it */
	bool cache_hit;            /* DONE: not computed for this attempt */
	int64_t cache_age_ms;      /* DONE: since it was computed */
	struct usage usage;        /* DONE */
	uint32_t permille;         /* PROGRESS */
	struct span note;          /* PROGRESS; DONE: how, for the explain record */
	uint64_t chunk_seq;        /* CHUNK; DONE, FAILED: of the last one */
	uint64_t chunk_oldest;     /* CHUNK: from this one on it can be sent again; 0: it cannot */
	struct span data;          /* CHUNK */
	const struct offer *offer; /* OFFER */
	uint64_t incarnation;      /* BYE */
	struct span reason;        /* BYE */
};

/* An item that is malformed within is returned with kind UP_NONE and its fail set. */
int ups_decode(struct arena *a, struct span bytes, struct up **ret, size_t *ret_n,
	struct fail *why) MUST_USE;
void ups_put(struct buf *b, const struct up *u);

enum down_kind {
	DOWN_NONE,
	DOWN_ASSIGN,
	DOWN_CANCEL,
	DOWN_DRAIN,
	DOWN_PING,
	DOWN_PAUSE,
	DOWN_RESUME,
	DOWN_RESEND,
	DOWN_PURGE
};

/* One order of the router. */
struct down {
	enum down_kind kind;
	struct ulid task;      /* all but DRAIN, PING, PURGE */
	uint32_t attempt;      /* the same */
	struct span task_kind; /* ASSIGN */
	struct span tenant;    /* ASSIGN; PURGE: or empty, all */
	int64_t lease_ms;      /* ASSIGN */
	int64_t deadline_ms;   /* ASSIGN: Unix time */
	int64_t left_ms;       /* ASSIGN: until then, by the router's clock; 0: not told */
	int64_t keep_ms;       /* ASSIGN: of its result; 0: the usual time */
	uint32_t inline_bytes; /* ASSIGN: of its result in a message; 0: the limit */
	struct span body;      /* ASSIGN */
	bool packed;           /* ASSIGN: body is a zstd frame of it */
	bool packs;            /* ASSIGN: the router reads packed bodies */
	struct span reason;    /* CANCEL */
	bool on;               /* DRAIN */
	uint64_t router;       /* PING */
	uint64_t chunk_seq;    /* RESEND: from this one on */
};

/* An item that is malformed within is returned with kind DOWN_NONE. */
int downs_decode(struct arena *a, struct span bytes, struct down **ret, size_t *ret_n,
	struct fail *why) MUST_USE;
void downs_put(struct buf *b, const struct down *d);

struct part {
	struct span kind;
	struct span body; /* encoded */
	uint64_t units;   /* how much work it is; 0: not told */
	struct span unit; /* of what */
	uint32_t fan_in;  /* of the join: results that it takes at once; 0: all */
};

struct split_plan {
	struct part *parts;
	size_t parts_n; /* 1..LIMIT_PARTS */
	struct part join;
};

int split_plan_decode(struct arena *a, struct span bytes, struct split_plan *ret,
	struct fail *why) MUST_USE;
/* Append one part, or the join, of an encoded plan. */
void split_plan_put_part(struct buf *b, const struct part *p);
void split_plan_put_join(struct buf *b, const struct part *p);
