/* SPDX-License-Identifier: Apache-2.0
 *
 * rows: the rows of one kind and class, and their passage between open, able and shut by swaps: O(1) each.
 */
#include "router/rows.h"

#include "base/mem.h"

#include "base/pure.h"

struct kind_rows *rows_of(const struct registry *g, const struct node *n,
	const struct node_kind *nk)
{
	return &registry_kind_at(g, nk->kind)->of[n->rung];
}

static void rows_swap(struct kind_rows *k, uint32_t a, uint32_t b)
{
	struct place_row row = k->rows[a];
	struct node_kind *owner = k->owners[a];

	k->rows[a] = k->rows[b];
	k->owners[a] = k->owners[b];
	k->rows[b] = row;
	k->owners[b] = owner;
	k->owners[a]->row = a;
	k->owners[b]->row = b;
}

int rows_reserve(struct kind_rows *k)
{
	uint32_t cap = k->cap == 0 ? 8 : k->cap * 2;
	void *at;

	if (k->n < k->cap)
		return 0;
	at = mem_grow(k->rows, cap * sizeof *k->rows);
	if (at == NULL)
		return ERR_NO_MEMORY;
	k->rows = at;
	at = mem_grow(k->owners, cap * sizeof *k->owners);
	if (at == NULL)
		return ERR_NO_MEMORY;
	k->owners = at;
	k->cap = cap;
	return 0;
}

void row_fill(struct place_row *row, const struct node *n, const struct node_kind *nk)
{
	row->load = &n->load;
	row->price_ucr = nk->price_ucr;
	row->run_us = nk->seen_us > 0 ? nk->seen_us : nk->said_us;
	row->model = span_str(nk->model);
}

void row_add(struct registry *g, struct node *n, struct node_kind *nk)
{
	struct kind_rows *k = rows_of(g, n, nk);

	CHECK(k->n < k->cap);
	nk->row = k->n++;
	k->owners[nk->row] = nk;
	row_fill(&k->rows[nk->row], n, nk);
}

static enum fit fit_of_row(const struct kind_rows *k, uint32_t row)
{
	return row < k->open_n ? FIT_OPEN : row < k->able_n ? FIT_ABLE : FIT_SHUT;
}

void row_move(struct registry *g, const struct node *n, struct node_kind *nk, enum fit to)
{
	struct kind_rows *k = rows_of(g, n, nk);
	enum fit from = fit_of_row(k, nk->row);

	if (from == to)
		return;
	if (from == FIT_OPEN)
		rows_swap(k, nk->row, --k->open_n);
	if (to == FIT_SHUT)
		rows_swap(k, nk->row, --k->able_n);
	if (from == FIT_SHUT)
		rows_swap(k, nk->row, k->able_n++);
	if (to == FIT_OPEN)
		rows_swap(k, nk->row, k->open_n++);
	if (g->on_change != NULL && (to == FIT_OPEN || k->able_n == 0))
		g->on_change(g->ctx, nk->kind, n->rung);
}

void row_drop(struct registry *g, const struct node *n, struct node_kind *nk)
{
	struct kind_rows *k = rows_of(g, n, nk);

	row_move(g, n, nk, FIT_SHUT);
	rows_swap(k, nk->row, k->n - 1);
	k->n--;
}
