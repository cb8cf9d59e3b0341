/* SPDX-License-Identifier: Apache-2.0
 *
 * torture: a mesh of real processes whose members are killed and stopped while a tenant submits durable tasks and
 * remembers what it was told.
 *
 *	main.c     time, and the verdict        chaos.c    the processes, and what is done to them
 *	tenant.c   submits, asks again, checks   rolling.c  or: told to end and started again, in turn
 *	large.c    inputs through the store     watches.c  the clock of each process, which is set
 *	disk.c     where the journal is, which fills up
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/prng.h"
#include "base/ulid.h"
#include "run/blob.h"
#include "run/clocks.h"
#include "run/loop.h"

/* --- disk.c */

#define DISK_PATH 256

struct disk {
	char dir[DISK_PATH - 16];
	bool is_own;      /* a file system; else a folder, as none may be mounted here */
	int64_t until_ns; /* it is full; 0: it is not */
};

/* The folder `disk` in dir. Before there are threads. False without the folder. */
bool disk_open(struct disk *d, const char *dir);
/* Leave so much room until then. */
void disk_fill(struct disk *d, uint64_t leave_bytes, int64_t until_ns);
void disk_turn(struct disk *d, int64_t now_ns);
/* Copy what is on it to where it outlives us. */
void disk_keep(const struct disk *d);
void disk_close(struct disk *d);

/* --- chaos.c */

#define TORTURE_NODES 3
enum victim {
	VICTIM_NATS,
	VICTIM_ROUTER,
	VICTIM_STORE,
	VICTIM_NODES,
	VICTIMS = VICTIM_NODES + TORTURE_NODES
};

struct member {
	pid_t pid;                 /* 0: dead */
	int64_t back_ns;           /* dead: when it is started again */
	int64_t go_on_ns;          /* stopped: when it goes on; 0: it runs */
	bool full_disk;            /* its next life has no room on the disk */
	bool was_full;             /* this one has none */
	struct clocks_test *watch; /* what its clocks are set by, in all of its lives */
};

struct chaos {
	struct prng prng;
	char dir[192], url[64];
	uint16_t port;
	struct disk disk; /* of the journal */
	struct member member[VICTIMS];
	int64_t every_ns;                  /* between deeds, on average; 0: there are none */
	int64_t next_ns;                   /* the next deed */
	uint64_t kills, stops, full, ends; /* ends: of processes that ended by themselves */
	uint64_t sets;                     /* of clocks */
	bool calm;                         /* nothing is done any more */
};

/* Start everything in a folder of its own. 0 or -1 after a message. */
int chaos_open(struct chaos *c, uint64_t seed, int64_t every_ns);
/* What is due: deeds, returns, deaths. */
void chaos_turn(struct chaos *c, int64_t now_ns);
/* From now on everybody lives. */
void chaos_end(struct chaos *c, int64_t now_ns);
/* End all processes and remove the folder; keep: leave it, for a look. */
void chaos_close(struct chaos *c, bool keep);

/* Start a process that is not there. */
void chaos_start(struct chaos *c, unsigned who);

/* --- watches.c */

#define WATCH_OFF_NS (2 * 3600 * NS_PER_S) /* a wall clock is that wrong at most, ahead or behind */

/* The file of a process's clocks, made and mapped, or NULL. */
struct clocks_test *watch_open(const char *path);
void watch_close(struct clocks_test *w);
/* Set them: the wall clock, and at times the monotonic clock forward, as on a machine that slept. */
void watch_set(struct clocks_test *w, struct prng *prng);

/* --- rolling.c */

struct rolling {
	unsigned who; /* is the next one, or is told to end */
	bool is_ending;
	int64_t due_ns;
	unsigned restarts, rounds;
	unsigned bad; /* ends that were not asked for, not clean, or did not come */
};

void rolling_open(struct rolling *r);
void rolling_turn(struct rolling *r, struct chaos *c, int64_t now_ns);
/* Is a round over, and everything started again? */
bool rolling_is_between(const struct rolling *r);

/* --- large.c */

#define LARGE_BYTES ((uint64_t)700000)

struct large {
	struct loop *loop;
	struct bus *bus;
	uint32_t number;
	struct blob_transfer *transfer;
	bool has_ended;
	struct blob_end end;
};

/* Begin to put the bytes of a number, or to get them: others end with ERR_MALFORMED. Nothing moves at this time. */
void large_put(struct large *l, uint32_t number);
void large_get(struct large *l, uint32_t number, const struct blob_hash *hash);
bool large_is_moving(const struct large *l);
/* True, once, when what was begun has ended. */
bool large_take(struct large *l, struct blob_end *ret);

/* --- tenant.c */

struct tenant;

struct outcome {
	uint64_t accepted, lost, doubled, unfinished;
	uint64_t succeeded, other; /* how the finished ones ended */
	uint64_t asked;            /* submits sent, repeats too */
	uint64_t large;            /* succeeded, with more than a message of input and result */
	uint64_t again, in_vain;   /* given out more than once; since one was lost or failed */
	int64_t longest_ns;        /* a submit took to be acknowledged */
};

struct tenant *tenant_open(struct loop *l, const char *url, uint64_t seed);
void tenant_close(struct tenant *t);
/* Keep tasks under way; with `stop` no new ones, but what is unanswered is asked again. */
void tenant_turn(struct tenant *t, int64_t now_ns, bool stop);
/* Has every submit an answer? */
bool tenant_is_answered(const struct tenant *t);
/* Ask for the result of every task once more. */
void tenant_check(struct tenant *t);
/* Are all of these questions answered? */
bool tenant_is_checked(const struct tenant *t);
/* Ask why tasks were given out more than once. */
void tenant_explain(struct tenant *t);
bool tenant_is_explained(const struct tenant *t);
/* Write about tasks that have not ended. */
void tenant_tell_unfinished(const struct tenant *t);
void tenant_judge(const struct tenant *t, struct outcome *ret);
