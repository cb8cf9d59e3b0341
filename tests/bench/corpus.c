/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus: names first, sorted by hash; then the first of them as text.
 */
#include "tests/bench/corpus.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"

#define DOC_BYTES ((size_t)400 << 10)
#define DOC_MIN 2000u
#define NAMES_MAX 60000u

struct name {
	char *path;
	uint64_t hash;
};

struct names {
	struct name *at;
	size_t n;
};

static bool ends(const char *name, const char *with)
{
	size_t n = strlen(name), end = strlen(with);

	return n >= end && strcmp(name + n - end, with) == 0;
}

/* Is a file of such a name in prose? */
static bool is_wanted(const char *base, enum corpus_sort sort)
{
	if (sort == CORPUS_MANUAL)
		return ends(base, ".gz");
	return sort == CORPUS_LICENCE || strncmp(base, "README", 6) == 0 ||
	       strncmp(base, "NEWS", 4) == 0 || strcmp(base, "copyright") == 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : strcmp(x->path, y->path);
}

static void read_names(struct names *names, const char *folder, enum corpus_sort sort)
{
	char path[256];
	char *const paths[] = { path, NULL };
	FTSENT *e;
	FTS *f;

	snprintf(path, sizeof path, "%s", folder);
	f = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (f != NULL && names->n < NAMES_MAX && (e = fts_read(f)) != NULL) {
		if (e->fts_info == FTS_F && is_wanted(e->fts_name, sort))
			names->at[names->n++] = (struct name){ strdup(e->fts_path),
				span_hash(span_str(e->fts_path), 0) };
	}
	if (f != NULL)
		fts_close(f);
	qsort(names->at, names->n, sizeof(names->at[0]), by_hash);
}

/* --- manual pages --------------------------------------------------------------------------------- */

/* A line of text: \fB and the like away, \- and \(xx as signs. */
static void put_roff(struct buf *to, struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = line.at[i], next = i + 1 < line.len ? line.at[i + 1] : 0;

		if (c != '\\') {
			buf_byte(to, c);
			continue;
		}
		i++;
		if (next == 'f' && i + 1 < line.len)
			i += line.at[i + 1] == '(' ? 3 : line.at[i + 1] == '[' ? 0 : 1;
		else if (next == '(' || next == '*')
			i += next == '*' && i + 1 < line.len && line.at[i + 1] != '(' ? 1 : 2;
		else if (next == '-' || next == 'e' || next == '\\')
			buf_byte(to, next == '-' ? '-' : '\\');
		else if (next == ' ' || next == '~' || next == '0')
			buf_byte(to, ' ');
		else if (next == '"')
			return;
	}
}

static void put_words(struct buf *to, struct span words)
{
	struct buf plain;

	buf_init(&plain, DOC_BYTES);
	put_roff(&plain, words);
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.at[i] != '"')
			buf_byte(to, plain.at[i]);
	}
	buf_done(&plain);
}

static bool is_any(struct span word, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (span_is(word, *words))
			return true;
	}
	return false;
}

/* A line that begins with a dot. */
static void put_request(struct buf *to, struct span line)
{
	static const char *const headings[] = { ".SH", ".SS", ".Sh", ".Ss", NULL };
	static const char *const breaks[] = { ".TP", ".PP", ".P", ".LP", ".IP", ".Pp", ".It",
		NULL };
	static const char *const fonts[] = { ".B", ".I", ".BR", ".IR", ".RB", ".RI", ".BI", ".IB",
		NULL };
	struct span request = span_cut(&line, ' ');

	if (is_any(request, headings)) {
		buf_str(to, "\n\n");
		put_words(to, line);
		buf_str(to, "\n\n");
	} else if (is_any(request, breaks)) {
		buf_str(to, "\n\n");
		if (span_is(request, ".IP"))
			put_words(to, span_cut(&line, ' '));
	} else if (is_any(request, fonts)) {
		put_words(to, line);
		buf_byte(to, '\n');
	}
}

static void put_manual(struct buf *to, struct span roff)
{
	while (roff.len > 0) {
		struct span line = span_cut(&roff, '\n');

		if (line.len > 0 && (line.at[0] == '.' || line.at[0] == '\''))
			put_request(to, line);
		else if (line.len > 0) {
			put_roff(to, line);
			buf_byte(to, '\n');
		}
	}
}

/* --- files ---------------------------------------------------------------------------------------- */

static void read_file(const char *path, struct buf *to)
{
	gzFile f = gzopen(path, "r");
	int n = 1;

	while (f != NULL && n > 0 && to->len < DOC_BYTES) {
		unsigned char *at = buf_room(to, 65536);

		n = at == NULL ? 0 : gzread(f, at, 65536);
		buf_took(to, n > 0 ? (size_t)n : 0);
	}
	if (f != NULL)
		gzclose(f);
}

static bool is_english(struct span text)
{
	unsigned the = 0, words = 0;

	for (size_t i = 0; i + 5 < text.len; i++) {
		words += text.at[i] == ' ';
		the += memcmp(text.at + i, " the ", 5) == 0;
	}
	return the * 100 > words && memchr(text.at, 0, text.len) == NULL;
}

static void add_doc(struct corpus *c, const char *path, enum corpus_sort sort)
{
	struct corpus_doc *doc = &c->docs[c->n];
	struct buf raw;

	buf_init(&raw, 2 * DOC_BYTES);
	buf_init(&doc->text, 2 * DOC_BYTES);
	read_file(path, &raw);
	if (sort == CORPUS_MANUAL)
		put_manual(&doc->text, buf_span(&raw));
	else
		buf_add(&doc->text, buf_span(&raw));
	buf_done(&raw);
	if (doc->text.len < DOC_MIN || !is_english(buf_span(&doc->text))) {
		buf_done(&doc->text);
		return;
	}
	doc->path = strdup(path);
	doc->sort = sort;
	c->n++;
	buf_add(&c->all, buf_span(&doc->text));
	buf_byte(&c->all, '\n');
}

static void add_folder(struct corpus *c, const char *folder, enum corpus_sort sort, bool held_out,
	unsigned most)
{
	struct names names = { .at = calloc(NAMES_MAX, sizeof(struct name)) };
	unsigned before = c->n;

	CHECK(names.at != NULL);
	read_names(&names, folder, sort);
	for (size_t i = 0; i < names.n; i++) {
		if (c->n < CORPUS_DOCS && c->n - before < most &&
			(names.at[i].hash % 2 == 0) == held_out)
			add_doc(c, names.at[i].path, sort);
		free(names.at[i].path);
	}
	free(names.at);
}

void corpus_read(struct corpus *c, bool held_out)
{
	static const char *const sections[] = { "man1", "man5", "man7", "man8" };
	char folder[64];

	*c = (struct corpus){ .n = 0 };
	buf_init(&c->all, 2 * DOC_BYTES * CORPUS_DOCS);
	add_folder(c, "/usr/share/common-licenses", CORPUS_LICENCE, held_out, 20);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		snprintf(folder, sizeof folder, "/usr/share/man/%s", sections[i]);
		add_folder(c, folder, CORPUS_MANUAL, held_out, 60);
	}
	add_folder(c, "/usr/share/doc", CORPUS_PACKAGE, held_out, 100);
}

void corpus_done(struct corpus *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		free(c->docs[i].path);
		buf_done(&c->docs[i].text);
	}
	buf_done(&c->all);
}
