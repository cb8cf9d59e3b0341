/* SPDX-License-Identifier: Apache-2.0
 *
 * conf: the sources of settings in the order of their weight, each value checked where it stands, also when
 * a weightier one hides it.
 */
#include "run/conf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "base/near.h"
#include "run/conf_opt.h"
#include "version.h"

#define AT(member) offsetof(struct conf_base, member)
const struct conf_row conf_base_rows[] = {
	{ "url", CONF_TEXT, AT(url), "nats://127.0.0.1:4222", 1, 255, NULL,
		"NATS servers, separated by commas" },
	{ "name", CONF_TOKEN, AT(name), "", 0, 0, NULL,
		"name of this process in the mesh; empty: made from the host's name" },
	{ "nkey", CONF_SECRET, AT(nkey), "", 0, 255, NULL,
		"file with the seed of an NKey for the NATS server" },
	{ "log_level", CONF_CHOICE, AT(log_level), "info", 0, 0, "error,warn,info,debug",
		"least weighty lines to log" },
	{ "log_format", CONF_CHOICE, AT(log_format), "text", 0, 0, "text,json",
		"form of log lines" },
	{ "ready_fd", CONF_INT, AT(ready_fd), "-1", -1, 65535, NULL,
		"descriptor that gets a newline when the process is ready; -1: none" },
	{ 0 },
};
#undef AT

void conf_env_name(const char *key, char to[CONF_NAME_BYTES])
{
	int n = snprintf(to, CONF_NAME_BYTES, "SPU_%s", key);

	for (int i = 4; i < n; i++)
		if (to[i] >= 'a' && to[i] <= 'z')
			to[i] = (char)(to[i] - 'a' + 'A');
}

void conf_flag_name(const char *key, char to[CONF_NAME_BYTES])
{
	int n = snprintf(to, CONF_NAME_BYTES, "--%s", key);

	for (int i = 0; i < n; i++)
		if (to[i] == '_')
			to[i] = '-';
}

struct conf_opt *conf_find(struct conf_opts *o, struct span key)
{
	for (unsigned i = 0; i < o->n; i++)
		if (span_is(key, o->at[i].row->key))
			return &o->at[i];
	return NULL;
}

void conf_opts_add(struct conf_opts *o, const struct conf_row *row, void *to)
{
	for (; row->key != NULL; row++) {
		char *at = to == NULL ? NULL : (char *)to + row->at;

		if (row->type == CONF_ROWS) {
			conf_opts_add(o, row->more, at);
			continue;
		}
		CHECK(o->n < CONF_ROWS_MAX && strlen(row->key) <= CONF_KEY_BYTES);
		CHECK(conf_find(o, span_str(row->key)) == NULL);
		o->at[o->n++] = (struct conf_opt){ .row = row, .to = at };
	}
}

void conf_opts_init(struct conf_opts *o, const char *program, const struct conf_row *rows, void *to)
{
	*o = (struct conf_opts){ .program = program };
	conf_opts_add(o, rows, to);
}

/* Unknown keys */

const char *conf_nearest(const struct conf_opts *o, unsigned from, struct span key)
{
	struct near near;

	near_init(&near, key);
	for (unsigned i = from; i < o->n; i++)
		near_try(&near, o->at[i].row->key);
	return near.best;
}

/* Sources */

int conf_apply(const struct conf_opts *o, struct conf_opt *opt, const char *text,
	enum conf_origin origin, const char *place)
{
	struct fail why;

	if (conf_value_set(opt->row, opt->to, text, &why) < 0) {
		fprintf(stderr, "%s: %s: %s\n", o->program, place, why.detail);
		return ERR_INVALID;
	}
	opt->text = text;
	opt->origin = origin;
	return 0;
}

static void apply_defaults(struct conf_opts *o)
{
	for (unsigned i = o->own; i < o->n; i++) {
		struct conf_opt *opt = &o->at[i];

		opt->text = NULL;
		opt->origin = CONF_DEFAULT;
		if (opt->row->value != NULL)
			CHECK(conf_apply(o, opt, opt->row->value, CONF_DEFAULT, opt->row->key) ==
				0);
	}
}

static int apply_env(struct conf_opts *o)
{
	int r = 0;

	for (unsigned i = o->own; i < o->n && r == 0; i++) {
		char name[CONF_NAME_BYTES];
		const char *text;

		conf_env_name(o->at[i].row->key, name);
		text = getenv(name);
		if (text != NULL && text[0] != '\0')
			r = conf_apply(o, &o->at[i], text, CONF_ENV, name);
	}
	return r;
}

static int check_all_set(const struct conf_opts *o)
{
	for (unsigned i = o->own; i < o->n; i++) {
		char flag[CONF_NAME_BYTES], env[CONF_NAME_BYTES];

		if (o->at[i].text != NULL)
			continue;
		conf_flag_name(o->at[i].row->key, flag);
		conf_env_name(o->at[i].row->key, env);
		fprintf(stderr, "%s: %s: must be set, here, as %s or in the file\n", o->program,
			flag, env);
		return ERR_INVALID;
	}
	return 0;
}

/* The whole */

/* What is asked for by flags only. */
struct own_conf {
	char config[4096];
	bool print_config;
	bool sample_config;
};
#define AT(member) offsetof(struct own_conf, member)
static const struct conf_row own_rows[] = {
	{ "config", CONF_TEXT, AT(config), "", 0, 4095, NULL, "" },
	{ "print_config", CONF_BOOL, AT(print_config), "no", 0, 0, NULL, "" },
	{ "sample_config", CONF_BOOL, AT(sample_config), "no", 0, 0, NULL, "" },
	{ 0 },
};
#undef AT

static int apply_all(struct conf_opts *o, const struct own_conf *own, int argc, char **argv)
{
	int r = 0;

	apply_defaults(o);
	o->path = own->config[0] != '\0' ? own->config : getenv("SPU_CONFIG");
	if (o->path != NULL && o->path[0] != '\0')
		r = conf_file_apply(o);
	if (r == 0)
		r = apply_env(o);
	if (r == 0)
		r = conf_args_apply(o, argc, argv);
	return r < 0 ? r : check_all_set(o);
}

/* 1, or ERR_IO if what was printed did not leave. */
static int printed(const struct conf_opts *o)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 1;
	fprintf(stderr, "%s: cannot write to the standard output\n", o->program);
	return ERR_IO;
}

static int load(struct conf_opts *o, const struct own_conf *own, const char *usage, int argc,
	char **argv)
{
	int r;

	if (conf_args_have(argc, argv, "--help") || conf_args_have(argc, argv, "-h")) {
		conf_show_help(o, usage);
		return printed(o);
	}
	if (conf_args_have(argc, argv, "--version")) {
		printf("%s %s\n", o->program, SPU_BUILD);
		return printed(o);
	}
	/* The flags twice: first for --config, which the file hangs on, then over file and environment. */
	r = conf_args_apply(o, argc, argv);
	if (r == 0 && own->sample_config) {
		conf_show_sample(o);
		return printed(o);
	}
	if (r == 0)
		r = apply_all(o, own, argc, argv);
	if (r < 0 || !own->print_config)
		return r;
	conf_show_values(o);
	return printed(o);
}

int conf_load(void *to, const struct conf_row *rows, const char *program, const char *usage,
	int argc, char **argv)
{
	struct own_conf own = { 0 };
	struct conf_opts o;
	char name[72];
	int r;

	snprintf(name, sizeof(name), "spu-%s", program);
	conf_opts_init(&o, name, own_rows, &own);
	o.own = o.n;
	conf_opts_add(&o, rows, to);
	r = load(&o, &own, usage, argc, argv);
	mem_free(o.file);
	return r;
}
