/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/graph_file.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "run/json.h"
#include "services/cli/input.h"

#define FILE_BYTES ((size_t)4 << 20)

/* --- members --------------------------------------------------------------------------------------------- */

/* Refuse what a reader of the file would expect to have an effect. */
static int check_keys(const struct json_t *object, const char *const *known, struct fail *why)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		const char *const *k = known;

		while (*k != NULL && strcmp(*k, key) != 0)
			k++;
		if (*k == NULL)
			return fail_set(why, ERR_INVALID, key, 0,
				"a graph has no member \"%s\" here", key);
	}
	return 0;
}

static int put_param(struct buf *b, const char *key, const json_t *value, struct fail *why)
{
	if (json_is_string(value))
		body_put_param(b, span_str(key),
			span_of(json_string_value(value), json_string_length(value)));
	else if (json_is_integer(value))
		body_put_int(b, key, json_integer_value(value));
	else
		return fail_set(why, ERR_INVALID, key, 0,
			"the parameter %s is neither text nor a whole number", key);
	return 0;
}

static int put_params(struct buf *b, const struct json_t *part, struct fail *why)
{
	const struct json_t *params = NULL;
	const char *key;
	json_t *value;
	int r = json_get_object(part, "params", &params, why);

	if (r <= 0)
		return r;
	json_object_foreach((json_t *)(uintptr_t)params, key, value)
	{
		if (strncmp(key, "graph.", 6) == 0)
			return fail_set(why, ERR_INVALID, "params", 0,
				"%s: what stands beside params is not written into them", key);
		r = put_param(b, key, value, why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Names between blanks. */
static int put_names(struct buf *b, const struct json_t *part, const char *key, const char *param,
	struct fail *why)
{
	CLEANUP(buf_done) struct buf names = { 0 };
	const struct json_t *list = NULL;
	int r = json_get_array(part, key, LIMIT_ITEMS, &list, why);

	buf_init(&names, LIMIT_PARAM_BYTES);
	for (size_t i = 0; r > 0 && i < json_count(list); i++) {
		const struct json_t *name = json_item(list, i);
		struct span text = span_str(json_string_value(name));

		if (!fmt_is_token(text))
			return fail_set(why, ERR_INVALID, key, LIMIT_TOKEN_BYTES,
				"%s has names of parts: 1 to 64 of A-Z a-z 0-9 _ -", key);
		if (i > 0)
			buf_byte(&names, ' ');
		buf_add(&names, text);
	}
	if (buf_err(&names) < 0)
		return fail_set(why, buf_err(&names), key, LIMIT_PARAM_BYTES, NULL);
	if (names.len > 0)
		body_put_param(b, span_str(param), buf_span(&names));
	return r < 0 ? r : 0;
}

static int put_files(struct buf *b, const struct json_t *part, struct input_store *store,
	struct fail *why)
{
	const struct json_t *list = NULL;
	int r = json_get_array(part, "in", LIMIT_ITEMS, &list, why);

	for (size_t i = 0; r > 0 && i < json_count(list); i++) {
		const char *path = json_string_value(json_item(list, i));

		if (path == NULL)
			return fail_set(why, ERR_INVALID, "in", 0, "in has names of files");
		if (input_item(b, path, store, why) < 0)
			return why->code;
	}
	return r < 0 ? r : 0;
}

/* --- parts ----------------------------------------------------------------------------------------------- */

static int put_place(struct buf *b, const struct json_t *part, struct fail *why)
{
	struct span kind = { NULL, 0 };
	int64_t fan_in = 0;
	bool output = false;
	int r = json_get_text(part, "kind", LIMIT_KIND_BYTES, &kind, why);

	if (r == 0)
		return fail_set(why, ERR_INVALID, "kind", 0, "it has no kind");
	body_put_param(b, SPAN_LIT("graph.kind"), kind);
	if (r > 0)
		r = put_names(b, part, "inputs", "graph.inputs", why);
	if (r == 0)
		r = put_names(b, part, "after", "graph.after", why);
	if (r == 0)
		r = json_get_int(part, "fan_in", 2, 64, &fan_in, why);
	if (r > 0)
		body_put_int(b, "graph.fan_in", fan_in);
	if (r >= 0)
		r = json_get_bool(part, "output", &output, why);
	if (output)
		body_put_param(b, SPAN_LIT("graph.output"), SPAN_LIT("yes"));
	return r < 0 ? r : 0;
}

static int put_content(struct buf *b, const struct json_t *part, struct input_store *store,
	struct fail *why)
{
	struct span text = { NULL, 0 };
	int r = put_params(b, part, why);

	if (r == 0)
		r = put_files(b, part, store, why);
	if (r == 0)
		r = json_get_text(part, "text", LIMIT_BODY_BYTES, &text, why);
	if (r > 0)
		body_put_item(b, SPAN_LIT(""), SPAN_LIT("text/plain"), text);
	return r < 0 ? r : 0;
}

static int put_part(struct buf *body, const struct json_t *part, size_t i,
	struct input_store *store, struct fail *why)
{
	static const char *const known[] = { "name", "kind", "params", "in", "text", "inputs",
		"after", "fan_in", "output", NULL };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct span name = { NULL, 0 };
	struct fail of = { 0 };
	int r = json_get_text(part, "name", LIMIT_TOKEN_BYTES, &name, why);

	if (r <= 0)
		return r < 0 ? r
			     : fail_set(why, ERR_INVALID, "name", 0, "part %zu has no name", i + 1);
	buf_init(&b, LIMIT_BODY_BYTES);
	r = check_keys(part, known, &of);
	if (r == 0)
		r = put_place(&b, part, &of);
	if (r == 0)
		r = put_content(&b, part, store, &of);
	if (r == 0 && buf_err(&b) < 0)
		r = fail_set(&of, buf_err(&b), "parts", LIMIT_BODY_BYTES, NULL);
	if (r < 0)
		return fail_set(why, of.code, of.field, of.limit, "part %.*s: %s", (int)name.len,
			(const char *)name.at, of.detail);
	body_put_item(body, name, SPAN_LIT(BODY_MEDIA), buf_span(&b));
	return 0;
}

static int put_graph(struct buf *body, const struct json_t *graph, struct input_store *store,
	struct fail *why)
{
	static const char *const known[] = { "allow_failures", "in_flight", "parts", NULL };
	const struct json_t *parts = NULL;
	int64_t n;
	int r = check_keys(graph, known, why);

	for (size_t i = 0; r >= 0 && i < 2; i++) {
		r = json_get_int(graph, known[i], (int64_t)i, LIMIT_PARTS, &n, why);
		if (r > 0)
			body_put_int(body, known[i], n);
	}
	if (r >= 0)
		r = json_get_array(graph, "parts", LIMIT_PARTS, &parts, why);
	if (r == 0)
		r = fail_set(why, ERR_INVALID, "parts", 0, "a graph without parts");
	for (size_t i = 0; r >= 0 && i < json_count(parts); i++)
		r = put_part(body, json_item(parts, i), i, store, why);
	if (r >= 0 && buf_err(body) < 0)
		r = fail_set(why, buf_err(body), "parts", LIMIT_BODY_BYTES,
			"the graph is larger than a body may be");
	return r < 0 ? r : 0;
}

int graph_file_read(struct buf *body, const char *path, struct input_store *store, struct fail *why)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	CLEANUP(json_dropp) struct json_t *graph = NULL;
	struct fail of = { 0 };
	int r;

	buf_init(&text, FILE_BYTES);
	r = input_read(&text, path, why);
	if (r == ERR_TOO_BIG)
		return fail_set(why, r, "graph", (int64_t)FILE_BYTES, "%s is too big for a graph",
			path);
	if (r < 0)
		return r;
	r = json_read(buf_span(&text), FILE_BYTES, &graph, &of);
	if (r == 0)
		r = put_graph(body, graph, store, &of);
	if (r < 0)
		fail_set(why, r, of.field, of.limit, "%s: %s", path, of.detail);
	return r;
}
