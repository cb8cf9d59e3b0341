/* SPDX-License-Identifier: Apache-2.0
 *
 * core_offer: what the node announces: what the backend fills in, and what only the node knows.
 */
#include "node/core_state.h"
#include "version.h"

static int offer_from_backend(struct node *n, struct offer *o)
{
	int r;

	arena_reset(&n->offer);
	*o = (struct offer){ .rung = n->conf.ops->rung };
	r = n->conf.ops->offer(n->conf.self, &n->offer, o);
	if (o->slots > n->conf.slots_max)
		o->slots = n->conf.slots_max;
	return r;
}

/* What the backend left open: how long its kinds take here. */
static void offer_fill_typical(struct node *n, struct offer *o)
{
	for (size_t i = 0; i < o->kinds_n; i++) {
		uint32_t row = typical_row(&n->typical, o->kinds[i].kind);

		if (o->kinds[i].typical_us == 0)
			o->kinds[i].typical_us = typical_us(&n->typical, row);
	}
}

static int offer_fill_running(struct node *n, struct offer *o)
{
	uint32_t running_n = worker_running(n->worker);

	o->running = arena_raw(&n->offer, running_n * sizeof(*o->running));
	if (o->running == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < running_n; i++)
		o->running[i] = worker_running_at(n->worker, i);
	o->running_n = running_n;
	return 0;
}

static size_t offer_room(const struct offer *o)
{
	size_t room = UP_ROOM + o->device.len + o->running_n * (ULID_TEXT + 16);

	for (size_t i = 0; i < o->kinds_n; i++)
		room += o->kinds[i].kind.len + o->kinds[i].why.len + o->kinds[i].model.len + 48;
	return room;
}

void core_offer(struct node *n, uint64_t seq)
{
	struct offer o;
	struct up up = { .kind = UP_OFFER, .offer = &o };

	if (offer_from_backend(n, &o) < 0) {
		n->metrics.unsent++;
		return;
	}
	o.incarnation = n->conf.incarnation;
	o.seq = seq;
	o.draining = worker_is_draining(n->worker);
	o.version = SPAN_LIT(SPU_VERSION);
	offer_fill_typical(n, &o);
	if (o.slots != n->slots)
		n->changed = true; /* the machine has to know, too */
	if (offer_fill_running(n, &o) < 0)
		n->metrics.unsent++;
	else
		core_send(n, &up, offer_room(&o));
}

void core_learn_slots(struct node *n)
{
	struct offer o;
	struct worker_event e = { .kind = WORKER_CHANGED };

	n->changed = false;
	if (offer_from_backend(n, &o) == 0)
		n->slots = o.slots;
	e.slots = n->slots;
	core_step(n, &e);
}
