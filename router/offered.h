/* SPDX-License-Identifier: Apache-2.0
 *
 * offered: the kinds that a node offers, and their rows. For registry.c only.
 */
#pragma once
#include "router/registry.h"

/* The node's offer of this kind, or NULL. */
struct node_kind *offered_find(const struct node *n, uint32_t kind);
/* A kind twice in one offer would stand in the rows twice. */
bool offered_has_twins(const struct offer *o);
/* Take over what is offered now; averages of kinds that stay are kept. 0, or ERR_NO_MEMORY: then nothing changed. */
int offered_take(struct registry *g, struct node *n, const struct offer *o) MUST_USE;
/* It offers nothing any more. */
void offered_drop(struct registry *g, struct node *n);
/* The same, where the rows are gone already. */
void offered_free(struct node *n);
