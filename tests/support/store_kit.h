/* SPDX-License-Identifier: Apache-2.0
 *
 * store_kit: a store on a folder of its own behind a bus in memory that may lose, double and spoil; a loop whose time
 * leaps to what is due. For tests of whoever moves blobs.
 */
#pragma once
#include "base/prng.h"
#include "run/bus_mem.h"
#include "run/loop.h"
#include "services/store/store.h"

struct store_kit {
	char dir[64];
	struct store_conf conf;
	struct store *store; /* NULL: it is gone */
	struct loop loop;
	struct bus_net *net;
	struct bus *bus;  /* of who is tested */
	struct bus *peer; /* of the store, and for what the test sends */
	struct bus_sub *sub;
	struct prng prng;
	unsigned lose, twice; /* of 1,000 messages */
	unsigned spoil_in;    /* the n-th chunk from now comes with a wrong byte */
	unsigned spoil_out;   /* the same of what is read */
	unsigned die_after;   /* asks from now until the store dies; 0: never */
	unsigned asks, unanswered;
	void (*on_turn)(void *ctx); /* or NULL */
	void *ctx;
};

/* keys_open, the store, the bus. False: no folder or no memory. */
bool store_kit_open(struct store_kit *k);
void store_kit_close(struct store_kit *k);
/* The store dies, and is opened again with what it had. */
void store_kit_kill(struct store_kit *k);
void store_kit_revive(struct store_kit *k);
/* Let messages move and timers fire until *done, at most so many simulated seconds. */
bool store_kit_run(struct store_kit *k, const bool *done, int64_t seconds);
int64_t store_kit_now(const struct store_kit *k);
/* Of some bytes. */
struct blob_hash store_kit_hash(struct span bytes);
/* Put bytes in by the store's own functions. */
void store_kit_put(struct store_kit *k, struct span tenant, struct span bytes);
/* Compare what the store has; false if it is not there. */
bool store_kit_has(struct store_kit *k, struct span tenant, struct span bytes);
/* How many references a blob has. */
unsigned store_kit_references(struct store_kit *k, struct span tenant, struct span bytes);
