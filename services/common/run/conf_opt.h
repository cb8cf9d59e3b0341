/* SPDX-License-Identifier: Apache-2.0
 *
 * conf_opt: the inside of conf, shared by its files: conf.c knows the order of the sources, conf_file.c and
 * conf_args.c read them, conf_value.c knows the types, conf_show.c prints.
 */
#pragma once
#include "base/span.h"
#include "run/conf.h"

enum conf_origin { CONF_DEFAULT, CONF_FILE, CONF_ENV, CONF_FLAG };

#define CONF_KEY_BYTES 64u  /* longest key */
#define CONF_NAME_BYTES 80u /* room for SPU_KEY and --key */

/* One setting, with what it has been set to so far. */
struct conf_opt {
	const struct conf_row *row;
	void *to;
	const char *text; /* as written, without quotes; NULL: not set */
	enum conf_origin origin;
	int line; /* CONF_FILE */
};

/* The settings of a program, its tables laid out flat. */
struct conf_opts {
	struct conf_opt at[CONF_ROWS_MAX];
	unsigned n;
	unsigned own;        /* the first so many are conf's own: flags only, not shown */
	const char *program; /* "spu-router" */
	const char *path;    /* the file, or NULL */
	char *file;          /* its content, cut into strings */
};

/* rows belong to the struct at `to`, which may be NULL if nothing is set. */
void conf_opts_init(struct conf_opts *o, const char *program, const struct conf_row *rows,
	void *to);
void conf_opts_add(struct conf_opts *o, const struct conf_row *row, void *to);
/* NULL if there is no such key. */
struct conf_opt *conf_find(struct conf_opts *o, struct span key);
/* The key from the given place on that was perhaps meant, or NULL. */
const char *conf_nearest(const struct conf_opts *o, unsigned from, struct span key);
/* Set one, or say on stderr why not; place: "SPU_LEASE". text is kept. 0 or ERR_INVALID. */
int conf_apply(const struct conf_opts *o, struct conf_opt *opt, const char *text,
	enum conf_origin origin, const char *place) MUST_USE;
/* o->path. 0 or a negative error after a message. */
int conf_file_apply(struct conf_opts *o) MUST_USE;
/* 0 or ERR_INVALID after a message. */
int conf_args_apply(struct conf_opts *o, int argc, char **argv) MUST_USE;
bool conf_args_have(int argc, char **argv, const char *word);
/* "SPU_LEASE" and "--lease-time" of a key. */
void conf_env_name(const char *key, char to[CONF_NAME_BYTES]);
void conf_flag_name(const char *key, char to[CONF_NAME_BYTES]);

/* Check text and store it at `to`. ERR_INVALID with why->detail for people. */
int conf_value_set(const struct conf_row *row, void *to, const char *text,
	struct fail *why) MUST_USE;
/* What stands for a value in help: "TIME". */
const char *conf_value_noun(const struct conf_row *row);
/* What a value may be, such as "1s to 10m" or "p2c, cost"; empty if there is nothing to say. Returns to. */
char *conf_value_range(const struct conf_row *row, char *to, size_t room);

void conf_show_help(const struct conf_opts *o, const char *usage);
void conf_show_values(const struct conf_opts *o);
void conf_show_sample(const struct conf_opts *o);
