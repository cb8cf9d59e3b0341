/* SPDX-License-Identifier: Apache-2.0
 *
 * follow: waits for one task to end, and gives its result to the user. It hears events if it is given them,
 * and asks for the state besides: events can be lost, and those of other clients' tasks go elsewhere. With --follow
 * the task's chunks are written as they come, and its result only if there were none, or into --out.
 */
#pragma once
#include "services/cli/cli.h"
#include "services/cli/progress.h"
#include "services/cli/stream.h"

struct follow {
	struct cli *c;
	struct ulid task;
	struct progress progress;
	struct stream_show stream; /* with --follow */
	struct loop_timer timer;
	int64_t every_ns; /* between questions; grows up to most_ns */
	int64_t most_ns;
	bool is_asking; /* a question is on its way */
	bool has_ended; /* the task, or the waiting */
	bool has_result;
	struct result result; /* its node and body are in kept */
	struct buf kept;
	int done; /* both are settled */
	int exit;
};

#define FOLLOW_EVERY_NS (20 * NS_PER_MS) /* where no events come */
#define FOLLOW_MOST_NS (1 * NS_PER_S)
#define FOLLOW_CHECK_NS (5 * NS_PER_S) /* besides events */

void follow_init(struct follow *f, struct cli *c);
/* For client_submit, with the follow as ctx. */
void follow_event(void *ctx, const struct event *e);
/* Ask each every_ns from now on, up to each most_ns; where the two are the same events are heard, too. 0 or an error of the loop. */
int follow_ask(struct follow *f, struct ulid task, int64_t every_ns, int64_t most_ns) MUST_USE;
/* The task will not end: the waiting does. */
void follow_give_up(struct follow *f, int exit);
/* Until the end, or Ctrl-C, which leaves the task running and says so. The exit status. */
int follow_wait(struct follow *f);
