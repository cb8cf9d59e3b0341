/* SPDX-License-Identifier: Apache-2.0
 *
 * registry: the nodes that the router knows, from their offers, and per kind and class the rows that
 * placement sees: open ones (up, ready, a free slot) first. Pure: time is passed in.
 *
 * A node is up; suspect when silent for a while (it keeps its attempts, gets no new ones); down when silent
 * for a lease (its attempts are lost); forgotten after that. Unknown is not dead: only time or the node's
 * own word makes it so.
 */
#pragma once
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "router/place.h"
#include "wire/node.h"
#include "wire/query.h"

/* A node's number is its slot's index and, above it, the low bits of the slot's generation: one that is kept in
 * records and results does not name the next node in the same slot. A bare index names who is there now. */
#define NODE_INDEX_BITS 20
#define NODES_MOST ((1u << NODE_INDEX_BITS) - 1)
#define NODE_NOBODY UINT32_MAX

static inline uint32_t node_index(uint32_t node)
{
	return node & NODES_MOST;
}

#define KIND_UNKNOWN UINT32_MAX

/* A node's offer of one kind. */
struct node_kind {
	uint32_t kind; /* index in the registry's kinds */
	uint32_t row;  /* where it stands in the kind's rows */
	bool ready;
	bool pauses; /* its attempts can be paused */
	int64_t price_ucr;
	int64_t said_us; /* typical_us of the offer */
	int64_t seen_us; /* moving average of what the router saw; 0: nothing yet */
	char *why;       /* if not ready; or NULL */
	char *model;     /* or NULL */
};

/* One that is open may get an attempt now; one that is able may get one later (full, closed for a while,
 * suspect); the rest could not serve whatever is waited for (down, draining, not ready). */
enum fit { FIT_OPEN, FIT_ABLE, FIT_SHUT };

struct node {
	char name[LIMIT_TOKEN_BYTES + 1];
	enum node_state state;
	bool expected; /* known by name only: the journal has attempts on it */
	enum rung rung;
	uint64_t incarnation;
	uint64_t seq;
	uint32_t rivals; /* offers of an earlier life, though this one goes on */
	struct place_load load;
	struct node_kind *kinds;
	uint32_t kinds_n;
	int64_t heard_ns;   /* last sign of life */
	int64_t offered_ns; /* last offer that was taken */
	int64_t said_ns;    /* when that left the node, as far as is known */
	int64_t sent_ns;    /* the same by the node's clock; 0: unknown */
	int64_t behind_ns; /* how far the node's clock is behind, and the quickest offer's way, together */
	int64_t closed_until_ns; /* it refused: no assignment before */
	bool draining;           /* its own word */
	bool drain_asked;        /* an operator's word */
	enum fit fit;            /* of its rows that are ready */
	uint64_t done, failed, lost;
	struct list tasks;  /* attempts that run there: struct task.on_node */
	struct list twins;  /* and second ones: struct twin.on_node */
	struct list paused; /* and those that stand still: no slot is counted for them */
	uint32_t paused_n;
	char *device; /* or NULL */
	char version[33];
	uint32_t machine_load;
	struct cache_view cache; /* of results, as it said last */
	uint32_t pack_bytes;     /* bodies from so many bytes on are wanted packed; 0: never */
};

/* One kind and class: rows for placement and who they belong to: rows[0..open_n) are open, those before able_n
 * are able, the rest is shut. */
struct kind_rows {
	struct place_row *rows;
	struct node_kind **owners; /* same order */
	uint32_t n, cap, open_n, able_n;
	uint32_t cursor;
};

struct kind {
	char name[LIMIT_KIND_BYTES + 1];
	struct ladder ladder;
	const struct kind_row *row; /* or NULL: it is outside the table */
	struct kind_rows of[RUNGS]; /* by class */
};

struct registry_conf {
	uint32_t nodes_max;
	uint32_t kinds_max;
	int64_t suspect_ns; /* silence until suspect */
	int64_t down_ns;    /* until down */
	int64_t forget_ns;  /* until forgotten */
};

struct registry {
	struct registry_conf conf;
	struct slots nodes;
	struct map by_name;
	struct heap due; /* nodes by the time of their next change */
	struct slots kinds;
	struct map kind_by_name;
	uint32_t up_n;
	/* Told when a row opens, and when the last that was able is shut: tasks that wait should be looked at. */
	void (*on_change)(void *ctx, uint32_t kind, enum rung rung);
	void *ctx;
};

int registry_init(struct registry *g, const struct registry_conf *conf) MUST_USE;
void registry_done(struct registry *g);

/* The node with this name, or NODE_NOBODY. */
uint32_t registry_find(const struct registry *g, struct span name);
/* By its number, while it is known (it is, as long as it holds an attempt), or by a taken index. */
struct node *registry_node(const struct registry *g, uint32_t node);
/* The name of the node that has this number, or empty if it is nobody or forgotten. */
struct span registry_name(const struct registry *g, uint32_t node);
/* A node that the journal knows and that has not spoken yet: silent from now on, without offers. The node if
 * it is known; NODE_NOBODY without room. */
uint32_t registry_expect(struct registry *g, int64_t now_ns, struct span name);
/* The same as registry_kind for a kind that the journal names: made if it is new. */
uint32_t registry_kind_known(struct registry *g, struct span name);
/* The kind's index; KIND_UNKNOWN if it is neither in the table of kinds nor offered by anybody so far. */
uint32_t registry_kind(struct registry *g, struct span name);
struct kind *registry_kind_at(const struct registry *g, uint32_t kind);

enum heard { HEARD_OLD, HEARD_NEWS, HEARD_NEW, HEARD_RESTARTED };

/* Take an offer in. HEARD_OLD: it is older than what is known, or was on its way for as long as makes a node suspect;
 * nothing changed. HEARD_RESTARTED: the node
 * has a new incarnation, what it held and the offer does not list is lost. ERR_BUSY (nodes_max), ERR_NO_MEMORY: nothing
 * changed. ERR_CONFLICT, now and then, in place of HEARD_OLD: another process goes on offering under this name. */
int registry_offer(struct registry *g, int64_t now_ns, struct span name, const struct offer *o,
	enum heard *ret_heard, uint32_t *ret_node) MUST_USE;
/* Another sign of life. */
void registry_heard(struct registry *g, int64_t now_ns, uint32_t node);
/* A slot was given out (+1) or came back (-1). */
void registry_busy(struct registry *g, uint32_t node, int change);
/* The node refused: nothing more before `until`. */
void registry_close(struct registry *g, uint32_t node, int64_t until_ns);
/* An operator's wish; the node stays known. */
void registry_drain(struct registry *g, uint32_t node, bool on);
/* It said goodbye, or is down: state GONE or DOWN. The caller deals with its attempts. */
void registry_leave(struct registry *g, uint32_t node, enum node_state state);
/* An attempt of a kind ended there. */
enum ended { ENDED_DONE, ENDED_FAILED, ENDED_LOST };
void registry_ended(struct registry *g, uint32_t node, uint32_t kind, enum ended how,
	int64_t run_us);
/* An attempt of a kind was called back from there after this long, since another one was done: it would have taken
 * longer. */
void registry_outrun(struct registry *g, uint32_t node, uint32_t kind, int64_t run_us);
/* An assignment was accepted after this long. */
void registry_accepted(struct registry *g, uint32_t node, int64_t rtt_us);

/* Let time pass: nodes become suspect, down, forgotten, open again. Returns the next node that became down
 * (call again until NODE_NOBODY). */
uint32_t registry_tick(struct registry *g, int64_t now_ns);
/* When registry_tick has something to do; INT64_MAX: never. */
int64_t registry_wake(const struct registry *g);

/* What the node offers of the kind, ready or not, or NULL. */
const struct node_kind *registry_node_kind(const struct registry *g, uint32_t node, uint32_t kind);
/* Why a node does not serve a kind, or VERDICT_NONE if it could; *ret_note: its own words, or empty. */
enum verdict registry_verdict(const struct registry *g, uint32_t node, uint32_t kind,
	const struct place_need *need, struct span *ret_note);
