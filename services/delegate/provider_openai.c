/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_openai: the chat completions of OpenAI and of the many servers that speak the same: llama.cpp,
 * vLLM, Ollama, LM Studio, OpenRouter and others. Only what all of them know is sent.
 */
#include <inttypes.h>

#include "base/fmt.h"
#include "run/json.h"
#include "services/delegate/provider.h"

#define FINISH_BYTES 64u
#define MESSAGE_BYTES 120u /* of the API's own words in an error */
#define TOKENS_MAX ((int64_t)USAGE_TOKENS_MAX)

/* Questions */

static void write_message(const char *role, struct span content, struct buf *to)
{
	buf_fmt(to, "{\"role\":\"%s\",\"content\":", role);
	buf_json(to, content);
	buf_byte(to, '}');
}

static int openai_write(const struct chat_question *q, struct buf *to, struct fail *why)
{
	buf_byte(to, '{');
	if (q->model.len > 0) {
		buf_str(to, "\"model\":");
		buf_json(to, q->model);
		buf_byte(to, ',');
	}
	buf_str(to, "\"messages\":[");
	if (q->system.len > 0) {
		write_message("system", q->system, to);
		buf_byte(to, ',');
	}
	write_message("user", q->content, to);
	buf_fmt(to,
		"],\"max_tokens\":%" PRId64 ",\"temperature\":%" PRId64 ".%03" PRId64
		",\"stream\":false}",
		q->max_tokens, q->temperature_milli / 1000, q->temperature_milli % 1000);
	if (buf_err(to) < 0)
		return fail_set(why, buf_err(to), "item", (int64_t)to->max, NULL);
	return 0;
}

/* Refusals */

/* Where OpenAI, and those that imitate it with less care, put their words. */
static void read_error(const struct json_t *root, struct span *ret_words, struct span *ret_code)
{
	const struct json_t *e = NULL;

	if (json_get_object(root, "error", &e, NULL) == 1) {
		(void)(json_get_text(e, "message", SIZE_MAX, ret_words, NULL) == 1);
		if (json_get_text(e, "code", FINISH_BYTES, ret_code, NULL) != 1)
			(void)(json_get_text(e, "type", FINISH_BYTES, ret_code, NULL) == 1);
	} else if (json_get_text(root, "error", SIZE_MAX, ret_words, NULL) != 1 &&
		   json_get_text(root, "message", SIZE_MAX, ret_words, NULL) != 1) {
		(void)(json_get_text(root, "detail", SIZE_MAX, ret_words, NULL) == 1);
	}
}

struct status_row {
	long low;
	long high;
	int err;
	const char *text;
};

/* The first that fits counts. DENIED, BUDGET and UNSUPPORTED send the task down its ladder, UPSTREAM and BUSY
 * to another node first; none of them is a mistake of the submitter, whose task the mesh found valid. */
static const struct status_row statuses[] = {
	{ 300, 399, ERR_UPSTREAM, "the API redirects, which is not followed" },
	{ 401, 401, ERR_DENIED, "the API refuses the key" },
	{ 403, 403, ERR_DENIED, "the API refuses the key" },
	{ 402, 402, ERR_BUDGET, "the account at the API has no credit" },
	{ 408, 408, ERR_UPSTREAM, "the API took too long" },
	{ 429, 429, ERR_BUSY, "the API asks to wait" },
	{ 404, 404, ERR_UNSUPPORTED, "the API has no such model or address" },
	{ 413, 413, ERR_UNSUPPORTED, "the API takes no request of this size" },
	{ 400, 499, ERR_UNSUPPORTED, "the API does not take this request" },
	{ 500, 599, ERR_UPSTREAM, "the API failed" },
};

static const struct status_row *status_of(long status, struct span code)
{
	static const struct status_row other = { 0, 0, ERR_UPSTREAM,
		"the API answers in an unknown way" };
	static const struct status_row quota = { 0, 0, ERR_BUDGET,
		"the account at the API has no credit" };

	if (span_is(code, "insufficient_quota") || span_is(code, "billing_hard_limit_reached"))
		return &quota;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (status >= statuses[i].low && status <= statuses[i].high)
			return &statuses[i];
	}
	return &other;
}

static int openai_refused(long status, struct span bytes, struct fail *why)
{
	CLEANUP(json_dropp) struct json_t *root = NULL;
	struct span words = { 0 }, code = { 0 };
	const struct status_row *row;

	if (json_read(bytes, bytes.len, &root, NULL) == 0)
		read_error(root, &words, &code);
	row = status_of(status, code);
	words = fmt_clip(span_trim(words), MESSAGE_BYTES);
	return fail_set(why, row->err, NULL, 0, "%s (status %ld)%s%.*s", row->text, status,
		words.len > 0 ? ": " : "", (int)words.len, (const char *)words.at);
}

/* Answers */

static int unusable(struct fail *why, const char *what)
{
	return fail_set(why, ERR_UPSTREAM, NULL, 0, "the API's answer cannot be used: %s", what);
}

static void put_fact(struct buf *to, const char *key, const struct json_t *in, const char *member,
	size_t bytes_max)
{
	struct span text;

	if (json_get_text(in, member, bytes_max, &text, NULL) == 1 && text.len > 0)
		body_put_param(to, span_str(key), text);
}

static void put_tokens(struct buf *to, const struct json_t *root, struct usage *ret)
{
	const struct json_t *usage = NULL;
	int64_t n;

	if (json_get_object(root, "usage", &usage, NULL) != 1)
		return;
	if (json_get_int(usage, "prompt_tokens", 0, TOKENS_MAX, &n, NULL) == 1) {
		body_put_int(to, "tokens_in", n);
		ret->tokens_in = (uint64_t)n;
	}
	if (json_get_int(usage, "completion_tokens", 0, TOKENS_MAX, &n, NULL) == 1) {
		body_put_int(to, "tokens_out", n);
		ret->tokens_out = (uint64_t)n;
	}
}

static int read_root(const struct json_t *root, struct buf *to, struct usage *ret, struct fail *why)
{
	const struct json_t *choices = NULL, *message = NULL, *error = NULL;
	struct span text = { 0 };

	if (json_get_object(root, "error", &error, NULL) == 1)
		return unusable(why, "it is an error");
	if (json_get_array(root, "choices", 64, &choices, NULL) != 1 || json_count(choices) == 0)
		return unusable(why, "it has no choices");
	if (json_get_object(json_item(choices, 0), "message", &message, NULL) != 1)
		return unusable(why, "its choice has no message");
	if (json_get_text(message, "content", SIZE_MAX, &text, NULL) != 1 || text.len == 0)
		return unusable(why, "its message has no text");
	put_fact(to, "model", root, "model", MODEL_BYTES);
	put_fact(to, "finish", json_item(choices, 0), "finish_reason", FINISH_BYTES);
	put_tokens(to, root, ret);
	body_put_item(to, SPAN_LIT("answer.txt"), SPAN_LIT("text/plain"), text);
	if (buf_err(to) < 0)
		return fail_set(why, ERR_UPSTREAM, NULL, (int64_t)to->max,
			"the API's answer is larger than a result may be");
	return 0;
}

static int openai_read(struct span bytes, struct buf *to, struct usage *ret, struct fail *why)
{
	CLEANUP(json_dropp) struct json_t *root = NULL;

	*ret = (struct usage){ 0 };
	if (json_read(bytes, bytes.len, &root, NULL) < 0)
		return unusable(why, bytes.len == 0 ? "it is empty" : "it is not JSON");
	return read_root(root, to, ret, why);
}

const struct provider_ops provider_openai = {
	.name = "openai",
	.path = "/chat/completions",
	.write = openai_write,
	.read = openai_read,
	.refused = openai_refused,
};
