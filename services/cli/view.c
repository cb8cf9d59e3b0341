/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum colour view_state_colour(enum state s)
{
	switch (s) {
	case STATE_SUCCEEDED:
		return COLOUR_GOOD;
	case STATE_FAILED:
	case STATE_DEAD:
	case STATE_EXPIRED:
		return COLOUR_BAD;
	case STATE_CANCELLED:
		return COLOUR_WARN;
	default:
		return COLOUR_NONE;
	}
}

const char *view_state(enum state s, bool paused, char to[VIEW_STATE])
{
	(void)snprintf(to, VIEW_STATE, "%s%s", state_name(s), paused ? ", paused" : "");
	return to;
}

void view_task_json(struct json *j, const char *key, const struct task_view *t)
{
	json_open(j, key, '{');
	json_id(j, "task", t->task);
	json_text(j, "kind", t->kind);
	json_text(j, "state", span_str(state_name(t->state)));
	json_bool(j, "paused", t->paused);
	json_text(j, "rung", span_str(rung_name(t->rung)));
	json_text(j, "node", t->node);
	json_int(j, "attempt", t->attempt);
	json_int(j, "priority", t->priority);
	json_int(j, "accepted_ms", t->accepted_ms);
	json_int(j, "deadline_ms", t->deadline_ms);
	json_int(j, "ended_ms", t->ended_ms);
	json_int(j, "permille", t->permille);
	json_text(j, "note", t->note);
	json_int(j, "parts", t->parts);
	json_int(j, "parts_done", t->parts_done);
	if (!ulid_is_zero(t->parent))
		json_id(j, "parent", t->parent);
	json_shut(j, '}');
}

static void kind_json(struct json *j, const struct kind_offer *k)
{
	json_open(j, NULL, '{');
	json_text(j, "kind", k->kind);
	json_bool(j, "ready", k->ready);
	json_text(j, "why", k->why);
	json_int(j, "price_ucr", k->price_ucr);
	json_int(j, "typical_us", k->typical_us);
	json_text(j, "model", k->model);
	json_shut(j, '}');
}

void view_node_json(struct json *j, const char *key, const struct node_view *n)
{
	const struct offer *o = &n->offer;

	json_open(j, key, '{');
	json_text(j, "node", n->node);
	json_text(j, "class", span_str(rung_name(o->rung)));
	json_text(j, "state", span_str(node_state_name(n->state)));
	json_int(j, "slots", o->slots);
	json_int(j, "busy", n->busy);
	json_int(j, "queued", o->queued);
	json_bool(j, "draining", o->draining || n->drain_asked);
	json_int(j, "health", o->health);
	json_int(j, "load", o->load);
	json_int(j, "silent_ms", n->silent_ms);
	json_int(j, "done", (int64_t)n->done);
	json_int(j, "failed", (int64_t)n->failed);
	json_int(j, "lost", (int64_t)n->lost);
	json_text(j, "device", o->device);
	json_text(j, "version", o->version);
	json_open(j, "kinds", '[');
	for (size_t i = 0; i < o->kinds_n; i++)
		kind_json(j, &o->kinds[i]);
	json_shut(j, ']');
	json_shut(j, '}');
}

char *view_time(int64_t unix_ms, char *to)
{
	time_t at = (time_t)(unix_ms / 1000), now = time(NULL);
	struct tm then, today;

	to[0] = '\0';
	if (localtime_r(&at, &then) == NULL || localtime_r(&now, &today) == NULL)
		return to;
	if (then.tm_yday == today.tm_yday && then.tm_year == today.tm_year)
		(void)strftime(to, 24, "%H:%M:%S", &then);
	else
		(void)strftime(to, 24, "%b %d %H:%M", &then);
	return to;
}
