/* SPDX-License-Identifier: Apache-2.0
 *
 * opts: the first argument that is no option names the command; options of a command that comes later in the
 * line are looked up when it is known, so the command is found first.
 */
#include "services/cli/opts.h"

#include <stdio.h>
#include <string.h>

#include "base/fmt.h"
#include "base/near.h"

/* Where an option stands in argv, cut in two. */
struct given {
	struct span name;  /* without dashes */
	const char *value; /* after '=', or NULL */
};

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] != '\0';
}

static struct given read_option(const char *arg)
{
	const char *name = arg + strspn(arg, "-");
	const char *equals = strchr(name, '=');
	struct given g = { .name = span_str(name) };

	if (equals != NULL) {
		g.name.len = (size_t)(equals - name);
		g.value = equals + 1;
	}
	if (strcmp(arg, "-h") == 0)
		g.name = SPAN_LIT("help");
	else if (arg[1] != '-')
		g.name = SPAN_LIT("");
	return g;
}

/* The option of that name that every command has or, unless it is NULL, this one; or NULL. */
static const struct opt_row *row_find(const struct command_row *command, struct span name)
{
	const struct opt_row *row;

	for (unsigned i = 0; (row = option_at(i)) != NULL; i++)
		if (span_is(name, row->name) &&
			(option_is_of(row, NULL) ||
				(command != NULL && option_is_of(row, command))))
			return row;
	return NULL;
}

static int bad_value(const struct opt_row *row, const char *value, struct fail *why)
{
	char low[24], high[24];

	switch (row->type) {
	case OPT_TOKEN:
		return fail_set(why, ERR_INVALID, row->name, 0,
			"--%s %s: 1 to 64 letters, digits, _ or - are allowed", row->name, value);
	case OPT_TIME:
		return fail_set(why, ERR_INVALID, row->name, 0,
			"--%s %s: not a time from %s to %s (such as 5s or 10m)", row->name, value,
			fmt_duration_text(row->low, low), fmt_duration_text(row->high, high));
	default:
		if (row->high == INT64_MAX)
			return fail_set(why, ERR_INVALID, row->name, 0,
				"--%s %s: not a number from %lld up", row->name, value,
				(long long)row->low);
		return fail_set(why, ERR_INVALID, row->name, 0,
			"--%s %s: not a number from %lld to %lld", row->name, value,
			(long long)row->low, (long long)row->high);
	}
}

static int list_add(struct opts_list *list, const char *value, const char *name, struct fail *why)
{
	if (list->n == OPTS_ARGS)
		return fail_set(why, ERR_INVALID, name, OPTS_ARGS, "more than %u %s", OPTS_ARGS,
			name);
	list->at[list->n++] = value;
	return 0;
}

static int set_value(struct opts *o, const struct opt_row *row, const char *value, struct fail *why)
{
	void *to = (char *)o + row->at;
	int64_t number = 0;
	int r = 0;

	switch (row->type) {
	case OPT_FLAG:
		*(bool *)to = true;
		return 0;
	case OPT_LIST:
		return list_add(to, value, row->name, why);
	case OPT_TEXT:
	case OPT_TOKEN:
		if (row->type == OPT_TOKEN && !fmt_is_token(span_str(value)))
			return bad_value(row, value, why);
		*(const char **)to = value;
		return 0;
	case OPT_INT:
		r = fmt_int(span_str(value), &number);
		break;
	case OPT_TIME:
		r = fmt_duration(span_str(value), &number);
		break;
	}
	if (r < 0 || number < row->low || number > row->high)
		return bad_value(row, value, why);
	*(int64_t *)to = number;
	return 0;
}

static int unknown_option(const struct opts *o, const char *arg, struct span name, struct fail *why)
{
	const struct opt_row *row;
	struct near near;

	near_init(&near, name);
	for (unsigned i = 0; (row = option_at(i)) != NULL; i++)
		if (option_is_of(row, NULL) ||
			(o->command != NULL && option_is_of(row, o->command)))
			near_try(&near, row->name);
	if (near.best != NULL)
		return fail_set(why, ERR_INVALID, NULL, 0, "%s: unknown option; did you mean --%s?",
			arg, near.best);
	return fail_set(why, ERR_INVALID, NULL, 0, "%s: unknown option", arg);
}

/* One option at argv[i]. Returns how many arguments it took, or ERR_INVALID. */
static int take_option(struct opts *o, int argc, char **argv, int i, struct fail *why)
{
	struct given g = read_option(argv[i]);
	const struct opt_row *row = row_find(o->command, g.name);
	int taken = 1, r;

	if (row == NULL)
		return unknown_option(o, argv[i], g.name, why);
	if (row->type == OPT_FLAG && g.value != NULL)
		return fail_set(why, ERR_INVALID, row->name, 0, "--%s takes no value", row->name);
	if (row->type != OPT_FLAG && g.value == NULL) {
		if (i + 1 == argc)
			return fail_set(why, ERR_INVALID, row->name, 0, "--%s needs a value (%s)",
				row->name, row->noun);
		g.value = argv[i + 1];
		taken = 2;
	}
	r = set_value(o, row, g.value, why);
	return r < 0 ? r : taken;
}

static int unknown_command(const char *name, struct fail *why)
{
	const struct command_row *row;
	struct near near;

	near_init(&near, span_str(name));
	for (unsigned i = 0; (row = command_at(i)) != NULL; i++)
		near_try(&near, row->name);
	if (near.best != NULL)
		return fail_set(why, ERR_INVALID, NULL, 0, "%s: unknown command; did you mean %s?",
			name, near.best);
	return fail_set(why, ERR_INVALID, NULL, 0, "%s: unknown command", name);
}

/* The first argument that is neither an option nor the value of one of every command's. */
static int find_command(struct opts *o, int argc, char **argv, struct fail *why)
{
	for (int i = 1; i < argc; i++) {
		struct given g;
		const struct opt_row *row;

		if (!is_option(argv[i])) {
			o->command = command_find(argv[i]);
			return o->command == NULL ? unknown_command(argv[i], why) : i;
		}
		g = read_option(argv[i]);
		row = row_find(NULL, g.name);
		if (row == NULL)
			return unknown_option(o, argv[i], g.name, why);
		if (row->type != OPT_FLAG && g.value == NULL)
			i++;
	}
	return argc;
}

static int count_args(const struct opts *o, struct fail *why)
{
	const struct command_row *row = o->command;

	if (row == NULL || o->help || (o->args.n >= row->low && o->args.n <= row->high))
		return 0;
	if (o->args.n < row->low)
		return fail_set(why, ERR_INVALID, NULL, 0, "%s needs more: spu %s %s", row->name,
			row->name, row->args);
	return fail_set(why, ERR_INVALID, NULL, 0, "%s: unexpected argument: spu %s%s%s",
		o->args.at[row->high], row->name, row->args[0] != 0 ? " " : "", row->args);
}

int opts_parse(struct opts *o, int argc, char **argv, struct fail *why)
{
	bool ended = false;
	int command, r;

	*o = (struct opts){
		.timeout_ns = -1,
		.deadline_ns = -1,
		.price_ucr = -1,
		.priority = -1,
		.start_within_ns = -1,
		.keep_ns = -1,
		.limit = -1,
		.port = -1,
		.cpu_nodes = -1,
		.seconds = -1,
		.in_flight = -1,
		.bytes = -1,
	};
	command = find_command(o, argc, argv, why);
	if (command < 0)
		return command;
	for (int i = 1; i < argc; i += r) {
		r = 1;
		if (i == command)
			continue;
		if (!ended && strcmp(argv[i], "--") == 0)
			ended = true;
		else if (!ended && is_option(argv[i]))
			r = take_option(o, argc, argv, i, why);
		else if (list_add(&o->args, argv[i], "arguments", why) < 0)
			r = ERR_INVALID;
		if (r < 0)
			return r;
	}
	return count_args(o, why);
}
