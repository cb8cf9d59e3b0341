/* SPDX-License-Identifier: Apache-2.0
 *
 * backend: a job is a question that is put into the inbox and stays there until a person or a cancel ends it.
 */
#include "base/fmt.h"
#include "base/limits.h"
#include "run/bus.h"
#include "services/inbox/service.h"
#include "wire/subject.h"

#define NS_PER_S INT64_C(1000000000)
#define REQUEST_ARENA_BYTES                                                                        \
	((size_t)4 << 20) /* a decoded answer is a few times the largest message */

static const char *const kinds[] = { "human.ask", "llm.chat" };

/* People take their time: none of them is waited for when the process is told to stop. */
static const struct conf_row inbox_node_rows[] = { NODE_ROWS("0s") };

const struct conf_row service_rows[] = {
	{ "questions_max", CONF_INT, offsetof(struct service_conf, questions_max), "1000", 1,
		LIMIT_OFFER_SLOTS, NULL, "how many questions may wait" },
	{ "bytes_max", CONF_BYTES, offsetof(struct service_conf, bytes_max), "64M",
		LIMIT_BODY_BYTES, INT64_C(1) << 40, NULL, "how many bytes of questions may wait" },
	{ "price_ucr", CONF_INT, offsetof(struct service_conf, price_ucr), "0", 0, INT64_C(1) << 50,
		NULL, "what an answer costs, in micro-credits" },
	{ "typical", CONF_TIME, offsetof(struct service_conf, typical_ns), "10m", NS_PER_S,
		86400 * 30 * NS_PER_S, NULL, "how long people usually take" },
	{ "operators", CONF_TEXT, offsetof(struct service_conf, operators), "local", 0,
		OPERATORS_BYTES, NULL, "tenants that see every question, separated by commas" },
	CONF_INCLUDE(struct service_conf, node, inbox_node_rows),
	{ 0 },
};

static int check_operators(const char *names, struct fail *why)
{
	struct span rest = span_str(names);

	while (rest.len > 0) {
		struct span name = span_trim(span_cut(&rest, ','));

		if (!fmt_is_token(name))
			return fail_set(why, ERR_INVALID, "operators", LIMIT_TOKEN_BYTES,
				"\"%.*s\" is no tenant", (int)(name.len > 64 ? 64 : name.len),
				(const char *)name.at);
	}
	return 0;
}

static void service_close(void *self)
{
	struct service *s = self;

	if (s->questions != NULL)
		bus_unsubscribe(node_bus(s->node), s->questions);
	s->questions = NULL;
	inbox_free(s->inbox);
	s->inbox = NULL;
	arena_done(&s->arena);
	buf_done(&s->reply);
	buf_done(&s->answer);
}

static int service_open(void *self, struct node *n, struct fail *why)
{
	struct service *s = self;
	char pattern[SUBJECT_BYTES];
	int r = check_operators(s->conf.operators, why);

	if (r < 0)
		return r;
	s->node = n;
	arena_init(&s->arena, REQUEST_ARENA_BYTES);
	buf_init(&s->reply, LIMIT_MESSAGE_BYTES);
	buf_init(&s->answer, LIMIT_BODY_BYTES);
	s->inbox = inbox_new((uint32_t)s->conf.questions_max, (size_t)s->conf.bytes_max);
	if (s->inbox == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, "no memory for the inbox");
	subject_pattern(SUBJECT_QUESTION, pattern);
	s->questions = bus_subscribe(node_bus(n), pattern, subject_row(SUBJECT_QUESTION)->group,
		service_on_question, s);
	if (s->questions != NULL)
		return 0;
	service_close(s);
	return fail_set(why, ERR_IO, NULL, 0, "cannot subscribe to %s", pattern);
}

static int service_offer(void *self, struct arena *a, struct offer *o)
{
	const struct service *s = self;

	o->kinds = arena_alloc(a, ARRAY_LEN(kinds) * sizeof(*o->kinds));
	if (o->kinds == NULL)
		return ERR_NO_MEMORY;
	o->kinds_n = ARRAY_LEN(kinds);
	for (size_t i = 0; i < o->kinds_n; i++) {
		o->kinds[i] = (struct kind_offer){
			.kind = span_str(kinds[i]),
			.ready = true,
			.price_ucr = s->conf.price_ucr,
			.typical_us = s->conf.typical_ns / 1000,
		};
	}
	o->slots = (uint32_t)s->conf.questions_max;
	o->device = SPAN_LIT("people");
	o->health = 1000;
	o->load = (uint32_t)(inbox_count(s->inbox) * INT64_C(1000) / s->conf.questions_max);
	return 0;
}

static bool is_offered(struct span kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (span_is(kind, kinds[i]))
			return true;
	}
	return false;
}

static int service_start(void *self, const struct job *job, struct fail *why)
{
	struct service *s = self;
	struct question q = {
		.task = job->task,
		.attempt = job->attempt,
		.kind = job->kind,
		.tenant = job->tenant,
		.body = job->raw,
		.asked_ns = node_now(s->node),
		.deadline_ns = job->deadline_ns,
	};
	int r;

	if (job->row == NULL || !is_offered(job->kind))
		return fail_set(why, ERR_UNSUPPORTED, "kind", 0,
			"people are not asked for this kind");
	q.prompt = kind_text(job->row, job->body, "prompt");
	r = inbox_put(s->inbox, &q, why);
	if (r == 0)
		node_progress(s->node, job->task, job->attempt, 0, "waiting for a person");
	return r;
}

static void service_cancel(void *self, struct ulid task, uint32_t attempt)
{
	struct service *s = self;
	struct fail why = { 0 };
	const struct question *q = inbox_find(s->inbox, task);

	if (q == NULL || q->attempt != attempt)
		return;
	inbox_drop(s->inbox, task);
	fail_set(&why, ERR_CANCELLED, NULL, 0, NULL);
	node_failed(s->node, task, attempt, &why);
}

const struct backend_ops service_ops = {
	.name = "inbox",
	.rung = RUNG_HUMAN,
	.open = service_open,
	.offer = service_offer,
	.start = service_start,
	.cancel = service_cancel,
	.close = service_close,
	.takes_references = true, /* who looks at the question fetches what it is about */
};
