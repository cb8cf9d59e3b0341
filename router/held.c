/* SPDX-License-Identifier: Apache-2.0 */
#include "router/held.h"

int held_open(struct held *h, struct bus *bus, struct journal *j, const struct backlog_conf *conf)
{
	*h = (struct held){ .journal = j, .box = outbox_new_held(bus) };
	backlog_init(&h->backlog, conf);
	return h->box == NULL ? ERR_NO_MEMORY : 0;
}

void held_close(struct held *h)
{
	outbox_free(h->box);
	h->box = NULL;
}

int held_admit(const struct held *h, int64_t now_ns, struct fail *why)
{
	const struct journal *j = h->journal;

	int err = j == NULL ? 0 : backlog_room(&h->backlog, j->room_bytes, why);

	if (j == NULL || err < 0)
		return err;
	return backlog_admit(&h->backlog, now_ns, j->waiting_rows, j->waiting_bytes, why);
}

int held_may_say(const struct held *h, int64_t now_ns, struct fail *why)
{
	return h->journal == NULL
		       ? 0
		       : backlog_admit(&h->backlog, now_ns, 0, outbox_bytes(h->box), why);
}

static int next_group(struct held *h, int64_t now_ns)
{
	struct journal *j = h->journal;

	backlog_end(&h->backlog, now_ns);
	if (j->appended > j->safe)
		backlog_begin(&h->backlog, now_ns, j->waiting_rows);
	h->writing = j->appended;
	outbox_seal(h->box, h->writing);
	return journal_commit(j);
}

int held_turn(struct held *h, int64_t now_ns, uint64_t *unsent)
{
	const struct journal *j = h->journal;
	int err = 0;

	if (j == NULL)
		return 0;
	if (h->writing <= j->safe)
		err = next_group(h, now_ns);
	if (err == 0)
		*unsent += outbox_release(h->box, j->safe);
	return err;
}

void held_last(struct held *h)
{
	struct journal *j = h->journal;

	if (j == NULL)
		return;
	outbox_seal(h->box, j->appended);
	if (journal_sync(j) == 0)
		(void)outbox_release(h->box, j->safe);
}
