/* SPDX-License-Identifier: Apache-2.0
 *
 * offered: an offer that names the same kinds as the one before changes numbers in place; another one makes the rows anew.
 */
#include "router/offered.h"

#include "base/mem.h"
#include "router/rows.h"

#include "base/pure.h"

struct node_kind *offered_find(const struct node *n, uint32_t kind)
{
	for (uint32_t i = 0; i < n->kinds_n; i++)
		if (n->kinds[i].kind == kind)
			return &n->kinds[i];
	return NULL;
}

static void free_kinds(struct node_kind *kinds, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		mem_free(kinds[i].why);
		mem_free(kinds[i].model);
	}
	mem_free(kinds);
}

void offered_free(struct node *n)
{
	free_kinds(n->kinds, n->kinds_n);
	n->kinds = NULL;
	n->kinds_n = 0;
}

/* The new kinds of an offer as an array of our own; averages of kinds that stay are kept. */
static int kinds_copy(struct registry *g, const struct node *n, const struct offer *o,
	struct node_kind **ret)
{
	struct node_kind *kinds = mem_alloc((o->kinds_n + 1) * sizeof *kinds);

	if (kinds == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < o->kinds_n; i++) {
		const struct kind_offer *ko = &o->kinds[i];
		struct node_kind *nk = &kinds[i];
		const struct node_kind *was;

		nk->kind = registry_kind_known(g, ko->kind);
		if (ko->why.len > 0 && !ko->ready)
			nk->why = mem_str(ko->why);
		if (ko->model.len > 0)
			nk->model = mem_str(ko->model);
		if (nk->kind == KIND_UNKNOWN ||
			(ko->why.len > 0 && !ko->ready && nk->why == NULL) ||
			(ko->model.len > 0 && nk->model == NULL) ||
			rows_reserve(&registry_kind_at(g, nk->kind)->of[o->rung]) < 0) {
			free_kinds(kinds, (uint32_t)i + 1);
			return ERR_NO_MEMORY;
		}
		nk->ready = ko->ready;
		nk->pauses = ko->pauses;
		nk->price_ucr = ko->price_ucr;
		nk->said_us = ko->typical_us;
		was = offered_find(n, nk->kind);
		if (was != NULL)
			nk->seen_us = was->seen_us;
	}
	*ret = kinds;
	return 0;
}

/* Are the kinds of the offer those that stand in the rows, in the same order? Then only numbers change. */
static bool kinds_same(const struct registry *g, const struct node *n, const struct offer *o)
{
	if (o->kinds_n != n->kinds_n || o->rung != n->rung)
		return false;
	for (uint32_t i = 0; i < n->kinds_n; i++) {
		const struct node_kind *nk = &n->kinds[i];
		const struct kind_offer *ko = &o->kinds[i];

		if (!span_is(ko->kind, registry_kind_at(g, nk->kind)->name) ||
			!span_eq(ko->model, span_str(nk->model)) ||
			(!ko->ready && !span_eq(ko->why, span_str(nk->why))))
			return false;
	}
	return true;
}

void offered_drop(struct registry *g, struct node *n)
{
	for (uint32_t i = 0; i < n->kinds_n; i++)
		row_drop(g, n, &n->kinds[i]);
	offered_free(n);
}

bool offered_has_twins(const struct offer *o)
{
	for (size_t i = 1; i < o->kinds_n; i++)
		for (size_t k = 0; k < i; k++)
			if (span_eq(o->kinds[i].kind, o->kinds[k].kind))
				return true;
	return false;
}

int offered_take(struct registry *g, struct node *n, const struct offer *o)
{
	struct node_kind *kinds = NULL;

	if (kinds_same(g, n, o)) {
		for (uint32_t i = 0; i < n->kinds_n; i++) {
			struct node_kind *nk = &n->kinds[i];

			nk->ready = o->kinds[i].ready;
			nk->pauses = o->kinds[i].pauses;
			if (nk->ready) {
				mem_free(nk->why);
				nk->why = NULL;
			}
			nk->price_ucr = o->kinds[i].price_ucr;
			nk->said_us = o->kinds[i].typical_us;
			row_fill(&rows_of(g, n, nk)->rows[nk->row], n, nk);
		}
		return 0;
	}
	int r = kinds_copy(g, n, o, &kinds);

	if (r < 0)
		return r;
	offered_drop(g, n);
	n->rung = o->rung;
	n->kinds = kinds;
	n->kinds_n = (uint32_t)o->kinds_n;
	for (uint32_t i = 0; i < n->kinds_n; i++)
		row_add(g, n, &n->kinds[i]);
	return 0;
}
