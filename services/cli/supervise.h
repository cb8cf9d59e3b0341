/* SPDX-License-Identifier: Apache-2.0
 *
 * supervise: when the processes of a mesh are started, started again and stopped. Pure: time is handed in, and
 * what is to be done is handed out. Processes start in stages: those of a stage when all before are ready.
 * One that ends is started again after a while that doubles; it is stopped with its stage, the last one
 * first, and killed if that takes too long.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/fmt.h"

#define SUPERVISE_MAX 80u
#define SUPERVISE_BACKOFF_NS (200 * NS_PER_MS) /* the first; doubles */
#define SUPERVISE_BACKOFF_MOST_NS (30 * NS_PER_S)
#define SUPERVISE_HEALTHY_NS (60 * NS_PER_S) /* ready for so long: the next backoff is the first */
#define SUPERVISE_READY_NS (30 * NS_PER_S)   /* not ready by then: killed */
#define SUPERVISE_STOP_NS (12 * NS_PER_S) /* not gone by then: killed; more than a daemon's drain */

enum supervise_state {
	SUPERVISE_NEW,      /* its stage has not begun */
	SUPERVISE_STARTING, /* runs, not ready */
	SUPERVISE_READY,
	SUPERVISE_KILLED,   /* was not ready in time; its end is awaited */
	SUPERVISE_BACKOFF,  /* ended; starts again at due_ns */
	SUPERVISE_STOPPING, /* told to stop */
	SUPERVISE_GONE,
};
const char *supervise_state_name(enum supervise_state s);

struct supervise_child {
	enum supervise_state state;
	unsigned stage;
	int64_t due_ns;     /* STARTING, BACKOFF, STOPPING; INT64_MAX: never */
	int64_t since_ns;   /* in this state */
	int64_t backoff_ns; /* the next */
	uint32_t restarts;
};

struct supervise {
	struct supervise_child children[SUPERVISE_MAX];
	unsigned n;
	unsigned stages; /* the highest stage + 1 */
	bool stopping;
	bool was_ready; /* all were, once */
	bool has_left;
};

enum supervise_event_kind {
	SUPERVISE_BEGIN,
	SUPERVISE_IS_READY, /* child */
	SUPERVISE_ENDED,    /* child: exited, or could not be started */
	SUPERVISE_STOP,     /* the second one kills */
	SUPERVISE_TICK,
};

enum supervise_action_kind {
	SUPERVISE_START, /* child */
	SUPERVISE_TERM,  /* child: ask it to end */
	SUPERVISE_KILL,  /* child */
	SUPERVISE_AGAIN, /* child: for people: it ended, and starts again after wait_ns */
	SUPERVISE_ALL_READY,
	SUPERVISE_LEAVE, /* all are gone */
};

struct supervise_action {
	enum supervise_action_kind kind;
	unsigned child;
	int64_t wait_ns;
};

struct supervise_actions {
	struct supervise_action at[2 * SUPERVISE_MAX + 2];
	unsigned n;
};

void supervise_init(struct supervise *s);
/* Before BEGIN; the child's number, counted from 0. CHECKs SUPERVISE_MAX. */
unsigned supervise_add(struct supervise *s, unsigned stage);
/* actions is emptied first. child is ignored where the event has none. */
void supervise_step(struct supervise *s, int64_t now_ns, enum supervise_event_kind kind,
	unsigned child, struct supervise_actions *actions);
/* When the next TICK is due; INT64_MAX: not before another event. */
int64_t supervise_wake(const struct supervise *s);
