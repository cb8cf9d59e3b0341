/* SPDX-License-Identifier: Apache-2.0
 *
 * delegate: a job is one call. Its answer is judged twice: for the task (the provider's error) and for the API
 * (the breaker, which decides whether the next offer says ready). No text that leaves this process holds the key.
 */
#include "services/delegate/delegate.h"

#include <stdio.h>
#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/log.h"

#define RATE_TOLD (TOKEN_RATE_ONE / 20) /* a rate that changed by about so much is logged */

struct call {
	struct list link;
	struct delegate *delegate;
	struct http_call *http; /* NULL: it is being prepared */
	struct ulid task;
	uint32_t attempt;
	struct prepare prepare;
	bool is_cancelled; /* while it is prepared: it ends when that does */
	bool probe;
	bool is_short; /* the task's deadline is nearer than the API's time */
};

const struct conf_row delegate_rows[] = {
#define AT(member) offsetof(struct delegate_conf, member)
	{ "llm_url", CONF_TEXT, AT(llm_url), "", 0, URL_BYTES, NULL,
		"OpenAI-compatible API, such as http://127.0.0.1:8080/v1; empty: none" },
	{ "llm_key", CONF_SECRET, AT(llm_key), "", 0, KEY_PATH_BYTES, NULL,
		"file with the API's key; empty: no key is sent" },
	{ "llm_model", CONF_TEXT, AT(llm_model), "", 0, MODEL_BYTES, NULL,
		"model for tasks that name none" },
	{ "llm_models", CONF_TEXT, AT(llm_models), "", 0, MODELS_BYTES, NULL,
		"models that are offered, separated by commas; empty: any" },
	{ "price_ucr", CONF_INT, AT(price_ucr), "0", 0, INT64_C(1) << 50, NULL,
		"price of a task in micro-credits" },
	{ "calls_max", CONF_INT, AT(calls_max), "8", 1, 1024, NULL, "calls at once" },
	{ "timeout", CONF_TIME, AT(timeout_ns), "60s", NS_PER_S, 3600 * NS_PER_S, NULL,
		"how long a call may take" },
	{ "answer_max", CONF_BYTES, AT(answer_max), "256K", 1024, 4 * LIMIT_BODY_BYTES, NULL,
		"size of an answer at most" },
	{ "context_max", CONF_INT, AT(context_max), "0", 0, INT64_C(1) << 32, NULL,
		"tokens that the models take, prompt and answer together; more is not sent; 0: not "
		"known" },
	{ "allow_private", CONF_CHOICE, AT(allow_private), "named", 0, 0, "named,yes,no",
		"loopback and private addresses: if the URL names one, also if its name means one, "
		"never" },
	CONF_INCLUDE(struct delegate_conf, tokenizers, tokenizers_rows),
	CONF_INCLUDE(struct delegate_conf, node, node_rows),
	{ 0 },
#undef AT
};

static int64_t now(const struct delegate *d)
{
	return node_now(d->node);
}

/* The offer */

/* Why no call may begin now, or NULL. */
static const char *why_not(const struct delegate *d)
{
	static const char *const causes[] = {
		[BREAKER_WELL] = "the API is being tried",
		[BREAKER_UNKNOWN] = "the API is being tried",
		[BREAKER_FAULT] = "the API failed; it is tried again soon",
		[BREAKER_BUSY] = "the API asks to wait",
		[BREAKER_REFUSED] =
			"the API refuses the key or has no credit; it is tried again later",
	};

	if (d->endpoint.url[0] == '\0')
		return "no API is configured (llm_url, SPU_LLM_URL)";
	return breaker_is_ready(&d->breaker, now(d)) ? NULL : causes[d->breaker.cause];
}

static void on_wake(void *ctx, int64_t now_ns)
{
	struct delegate *d = ctx;

	(void)now_ns;
	node_offer_changed(d->node);
}

static void breaker_changed(struct delegate *d)
{
	int64_t due_ns = breaker_wake(&d->breaker, now(d));

	if (due_ns == INT64_MAX)
		loop_timer_stop(d->loop, &d->wake);
	else if (loop_timer_set(d->loop, &d->wake, due_ns) < 0)
		log_warn("no timer: the API is offered again a little later", "api",
			LOG_STR(d->device));
	node_offer_changed(d->node);
}

static int delegate_offer(void *self, struct arena *a, struct offer *o)
{
	const struct delegate *d = self;
	const char *why = why_not(d);

	o->kinds = arena_alloc(a, sizeof(*o->kinds));
	if (o->kinds == NULL)
		return ERR_NO_MEMORY;
	o->kinds_n = 1;
	o->kinds[0] = (struct kind_offer){
		.kind = SPAN_LIT("llm.chat"),
		.ready = why == NULL,
		.why = span_str(why),
		.price_ucr = d->conf.price_ucr,
		.model = span_str(d->conf.llm_models),
	};
	o->slots = (uint32_t)d->conf.calls_max;
	o->device = span_str(d->device);
	o->health = 1000;
	o->load = (uint32_t)(d->calls_n * INT64_C(1000) / d->conf.calls_max);
	return 0;
}

/* Ends of calls */

static void call_free(struct call *call)
{
	list_drop(&call->link);
	call->delegate->calls_n--;
	prepare_done(&call->prepare);
	mem_free(call);
}

static void call_end(struct call *call, enum breaker_end end, int64_t asked_ns)
{
	struct delegate *d = call->delegate;
	enum breaker_state before = d->breaker.state;

	breaker_ended(&d->breaker, now(d), call->probe, end, asked_ns);
	if (d->breaker.state != before) {
		if (d->breaker.state == BREAKER_HEALTHY)
			log_info("the API is well again", "api", LOG_STR(d->device));
		else if (before == BREAKER_HEALTHY)
			log_warn("the API is left alone for a while", "api", LOG_STR(d->device),
				"why", LOG_STR(why_not(d)));
		breaker_changed(d);
	}
	call_free(call);
}

static bool holds_key(const struct delegate *d, struct span s)
{
	return d->key[0] != '\0' && s.len > 0 &&
	       memmem(s.at, s.len, d->key, strlen(d->key)) != NULL;
}

/* The error of a call that brought no answer. curl's words name hosts and are for the log only. */
static int no_answer(const struct delegate *d, const struct call *call, const struct http_answer *a,
	struct fail *why)
{
	log_warn("a call to the API failed", "error", LOG_ERR(a->err), "detail",
		LOG_STR(holds_key(d, span_str(a->detail)) ? "" : a->detail));
	switch (a->err) {
	case ERR_TIMEOUT:
		return fail_set(why, ERR_TIMEOUT, "timeout", 0,
			call->is_short ? "the API has not answered by the deadline"
				       : "the API has not answered in time");
	case ERR_TOO_BIG: /* not the submitter's mistake, as that code would say */
		return fail_set(why, ERR_UPSTREAM, "answer_max", d->conf.answer_max,
			"the API's answer is too big");
	case ERR_DENIED:
		return fail_set(why, ERR_DENIED, "allow_private", 0,
			"the API's name means an address that is not allowed");
	case ERR_NO_MEMORY:
	case ERR_CLOSED:
		return fail_set(why, a->err, NULL, 0, NULL);
	default:
		return fail_set(why, ERR_UPSTREAM, NULL, 0,
			"the API cannot be reached, or broke off");
	}
}

/* What the API counted teaches how far our estimate is off. */
static void learn(struct delegate *d, const struct call *call, const struct usage *u)
{
	struct span model = span_str(call->prepare.model);
	uint32_t before = token_rates_get(&d->rates, model), after;

	if (!token_rates_learn(&d->rates, model, call->prepare.facts.estimated, u->tokens_in))
		return;
	after = token_rates_get(&d->rates, model);
	if (before / RATE_TOLD != after / RATE_TOLD)
		log_info("the API counts tokens otherwise than estimated", "model",
			LOG_STR(call->prepare.model), "permille",
			LOG_INT((int64_t)((uint64_t)after * 1000 / TOKEN_RATE_ONE)));
}

/* 0 and d->result, or the error for the task. */
static int judge(struct delegate *d, const struct call *call, const struct http_answer *a,
	struct usage *ret, struct fail *why)
{
	int r;

	buf_reset(&d->result);
	if (a->err < 0)
		return no_answer(d, call, a, why);
	r = a->status == 200 ? d->provider->read(a->body, &d->result, ret, why)
			     : d->provider->refused(a->status, a->body, why);
	if (r == 0 && holds_key(d, buf_span(&d->result)))
		r = fail_set(why, ERR_UPSTREAM, NULL, 0, "the API's answer holds its key");
	else if (r < 0 && holds_key(d, span_str(why->detail)))
		r = fail_set(why, r, NULL, 0, "the API refused (status %ld)", a->status);
	if (r < 0)
		why->retry_after_ms = a->retry_after_ms;
	return r;
}

/* What the task's error says about the API. */
static enum breaker_end end_of(const struct call *call, int err)
{
	switch (err) {
	case 0:
	case ERR_UNSUPPORTED:
		return BREAKER_WELL;
	case ERR_DENIED:
	case ERR_BUDGET:
		return BREAKER_REFUSED;
	case ERR_BUSY:
		return BREAKER_BUSY;
	case ERR_TIMEOUT:
		return call->is_short ? BREAKER_UNKNOWN : BREAKER_FAULT;
	case ERR_NO_MEMORY:
	case ERR_CLOSED:
		return BREAKER_UNKNOWN;
	default:
		return BREAKER_FAULT;
	}
}

/* What was done with the prompt, beside the answer. */
static int tell(struct delegate *d, const struct call *call, struct usage *usage, char *note,
	struct fail *why)
{
	const struct question_facts *facts = &call->prepare.facts;

	learn(d, call, usage);
	if (!facts->compress)
		return 0;
	usage->tokens_saved = facts->prompt.tokens_in - facts->prompt.tokens_out;
	prompt_text(&facts->prompt, note);
	question_put_facts(facts, &d->result);
	return buf_err(&d->result) == 0
		       ? 0
		       : fail_set(why, ERR_UPSTREAM, NULL, (int64_t)d->result.max,
				 "the API's answer is larger than a result may be");
}

static void on_answer(void *ctx, const struct http_answer *a)
{
	struct call *call = ctx;
	struct delegate *d = call->delegate;
	struct ulid task = call->task;
	uint32_t attempt = call->attempt;
	char note[PROMPT_TEXT_BYTES] = "";
	struct usage usage = { 0 };
	struct fail why = { 0 };
	int r = judge(d, call, a, &usage, &why);

	if (r == 0)
		r = tell(d, call, &usage, note, &why);
	call_end(call, end_of(call, r), a->retry_after_ms * NS_PER_MS);
	if (r < 0)
		node_failed(d->node, task, attempt, &why);
	else
		node_done_used(d->node, task, attempt, buf_span(&d->result), &usage, note);
}

/* Jobs */

static bool is_offered(const struct delegate *d, struct span model)
{
	struct span rest = span_str(d->conf.llm_models);

	if (rest.len == 0 || model.len == 0)
		return true;
	while (rest.len > 0) {
		if (span_eq(span_trim(span_cut(&rest, ',')), model))
			return true;
	}
	return false;
}

/* The model that the task names, else the default, else the first that is offered. */
static struct span model_of(const struct delegate *d, const struct job *job)
{
	struct span model = kind_text(job->row, job->body, "model"),
		    rest = span_str(d->conf.llm_models);

	if (model.len > 0)
		return model;
	return d->conf.llm_model[0] != '\0' ? span_str(d->conf.llm_model)
					    : span_trim(span_cut(&rest, ','));
}

static int may_start(const struct delegate *d, const struct job *job, struct fail *why)
{
	const char *refusal = why_not(d);
	int64_t wake_ns = breaker_wake(&d->breaker, now(d));

	if (job->row == NULL || !span_is(job->kind, "llm.chat"))
		return fail_set(why, ERR_UNSUPPORTED, "kind", 0,
			"this node asks language models only");
	if (!is_offered(d, kind_text(job->row, job->body, "model")))
		return fail_set(why, ERR_UNSUPPORTED, "model", 0,
			"this API is not used with that model");
	if (refusal != NULL) {
		fail_set(why, d->endpoint.url[0] == '\0' ? ERR_UNSUPPORTED : ERR_BUSY, NULL, 0,
			"%s", refusal);
		why->retry_after_ms = wake_ns == INT64_MAX ? 0 : (wake_ns - now(d)) / NS_PER_MS + 1;
		return why->code;
	}
	if (d->calls_n >= d->conf.calls_max)
		return fail_set(why, ERR_BUSY, "calls_max", d->conf.calls_max,
			"as many calls as allowed are running");
	if (job->deadline_ns <= now(d))
		return fail_set(why, ERR_EXPIRED, "deadline", 0, NULL);
	return 0;
}

static bool is_public_only(const struct delegate *d)
{
	return d->conf.allow_private == PRIVATE_NO ||
	       (d->conf.allow_private == PRIVATE_NAMED && !d->endpoint.is_private);
}

static int send_request(struct call *call, struct fail *why)
{
	struct delegate *d = call->delegate;
	int64_t left_ns = call->prepare.job.deadline_ns - now(d);
	const struct http_request r = {
		.url = d->endpoint.url,
		.bearer = d->key[0] == '\0' ? NULL : d->key,
		.body = buf_span(&call->prepare.request),
		.timeout_ns = left_ns < d->conf.timeout_ns ? left_ns : d->conf.timeout_ns,
		.answer_max_bytes = (size_t)d->conf.answer_max,
		.public_only = is_public_only(d),
	};

	if (left_ns <= 0)
		return fail_set(why, ERR_EXPIRED, "deadline", 0, NULL);
	call->is_short = left_ns < d->conf.timeout_ns;
	call->http = http_client_send(d->http, &r, on_answer, call);
	prepare_done(&call->prepare);
	return call->http == NULL ? fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL) : 0;
}

/* The request of a call is there, or cannot be. */
static void on_ready(struct prepare *p)
{
	struct call *call = CONTAINER(p, struct call, prepare);
	struct delegate *d = call->delegate;
	struct ulid task = call->task;
	uint32_t attempt = call->attempt;
	struct fail why = p->why;

	if (d->is_closing || call->is_cancelled)
		fail_set(&why, ERR_CANCELLED, NULL, 0, NULL);
	else if (why.code == 0)
		(void)send_request(call, &why);
	if (why.code == 0)
		return;
	call_end(call, BREAKER_UNKNOWN, 0);
	node_failed(d->node, task, attempt, &why);
}

/* A model without a name is whatever the API likes. */
static struct token_count count_for(const struct delegate *d, struct span model)
{
	return tokenizers_count(model.len > 0 ? &d->tokenizers : NULL, model,
		token_rates_get(&d->rates, model));
}

static struct call *call_new(struct delegate *d, const struct job *job)
{
	struct span model = model_of(d, job);
	struct call *call = mem_alloc(sizeof(*call));

	if (call == NULL)
		return NULL;
	*call = (struct call){
		.delegate = d,
		.task = job->task,
		.attempt = job->attempt,
		.prepare = {
			.provider = d->provider,
			.on_ready = on_ready,
			.how = { count_for(d, model), (uint64_t)d->conf.context_max },
		},
	};
	span_copy(model, call->prepare.model, sizeof(call->prepare.model));
	list_push(&d->calls, &call->link);
	d->calls_n++;
	return call;
}

static int delegate_start(void *self, const struct job *job, struct fail *why)
{
	struct delegate *d = self;
	struct call *call;
	int r = may_start(d, job, why);

	if (r < 0)
		return r;
	call = call_new(d, job);
	if (call == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	r = prepare_begin(&call->prepare, d->pool, job, why);
	if (r > 0)
		r = send_request(call, why);
	if (r < 0) {
		call_free(call);
		return r;
	}
	call->probe = breaker_begin(&d->breaker, now(d));
	if (call->probe)
		breaker_changed(d);
	return 0;
}

static void cancel(struct call *call)
{
	struct delegate *d = call->delegate;
	struct ulid task = call->task;
	uint32_t attempt = call->attempt;
	struct fail why = { 0 };

	if (call->http == NULL) {
		call->is_cancelled = true;
		return;
	}
	fail_set(&why, ERR_CANCELLED, NULL, 0, NULL);
	http_client_cancel(d->http, call->http);
	call_end(call, BREAKER_UNKNOWN, 0);
	node_failed(d->node, task, attempt, &why);
}

static void delegate_cancel(void *self, struct ulid task, uint32_t attempt)
{
	struct delegate *d = self;

	for (struct list *l = d->calls.next; l != &d->calls; l = l->next) {
		struct call *call = CONTAINER(l, struct call, link);

		if (call->attempt == attempt && ulid_eq(call->task, task)) {
			cancel(call);
			return;
		}
	}
}

/* Opening and closing */

static void delegate_close(void *self)
{
	struct delegate *d = self;

	d->is_closing = true;
	work_close(d->pool);
	d->pool = NULL;
	while (!list_is_empty(&d->calls))
		cancel(CONTAINER(d->calls.next, struct call, link));
	loop_timer_stop(d->loop, &d->wake);
	http_client_close(d->http);
	d->http = NULL;
	tokenizers_close(&d->tokenizers);
	buf_done(&d->result);
	explicit_bzero(d->key, sizeof(d->key));
}

/* What the operator may want to know about the settings. */
static void warn(const struct delegate *d, bool key_is_open)
{
	if (key_is_open)
		log_warn("everybody on this machine may read the file of the API's key: chmod 600",
			"file", LOG_STR(d->conf.llm_key));
	if (d->key[0] != '\0' && d->endpoint.url[0] != '\0' && !d->endpoint.is_secure &&
		!d->endpoint.is_private)
		log_warn("the key travels unencrypted: the URL of the API is not https", "api",
			LOG_STR(d->device));
}

static int read_conf(struct delegate *d, struct fail *why)
{
	bool is_open = false;
	int r = endpoint_parse(&d->endpoint, span_str(d->conf.llm_url), d->provider->path, why);

	if (r == 0 && d->conf.llm_key[0] != '\0')
		r = key_read(d->conf.llm_key, d->key, &is_open, why);
	if (r < 0)
		return r;
	if (d->endpoint.url[0] == '\0')
		snprintf(d->device, sizeof(d->device), "no API");
	else
		snprintf(d->device, sizeof(d->device), "API at %s", d->endpoint.host);
	warn(d, is_open);
	return 0;
}

static int delegate_open(void *self, struct node *n, struct fail *why)
{
	struct delegate *d = self;
	int r = read_conf(d, why);

	if (r == 0)
		r = tokenizers_open(&d->tokenizers, &d->conf.tokenizers, why);
	if (r < 0)
		return r;
	d->node = n;
	if (d->loop == NULL)
		d->loop = &node_daemon(n)->loop;
	d->wake = (struct loop_timer){ .on_due = on_wake, .ctx = d };
	d->is_closing = false;
	list_init(&d->calls);
	buf_init(&d->result, LIMIT_BODY_BYTES);
	d->http = http_client_open(d->loop, (unsigned)d->conf.calls_max);
	d->pool = d->http == NULL ? NULL : work_open(d->loop, 1, (uint32_t)d->conf.calls_max);
	if (d->pool != NULL)
		return 0;
	http_client_close(d->http);
	d->http = NULL;
	tokenizers_close(&d->tokenizers);
	return fail_set(why, ERR_NO_MEMORY, NULL, 0,
		"the HTTP client or its thread cannot be started");
}

const struct backend_ops delegate_ops = {
	.name = "delegate",
	.rung = RUNG_API,
	.open = delegate_open,
	.offer = delegate_offer,
	.start = delegate_start,
	.cancel = delegate_cancel,
	.close = delegate_close,
};
