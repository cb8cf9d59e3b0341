/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: writes the chunks of a task to standard output as they come, each once and in order (run/stream_reader.h),
 * for --follow. Where none are heard, and where some are missing, it asks.
 */
#pragma once
#include "run/stream_reader.h"
#include "services/cli/cli.h"
#include "services/cli/progress.h"

struct stream_show {
	struct cli *c;
	struct progress *progress;     /* to be taken away before something is written */
	void (*on_settled)(void *ctx); /* an answer came, or writing failed: look again */
	void *ctx;
	struct stream_reader reader;
	struct loop_timer timer;
	bool polls;   /* no events are heard */
	bool stopped; /* nothing more is written */
	bool shown;   /* something was written */
	bool torn; /* what was written is not the result: some is lost, or an attempt began anew */
	int exit;  /* of writing */
};

void stream_init(struct stream_show *s, struct cli *c, struct progress *progress);
/* What it is about. polls: ask without waiting for events. */
void stream_begin(struct stream_show *s, struct ulid task, bool polls);
void stream_event(struct stream_show *s, const struct event *e);
/* Something may have been missed. */
void stream_check(struct stream_show *s);
/* The task has ended. True if all of its chunks were written, or told to be lost; else on_settled comes. */
bool stream_end(struct stream_show *s, const struct result *end);
/* Write nothing more, ask nothing more. */
void stream_stop(struct stream_show *s);
