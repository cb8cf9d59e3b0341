/* SPDX-License-Identifier: Apache-2.0
 *
 * conf_args: settings from the command line.
 */
#include <stdio.h>

#include "run/conf_opt.h"

/* The flag's key as it stands in the table: "lease-time" is lease_time. */
static struct span key_of(const char *flag, size_t len, char to[CONF_KEY_BYTES + 1])
{
	len = span_copy(span_of(flag, len), to, CONF_KEY_BYTES + 1);
	for (size_t i = 0; i < len; i++)
		to[i] = to[i] == '-' ? '_' : to[i] == '_' ? '-' : to[i];
	return span_of(to, len);
}

static int bad_flag(const struct conf_opts *o, const char *arg, const char *what)
{
	fprintf(stderr, "%s: %s: %s (--help lists the options)\n", o->program, arg, what);
	return ERR_INVALID;
}

static int unknown_flag(const struct conf_opts *o, const char *arg)
{
	char name[CONF_KEY_BYTES + 1], flag[CONF_NAME_BYTES], what[CONF_NAME_BYTES + 48];
	const char *near = conf_nearest(o, 0, key_of(arg + 2, strcspn(arg + 2, "="), name));

	if (near == NULL)
		return bad_flag(o, arg, "unknown option");
	conf_flag_name(near, flag);
	snprintf(what, sizeof(what), "unknown option; did you mean %s?", flag);
	return bad_flag(o, arg, what);
}

/* What an argument says: a setting and its value. NULL as value: it is in the next argument. */
static struct conf_opt *read_arg(struct conf_opts *o, const char *arg, const char **ret_value)
{
	const char *equals = strchr(arg, '=');
	char name[CONF_KEY_BYTES + 1];
	struct span key = key_of(arg + 2,
		equals == NULL ? strlen(arg + 2) : (size_t)(equals - arg - 2), name);
	struct conf_opt *opt = conf_find(o, key);

	*ret_value = equals == NULL ? NULL : equals + 1;
	if (opt != NULL && opt->row->type == CONF_BOOL && equals == NULL)
		*ret_value = "yes";
	if (opt != NULL || equals != NULL || key.len < 4 || memcmp(key.at, "no_", 3) != 0)
		return opt;
	opt = conf_find(o, span_part(key, 3, key.len));
	*ret_value = "no";
	return opt != NULL && opt->row->type == CONF_BOOL ? opt : NULL;
}

/* Apply argv[i]. Returns how many arguments it used, or a negative error. */
static int apply_arg(struct conf_opts *o, int argc, char **argv, int i)
{
	const char *value;
	char flag[CONF_NAME_BYTES];
	struct conf_opt *opt;
	int used = 1, r;

	if (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == '\0')
		return bad_flag(o, argv[i], "unexpected argument");
	opt = read_arg(o, argv[i], &value);
	if (opt == NULL)
		return unknown_flag(o, argv[i]);
	conf_flag_name(opt->row->key, flag);
	if (value == NULL) {
		if (i + 1 == argc)
			return bad_flag(o, flag, "needs a value");
		value = argv[i + 1];
		used = 2;
	}
	r = conf_apply(o, opt, value, CONF_FLAG, flag);
	return r < 0 ? r : used;
}

int conf_args_apply(struct conf_opts *o, int argc, char **argv)
{
	for (int i = 1; i < argc;) {
		int used = apply_arg(o, argc, argv, i);

		if (used < 0)
			return used;
		i += used;
	}
	return 0;
}

bool conf_args_have(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}
