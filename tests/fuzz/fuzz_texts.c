/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_texts: the first line is a query, the rest texts with a zero between them: what is found in them is where
 * it is said to be, repeats are of texts that are kept, and a difference turns one text into the other.
 */
#include "policy/diff.h"
#include "policy/language.h"
#include "policy/search.h"
#include "policy/similar.h"
#include "policy/stem.h"
#include "policy/tally.h"
#include "policy/wording.h"

#define TEXTS_MAX 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_search(struct arena *a, struct span query, const struct span *texts, size_t n)
{
	struct search_passage *passages;
	struct search_hit *hits;
	size_t passages_n, hits_n;
	int r = search_texts(a, query, texts, n, &hits, &hits_n, NULL);

	CHECK(r == 0 || r == ERR_INVALID || r == ERR_TOO_BIG);
	for (size_t i = 0; r == 0 && i < hits_n; i++) {
		CHECK(hits[i].text < n && hits[i].score > 0 && hits[i].terms > 0);
		CHECK(i == 0 || hits[i].score <= hits[i - 1].score);
	}
	CHECK(search_passages(a, texts, n, &passages, &passages_n) == 0);
	for (size_t i = 0; i < passages_n; i++) {
		struct span whole, part = passages[i].text;

		CHECK(passages[i].doc < n);
		whole = texts[passages[i].doc];
		CHECK(part.len > 0 && part.at >= whole.at &&
			part.at + part.len <= whole.at + whole.len);
	}
}

static void check_similar(struct arena *a, const struct span *texts, size_t n, uint32_t least)
{
	struct similar found[TEXTS_MAX];

	CHECK(similar_find(a, texts, n, least, found) == 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(found[i].of <= i && found[found[i].of].of == found[i].of);
		CHECK(found[i].permille >= least && found[i].permille <= 1000);
	}
}

static void check_tally(struct arena *a, const struct span *texts, size_t n, uint32_t top)
{
	uint64_t times = 0;
	struct tally t;

	CHECK(tally_texts(a, texts, n, top, &t) == 0);
	CHECK(t.characters <= t.bytes && t.words <= t.characters && t.distinct_words <= t.words);
	CHECK(t.blank_lines <= t.lines && t.paragraphs <= t.sentences && t.top_n <= top);
	for (uint32_t i = 0; i < t.top_n; i++) {
		CHECK(t.top[i].text.len > 0 && t.top[i].count > 0);
		CHECK(i == 0 || t.top[i].count <= t.top[i - 1].count);
		times += t.top[i].count;
	}
	CHECK(times <= t.words);
}

static void check_diff(struct arena *a, struct span left, struct span right, uint32_t context)
{
	uint32_t i = 0, k = 0, bound = 1 + (uint32_t)(left.len + right.len);
	struct buf text;
	struct diff d;

	CHECK(diff_texts(a, left, right, bound, &d) == 0);
	while (i < d.left.lines_n || k < d.right.lines_n) {
		if (i < d.left.lines_n && d.left.is_edited[i]) {
			i++;
		} else if (k < d.right.lines_n && d.right.is_edited[k]) {
			k++;
		} else {
			CHECK(i < d.left.lines_n && k < d.right.lines_n);
			CHECK(span_eq(d.left.lines[i++], d.right.lines[k++]));
		}
	}
	buf_init(&text, (size_t)64 << 20);
	diff_emit(&text, &d, SPAN_LIT("a"), SPAN_LIT("b"), context);
	CHECK(buf_err(&text) == 0);
	CHECK((text.len == 0) == span_eq(left, right));
	buf_done(&text);
	if (d.left.edited_n + d.right.edited_n > 0)
		CHECK(diff_texts(a, left, right, d.left.edited_n + d.right.edited_n - 1, &d) ==
			ERR_TOO_BIG);
}

/* A text has one wording, and is as near to another as that is to it. */
static void check_wording(struct span left, struct span right)
{
	uint32_t near = wording_near(left, right);
	struct buf once, twice;

	buf_init(&once, left.len * STEM_BYTES + 1);
	buf_init(&twice, left.len * STEM_BYTES + 1);
	CHECK(wording_put(&once, left) == wording_put(&twice, left));
	CHECK(buf_err(&once) == 0);
	CHECK(span_eq(buf_span(&once), buf_span(&twice)));
	CHECK(near >= 1 && near <= 1000 && near == wording_near(right, left));
	buf_done(&once);
	buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size), query = span_cut(&rest, '\n'), texts[TEXTS_MAX];
	static const struct language_profiles *profiles; /* they take longer than all the rest */
	static struct arena profiles_arena;
	struct arena a;
	size_t n = 0;

	while (rest.len > 0 && n < TEXTS_MAX)
		texts[n++] = span_cut(&rest, '\0');
	arena_init(&a, (size_t)256 << 20);
	check_search(&a, query, texts, n);
	check_similar(&a, texts, n, SIMILAR_LEAST_PERMILLE + (uint32_t)(size % 501));
	check_tally(&a, texts, n, (uint32_t)(size % 20));
	if (n >= 2)
		check_diff(&a, texts[0], texts[1], (uint32_t)(size % 5));
	if (n >= 2)
		check_wording(texts[0], texts[1]);
	if (profiles == NULL) {
		arena_init(&profiles_arena, (size_t)4 << 20);
		profiles = language_profiles_new(&profiles_arena);
	}
	CHECK(profiles != NULL);
	for (size_t i = 0; i < n; i++) {
		struct language l = language_of(profiles, texts[i]);

		CHECK(l.sure_permille <= 1000 && l.letters <= LANGUAGE_READ_BYTES);
		CHECK((l.sure_permille == 0) == span_is(SPAN_LIT("unknown"), l.code));
	}
	arena_done(&a);
	return 0;
}
