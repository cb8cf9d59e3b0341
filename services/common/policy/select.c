/* SPDX-License-Identifier: Apache-2.0
 *
 * select: sentences as units that cost their bytes.
 */
#include "policy/select.h"

#include "base/err.h"
#include "base/fmt.h"
#include "policy/rank.h"

#include "base/pure.h"

/* Sentences have a stop or a line end each, or white space behind them, or were cut for their length. */
static size_t bound_of(const struct span *docs, size_t docs_n)
{
	size_t n = 0;

	for (size_t i = 0; i < docs_n; i++) {
		size_t stops = text_bound(docs[i]),
		       most = docs[i].len / 2 + docs[i].len / (TEXT_SENTENCE_MAX / 2) + 1;

		n += stops < most ? stops : most;
	}
	return n;
}

static enum unit_kind kind_of(enum sentence_kind kind)
{
	return kind == SENTENCE_HEADING ? UNIT_HEADING
	       : kind == SENTENCE_CODE  ? UNIT_CODE
	       : kind == SENTENCE_ITEM  ? UNIT_ITEM
					: UNIT_PROSE;
}

/* The units and, at the same places, what they are as sentences. */
static uint32_t read_docs(const struct span *docs, size_t docs_n, struct unit *units,
	enum sentence_kind *kinds)
{
	uint32_t n = 0;

	for (size_t i = 0; i < docs_n; i++) {
		struct text_reader reader = text_read(docs[i]);
		struct sentence s;

		for (; text_next(&reader, &s); n++) {
			kinds[n] = s.kind;
			units[n] = (struct unit){
				.text = s.text,
				.doc = (uint32_t)i,
				.block = s.block,
				.needs = UNIT_NONE,
				.cost = (uint32_t)s.text.len + 1,
				.lines = 1,
				.kind = kind_of(s.kind),
			};
		}
	}
	return n;
}

static int collect(struct arena *a, const struct unit *units, uint32_t n,
	const enum sentence_kind *kinds, const struct rank_result *chosen,
	struct select_result *ret)
{
	struct select_pick *picks = arena_raw(a, (chosen->taken_n + (size_t)1) * sizeof(*picks));
	size_t picks_n = 0;

	if (picks == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		if (chosen->taken[i])
			picks[picks_n++] = (struct select_pick){
				.sentence = { units[i].text, kinds[i], units[i].block },
				.doc = units[i].doc,
				.index = i,
			};
	}
	*ret = (struct select_result){ .picks = picks, .picks_n = picks_n, .sentences_in = n };
	return 0;
}

int select_sentences(struct arena *a, const struct span *docs, size_t docs_n,
	const struct select_want *want, struct select_result *ret)
{
	size_t bound = bound_of(docs, docs_n);
	struct unit *units = bound >= UINT32_MAX ? NULL : arena_raw(a, bound * sizeof(*units));
	enum sentence_kind *kinds = units == NULL ? NULL : arena_raw(a, bound * sizeof(*kinds));
	/* Behind the last one there is nothing that must fit, too. */
	struct rank_want rank = {
		.query = want->query,
		.budget = want->bytes_max + (uint64_t)1,
		.units_max = want->sentences_max,
	};
	struct rank_result chosen;
	uint32_t n;
	int r;

	if (kinds == NULL)
		return ERR_NO_MEMORY;
	n = read_docs(docs, docs_n, units, kinds);
	CHECK(n <= bound);
	r = rank_units(a, units, n, &rank, NULL, NULL, &chosen);
	if (r < 0)
		return r;
	if (chosen.taken_n == 0 &&
		chosen.best != UNIT_NONE) { /* nothing fits: the start of the best */
		struct span *text = &units[chosen.best].text;

		*text = fmt_clip(*text, want->bytes_max);
		chosen.taken[chosen.best] = text->len > 0;
		chosen.taken_n = text->len > 0;
	}
	return collect(a, units, n, kinds, &chosen, ret);
}

void select_emit(struct buf *b, const struct select_result *r)
{
	for (size_t i = 0; i < r->picks_n; i++) {
		const struct select_pick *p = &r->picks[i], *before = p - 1;

		if (i > 0)
			buf_byte(b,
				before->doc == p->doc && before->sentence.block == p->sentence.block
					? ' '
					: '\n');
		if (p->sentence.kind == SENTENCE_CODE)
			buf_add(b, p->sentence.text);
		else
			text_flatten(b, p->sentence.text);
	}
}
