/* SPDX-License-Identifier: Apache-2.0
 *
 * explain: steps are written one after the other into a block: a head, the reason's bytes, the candidates,
 * their notes. A usual task (placed once, done) fits in the first block of 160 bytes.
 */
#include "router/explain.h"

#include "base/mem.h"

#include "base/pure.h"

#define FIRST_BYTES 160u

struct explain_block {
	uint32_t len;
	uint32_t cap; /* of the bytes behind */
	unsigned char at[];
};

struct head {
	int64_t at_us;
	const char *policy;
	uint32_t node;
	uint32_t attempt;
	uint32_t considered;
	int16_t code;
	uint16_t reason_len;
	uint16_t bytes; /* of the whole step, a multiple of 8 */
	uint8_t kind, rung, to, seen_n;
};

void explain_done(struct explain *x)
{
	mem_free(x->block);
	*x = (struct explain){ 0 };
}

uint32_t explain_bytes(const struct explain *x)
{
	return x->block == NULL ? 0 : (uint32_t)sizeof *x->block + x->block->cap;
}

static bool reserve(struct explain *x, uint32_t bytes)
{
	uint32_t len = x->block == NULL ? 0 : x->block->len;
	uint32_t cap = x->block == NULL ? FIRST_BYTES : x->block->cap;
	struct explain_block *b;

	while (cap < len + bytes)
		cap *= 2;
	if (cap > EXPLAIN_BYTES_MAX || x->steps_n == EXPLAIN_STEPS_MAX)
		return false;
	if (x->block != NULL && cap == x->block->cap)
		return true;
	b = mem_grow(x->block, sizeof *b + cap);
	if (b == NULL)
		return false;
	b->len = len;
	b->cap = cap;
	x->block = b;
	return true;
}

static uint32_t clip(int64_t us)
{
	return us < 0 ? 0 : us >= UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void put_seen(unsigned char *to, const struct explain_note *note)
{
	for (uint32_t i = 0; i < note->seen_n; i++) {
		const struct place_seen *s = &note->seen[i];
		struct explain_seen e = {
			.node = s->node,
			.verdict = s->verdict,
			.term_us = { clip(s->cost.wait_us), clip(s->cost.run_us),
				clip(s->cost.move_us), clip(s->cost.price_us),
				clip(s->cost.risk_us) },
			.note_len =
				note->seen_notes == NULL ? 0 : (uint32_t)note->seen_notes[i].len,
		};

		memcpy(to, &e, sizeof e);
		to += sizeof e;
	}
	for (uint32_t i = 0; note->seen_notes != NULL && i < note->seen_n; i++) {
		struct span n = note->seen_notes[i];

		if (n.len > 0)
			memcpy(to, n.at, n.len);
		to += n.len;
	}
}

void explain_add(struct explain *x, const struct explain_note *note)
{
	uint32_t reason = (uint32_t)(note->reason.len > LIMIT_TEXT_BYTES ? LIMIT_TEXT_BYTES
									 : note->reason.len);
	uint32_t seen_at = (uint32_t)sizeof(struct head) + ((reason + 7) & ~7u);
	uint32_t bytes = seen_at + note->seen_n * (uint32_t)sizeof(struct explain_seen);

	for (uint32_t i = 0; note->seen_notes != NULL && i < note->seen_n; i++)
		bytes += (uint32_t)note->seen_notes[i].len;
	bytes = (bytes + 7) & ~7u;
	if (bytes > UINT16_MAX || note->seen_n > UINT8_MAX || !reserve(x, bytes)) {
		if (x->dropped < UINT16_MAX)
			x->dropped++;
		return;
	}
	struct head h = {
		.at_us = note->at_us,
		.policy = note->policy,
		.node = note->node,
		.attempt = note->attempt,
		.considered = note->considered,
		.code = (int16_t)note->code,
		.reason_len = (uint16_t)reason,
		.bytes = (uint16_t)bytes,
		.kind = (uint8_t)note->kind,
		.rung = (uint8_t)note->rung,
		.to = (uint8_t)note->to,
		.seen_n = (uint8_t)note->seen_n,
	};
	unsigned char *to = x->block->at + x->block->len;

	memcpy(to, &h, sizeof h);
	if (reason > 0)
		memcpy(to + sizeof h, note->reason.at, reason);
	put_seen(to + seen_at, note);
	x->block->len += bytes;
	x->steps_n++;
}

bool explain_next(const struct explain *x, uint32_t *at, struct explain_note *ret,
	const struct explain_seen **ret_seen)
{
	struct head h;

	if (x->block == NULL || *at >= x->block->len)
		return false;
	const unsigned char *from = x->block->at + *at;

	memcpy(&h, from, sizeof h);
	*ret = (struct explain_note){
		.at_us = h.at_us,
		.kind = h.kind,
		.rung = h.rung,
		.to = h.to,
		.node = h.node,
		.attempt = h.attempt,
		.code = h.code,
		.reason = span_of(from + sizeof h, h.reason_len),
		.policy = h.policy,
		.seen_n = h.seen_n,
		.considered = h.considered,
	};
	/* Steps and candidates stand at multiples of 8 in the block. */
	*ret_seen = (const struct explain_seen *)(const void *)(from + sizeof h +
								((h.reason_len + 7u) & ~7u));
	*at += h.bytes;
	return true;
}

struct span explain_seen_note(const struct explain_seen *seen, uint32_t seen_n, uint32_t i)
{
	const unsigned char *at = (const unsigned char *)(seen + seen_n);

	for (uint32_t k = 0; k < i; k++)
		at += seen[k].note_len;
	return span_of(at, seen[i].note_len);
}
