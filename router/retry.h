/* SPDX-License-Identifier: Apache-2.0
 *
 * retry: what follows when an attempt did not succeed: again on the same rung after a while, the next rung, or the
 * end. A pure function of the error, the rung, the tries so far, what the node asked for, the time that is left
 * and a random draw; which node comes next is placement's business (struct task.avoid).
 */
#pragma once
#include "router/task.h"

struct retry_conf {
	uint32_t attempts_max[RUNGS]; /* on a rung, that fail */
	int64_t backoff_ns;           /* before the first retry; doubles */
	int64_t backoff_max_ns;
};

/* An attempt that ended without a result, or was lost. */
struct retry_case {
	int code; /* ERR_x, as its node said; ERR_LOST for one that fell silent */
	enum rung rung;
	uint32_t tries;   /* attempts of this rung that failed, with this one */
	int64_t asked_ns; /* so long the node asks not to be tried again; 0: it does not */
	bool others;      /* on this rung are nodes that could do it and have not failed it */
	int64_t may_wait_ns; /* a pause that was asked for may last as long on this rung; INT64_MAX: it is the last */
	int64_t left_ns; /* until the task's deadline, more than 0 */
	uint64_t draw;   /* 64 random bits */
};

enum retry_then {
	RETRY_HERE, /* on the same rung */
	RETRY_RUNG, /* on the next one */
	RETRY_END,  /* nowhere: it would fail everywhere */
};

struct retry {
	enum retry_then then;
	int64_t after_ns;   /* HERE; less than left_ns */
	const char *reason; /* static, for the explain record */
};

struct retry retry_after(const struct retry_conf *conf, const struct retry_case *c);

/* Does an attempt that failed with this code count among those of its rung? Not if its node was told to end. */
bool retry_counts(int code);
/* Does a refusal with this code cost no attempt? Then the node is only left alone for a while. */
bool retry_is_free(int code);
/* For how long, given what it asked for. */
int64_t retry_leave_ns(int64_t asked_ns);
/* Is the failure the node's, so that it counts in its score? */
bool retry_blames_node(int code);
/* How a task ends that has no rung left: EXHAUST, where a later try may succeed, or FAIL. */
enum task_event retry_end(int code);
