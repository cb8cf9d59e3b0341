/* SPDX-License-Identifier: Apache-2.0
 *
 * task: the table of tasks and the matrix of their states.
 */
#include "router/task.h"

#include "base/mem.h"
#include "router/graph.h"

#include "base/pure.h"

#define OVERHEAD_BYTES 256u /* rows in the maps, the heap, the allocator */

static const uint8_t matrix[STATES][TASK_EVENTS] = {
#define MOVE(from, event, to) [STATE_##from][TASK_##event] = STATE_##to,
#include "router/task_states.def"
#undef MOVE
};

const char *task_event_name(enum task_event e)
{
	static const char *const names[TASK_EVENTS] = { "PLACE", "ACCEPT", "BACK", "HOP", "SPLIT",
		"ANSWER", "DONE", "FAIL", "CANCEL", "EXPIRE", "EXHAUST" };

	return e < TASK_EVENTS ? names[e] : "?";
}

enum state task_next(enum state s, enum task_event e)
{
	return s < STATES && e < TASK_EVENTS ? matrix[s][e] : STATE_NONE;
}

void task_touch(struct tasks *ts, struct task *t)
{
	if (!t->fast && list_is_empty(&t->touched))
		list_push(&ts->touched, &t->touched);
}

void task_move(struct tasks *ts, struct task *t, enum task_event e)
{
	enum state to = task_next(t->state, e);

	CHECK(to != STATE_NONE);
	ts->count[t->state]--;
	ts->count[to]++;
	t->state = (uint8_t)to;
	task_touch(ts, t);
}

enum rung task_rung(const struct task *t)
{
	return t->rung_at < t->ladder.n ? (enum rung)t->ladder.rung[t->rung_at] : RUNG_NONE;
}

void tasks_init(struct tasks *ts, uint32_t max, uint64_t key_seed)
{
	memset(ts, 0, sizeof *ts);
	ts->key_seed = key_seed;
	slots_init(&ts->slots, sizeof(struct task), max);
	map_init(&ts->by_id);
	map_init(&ts->by_key);
	heap_init(&ts->due);
	list_init(&ts->ended);
	list_init(&ts->ended_own);
	list_init(&ts->touched);
}

static void split_free(struct split *s)
{
	if (s == NULL)
		return;
	mem_free(s->parts);
	mem_free(s->join_body);
	mem_free(s->pace);
	graph_run_free(s->graph);
	mem_free(s);
}

void task_forget_split(struct task *t)
{
	split_free(t->split);
	t->split = NULL;
}

void task_forget_twin(struct task *t)
{
	if (t->twin != NULL)
		mem_free(t->twin->was_on);
	mem_free(t->twin);
	t->twin = NULL;
}

static void task_free(struct task *t)
{
	task_forget_twin(t);
	mem_free(t->body);
	mem_free(t->result);
	mem_free(t->fail);
	mem_free(t->note);
	mem_free(t->key);
	mem_free(t->stream);
	mem_free(t->model);
	mem_free(t->hash);
	mem_free(t->asked);
	mem_free(t->was_on);
	mem_free(t->told);
	split_free(t->split);
	explain_done(&t->explain);
}

void tasks_done(struct tasks *ts)
{
	for (uint32_t i = 0; i < ts->slots.cap; i++)
		if (slots_is_taken(&ts->slots, i))
			task_free(tasks_at(ts, i));
	slots_done(&ts->slots);
	map_done(&ts->by_id);
	map_done(&ts->by_key);
	heap_done(&ts->due);
}

struct task *tasks_add(struct tasks *ts, struct ulid id)
{
	uint32_t i;

	if (map_reserve(&ts->by_id) < 0)
		return NULL;
	i = slots_take(&ts->slots);
	if (i == SLOT_NONE)
		return NULL;
	if (heap_reserve(&ts->due, i + 1) < 0) {
		slots_drop(&ts->slots, i);
		return NULL;
	}
	struct task *t = tasks_at(ts, i);

	t->id = id;
	t->index = i;
	t->state = STATE_QUEUED;
	t->node = UINT32_MAX;
	t->parent = TASK_NONE;
	list_init(&t->touched);
	list_init(&t->on_node);
	list_init(&t->late);
	list_init(&t->queued);
	list_init(&t->kept);
	ts->count[STATE_QUEUED]++;
	map_put(&ts->by_id, ulid_hash(id), i);
	return t;
}

static uint64_t key_hash(const struct tasks *ts, uint32_t tenant, struct span key)
{
	return span_hash(key, ts->key_seed + tenant);
}

void tasks_drop(struct tasks *ts, struct task *t)
{
	uint32_t i = t->index;

	CHECK(list_is_empty(&t->on_node) && list_is_empty(&t->queued));
	CHECK(list_is_empty(&t->late) && (t->twin == NULL || list_is_empty(&t->twin->on_node)));
	if (!list_is_empty(&t->kept)) {
		list_drop(&t->kept);
		ts->ended_n--;
		ts->ended_bytes -= t->kept_bytes;
	}
	list_drop(&t->touched);
	ts->count[t->state]--;
	map_drop(&ts->by_id, ulid_hash(t->id), i);
	if (t->key != NULL)
		map_drop(&ts->by_key, key_hash(ts, t->tenant, span_str(t->key)), i);
	heap_drop(&ts->due, i);
	task_free(t);
	slots_drop(&ts->slots, i);
}

struct task *tasks_at(const struct tasks *ts, uint32_t index)
{
	return slots_at(&ts->slots, index);
}

struct task *tasks_find(const struct tasks *ts, struct ulid id)
{
	uint32_t at = 0;
	uint32_t i;

	while (map_next(&ts->by_id, ulid_hash(id), &at, &i))
		if (ulid_eq(tasks_at(ts, i)->id, id))
			return tasks_at(ts, i);
	return NULL;
}

int tasks_set_key(struct tasks *ts, struct task *t, struct span key,
	const unsigned char hash[TASK_HASH])
{
	t->key = mem_str(key);
	t->hash = mem_dup(span_of(hash, TASK_HASH));
	if (t->key == NULL || t->hash == NULL || map_reserve(&ts->by_key) < 0) {
		mem_free(t->key); /* tasks_drop must not look for it in the map */
		t->key = NULL;
		return ERR_NO_MEMORY;
	}
	map_put(&ts->by_key, key_hash(ts, t->tenant, key), t->index);
	return 0;
}

struct task *tasks_find_key(const struct tasks *ts, uint32_t tenant, struct span key)
{
	uint32_t at = 0;
	uint32_t i;

	while (map_next(&ts->by_key, key_hash(ts, tenant, key), &at, &i)) {
		struct task *t = tasks_at(ts, i);

		if (t->tenant == tenant && span_is(key, t->key))
			return t;
	}
	return NULL;
}

void tasks_wake_by(struct tasks *ts, struct task *t, int64_t due_ns)
{
	uint32_t place = ts->due.place[t->index];

	if (place == 0 || due_ns < ts->due.rows[place - 1].key)
		heap_set(&ts->due, t->index, due_ns);
}

uint64_t task_bytes(const struct task *t)
{
	uint64_t parts = t->split == NULL ? 0
					  : sizeof *t->split + t->split->join_len +
						    t->split->parts_n * sizeof *t->split->parts;
	uint64_t texts = span_str(t->note).len + span_str(t->key).len + span_str(t->stream).len +
			 span_str(t->model).len + span_str(t->was_on).len + t->told_len;

	return sizeof *t + t->body_len + t->result_len + (t->fail == NULL ? 0 : sizeof *t->fail) +
	       parts + texts + explain_bytes(&t->explain) + OVERHEAD_BYTES;
}
