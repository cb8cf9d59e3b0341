/* SPDX-License-Identifier: Apache-2.0
 *
 * opts: the command line, read by the rows of commands.def into one struct. An option is --name VALUE or
 * --name=VALUE, anywhere; `--` ends them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define OPTS_ARGS 256u /* arguments besides options */

struct opts_list {
	const char *at[OPTS_ARGS];
	unsigned n;
};

/* What was given; strings are argv's. A number that was not given is -1, a text NULL. */
struct opts {
	const struct command_row *command; /* NULL: none */
	struct opts_list args;
	/* of every command */
	const char *url;
	const char *dir;
	const char *tenant;
	int64_t timeout_ns;
	bool json;
	bool quiet;
	bool help;
	/* of some */
	struct opts_list in;
	const char *out;
	int64_t deadline_ns;
	int64_t price_ucr;
	int64_t priority;
	const char *allow;
	const char *graph;
	const char *key;
	int64_t start_within_ns;
	bool fast;
	bool no_wait;
	bool follow;
	bool explain;
	const char *state;
	int64_t limit;
	bool off;
	bool all;
	const char *person;
	int64_t keep_ns;
	bool detach;
	bool no_gpu;
	int64_t port;
	int64_t cpu_nodes;
	int64_t seconds;
	int64_t in_flight;
	int64_t bytes;
	const char *kind;
};

enum opt_type { OPT_FLAG, OPT_TEXT, OPT_TOKEN, OPT_INT, OPT_TIME, OPT_LIST };

struct opt_row {
	const char *command; /* whose; "any": of every command */
	const char *name;    /* without dashes */
	enum opt_type type;
	size_t at; /* offsetof in struct opts */
	int64_t low, high;
	const char *noun; /* of the value, for help */
	const char *text;
};

struct cli;
struct command_row {
	const char *name;
	const char *args;
	unsigned low, high;
	const char *words; /* see commands.def */
	const char *text;
	int (*run)(struct cli *c); /* the exit status */
};

/* The i-th command, or NULL past the end. */
const struct command_row *command_at(unsigned i);
/* NULL if there is no such command. */
const struct command_row *command_find(const char *name);
/* The i-th option of all, or NULL past the end. */
const struct opt_row *option_at(unsigned i);
/* Does a command have this option itself? With command NULL: does every command? */
bool option_is_of(const struct opt_row *row, const struct command_row *command);

/* 0, or ERR_INVALID with why->detail for people. */
int opts_parse(struct opts *o, int argc, char **argv, struct fail *why) MUST_USE;
