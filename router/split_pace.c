/* SPDX-License-Identifier: Apache-2.0
 *
 * split_pace: work is told apart by its kind, and that of a task.map by the kinds that it runs.
 */
#include "router/split_pace.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fmt.h"
#include "wire/body.h"

#include "base/pure.h"

/* Work of one sort: the same kind, and of a task.map the same kinds over its parts. The first one that runs there is
 * copied to ret_kind. */
static uint64_t pace_key(const struct router *r, const struct task *parent,
	char ret_kind[LIMIT_KIND_BYTES + 1])
{
	CLEANUP(arena_done) struct arena a = { 0 };
	const char *kind = registry_kind_at(&r->registry, parent->kind)->name;
	uint64_t key = span_hash(span_str(kind), 0);
	const struct param *kinds = NULL;
	struct span rest;
	struct body body;

	arena_init(&a, 4 * (size_t)LIMIT_BODY_BYTES);
	span_copy(span_str(kind), ret_kind, LIMIT_KIND_BYTES + 1);
	if (strcmp(kind, MAP_KIND) == 0 &&
		body_decode(&a, span_of(parent->body, parent->body_len), &body, NULL) == 0)
		kinds = body_param(&body, "kinds");
	if (kinds == NULL)
		return key;
	rest = kinds->value;
	span_copy(span_trim(span_cut(&rest, ',')), ret_kind, LIMIT_KIND_BYTES + 1);
	return span_hash(kinds->value, key);
}

/* Nodes that could take parts: of the kind, on all rungs. */
static uint32_t able_nodes(struct router *r, struct span kind)
{
	uint32_t k = fmt_is_kind(kind) ? registry_kind(&r->registry, kind) : KIND_UNKNOWN;
	uint32_t n = 0;

	for (int rung = 0; k != KIND_UNKNOWN && rung < RUNGS; rung++)
		n += registry_kind_at(&r->registry, k)->of[rung].able_n;
	return n < NODES_MOST ? n : NODES_MOST;
}

void split_pace_put(struct buf *b, struct router *r, const struct task *parent)
{
	char kind[LIMIT_KIND_BYTES + 1];
	const struct pace_row *row = pace_find(&r->pace, pace_key(r, parent, kind));

	if (row == NULL)
		return;
	body_put_param(b, SPAN_LIT("split.unit"), span_str(row->unit));
	body_put_int(b, "split.unit_ps", row->unit_ps);
	body_put_int(b, "split.nodes", able_nodes(r, span_str(kind)));
}

int64_t split_pace_told(struct router *r, const struct task *parent)
{
	char kind[LIMIT_KIND_BYTES + 1];
	const struct pace_row *row = pace_find(&r->pace, pace_key(r, parent, kind));

	return row == NULL ? 0 : row->unit_ps;
}

void split_pace_note(struct router *r, struct task *parent, const struct split_plan *plan)
{
	struct span unit = plan->parts[0].unit;
	char kind[LIMIT_KIND_BYTES + 1];
	struct split_pace *p;

	if (unit.len == 0 || unit.len >= PACE_UNIT_BYTES)
		return;
	p = mem_alloc(sizeof *p + plan->parts_n * sizeof *p->units);
	parent->split->pace = p;
	if (p == NULL)
		return;
	p->parts_n = (uint32_t)plan->parts_n;
	span_copy(unit, p->unit, sizeof p->unit);
	for (size_t i = 0; i < plan->parts_n; i++)
		p->units[i] = plan->parts[i].units;
	p->key = pace_key(r, parent, kind);
}

void split_pace_learn(struct router *r, const struct split *s, const struct task *part)
{
	if (s->pace != NULL && part->part < s->pace->parts_n && !part->cache_hit)
		pace_learn(&r->pace, s->pace->key, span_str(s->pace->unit),
			s->pace->units[part->part], part->run_us);
}

const char *split_pace_say(const struct split *s, char *to, size_t room)
{
	uint64_t units = 0;

	for (uint32_t i = 0; s->pace != NULL && i < s->pace->parts_n; i++)
		units += s->pace->units[i];
	if (s->pace == NULL)
		return "cut into parts";
	if (s->told_ps == 0)
		snprintf(to, room,
			"cut into parts: %" PRIu64 " of \"%s\", whose pace is not known yet", units,
			s->pace->unit);
	else
		snprintf(to, room,
			"cut into parts: %" PRIu64 " of \"%s\", each %" PRId64
			" ps before; %" PRId64 " ms a part",
			units, s->pace->unit, s->told_ps,
			(int64_t)((unsigned __int128)units * (uint64_t)s->told_ps / s->parts_n /
				  1000000000));
	return to;
}
