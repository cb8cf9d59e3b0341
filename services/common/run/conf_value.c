/* SPDX-License-Identifier: Apache-2.0
 *
 * conf_value: what each type of setting accepts, and how that is said.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fmt.h"
#include "run/conf_opt.h"

struct unit {
	const char *name;
	int64_t size;
};
static const struct unit time_units[] = { { "d", 86400 * NS_PER_S }, { "h", 3600 * NS_PER_S },
	{ "m", 60 * NS_PER_S }, { "s", NS_PER_S }, { "ms", NS_PER_MS }, { "us", NS_PER_US },
	{ "ns", 1 } };
static const struct unit size_units[] = { { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 },
	{ "", 1 } };

/* A number as a setting would be written. */
static void number_text(const struct conf_row *row, int64_t n, char *to, size_t room)
{
	const struct unit *u = row->type == CONF_TIME ? time_units : size_units;

	if (row->type == CONF_INT || n == 0) {
		snprintf(to, room, "%" PRId64, n);
		return;
	}
	while (n % u->size != 0)
		u++;
	snprintf(to, room, "%" PRId64 "%s", n / u->size, u->name);
}

static int set_number(const struct conf_row *row, void *to, struct span s, struct fail *why)
{
	static const char *const nouns[] = { "a whole number", "a duration such as 250ms, 5s or 2m",
		"a size such as 512K, 64M or 2G" };
	int (*const parsers[])(struct span, int64_t *) = { fmt_int, fmt_duration, fmt_bytes };
	char range[80];
	int64_t n;

	if (parsers[row->type](s, &n) < 0)
		return fail_set(why, ERR_INVALID, row->key, 0, "'%.*s' is not %s", (int)s.len,
			(const char *)s.at, nouns[row->type]);
	if (n < row->low || n > row->high)
		return fail_set(why, ERR_INVALID, row->key, n < row->low ? row->low : row->high,
			"%.*s is outside %s", (int)s.len, (const char *)s.at,
			conf_value_range(row, range, sizeof(range)));
	*(int64_t *)to = n;
	return 0;
}

static int set_bool(const struct conf_row *row, void *to, struct span s, struct fail *why)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (span_is(s, words[i])) {
			*(bool *)to = i % 2 == 1;
			return 0;
		}
	}
	return fail_set(why, ERR_INVALID, row->key, 0, "'%.*s' is neither yes nor no", (int)s.len,
		(const char *)s.at);
}

static int set_choice(const struct conf_row *row, void *to, struct span s, struct fail *why)
{
	struct span rest = span_str(row->more);
	char range[160];

	for (int i = 0; rest.len > 0; i++) {
		if (span_eq(span_cut(&rest, ','), s)) {
			*(int *)to = i;
			return 0;
		}
	}
	return fail_set(why, ERR_INVALID, row->key, 0, "'%.*s' is none of: %s", (int)s.len,
		(const char *)s.at, conf_value_range(row, range, sizeof(range)));
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < ' ' || s.at[i] == 0x7F)
			return true;
	return false;
}

static int set_text(const struct conf_row *row, void *to, struct span s, struct fail *why)
{
	if (!fmt_is_text(s) || has_control(s))
		return fail_set(why, ERR_INVALID, row->key, 0, "it is not plain UTF-8 text");
	if (s.len == 0 && row->low > 0)
		return fail_set(why, ERR_INVALID, row->key, row->low, "it must not be empty");
	if ((int64_t)s.len < row->low || (int64_t)s.len > row->high)
		return fail_set(why, ERR_INVALID, row->key, row->high,
			"it has %zu bytes; %" PRId64 " to %" PRId64 " are allowed", s.len, row->low,
			row->high);
	span_copy(s, to, (size_t)row->high + 1);
	return 0;
}

static int set_token(const struct conf_row *row, void *to, struct span s, struct fail *why)
{
	if (!fmt_is_token(s) && (s.len > 0 || row->low > 0))
		return fail_set(why, ERR_INVALID, row->key, 64,
			"'%.*s' is not 1 to 64 letters, digits, '-' and '_'", (int)s.len,
			(const char *)s.at);
	span_copy(s, to, 65);
	return 0;
}

static int set_secret(const struct conf_row *row, void *to, struct span s, struct fail *why)
{
	int r = set_text(row, to, s, why);

	if (r == 0 && s.len > 0 && access(to, R_OK) != 0)
		return fail_set(why, ERR_INVALID, row->key, 0, "cannot read '%s': %s",
			(const char *)to, strerror(errno));
	return r;
}

int conf_value_set(const struct conf_row *row, void *to, const char *text, struct fail *why)
{
	struct span s = span_str(text);

	switch (row->type) {
	case CONF_INT:
	case CONF_TIME:
	case CONF_BYTES:
		return set_number(row, to, s, why);
	case CONF_BOOL:
		return set_bool(row, to, s, why);
	case CONF_TEXT:
		return set_text(row, to, s, why);
	case CONF_TOKEN:
		return set_token(row, to, s, why);
	case CONF_CHOICE:
		return set_choice(row, to, s, why);
	case CONF_SECRET:
		return set_secret(row, to, s, why);
	case CONF_ROWS:
		break;
	}
	check_failed("a setting has a type", __FILE__, __LINE__);
}

const char *conf_value_noun(const struct conf_row *row)
{
	static const char *const nouns[] = { "N", "TIME", "SIZE", "yes|no", "TEXT", "NAME", "WORD",
		"FILE" };

	CHECK((unsigned)row->type < ARRAY_LEN(nouns));
	return nouns[row->type];
}

static void choices_text(const char *choices, char *to, size_t room)
{
	struct span rest = span_str(choices);
	size_t len = 0;

	to[0] = '\0';
	while (rest.len > 0 && len < room) {
		struct span one = span_cut(&rest, ',');

		len += (size_t)snprintf(to + len, room - len, "%.*s%s", (int)one.len,
			(const char *)one.at, rest.len > 0 ? ", " : "");
	}
}

char *conf_value_range(const struct conf_row *row, char *to, size_t room)
{
	char low[32], high[32];

	to[0] = '\0';
	if (row->type == CONF_CHOICE)
		choices_text(row->more, to, room);
	if (row->type > CONF_BYTES)
		return to;
	number_text(row, row->low, low, sizeof(low));
	number_text(row, row->high, high, sizeof(high));
	if (row->high == INT64_MAX && row->low == INT64_MIN)
		return to;
	if (row->high == INT64_MAX)
		snprintf(to, room, "%s or more", low);
	else if (row->low == INT64_MIN)
		snprintf(to, room, "%s or less", high);
	else
		snprintf(to, room, "%s to %s", low, high);
	return to;
}
