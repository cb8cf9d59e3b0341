/* SPDX-License-Identifier: Apache-2.0
 *
 * client_pack: the submits of a client whose large bodies leave packed, once the router has said that it reads such.
 */
#pragma once
#include "run/pack.h"
#include "wire/task.h"

struct client_pack {
	struct packer packer;
	bool wants;        /* to pack */
	bool router_reads; /* what is packed */
};

static inline void client_pack_init(struct client_pack *p, bool wants)
{
	packer_init(&p->packer);
	p->wants = wants;
	p->router_reads = false;
}

static inline void client_pack_done(struct client_pack *p)
{
	packer_done(&p->packer);
}

/* A reply, or NULL: there was none, and soon there may be another router. */
static inline void client_pack_heard(struct client_pack *p, const struct submit_reply *r)
{
	p->router_reads = r != NULL && (p->router_reads || r->packs);
}

/* Pack the body, if it may be and that pays; it lives until the next one. */
static inline void client_pack_submit(struct client_pack *p, struct submit *s)
{
	struct span packed = { 0 };

	if (p->wants && p->router_reads)
		packed = packer_pack(&p->packer, s->body);
	if (packed.len == 0)
		return;
	s->body = packed;
	s->packed = true;
}
