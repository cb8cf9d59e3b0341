/* SPDX-License-Identifier: Apache-2.0
 *
 * sim: the mesh in one process: the real router and worker machines with their codecs, over the bus in memory,
 * under virtual time. One seed decides everything: sizes, tasks, delays, losses, doubled and reordered
 * messages, crashes, partitions. The oracle watches what the router records. The router's journal is in memory, with
 * a disk's delays; when the router crashes, what was not safe is gone.
 *
 *	world.c    time, faults, the turn        toy.c      a backend that works, fails, refuses, hangs
 *	crash.c    the router's end and its return        race.c    how much second attempts save
 *	follow.c   tenants who read streams
 *	client.c   tenants who submit and cancel oracle.c   what must hold, after each step and at the end
 */
#pragma once
#include "base/mem.h"
#include "base/prng.h"
#include "node/core.h"
#include "router/core.h"
#include "run/bus_mem.h"
#include "run/stream_reader.h"
#include "tests/support/journal_mem.h"
#include "wire/canon.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define NODES_MAX 12
#define CLIENTS_MAX 3
#define TASKS_MAX 400 /* submits in one run */
#define JOBS_MAX 64   /* at once on one toy */
#define TWINS_OF_A_TASK 2
#define FOLLOWS_MAX 40 /* streams that one client reads */

/* How rough a run is; drawn from its seed. Chances are in thousandths. */
struct weather {
	bool fair;                    /* nothing below happens, but delays */
	uint32_t loss, doubled, late; /* of a message */
	int64_t delay_ns, late_ns;
	uint32_t crash, partition, farewell; /* in one virtual second */
	uint32_t slow;                       /* the same: a node works at a tenth of its speed */
	uint32_t router_crash;               /* the same */
	int64_t disk_ns;             /* at most, until a group of the journal is safe; 0: at once */
	uint32_t fail, refuse, hang; /* of an attempt */
	int64_t faults_end_ns;       /* from then on the sun shines */
};

struct toy_job {
	struct ulid task;
	uint32_t attempt;
	int64_t end_ns;    /* INT64_MAX: it hangs until it is cancelled */
	int64_t paused_ns; /* 0: it works */
	bool fails;
	bool splits;
	uint32_t chunks;  /* to be sent yet */
	uint64_t chunk;   /* the next one's number */
	int64_t chunk_ns; /* when it is due */
	bool taken;
};

/* A node and its toy backend. */
struct toy {
	struct world *world;
	char name[16];
	enum rung rung;
	uint32_t slots;
	int64_t price_ucr;
	bool ready;
	bool pauses;          /* its kinds */
	struct bus *bus;      /* NULL while crashed */
	struct node *node;    /* NULL while crashed */
	int64_t back_ns;      /* crashed: when it starts again */
	int64_t cut_until_ns; /* partitioned */
	bool knows_cut;       /* its bus has told it so */
	int64_t slow_until_ns;
	bool leaving;    /* told to stop: drains, says goodbye, is started again */
	uint64_t starts; /* of the process */
	struct toy_job jobs[JOBS_MAX];
};

/* A stream that is read. */
struct follow {
	struct client *client;
	uint32_t index; /* of itself */
	struct stream_reader reader;
	uint32_t attempt; /* as this file has seen it */
	uint64_t given;
	uint32_t question; /* the number of the last one */
	int64_t asked_ns;
	int64_t result_ns; /* when the end is asked for */
	bool over;         /* the task is known no more */
};

struct client {
	struct world *world;
	char tenant[16];
	struct bus *bus;
	int64_t next_ns; /* of its next deed */
	uint32_t left;   /* submits still to do */
	bool greedy;     /* hands them over all but at once */
	uint64_t submitted, answered, ended;
	struct follow follows[FOLLOWS_MAX];
	uint32_t follows_n;
};

/* What the oracle knows of a task. */
struct known {
	struct ulid task;
	uint32_t attempt;    /* the last that was assigned */
	uint32_t first;      /* that beside which it was, or 0 */
	uint32_t twins;      /* second attempts */
	bool accepted;       /* by a tenant; else it is a part */
	bool fast;           /* lives in memory only */
	bool told;           /* its tenant was told that it is accepted */
	bool forgotten;      /* by its tenant */
	bool paused;         /* as the router had it last */
	bool gone;           /* went with a crash of the router, untold or `fast` */
	enum state told_end; /* as its tenant heard it; STATE_NONE: not yet */
	uint8_t ended;       /* times */
	uint64_t tenant;     /* as hashes: whose it is, */
	uint64_t request;    /* what it asks, in canonical form, */
	uint64_t result;     /* and what came of it, if that was computed for it */
	enum canon_share share;
	enum state state;
};

struct oracle {
	struct known known[TASKS_MAX * 40];
	uint32_t known_n;
	uint64_t results;
	uint64_t cached;    /* of them, not computed for their tasks */
	const char *broken; /* the first rule that was broken */
	char detail[160];
};

struct world {
	uint64_t seed;
	struct prng prng;
	int64_t router_off_ns; /* the clock of the router's machine minus the world's */
	struct weather weather;
	int64_t now_ns;
	struct bus_net *net;
	struct bus *router_bus;
	struct router_core *router; /* NULL while crashed */
	struct router_core_conf router_conf;
	struct journal *journal;
	uint64_t groups;        /* of the journal, that were seen */
	int64_t safe_ns;        /* when the group that is written is safe */
	int64_t router_back_ns; /* crashed: when it starts again */
	uint64_t router_crashes, recovered;
	int64_t router_cut_ns;
	bool router_knows_cut; /* its bus has told it so: its time stands */
	struct toy toys[NODES_MAX];
	uint32_t toys_n;
	struct client clients[CLIENTS_MAX];
	uint32_t clients_n;
	int64_t next_fault_ns;
	struct oracle oracle;
	uint64_t chunks, chunks_lost;
	uint64_t steps, messages_lost, messages_doubled, crashes, partitions, farewells, slowed,
		pauses;
	uint64_t twins, twins_won; /* of routers that have crashed */
	bool verbose;
};

/* world.c */
struct world *world_new(uint64_t seed, bool verbose);
void world_free(struct world *w);
/* Run to the end of all deadlines. True if every rule held. */
bool world_run(struct world *w);
int64_t world_clock(void *ctx);

/* crash.c */
void router_crash(struct world *w);
/* Its second attempts, before it goes. */
void router_count(struct world *w);
/* It is back when its time has come. */
void router_return(struct world *w);
/* The disk: commits become safe after a while. */
void disk_turn(struct world *w);
int64_t disk_wake(const struct world *w);

/* toy.c */
extern const struct backend_ops toy_ops[RUNGS];
void toy_start(struct toy *t);
void toy_crash(struct toy *t);
/* The bus says that the line is cut, or whole again; then attempts end with their leases. */
void toy_notice_cut(struct toy *t);
/* As by SIGTERM. */
void toy_leave(struct toy *t);
int64_t toy_wake(const struct toy *t);
void toy_turn(struct toy *t);

/* race.c: prints its figures; false: second attempts did not pay. */
bool race_run(void);

/* client.c */
bool client_open(struct client *c, struct world *w, unsigned i);
void client_turn(struct client *c);

/* follow.c */
bool follow_open(struct client *c);
void follow_begin(struct client *c, struct ulid task);
void follow_event(struct client *c, const struct event *e);
void follow_turn(struct client *c);
int64_t follow_wake(const struct client *c);
/* At the end of all. */
void follow_check_end(const struct client *c);

/* oracle.c */
void oracle_watch(void *ctx, const struct journal_record *record);
/* A tenant hears: that its task is accepted, and how it ended. */
void oracle_told(struct oracle *o, struct ulid task);
void oracle_told_end(struct oracle *o, struct ulid task, enum state state);
/* The router crashed: only what its journal kept is true. */
void oracle_crash(struct world *w);
void oracle_step(struct world *w);
void oracle_end(struct world *w);
void oracle_break(struct oracle *o, const char *rule, const char *detail, ...) PRINTF_LIKE(3, 4);
