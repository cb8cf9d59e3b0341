/* SPDX-License-Identifier: Apache-2.0
 *
 * rows: what the registry keeps for placement: per kind and class one row for each node that offers it, open
 * ones first, then able ones, then those that are shut. For the registry only.
 */
#pragma once
#include "router/registry.h"

/* Where the rows of this node's kind stand. */
struct kind_rows *rows_of(const struct registry *g, const struct node *n,
	const struct node_kind *nk);
/* Room for one more row. 0 or ERR_NO_MEMORY. */
int rows_reserve(struct kind_rows *k) MUST_USE;
/* Add a row, shut; its place was reserved. */
void row_add(struct registry *g, struct node *n, struct node_kind *nk);
/* Take the offer's numbers into a row. */
void row_fill(struct place_row *row, const struct node *n, const struct node_kind *nk);
/* Move a row over the borders; tells the registry's on_change. */
void row_move(struct registry *g, const struct node *n, struct node_kind *nk, enum fit to);
/* Take a row out. */
void row_drop(struct registry *g, const struct node *n, struct node_kind *nk);
