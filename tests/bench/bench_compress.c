/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_compress [RUNS]: how long text.compress takes to keep a fifth of 1,000 and of 10,000 words for a question, in
 * this process and warm: texts from /usr/share/common-licenses, another part of them in each run. mb_per_s is that of the
 * 10,000 words; rss_kb the most memory that this process had. With valgrind: NAME_instructions, those of one
 * run on a text that is always the same, which no load changes.
 *
 * extract_10k_words_p50_us is text.extract's choice of 20 sentences; scan_10k_words_p50_us only finds and hashes the
 * words and guesses the tokens: the least that a choice could take; crush_SORT_mb_per_s is that of 256 KB of
 * JSON (lossless), of a log and of CSV, nothing left out but what they repeat, and of code and a diff, a fifth kept;
 * crush_SORT_left what is then left of the tokens.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "policy/compress.h"
#include "policy/select.h"
#include "policy/tokens.h"
#include "policy/words.h"
#include "run/clocks.h"
#include "tests/bench/counted.h"
#include "tests/bench/made.h"

#define RUNS 2000
#define FOLDER "/usr/share/common-licenses"
#define MADE_BYTES ((size_t)256 << 10)
#define TEXT_BYTES ((size_t)1 << 20)

static const char query[] =
	"Under which terms may the corresponding source of a modified version be conveyed?";

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_file(struct buf *to, const char *name)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, FOLDER "/%s", name);
	f = fopen(path, "r");
	if (f == NULL)
		return;
	do {
		unsigned char *at = buf_room(to, 65536);

		n = at == NULL ? 0 : fread(at, 1, 65536, f);
		buf_took(to, n);
	} while (n > 0);
	fclose(f);
	buf_byte(to, '\n');
}

/* The plain files in the order of their names; the links among them would say the same again. */
static void read_corpus(struct buf *to)
{
	char *names[256];
	size_t n = 0;
	DIR *d = opendir(FOLDER);
	struct dirent *e;

	while (d != NULL && n < ARRAY_LEN(names) && (e = readdir(d)) != NULL) {
		if (e->d_type == DT_REG)
			names[n++] = strdup(e->d_name);
	}
	if (d != NULL)
		closedir(d);
	qsort(names, n, sizeof names[0], by_name);
	for (size_t i = 0; i < n; i++) {
		read_file(to, names[i]);
		free(names[i]);
	}
}

/* `words` words of the corpus from the line behind `from`; empty if there are not so many. */
static struct span part(struct span corpus, size_t from, unsigned words)
{
	size_t at = from, begin;
	bool inside = false;

	while (at > 0 && at < corpus.len && corpus.at[at - 1] != '\n')
		at++;
	for (begin = at; at < corpus.len; at++) {
		bool blank = corpus.at[at] <= ' ';

		if (blank && inside && --words == 0)
			return span_part(corpus, begin, at - begin);
		inside = !blank;
	}
	return (struct span){ 0 };
}

static uint64_t press(struct arena *scratch, struct buf *out, struct span text)
{
	struct compress_want want = {
		.query = span_str(query),
		.mode = GUARD_EXTRACT,
		.tokens = UINT64_MAX,
		.ratio_milli = 5000,
		.marks = true,
	};
	struct compress_facts facts;

	buf_reset(out);
	CHECK(compress_texts(scratch, &text, 1, &want, out, NULL, &facts, NULL) == 0);
	return facts.tokens_out;
}

/* The best of so many runs. */
static void crush(enum made sort, unsigned runs)
{
	struct compress_want want = {
		.mode = sort == MADE_JSON ? GUARD_LOSSLESS : GUARD_EXTRACT,
		.tokens = UINT64_MAX,
		.ratio_milli = sort == MADE_DIFF || sort == MADE_CODE ? 5000 : 1001,
	};
	struct compress_facts facts;
	int64_t best = INT64_MAX;
	struct arena scratch;
	struct buf text, out;
	struct span doc;

	buf_init(&text, TEXT_BYTES);
	buf_init(&out, TEXT_BYTES);
	arena_init(&scratch, COMPRESS_ARENA_BYTES);
	made_text(sort, MADE_BYTES, &text);
	doc = buf_span(&text);
	for (unsigned i = 0; i < runs; i++) {
		int64_t from = clocks_mono(), took;

		buf_reset(&out);
		CHECK(compress_texts(&scratch, &doc, 1, &want, &out, NULL, &facts, NULL) == 0);
		took = clocks_mono() - from;
		best = took < best ? took : best;
	}
	printf("figure crush_%s_mb_per_s %.1f MB/s\n", made_name(sort),
		(double)doc.len * 1e3 / (double)best);
	printf("figure crush_%s_left %.4f part\n", made_name(sort),
		(double)facts.tokens_out / (double)facts.tokens_in);
	arena_done(&scratch);
	buf_done(&text);
	buf_done(&out);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

struct times {
	int64_t p50_ns, p99_ns;
	double mb_per_s;
};

/* text.extract */
static uint64_t extract(struct arena *scratch, struct buf *out, struct span text)
{
	struct select_want want = {
		.query = span_str(query),
		.sentences_max = 20,
		.bytes_max = 16384,
	};
	struct select_result r;

	arena_reset(scratch);
	buf_reset(out);
	CHECK(select_sentences(scratch, &text, 1, &want, &r) == 0);
	select_emit(out, &r);
	return out->len;
}

/* The least that a choice of sentences has to do with a text: find, hash and count its words, and guess its tokens. */
static uint64_t scan(struct arena *scratch, struct buf *out, struct span text)
{
	struct words words = words_of(text);
	struct form forms[32];
	uint64_t sum = tokens_whole(tokens_of(TOKENS_O200K, text));
	size_t n;

	(void)scratch;
	(void)out;
	do {
		n = words_fill(&words, forms, ARRAY_LEN(forms));
		for (size_t i = 0; i < n; i++)
			sum += forms[i].hash & 1;
	} while (n == ARRAY_LEN(forms));
	return sum;
}

static struct times measure(uint64_t (*run)(struct arena *, struct buf *, struct span),
	struct span corpus, unsigned words, unsigned runs)
{
	int64_t *took = calloc(runs, sizeof *took), sum = 0;
	size_t bytes = 0, step = corpus.len / 61;
	struct arena scratch;
	struct times t;
	struct buf out;

	CHECK(took != NULL);
	arena_init(&scratch, COMPRESS_ARENA_BYTES);
	buf_init(&out, TEXT_BYTES);
	for (unsigned i = 0, at = 0; i < runs; at++) {
		struct span text = part(corpus, at * step % (corpus.len - 1), words);
		int64_t from = clocks_mono();

		if (text.len == 0)
			continue;
		CHECK(run(&scratch, &out, text) > 0);
		took[i] = clocks_mono() - from;
		sum += took[i++];
		bytes += text.len;
	}
	qsort(took, runs, sizeof *took, by_size);
	t.p50_ns = took[runs / 2];
	t.p99_ns = took[runs - 1 - runs / 100];
	t.mb_per_s = (double)bytes * 1e3 / (double)sum;
	fprintf(stderr, "%u words, %zu bytes each, %u runs: best %.1f us\n", words, bytes / runs,
		runs, (double)took[0] / 1e3);
	arena_done(&scratch);
	buf_done(&out);
	free(took);
	return t;
}

static long peak_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	}
	if (f != NULL)
		fclose(f);
	return kb;
}

/* --- what is counted ------------------------------------------------------------------------------ */

static struct buf corpus;

static void once(uint64_t (*run)(struct arena *, struct buf *, struct span), unsigned words)
{
	static struct arena scratch; /* warm from the first call on */
	static struct buf out;
	static struct span text;

	if (text.len == 0) {
		arena_init(&scratch, COMPRESS_ARENA_BYTES);
		buf_init(&out, TEXT_BYTES);
		text = part(buf_span(&corpus), 0, words);
	}
	CHECK(run(&scratch, &out, text) > 0);
}

static void once_10k(void)
{
	once(press, 10000);
}

static void once_1k(void)
{
	once(press, 1000);
}

static void once_extract(void)
{
	once(extract, 10000);
}

static void once_scan(void)
{
	once(scan, 10000);
}

static const struct counted counted[] = {
	{ "compress_10k_words", once_10k },
	{ "compress_1k_words", once_1k },
	{ "extract_10k_words", once_extract },
	{ "scan_10k_words", once_scan },
};

int main(int argc, char **argv)
{
	unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RUNS;
	struct times one, ten, picked, least;

	buf_init(&corpus, 4 * TEXT_BYTES);
	read_corpus(&corpus);
	if (corpus.len < 100000) {
		fprintf(stderr, "too few texts in " FOLDER "\n");
		return 1;
	}
	if (counted_child(counted, ARRAY_LEN(counted), argc, argv))
		return 0;
	runs = runs < 100 ? 100 : runs;
	one = measure(press, buf_span(&corpus), 1000, runs);
	ten = measure(press, buf_span(&corpus), 10000, runs);
	picked = measure(extract, buf_span(&corpus), 10000, runs);
	least = measure(scan, buf_span(&corpus), 10000, runs);
	printf("figure compress_10k_words_p50_us %.1f us\n", (double)ten.p50_ns / 1e3);
	printf("figure compress_10k_words_p99_us %.1f us\n", (double)ten.p99_ns / 1e3);
	printf("figure compress_1k_words_p50_us %.1f us\n", (double)one.p50_ns / 1e3);
	printf("figure mb_per_s %.1f MB/s\n", ten.mb_per_s);
	printf("figure rss_kb %ld KB\n", peak_kb());
	printf("figure extract_10k_words_p50_us %.1f us\n", (double)picked.p50_ns / 1e3);
	printf("figure scan_10k_words_p50_us %.1f us\n", (double)least.p50_ns / 1e3);
	for (unsigned sort = 0; sort < MADE_SORTS; sort++)
		crush((enum made)sort, runs / 20 + 1);
	counted_print(counted, ARRAY_LEN(counted), argv[0]);
	buf_done(&corpus);
	return 0;
}
