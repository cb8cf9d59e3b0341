/* SPDX-License-Identifier: Apache-2.0
 *
 * json: bounds around jansson, whose own limits are 2048 levels and no number of values.
 */
#include "run/json.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/mem.h"

/* The text without its strings decides depth and number of values; whether it is JSON at all is not looked at. */
struct measure {
	size_t values; /* at most */
	size_t depth;
	size_t deepest;
};

/* The place behind the string that begins at `at`, or the end of the text. */
static size_t skip_string(struct span s, size_t at)
{
	for (at++; at < s.len && s.at[at] != '"'; at++) {
		if (s.at[at] == '\\')
			at++;
	}
	return at < s.len ? at + 1 : s.len;
}

static struct measure measure(struct span s)
{
	struct measure m = { .values = 1 };

	for (size_t at = 0; at < s.len;) {
		switch (s.at[at]) {
		case '"':
			at = skip_string(s, at);
			continue;
		case '{':
		case '[':
			m.values++;
			m.depth++;
			if (m.depth > m.deepest)
				m.deepest = m.depth;
			break;
		case '}':
		case ']':
			if (m.depth > 0)
				m.depth--;
			break;
		case ',':
			m.values++;
			break;
		default:
			break;
		}
		at++;
	}
	return m;
}

static int check_size(struct span text, size_t bytes_max, struct fail *why)
{
	struct measure m;

	if (text.len > bytes_max)
		return fail_set(why, ERR_TOO_BIG, NULL, (int64_t)bytes_max,
			"%zu bytes of JSON, at most %zu", text.len, bytes_max);
	m = measure(text);
	if (m.deepest > JSON_DEPTH_MAX)
		return fail_set(why, ERR_TOO_BIG, NULL, JSON_DEPTH_MAX,
			"JSON of %zu levels, at most %u", m.deepest, JSON_DEPTH_MAX);
	if (m.values > JSON_VALUES_MAX)
		return fail_set(why, ERR_TOO_BIG, NULL, JSON_VALUES_MAX,
			"JSON of more than %u values", JSON_VALUES_MAX);
	return 0;
}

static int parse_error(const json_error_t *e, struct fail *why)
{
	/* Without memory jansson often says nothing. */
	if (json_error_code(e) == json_error_out_of_memory || e->text[0] == '\0')
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	if (json_error_code(e) == json_error_duplicate_key)
		return fail_set(why, ERR_MALFORMED, NULL, 0,
			"a key twice in a JSON object, line %d", e->line);
	/* jansson's words quote the text: they are left out. */
	return fail_set(why, ERR_MALFORMED, NULL, 0, "not JSON, line %d column %d", e->line,
		e->column);
}

int json_read(struct span text, size_t bytes_max, struct json_t **ret, struct fail *why)
{
	int r = check_size(text, bytes_max, why);
	json_error_t e = { .line = 0 };
	json_t *j;

	if (r < 0)
		return r;
	json_set_alloc_funcs(mem_alloc, mem_free);
	j = json_loadb(text.len == 0 ? "" : (const char *)text.at, text.len, JSON_REJECT_DUPLICATES,
		&e);
	if (j == NULL)
		return parse_error(&e, why);
	*ret = j;
	return 0;
}

void json_drop(struct json_t *j)
{
	json_decref(j);
}

void json_dropp(struct json_t **j)
{
	json_decref(*j);
}

/* A member that is there and not null: 1, 0, or ERR_INVALID if its type is another one. */
static int member(const json_t *object, const char *key, json_type type, const char *noun,
	const json_t **ret, struct fail *why)
{
	const json_t *j = NULL;

	if (!json_is_object(object))
		return fail_set(why, ERR_INVALID, key, 0, "stands in no JSON object");
	j = json_object_get(object, key);
	if (j == NULL || json_is_null(j))
		return 0;
	if (json_typeof(j) != type)
		return fail_set(why, ERR_INVALID, key, 0, "is not %s", noun);
	*ret = j;
	return 1;
}

int json_get_text(const struct json_t *object, const char *key, size_t bytes_max, struct span *ret,
	struct fail *why)
{
	const json_t *j = NULL;
	int r = member(object, key, JSON_STRING, "a text", &j, why);

	if (r <= 0)
		return r;
	if (json_string_length(j) > bytes_max)
		return fail_set(why, ERR_INVALID, key, (int64_t)bytes_max,
			"a text of more than %zu bytes", bytes_max);
	*ret = span_of(json_string_value(j), json_string_length(j));
	return 1;
}

int json_get_int(const struct json_t *object, const char *key, int64_t low, int64_t high,
	int64_t *ret, struct fail *why)
{
	const json_t *j = NULL;
	int r = member(object, key, JSON_INTEGER, "a whole number", &j, why);

	if (r <= 0)
		return r;
	if (json_integer_value(j) < low || json_integer_value(j) > high)
		return fail_set(why, ERR_INVALID, key, json_integer_value(j) < low ? low : high,
			"is not within %" PRId64 " to %" PRId64, low, high);
	*ret = json_integer_value(j);
	return 1;
}

int json_get_bool(const struct json_t *object, const char *key, bool *ret, struct fail *why)
{
	const json_t *j = NULL;
	int r;

	/* jansson has two types for it */
	r = member(object, key, JSON_TRUE, "a boolean", &j, NULL);
	if (r < 0)
		r = member(object, key, JSON_FALSE, "true or false", &j, why);
	if (r > 0)
		*ret = json_is_true(j);
	return r;
}

int json_get_object(const struct json_t *object, const char *key, const struct json_t **ret,
	struct fail *why)
{
	return member(object, key, JSON_OBJECT, "an object", ret, why);
}

int json_get_array(const struct json_t *object, const char *key, size_t values_max,
	const struct json_t **ret, struct fail *why)
{
	const json_t *j = NULL;
	int r = member(object, key, JSON_ARRAY, "an array", &j, why);

	if (r <= 0)
		return r;
	if (json_array_size(j) > values_max)
		return fail_set(why, ERR_INVALID, key, (int64_t)values_max,
			"an array of more than %zu values", values_max);
	*ret = j;
	return 1;
}

size_t json_count(const struct json_t *array)
{
	return json_array_size(array);
}

const struct json_t *json_item(const struct json_t *array, size_t i)
{
	return json_array_get(array, i);
}
