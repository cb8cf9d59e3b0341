/* SPDX-License-Identifier: Apache-2.0
 *
 * conf: settings from rows. One row gives the line `key = value` of the file, the variable SPU_KEY, the flag
 * --key (underscores become dashes), the line in --help and in --print-config (with the value's origin),
 * and the sample file. Flag beats environment beats file beats default. Unknown keys and bad values stop
 * the start and say where they stand; an empty variable counts as not set.
 *
 * In the file `#` starts a comment at the line's start or after a blank; a value in double quotes may hold
 * one, and \" and \\. Flags are --key VALUE or --key=VALUE; of booleans also --key and --no-key.
 *
 * A program's table takes in the table of what its conf struct contains:
 *
 *	struct router_conf {
 *		struct conf_base base;
 *		int64_t lease_ns;
 *	};
 *	static const struct conf_row router_rows[] = {
 *		{ "lease", CONF_TIME, offsetof(struct router_conf, lease_ns), "30s", NS_PER_S, 600 * NS_PER_S,
 *		        NULL, "how long a silent node keeps an attempt" },
 *		CONF_INCLUDE(struct router_conf, base, conf_base_rows),
 *		{ 0 },
 *	};
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

enum conf_type {
	CONF_INT,    /* int64_t; low..high */
	CONF_TIME,   /* int64_t ns, "5s"; low..high in ns */
	CONF_BYTES,  /* int64_t, "64M"; low..high */
	CONF_BOOL,   /* bool: yes no true false on off 1 0 */
	CONF_TEXT,   /* char[high + 1]: low..high bytes of UTF-8 */
	CONF_TOKEN,  /* char[65]: [A-Za-z0-9_-]{1,64}; low = 0: may be empty */
	CONF_CHOICE, /* int: index in `choices` */
	CONF_SECRET, /* char[high + 1]: path of a readable file that holds the secret; printed as (set) or (none) */
	CONF_ROWS, /* not a setting: the rows of a struct inside; see CONF_INCLUDE */
};

struct conf_row {
	const char *key; /* "lease" */
	enum conf_type type;
	size_t at;         /* offsetof in the program's conf struct */
	const char *value; /* default, as text; NULL: must be set */
	int64_t low;
	int64_t high;
	const void *more; /* CHOICE: "p2c,cost"; ROWS: the other table; else NULL */
	const char *help; /* one line */
};

#define CONF_ROWS_MAX 128u /* of a program, in all its tables */

/* The rows of `table` for the struct `member` of struct `type`. */
#define CONF_INCLUDE(type, member, table)                                                          \
	{                                                                                          \
		"", CONF_ROWS, offsetof(type, member), NULL, 0, 0, (table), NULL                   \
	}

/* Settings that every daemon has; the first member of each program's conf struct. */
struct conf_base {
	char url[256]; /* NATS URL */
	char name
		[65]; /* this process's name in the mesh; empty: made from the host's name and random */
	int log_level;    /* enum log_level */
	int log_format;   /* 0 text, 1 json */
	int64_t ready_fd; /* descriptor that gets a newline when ready; -1: none */
	char nkey[256];   /* file with an NKey seed; empty: none */
};

/* The rows of conf_base, ended by a row with key NULL. */
extern const struct conf_row conf_base_rows[];

/* Fill the zeroed struct at `to` from defaults, the file (--config FILE or SPU_CONFIG), environment and
 * argv. rows ends with key NULL. program: "router", shown as spu-router; usage: one line for --help, what the
 * program is. Returns 0 to go on, 1 if it printed what was asked for (--help, --version, --print-config,
 * --sample-config) and the program should exit with 0, or a negative error after a message on stderr: exit
 * with 2. */
int conf_load(void *to, const struct conf_row *rows, const char *program, const char *usage,
	int argc, char **argv) MUST_USE;
