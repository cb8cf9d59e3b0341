/* SPDX-License-Identifier: Apache-2.0
 *
 * core_pack: bodies that travel packed: results, if the router reads such, and orders, if this node asked for it.
 */
#include "base/limits.h"
#include "node/core_inside.h"

static void put(struct node *n, const struct up *up)
{
	struct buf *b = outbox_put(n->outbox, n->up_subject, CORE_UP_ROOM + up->body.len);

	ups_put(b, up);
	if (outbox_put_end(n->outbox, b) < 0)
		n->metrics.unsent++;
}

/* Who asks again may be a router that reads no packed bodies: the end is kept as it would be without. */
static void keep(struct node *n, const struct up *up)
{
	buf_reset(&n->end);
	ups_put(&n->end, up);
	if (buf_err(&n->end) == 0)
		recent_put(&n->recent, buf_span(&n->end));
}

bool core_send_packed(struct node *n, const struct up *up)
{
	struct up packed;

	if (up->kind != UP_DONE || !n->conf.packs || !n->router_packs || up->body.len < PACK_BYTES)
		return false;
	packed = *up;
	packed.packed = true;
	packed.body = packer_pack(&n->packer, up->body);
	if (packed.body.len == 0)
		return false;
	put(n, &packed);
	keep(n, up);
	n->metrics.packed++;
	return true;
}

bool core_unpack(struct node *n, struct down *d)
{
	struct up up = { .kind = UP_FAILED, .task = d->task, .attempt = d->attempt };

	n->metrics.unpacked++;
	if (packer_unpack(&n->packer, d->body, LIMIT_MESSAGE_BYTES, &d->body, &up.fail) == 0)
		return true;
	n->metrics.malformed++;
	put(n, &up);
	return false;
}
