/* SPDX-License-Identifier: Apache-2.0
 *
 * echo_offer: what a backend offers that has util.echo only.
 */
#pragma once
#include "base/err.h"
#include "node/backend.h"

#define ECHO_SLOTS 4

static inline int echo_offer(void *self, struct arena *a, struct offer *o)
{
	(void)self;
	o->kinds = arena_alloc(a, sizeof(*o->kinds));
	if (o->kinds == NULL)
		return ERR_NO_MEMORY;
	o->kinds[0] = (struct kind_offer){ .kind = SPAN_LIT("util.echo"), .ready = true };
	o->kinds_n = 1;
	o->slots = ECHO_SLOTS;
	o->health = 1000;
	return 0;
}
