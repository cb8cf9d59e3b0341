/* SPDX-License-Identifier: Apache-2.0
 *
 * task: the domain structs of proto/spu/v1/task.proto and their codecs. Decoders take memory from an arena
 * and hold every limit of limits.def; spans point into the arena or the given bytes. Encoders append one
 * item's encoded batch message to a buf: several of them in one buf are one valid message.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/ulid.h"

/* Numbers as in spu.v1.Rung. */
enum rung { RUNG_NONE, RUNG_CPU, RUNG_GPU, RUNG_API, RUNG_SPLIT, RUNG_HUMAN };
#define RUNGS 6 /* with RUNG_NONE */

/* Numbers as in spu.v1.State. */
enum state {
	STATE_NONE,
	STATE_QUEUED,
	STATE_ASSIGNED,
	STATE_RUNNING,
	STATE_SPLIT,
	STATE_SUCCEEDED,
	STATE_FAILED,
	STATE_CANCELLED,
	STATE_EXPIRED,
	STATE_DEAD,
};
#define STATES 10 /* with STATE_NONE */

static inline bool state_is_final(enum state s)
{
	return s >= STATE_SUCCEEDED;
}

/* "cpu", "QUEUED" ...; "none" for RUNG_NONE and STATE_NONE. */
const char *rung_name(enum rung r);
const char *state_name(enum state s);
/* The rung of a name, RUNG_NONE if there is none. */
enum rung rung_parse(struct span name);

/* Rungs in order; no rung twice. */
struct ladder {
	uint8_t rung[RUNGS - 1];
	uint8_t n;
};

/* From "gpu,api,split"; ERR_INVALID for unknown or repeated names, or more than RUNGS - 1. */
int ladder_parse(struct span text, struct ladder *ret) MUST_USE;

struct submit {
	struct span key;    /* idempotency key, or empty */
	struct span stream; /* or empty: the task's id */
	struct span kind;
	struct span body;        /* encoded */
	bool packed;             /* body is a zstd frame of it */
	int64_t deadline_ms;     /* Unix time; 0: default */
	int64_t max_price_ucr;   /* 0: only what is free */
	int64_t start_within_ms; /* 0: default */
	int64_t keep_ms;         /* after its end; 0: default */
	uint32_t priority;
	struct ladder allow; /* n = 0: the kind's own */
	bool fast;
	struct fail fail; /* code != 0: this item breaks a limit; the other fields may be unset */
};

/* Decode spu.v1.Submits. An item that breaks a rule (token, text, size, priority, allow) is returned with
 * .fail set, so that the others pass. ERR_MALFORMED, ERR_TOO_BIG (count), ERR_NO_MEMORY for the whole. */
int submits_decode(struct arena *a, struct span bytes, struct submit **ret, size_t *ret_n,
	struct fail *why) MUST_USE;
void submits_put(struct buf *b, const struct submit *s);

struct submit_reply {
	struct span key;
	struct ulid task; /* zero if refused */
	bool existing;
	enum state state;
	bool packs;       /* the router reads packed bodies; said of large ones */
	struct fail fail; /* code != 0: refused */
};

int submit_replies_decode(struct arena *a, struct span bytes, struct submit_reply **ret,
	size_t *ret_n, struct fail *why) MUST_USE;
void submit_replies_put(struct buf *b, const struct submit_reply *r);

struct result {
	enum state state;
	struct span body; /* encoded, if it succeeded */
	struct fail fail; /* if not */
	enum rung rung;
	struct span node;
	uint32_t attempts; /* given out */
	uint32_t attempt;  /* the last that counted: whose chunks they are; 0: unknown, or none */
	int64_t price_ucr;
	int64_t run_us;
	int64_t total_us;
	uint64_t chunks; /* of the last attempt: the number of its last one */
	bool cache_hit;  /* not computed for this task */
	int64_t cache_age_ms;
	uint32_t cache_near; /* permille; 0: an equal task's */
};

enum event_kind { EVENT_NONE, EVENT_CHANGE, EVENT_PROGRESS, EVENT_CHUNK, EVENT_END, EVENT_BEAT };

/* A piece of a task's output, by its number in the attempt that made it. */
struct chunk {
	uint64_t seq;
	struct span data;
};

struct event {
	struct ulid task;
	uint64_t seq;
	enum event_kind kind;
	enum state state;     /* CHANGE */
	enum rung rung;       /* CHANGE */
	struct span node;     /* CHANGE */
	uint32_t attempt;     /* CHANGE, CHUNK, BEAT */
	struct span reason;   /* CHANGE */
	bool paused;          /* CHANGE */
	uint32_t permille;    /* PROGRESS */
	struct span note;     /* PROGRESS */
	uint64_t chunk_seq;   /* CHUNK; BEAT: of the last one */
	struct span data;     /* CHUNK */
	struct result result; /* END */
};

int events_decode(struct arena *a, struct span bytes, struct event **ret, size_t *ret_n,
	struct fail *why) MUST_USE;
void events_put(struct buf *b, const struct event *e);
