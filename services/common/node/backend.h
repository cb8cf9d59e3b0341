/* SPDX-License-Identifier: Apache-2.0
 *
 * backend: what differs between node classes: a row of functions that runs jobs. The shared node (node.h)
 * does everything else: offers, leases, fencing, reports.
 *
 * All calls and reports happen on the owner thread. A job is named by (task, attempt); after start returned
 * 0, the backend reports exactly one end for it through node_done or node_failed, also when it is cancelled
 * (then with ERR_CANCELLED; a late report for a job that is no longer held is ignored).
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "policy/cache.h"
#include "run/daemon.h"
#include "wire/body.h"
#include "wire/kinds.h"
#include "wire/node.h"

struct node;

struct job {
	struct ulid task;
	uint32_t attempt;
	struct span kind;
	struct span tenant;
	const struct kind_row *row; /* NULL for a kind outside the table */
	int64_t deadline_ns;
	struct span raw;         /* encoded Body; may be larger than LIMIT_BODY_BYTES if is_kept */
	const struct body *body; /* decoded and, if row is set, checked */
	bool is_kept; /* raw and body (not the job itself) live until its end is reported */
};

struct backend_ops {
	const char *name; /* "cpu" */
	enum rung rung;
	/* Bring the back end up. */
	int (*open)(void *self, struct node *n, struct fail *why);
	/* Fill kinds (arena a), slots, queued, device, health, load, cache; the node fills the rest, and typical_us
	 * where it is 0, from what it measures. Called when an offer is due; node_offer_changed asks for one. A
	 * negative error: no offer this time. */
	int (*offer)(void *self, struct arena *a, struct offer *o);
	/* Take a job; the job's spans live only until return. 0, or why not (ERR_BUSY, ERR_UNSUPPORTED ...). It
	 * may report the end before it returns. */
	int (*start)(void *self, const struct job *job, struct fail *why);
	/* Stop a job soon, and report its end. */
	void (*cancel)(void *self, struct ulid task, uint32_t attempt);
	/* Let a job stand still and keep what it has done so far, or let it go on; both NULL for a back end that never can.
	 * An offer's `pauses` says which kinds can; a pause that fails ends in a cancel. A job that stands still can be
	 * cancelled, too. */
	int (*pause)(void *self, struct ulid task, uint32_t attempt);
	void (*resume)(void *self, struct ulid task, uint32_t attempt);
	void (*close)(void *self);
	bool takes_references; /* items whose data is in the store are its own business; else the node fetches
	                        * them, and jobs have all their data */
	/* Forget the kept results of a tenant; empty: all. NULL for who keeps none. */
	void (*purge)(void *self, struct span tenant);
};

/* Reports, copied. They may come from inside open, start, cancel and close. body is an encoded Body (or
 * SplitPlan for task.split). Of one above LIMIT_BODY_BYTES items go to the store (of a plan, those of its
 * parts); where there is none it becomes Failed(TOO_BIG). why has a code. */
void node_done(struct node *n, struct ulid task, uint32_t attempt, struct span body);
/* As node_done, with a result that was not computed for this attempt but age_ms ago for an equal one. */
void node_done_before(struct node *n, struct ulid task, uint32_t attempt, struct span body,
	int64_t age_ms);
/* As node_done, of a task for a language model: what was used, and how it was done (for the explain record, or NULL). */
void node_done_used(struct node *n, struct ulid task, uint32_t attempt, struct span body,
	const struct usage *usage, const char *note);
/* The same of a buffer; its memory is taken over if the result is large. */
void node_done_buf(struct node *n, struct ulid task, uint32_t attempt, struct buf *body);
/* How large a result may be. */
size_t node_result_max(const struct node *n);
void node_failed(struct node *n, struct ulid task, uint32_t attempt, const struct fail *why);
void node_progress(struct node *n, struct ulid task, uint32_t attempt, uint32_t permille,
	const char *note);
void node_chunk(struct node *n, struct ulid task, uint32_t attempt, struct span data);
/* Kinds, slots or health changed: announce soon. */
void node_offer_changed(struct node *n);
/* What $SRV.STATS shows of the backend's cache. */
void node_count_cache(struct node *n, const struct cache_stats *stats);
/* The process around the node; NULL in the simulator and in tests, so a backend that can do without uses
 * the next two. */
struct daemon *node_daemon(struct node *n);
struct bus *node_bus(struct node *n);
int64_t node_now(struct node *n); /* Unix time in ns */
