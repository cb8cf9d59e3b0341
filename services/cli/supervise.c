/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/supervise.h"

#include "base/pure.h"

const char *supervise_state_name(enum supervise_state s)
{
	static const char *const names[] = { "new", "starting", "ready", "killed", "waiting",
		"stopping", "gone" };

	return names[s];
}

void supervise_init(struct supervise *s)
{
	*s = (struct supervise){ 0 };
}

unsigned supervise_add(struct supervise *s, unsigned stage)
{
	CHECK(s->n < SUPERVISE_MAX);
	s->children[s->n] = (struct supervise_child){
		.stage = stage,
		.due_ns = INT64_MAX,
		.backoff_ns = SUPERVISE_BACKOFF_NS,
	};
	if (stage >= s->stages)
		s->stages = stage + 1;
	return s->n++;
}

static void act(struct supervise_actions *a, enum supervise_action_kind kind, unsigned child,
	int64_t wait_ns)
{
	CHECK(a->n < ARRAY_LEN(a->at));
	a->at[a->n++] =
		(struct supervise_action){ .kind = kind, .child = child, .wait_ns = wait_ns };
}

static void set_state(struct supervise_child *c, int64_t now_ns, enum supervise_state state,
	int64_t due_ns)
{
	c->state = state;
	c->since_ns = now_ns;
	c->due_ns = due_ns;
}

static void start(struct supervise *s, int64_t now_ns, unsigned i, struct supervise_actions *a)
{
	set_state(&s->children[i], now_ns, SUPERVISE_STARTING, now_ns + SUPERVISE_READY_NS);
	act(a, SUPERVISE_START, i, 0);
}

/* Start the first stage that has new children, if all before it are ready. */
static void start_stage(struct supervise *s, int64_t now_ns, struct supervise_actions *a)
{
	unsigned stage = s->stages;

	for (unsigned i = 0; i < s->n; i++)
		if (s->children[i].state == SUPERVISE_NEW && s->children[i].stage < stage)
			stage = s->children[i].stage;
	for (unsigned i = 0; i < s->n; i++)
		if (s->children[i].stage < stage && s->children[i].state != SUPERVISE_READY)
			return;
	if (stage == s->stages && !s->was_ready) {
		s->was_ready = true;
		act(a, SUPERVISE_ALL_READY, 0, 0);
	}
	for (unsigned i = 0; i < s->n; i++)
		if (s->children[i].state == SUPERVISE_NEW && s->children[i].stage == stage)
			start(s, now_ns, i, a);
}

static bool is_running(enum supervise_state state)
{
	return state == SUPERVISE_STARTING || state == SUPERVISE_READY || state == SUPERVISE_KILLED;
}

/* Stop the last stage that still runs; those that do not run are gone at once. */
static void stop_stage(struct supervise *s, int64_t now_ns, struct supervise_actions *a)
{
	unsigned stage = 0;
	bool left = false;

	for (unsigned i = 0; i < s->n; i++) {
		struct supervise_child *c = &s->children[i];

		if (c->state == SUPERVISE_NEW || c->state == SUPERVISE_BACKOFF)
			set_state(c, now_ns, SUPERVISE_GONE, INT64_MAX);
		if (c->state == SUPERVISE_GONE)
			continue;
		left = true;
		if (c->stage > stage)
			stage = c->stage;
	}
	if (!left && !s->has_left) {
		s->has_left = true;
		act(a, SUPERVISE_LEAVE, 0, 0);
	}
	for (unsigned i = 0; i < s->n; i++) {
		struct supervise_child *c = &s->children[i];

		if (c->stage != stage || !is_running(c->state))
			continue;
		set_state(c, now_ns, SUPERVISE_STOPPING, now_ns + SUPERVISE_STOP_NS);
		act(a, SUPERVISE_TERM, i, 0);
	}
}

static void ended(struct supervise *s, int64_t now_ns, unsigned i, struct supervise_actions *a)
{
	struct supervise_child *c = &s->children[i];

	if (s->stopping) {
		set_state(c, now_ns, SUPERVISE_GONE, INT64_MAX);
		stop_stage(s, now_ns, a);
		return;
	}
	if (c->state == SUPERVISE_READY && now_ns - c->since_ns >= SUPERVISE_HEALTHY_NS)
		c->backoff_ns = SUPERVISE_BACKOFF_NS;
	act(a, SUPERVISE_AGAIN, i, c->backoff_ns);
	set_state(c, now_ns, SUPERVISE_BACKOFF, now_ns + c->backoff_ns);
	c->backoff_ns = c->backoff_ns * 2 < SUPERVISE_BACKOFF_MOST_NS ? c->backoff_ns * 2
								      : SUPERVISE_BACKOFF_MOST_NS;
}

static void kill_all(struct supervise *s, struct supervise_actions *a)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->children[i].state != SUPERVISE_STOPPING && !is_running(s->children[i].state))
			continue;
		s->children[i].state = SUPERVISE_STOPPING;
		s->children[i].due_ns = INT64_MAX;
		act(a, SUPERVISE_KILL, i, 0);
	}
}

static void tick(struct supervise *s, int64_t now_ns, struct supervise_actions *a)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct supervise_child *c = &s->children[i];

		if (c->due_ns > now_ns)
			continue;
		if (c->state == SUPERVISE_BACKOFF) {
			c->restarts++;
			start(s, now_ns, i, a);
			continue;
		}
		if (c->state == SUPERVISE_STARTING)
			set_state(c, now_ns, SUPERVISE_KILLED, INT64_MAX);
		c->due_ns = INT64_MAX;
		act(a, SUPERVISE_KILL, i, 0);
	}
}

void supervise_step(struct supervise *s, int64_t now_ns, enum supervise_event_kind kind,
	unsigned child, struct supervise_actions *actions)
{
	actions->n = 0;
	switch (kind) {
	case SUPERVISE_BEGIN:
		start_stage(s, now_ns, actions);
		return;
	case SUPERVISE_IS_READY:
		CHECK(child < s->n);
		if (s->children[child].state != SUPERVISE_STARTING)
			return;
		set_state(&s->children[child], now_ns, SUPERVISE_READY, INT64_MAX);
		start_stage(s, now_ns, actions);
		return;
	case SUPERVISE_ENDED:
		CHECK(child < s->n);
		ended(s, now_ns, child, actions);
		return;
	case SUPERVISE_STOP:
		if (s->stopping)
			kill_all(s, actions);
		else {
			s->stopping = true;
			stop_stage(s, now_ns, actions);
		}
		return;
	case SUPERVISE_TICK:
		tick(s, now_ns, actions);
		return;
	}
}

int64_t supervise_wake(const struct supervise *s)
{
	int64_t due_ns = INT64_MAX;

	for (unsigned i = 0; i < s->n; i++)
		if (s->children[i].due_ns < due_ns)
			due_ns = s->children[i].due_ns;
	return due_ns;
}
