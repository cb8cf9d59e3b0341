/* SPDX-License-Identifier: Apache-2.0
 *
 * pairing: the two-pass variant.
 */
#include "base/pairing.h"

#include "base/pure.h"

static bool is_before(const struct pairing_link *a, const struct pairing_link *b)
{
	return a->key < b->key || (a->key == b->key && a->seq < b->seq);
}

/* Two trees become one; either may be NULL. The links of the tops to others are not looked at. */
static struct pairing_link *meld(struct pairing_link *a, struct pairing_link *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	if (is_before(b, a)) {
		struct pairing_link *c = a;

		a = b;
		b = c;
	}
	b->next = a->child;
	b->prev = a;
	if (a->child != NULL)
		a->child->prev = b;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* A row of siblings becomes one tree: pairs from left to right, those from right to left. */
static struct pairing_link *meld_row(struct pairing_link *l)
{
	struct pairing_link *pairs = NULL, *all = NULL;

	while (l != NULL) {
		struct pairing_link *a = l, *b = l->next;

		l = b == NULL ? NULL : b->next;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct pairing_link *a = pairs;

		pairs = a->next;
		all = meld(all, a);
	}
	if (all != NULL)
		all->next = all->prev = NULL;
	return all;
}

void pairing_put(struct pairing *h, struct pairing_link *l, uint64_t key)
{
	CHECK(!l->is_in);
	*l = (struct pairing_link){ .key = key, .seq = h->seq++, .is_in = true };
	h->top = meld(h->top, l);
}

void pairing_drop(struct pairing *h, struct pairing_link *l)
{
	if (!l->is_in)
		return;
	l->is_in = false;
	if (l == h->top) {
		h->top = meld_row(l->child);
		return;
	}
	if (l->prev->child == l)
		l->prev->child = l->next;
	else
		l->prev->next = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	h->top = meld(h->top, meld_row(l->child));
}
