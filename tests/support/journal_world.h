/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_world: what every journal must do, as cases over one that can be closed and opened again; and a model of what
 * is in a journal after a row of random images, which follow from a seed alone.
 */
#pragma once
#include "router/journal.h"

#define WORLD_ROWS 40u
#define WORLD_FORGET_NS INT64_C(2000000000000000000)

/* Images number 1, 2, ... of a seed, and where they lead. */
struct journal_model {
	uint64_t seed;
	uint64_t at; /* the last image */
	struct {
		int life;              /* 0: not there */
		uint64_t order, state; /* numbers of the images that brought them */
	} rows[WORLD_ROWS + 1];
};

struct journal_world {
	struct journal *(*open)(void *ctx); /* an empty journal */
	/* The process died after what was safe, and starts again. */
	struct journal *(*again)(void *ctx, struct journal *j);
	void *ctx;
};

/* The model's next image is appended: what append says. */
int journal_model_next(struct journal_model *m, struct journal *j);
/* The same without a journal. */
void journal_model_skip(struct journal_model *m);
/* Number of the last image that the journal's rows show, or 0. */
uint64_t journal_model_seen(const struct journal_model *m, struct journal *j);
/* Has the journal exactly the rows of the model, by their newest images? */
bool journal_model_is(const struct journal_model *m, struct journal *j);
/* The test fails unless the journal has exactly what the model has. */
void journal_model_compare(const struct journal_model *m, struct journal *j);
/* The same of the kept rows alone, some of which may wait to be written. */
void journal_model_compare_kept(const struct journal_model *m, struct journal *j);

/* Cases; the test fails unless it does what it must. */
void world_newer_replaces(const struct journal_world *w);
void world_forgets(const struct journal_world *w);
void world_finds_by_key(const struct journal_world *w);
void world_loads_in_order(const struct journal_world *w);
void world_is_like_the_model(const struct journal_world *w);
