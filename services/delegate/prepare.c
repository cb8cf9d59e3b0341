/* SPDX-License-Identifier: Apache-2.0 */
#include "services/delegate/prepare.h"

#include <string.h>

#include "base/limits.h"

/* Control characters grow sixfold in JSON; a Body made of them alone would be refused here. */
#define REQUEST_BYTES_MAX ((size_t)4 * LIMIT_BODY_BYTES)
#define VIEW_BYTES_MAX ((size_t)1 << 20) /* of a decoded body, besides its bytes */

static int write_request(const struct prepare *p, struct buf *content, struct question_facts *facts,
	struct buf *request, struct fail *why)
{
	struct chat_question q = {
		.model = span_str(p->model),
		.system = kind_text(p->job.row, p->job.body, "system"),
		.max_tokens = kind_int(p->job.row, p->job.body, "max_tokens"),
		.temperature_milli = kind_int(p->job.row, p->job.body, "temperature_milli"),
	};
	int r = question_write(&p->how, &p->job, content, facts, why);

	if (r < 0)
		return r;
	q.content = buf_span(content);
	return p->provider->write(&q, request, why);
}

static int make(struct prepare *p, struct fail *why)
{
	CLEANUP(buf_done) struct buf content = { 0 };

	buf_init(&content, (size_t)2 * LIMIT_BODY_BYTES);
	buf_init(&p->request, REQUEST_BYTES_MAX);
	return write_request(p, &content, &p->facts, &p->request, why);
}

static void on_run(struct work_job *work)
{
	struct prepare *p = CONTAINER(work, struct prepare, work);

	p->why = (struct fail){ 0 };
	(void)make(p, &p->why);
}

static void on_end(struct work_job *work)
{
	struct prepare *p = CONTAINER(work, struct prepare, work);

	p->on_ready(p);
}

/* The job outlives the call that brought it. */
static int keep(struct prepare *p, const struct job *job, struct fail *why)
{
	unsigned char *raw;

	if (job->is_kept)
		return 0;
	arena_init(&p->arena, job->raw.len + VIEW_BYTES_MAX);
	raw = arena_raw(&p->arena, job->raw.len);
	if (raw == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	memcpy(raw, job->raw.at, job->raw.len);
	p->job.body = &p->body;
	return body_view(&p->arena, span_of(raw, job->raw.len), &p->body, why);
}

int prepare_begin(struct prepare *p, struct work_pool *pool, const struct job *job,
	struct fail *why)
{
	int r;

	p->job = *job;
	if (job->raw.len <= PREPARE_AT_ONCE_BYTES) {
		r = make(p, why);
		return r < 0 ? r : 1;
	}
	r = keep(p, job, why);
	if (r < 0)
		return r;
	p->work = (struct work_job){ on_run, on_end };
	fail_set(&p->why, ERR_CLOSED, NULL, 0, NULL); /* unless it runs */
	r = work_post(pool, &p->work);
	return r < 0 ? fail_set(why, r, NULL, 0, NULL) : 0;
}

void prepare_done(struct prepare *p)
{
	buf_done(&p->request);
	arena_done(&p->arena);
}
