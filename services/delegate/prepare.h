/* SPDX-License-Identifier: Apache-2.0
 *
 * prepare: the bytes of a request, made of a task: at once if that is soon done, else on a thread of the pool, so that
 * other calls do not wait for a long document.
 */
#pragma once
#include "run/work.h"
#include "services/delegate/provider.h"
#include "services/delegate/question.h"

#define PREPARE_AT_ONCE_BYTES 8192u /* bodies up to this size take much less than a millisecond */

/* Zeroed is empty. */
struct prepare {
	struct work_job work;
	const struct provider_ops *provider;
	void (*on_ready)(
		struct prepare *p); /* on the owner thread; why.code says whether it went well */
	struct job job;             /* its body is here, or kept by the node */
	struct arena arena;
	struct body body;
	char model[MODEL_BYTES + 1];
	struct question_how how;
	struct question_facts facts; /* what came of it */
	struct buf request;
	struct fail why;
};

/* provider, on_ready, model and how are set. 1: the request is there; 0: on_ready will be called; or an error, as
 * question_write's, or ERR_BUSY. The tokenizers must live until then. */
int prepare_begin(struct prepare *p, struct work_pool *pool, const struct job *job,
	struct fail *why) MUST_USE;
/* Not while it is on a thread. */
void prepare_done(struct prepare *p);
