/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_quality [FACTS [dev]]: what is left of a text when a fifth of its tokens is kept, without a model: are planted
 * facts (tests/bench/facts.def, traps.def) still there, what options of commands mean, the words of an abstract?
 * Beside the same by BM25, TextRank, the first sentences, and gzip's distance, with the same sentences, stems and
 * budget. The texts are those on this machine that were held out when the selection was made; with `dev` the others.
 *
 *	recall5x_CLASS            part of the facts that are kept, of texts with 1,000 and 10,000 words
 *	BASELINE_recall5x_CLASS   the same of a baseline
 *	cells_lost                of CLASS x words x baseline: in which of them the baseline keeps more; named on stderr
 *	budget_used_min           the least part of its budget that a compression used, of 200 tokens and more
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compress.h"
#include "policy/text.h"
#include "policy/words.h"
#include "tests/bench/baseline.h"
#include "tests/bench/corpus.h"
#include "tests/bench/plant.h"

#define FACTS 132u
#define OURS BASELINES
#define BYTES ((size_t)4 << 20)
#define RATIO 5000u
#define DOC_WORDS_MAX 60000u /* bytes of a document, for options and abstracts */
#define DOC_BYTES_MIN 6000u
#define ANSWER_BYTES 40u
#define BUDGET_MIN 200u /* tokens; of fewer a single mark is more than a hundredth */

/* What is measured: the planted ones, and two in documents as they are. */
enum { CLASS_OPTION = PLANT_CLASSES, CLASS_ABSTRACT, CLASSES };
static const unsigned sizes[] = { 1000, 10000 };
#define SIZES ARRAY_LEN(sizes)

struct cell {
	double sum;
	unsigned n;
};

struct bench {
	struct cell cells[CLASSES][SIZES][BASELINES + 1];
	struct cell other_ratios[PLANT_CLASSES][3];
	double used_min;
	uint64_t digest;
	struct arena arena;
	struct prng prng;
};

static const char *class_name(unsigned class)
{
	return class == CLASS_OPTION     ? "option"
	       : class == CLASS_ABSTRACT ? "abstract"
					 : plant_class_name((enum plant_class) class);
}

/* --- one text ------------------------------------------------------------------------------------- */

/* Returns the budget in thousandths of a token. */
static uint64_t press(struct bench *b, struct span text, struct span query, uint32_t ratio,
	struct buf *out)
{
	struct compress_want want = {
		.query = query,
		.mode = GUARD_EXTRACT,
		.tokens = UINT64_MAX,
		.ratio_milli = ratio,
		.marks = true,
	};
	struct compress_facts facts;
	uint64_t target;
	double used;

	buf_reset(out);
	arena_reset(&b->arena);
	CHECK(compress_texts(&b->arena, &text, 1, &want, out, NULL, &facts, NULL) == 0);
	target = facts.tokens_in * 1000 / ratio;
	used = (double)facts.tokens_out / (double)target;
	if (target >= BUDGET_MIN && used < b->used_min)
		b->used_min = used;
	b->digest = span_hash(buf_span(out), b->digest);
	return target * 1000;
}

static void count(struct cell *cell, double got)
{
	cell->sum += got;
	cell->n++;
}

static bool has(struct span text, struct span what)
{
	return memmem(text.at, text.len, what.at, what.len) != NULL;
}

/* A number as a word of its own. */
static double has_answer(const struct buf *out, struct span answer)
{
	return out->len > 0 && has(buf_span(out), answer);
}

static void one_fact(struct bench *b, enum plant_class class, unsigned size, unsigned nth,
	struct span corpus)
{
	static const uint32_t ratios[] = { 2000, 3000, 10000 };
	struct planted p;
	struct span query, answer;
	struct buf out;
	uint64_t budget;

	plant_make(&p, &b->prng, class, nth, corpus, sizes[size]);
	query = buf_span(&p.query);
	answer = span_str(p.answer);
	buf_init(&out, BYTES);
	for (size_t i = 0; i < ARRAY_LEN(ratios); i++) {
		(void)press(b, buf_span(&p.text), query, ratios[i], &out);
		count(&b->other_ratios[class][i], has_answer(&out, answer));
	}
	budget = press(b, buf_span(&p.text), query, RATIO, &out);
	count(&b->cells[class][size][OURS], has_answer(&out, answer));
	for (unsigned base = 0; base < BASELINES; base++) {
		buf_reset(&out);
		arena_reset(&b->arena);
		baseline_select((enum baseline)base, &b->arena, buf_span(&p.text), query, budget,
			&out);
		count(&b->cells[class][size][base], has_answer(&out, answer));
	}
	buf_done(&out);
	planted_done(&p);
}

/* --- documents as they are ------------------------------------------------------------------------ */

struct doc_task {
	unsigned class;
	struct span text;
	struct span query;
	struct span answer; /* of an option: its beginning; of an abstract: all of it */
};

/* How much of the answer is in the text: an option's all or nothing, an abstract's words. */
static double score_of(const struct doc_task *t, struct span kept)
{
	struct words w = words_of(t->answer), k;
	struct word word, other;
	unsigned n = 0, found = 0;
	struct buf flat;

	if (t->class == CLASS_OPTION) {
		buf_init(&flat, BYTES);
		text_flatten(&flat, kept);
		found = flat.len > 0 && has(buf_span(&flat), t->answer);
		buf_done(&flat);
		return found;
	}
	while (words_next(&w, &word)) {
		bool hit = false;

		if (word.is_stop)
			continue;
		n++;
		for (k = words_of(kept); !hit && words_next(&k, &other);)
			hit = !other.is_stop && other.hash == word.hash;
		found += hit;
	}
	return n == 0 ? 1 : (double)found / n;
}

static void one_doc(struct bench *b, const struct doc_task *t)
{
	unsigned size = t->text.len > DOC_WORDS_MAX / 4;
	struct buf out;
	uint64_t budget;

	buf_init(&out, BYTES);
	budget = press(b, t->text, t->query, RATIO, &out);
	count(&b->cells[t->class][size][OURS], score_of(t, buf_span(&out)));
	for (unsigned base = 0; base < BASELINES; base++) {
		buf_reset(&out);
		arena_reset(&b->arena);
		baseline_select((enum baseline)base, &b->arena, t->text, t->query, budget, &out);
		count(&b->cells[t->class][size][base], score_of(t, buf_span(&out)));
	}
	buf_done(&out);
}

static bool is_word_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || c == '-';
}

/* "--color" in a line that begins with a dash; empty if there is none. */
static struct span option_of(struct span line)
{
	const unsigned char *at = line.len < 6 ? NULL : memmem(line.at, line.len, "--", 2);
	size_t n = 2, from;

	if (at == NULL || line.at[0] != '-')
		return (struct span){ 0 };
	from = (size_t)(at - line.at);
	while (from + n < line.len && is_word_byte(line.at[from + n]))
		n++;
	return n < 7 ? (struct span){ 0 } : span_part(line, from, n);
}

/* Options whose meaning stands in the line behind them, every so many. */
static void ask_options(struct bench *b, struct span text)
{
	size_t at = 0, next, more;
	unsigned nth = 0, step = 2;
	char query[128];

	for (; at < text.len; at += next) {
		struct span line = text_line(span_part(text, at, text.len), &next),
			    option = option_of(line), says;
		struct doc_task t = { .class = CLASS_OPTION, .text = text };
		struct buf flat;

		if (option.len == 0 || option.len > 60)
			continue;
		says = text_line(span_part(text, at + next, text.len), &more);
		if (says.len < ANSWER_BYTES || says.at[0] < 'A' || says.at[0] > 'Z' ||
			nth++ % step != 0 || nth > 6 * step)
			continue;
		snprintf(query, sizeof(query), "What does the option %.*s do?", (int)option.len,
			(const char *)option.at);
		buf_init(&flat, BYTES);
		text_flatten(&flat, span_part(says, 0, ANSWER_BYTES));
		t.query = span_str(query);
		t.answer = span_trim(buf_span(&flat));
		one_doc(b, &t);
		buf_done(&flat);
	}
}

/* The line under NAME, which is taken out, says what a page is about. */
static void ask_abstract(struct bench *b, struct span page)
{
	static const char head[] = "NAME\n\n";
	const unsigned char *at = memmem(page.at, page.len < 500 ? page.len : 500, head, 6), *dash;
	struct doc_task t = { .class = CLASS_ABSTRACT };
	struct span line;
	size_t next, from;
	struct buf rest;

	if (at == NULL)
		return;
	from = (size_t)(at - page.at) + 6;
	line = text_line(span_part(page, from, page.len), &next);
	dash = line.len == 0 ? NULL : memmem(line.at, line.len, " - ", 3);
	if (dash == NULL)
		return;
	t.answer = span_of(dash + 3, (size_t)(line.at + line.len - dash - 3));
	buf_init(&rest, BYTES);
	buf_add(&rest, span_part(page, 0, from));
	buf_add(&rest, span_part(page, from + next, page.len));
	t.text = buf_span(&rest);
	one_doc(b, &t);
	buf_done(&rest);
}

static void all_docs(struct bench *b, const struct corpus *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct span text = buf_span(&c->docs[i].text);

		if (c->docs[i].sort != CORPUS_MANUAL || text.len < DOC_BYTES_MIN)
			continue;
		text = span_part(text, 0, text_border(text, DOC_WORDS_MAX));
		ask_options(b, text);
		ask_abstract(b, text);
	}
}

/* --- figures -------------------------------------------------------------------------------------- */

static double mean(const struct cell *cells, size_t stride)
{
	double sum = 0;
	unsigned n = 0;

	for (size_t i = 0; i < SIZES; i++) {
		sum += cells[i * stride].sum;
		n += cells[i * stride].n;
	}
	return n == 0 ? 0 : sum / n;
}

static double of(const struct cell *cell)
{
	return cell->n == 0 ? 0 : cell->sum / cell->n;
}

static unsigned tell_cells(const struct bench *b, unsigned class)
{
	unsigned lost = 0;

	for (size_t size = 0; size < SIZES; size++) {
		const struct cell *row = b->cells[class][size];

		fprintf(stderr, "%-12s %-6s %4u times: ours %.3f", class_name(class),
			class < PLANT_CLASSES ? (size == 0 ? "1,000" : "10,000")
					      : (size == 0 ? "short" : "long"),
			row[OURS].n, of(&row[OURS]));
		for (unsigned base = 0; base < BASELINES; base++) {
			bool less = of(&row[OURS]) < of(&row[base]);

			fprintf(stderr, ", %s %.3f%s", baseline_name((enum baseline)base),
				of(&row[base]), less ? " (LOST)" : "");
			lost += less;
		}
		fprintf(stderr, "\n");
	}
	return lost;
}

static void tell(const struct bench *b)
{
	unsigned lost = 0;

	for (unsigned class = 0; class < CLASSES; class ++)
		lost += tell_cells(b, class);
	for (unsigned class = 0; class < PLANT_CLASSES; class ++)
		fprintf(stderr, "%-12s at 2x %.3f, 3x %.3f, 10x %.3f\n", class_name(class),
			of(&b->other_ratios[class][0]), of(&b->other_ratios[class][1]),
			of(&b->other_ratios[class][2]));
	fprintf(stderr, "digest of all that was kept: %016llx\n", (unsigned long long)b->digest);
	for (unsigned class = 0; class < CLASSES; class ++) {
		const struct cell *cells = b->cells[class][0];

		printf("figure recall5x_%s %.4f part\n", class_name(class),
			mean(&cells[OURS], BASELINES + 1));
		for (unsigned base = 0; base < BASELINES; base++)
			printf("figure %s_recall5x_%s %.4f part\n",
				baseline_name((enum baseline)base), class_name(class),
				mean(&cells[base], BASELINES + 1));
	}
	printf("figure cells_lost %u of_%u\n", lost, (unsigned)(CLASSES * SIZES * BASELINES));
	printf("figure budget_used_min %.4f part\n", b->used_min);
}

int main(int argc, char **argv)
{
	unsigned facts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : FACTS;
	bool dev = argc > 2 && strcmp(argv[2], "dev") == 0;
	struct bench b = { .used_min = 1 };
	struct corpus *corpus = calloc(1, sizeof(*corpus));

	CHECK(corpus != NULL);
	corpus_read(corpus, !dev);
	fprintf(stderr, "%u documents, %zu bytes\n", corpus->n, corpus->all.len);
	if (corpus->all.len < 200000) {
		fprintf(stderr, "too few texts on this machine\n");
		return 1;
	}
	arena_init(&b.arena, (size_t)1 << 30);
	prng_seed(&b.prng, 20261121);
	for (unsigned class = 0; class < PLANT_CLASSES; class ++) {
		for (unsigned i = 0; i < facts * SIZES; i++)
			one_fact(&b, (enum plant_class) class, i % SIZES, i / SIZES,
				buf_span(&corpus->all));
	}
	all_docs(&b, corpus);
	tell(&b);
	arena_done(&b.arena);
	corpus_done(corpus);
	free(corpus);
	return 0;
}
