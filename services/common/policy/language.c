/* SPDX-License-Identifier: Apache-2.0
 *
 * language: scripts by ranges of code points; a profile is how often each trigram of letters is in a sample, and
 * the most probable language is the one under which the text's trigrams are the least surprising.
 */
#include "policy/language.h"

#include "base/utf8.h"
#include "policy/fixlog.h"

#include "base/pure.h"

/* clang-format off */
static const struct {
	const char *code;
	const char *sample;
} samples[] = {
#define LANGUAGE(code, sample) { code, sample },
#include "policy/language.def"
#undef LANGUAGE
};
/* clang-format on */
#define LANGUAGES (sizeof(samples) / sizeof(samples[0]))

enum script {
	SCRIPT_NONE,
	SCRIPT_LATIN,
	SCRIPT_CYRILLIC,
	SCRIPT_GREEK,
	SCRIPT_HEBREW,
	SCRIPT_ARABIC,
	SCRIPT_DEVANAGARI,
	SCRIPT_THAI,
	SCRIPT_HANGUL,
	SCRIPT_KANA,
	SCRIPT_HAN,
	SCRIPT_OTHER,
	SCRIPTS
};

/* With the language that alone is written in it, of those that are common. */
static const struct {
	const char *name;
	const char *code;
} scripts[] = {
	[SCRIPT_NONE] = { "none", NULL },
	[SCRIPT_LATIN] = { "latin", NULL },
	[SCRIPT_CYRILLIC] = { "cyrillic", NULL },
	[SCRIPT_GREEK] = { "greek", "el" },
	[SCRIPT_HEBREW] = { "hebrew", "he" },
	[SCRIPT_ARABIC] = { "arabic", NULL },
	[SCRIPT_DEVANAGARI] = { "devanagari", NULL },
	[SCRIPT_THAI] = { "thai", "th" },
	[SCRIPT_HANGUL] = { "hangul", "ko" },
	[SCRIPT_KANA] = { "kana", "ja" },
	[SCRIPT_HAN] = { "han", "zh" },
	[SCRIPT_OTHER] = { "other", NULL },
};

/* In order; between them there are signs, or letters of other scripts above the first gap. */
static const struct {
	uint32_t first, last;
	enum script script;
} ranges[] = {
	{ 'A', 'Z', SCRIPT_LATIN },
	{ 'a', 'z', SCRIPT_LATIN },
	{ 0xC0, 0xD6, SCRIPT_LATIN },
	{ 0xD8, 0xF6, SCRIPT_LATIN },
	{ 0xF8, 0x24F, SCRIPT_LATIN },
	{ 0x370, 0x3FF, SCRIPT_GREEK },
	{ 0x400, 0x52F, SCRIPT_CYRILLIC },
	{ 0x531, 0x58F, SCRIPT_OTHER },
	{ 0x5D0, 0x5EA, SCRIPT_HEBREW },
	{ 0x620, 0x64A, SCRIPT_ARABIC },
	{ 0x66E, 0x6D3, SCRIPT_ARABIC },
	{ 0x904, 0x963, SCRIPT_DEVANAGARI },
	{ 0x980, 0xDFF, SCRIPT_OTHER },
	{ 0xE01, 0xE4E, SCRIPT_THAI },
	{ 0xE80, 0x1CFF, SCRIPT_OTHER },
	{ 0x1E00, 0x1EFF, SCRIPT_LATIN },
	{ 0x1F00, 0x1FFF, SCRIPT_GREEK },
	{ 0x3041, 0x30FF, SCRIPT_KANA },
	{ 0x3400, 0x9FFF, SCRIPT_HAN },
	{ 0xA000, 0xABFF, SCRIPT_OTHER },
	{ 0xAC00, 0xD7A3, SCRIPT_HANGUL },
	{ 0xF900, 0xFAFF, SCRIPT_HAN },
	{ 0x20000, 0x3FFFF, SCRIPT_HAN },
};

static enum script script_of(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges) && c >= ranges[i].first; i++) {
		if (c <= ranges[i].last)
			return ranges[i].script;
	}
	return SCRIPT_NONE;
}

/* Lower case of what the samples are written in. */
static uint32_t lower(uint32_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE) || (c >= 0x410 && c <= 0x42F))
		return c + 32;
	if (c >= 0x400 && c <= 0x40F)
		return c + 80;
	if (c >= 0x100 && c <= 0x17F && c != 0x131 && c != 0x138 && c != 0x149)
		return (c >= 0x139 && c <= 0x148) || c >= 0x179 ? c + (c & 1) : c | 1;
	return c;
}

/* The next character of *s; what is none counts as a gap. 0 at the end. */
static uint32_t next_character(struct span *s)
{
	static const unsigned char first_bits[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	int n = utf8_step(*s);
	uint32_t c;

	if (n == 0)
		return 0;
	if (n < 0) {
		*s = span_part(*s, (size_t)-n, s->len);
		return ' ';
	}
	c = s->at[0] & first_bits[n];
	for (int i = 1; i < n; i++)
		c = c << 6 | (s->at[i] & 0x3F);
	*s = span_part(*s, (size_t)n, s->len);
	return c == 0 ? ' ' : c;
}

/* Trigrams of letters; a gap between words counts as one letter. */
struct trigrams {
	struct span rest;
	uint32_t last[2];
	enum script script; /* of the last letter */
};

static struct trigrams trigrams_of(struct span text)
{
	return (struct trigrams){ .rest = text, .last = { ' ', ' ' } };
}

/* 0 at the end. */
static uint64_t next_trigram(struct trigrams *t)
{
	for (;;) {
		uint32_t c = next_character(&t->rest);
		uint64_t all;

		if (c == 0)
			return 0;
		t->script = script_of(c);
		c = t->script == SCRIPT_NONE ? ' ' : lower(c);
		if (c == ' ' && t->last[1] == ' ')
			continue;
		all = (uint64_t)t->last[0] << 42 | (uint64_t)t->last[1] << 21 | c;
		t->last[0] = t->last[1];
		t->last[1] = c;
		if (all >> 42 == ' ' && (all >> 21 & 0x1FFFFF) == ' ')
			continue; /* the first letter of all */
		return all;
	}
}

#define TABLE_ROWS 32768u /* the samples have about 8,000 different ones */

struct row {
	uint64_t trigram; /* 0: free */
	uint16_t counts[LANGUAGES];
};

struct language_profiles {
	struct row rows[TABLE_ROWS];
	uint32_t all[LANGUAGES];
	uint32_t rows_n;
};

/* Where it is, or belongs. */
static uint32_t row_of(const struct language_profiles *p, uint64_t trigram)
{
	uint64_t hash = trigram * UINT64_C(0x9E3779B97F4A7C15);
	uint32_t at = (uint32_t)(hash >> 40) % TABLE_ROWS;

	while (p->rows[at].trigram != 0 && p->rows[at].trigram != trigram)
		at = (at + 1) % TABLE_ROWS;
	return at;
}

static void read_samples(struct language_profiles *p)
{
	for (size_t i = 0; i < LANGUAGES; i++) {
		struct trigrams t = trigrams_of(span_str(samples[i].sample));
		uint64_t trigram;

		while ((trigram = next_trigram(&t)) != 0) {
			struct row *row = &p->rows[row_of(p, trigram)];

			p->rows_n += row->trigram == 0;
			row->trigram = trigram;
			row->counts[i]++;
			p->all[i]++;
		}
	}
	CHECK(p->rows_n < TABLE_ROWS / 2);
}

/* What the text says about each language. */
struct verdict {
	int64_t bits[LANGUAGES];   /* log2 of its probability, in 1/256; below 0 */
	uint32_t known[LANGUAGES]; /* trigrams that its sample has */
	uint32_t trigrams;
	uint32_t letters[SCRIPTS];
};

static void read_text(const struct language_profiles *p, struct span text, struct verdict *v)
{
	struct trigrams t = trigrams_of(text);
	uint64_t trigram;

	while ((trigram = next_trigram(&t)) != 0) {
		const struct row *row = &p->rows[row_of(p, trigram)];

		v->letters[t.script]++;
		if (t.script != SCRIPT_LATIN && t.script != SCRIPT_CYRILLIC &&
			t.script != SCRIPT_NONE)
			continue;
		v->trigrams++;
		for (size_t i = 0; i < LANGUAGES; i++) {
			uint32_t count = row->trigram == 0 ? 0 : row->counts[i];

			v->known[i] += count > 0;
			v->bits[i] += (int64_t)log2_256(8 * (uint64_t)count + 1) -
				      (int64_t)log2_256(8 * (uint64_t)p->all[i] + p->rows_n);
		}
	}
}

/* Found by trying the samples' languages, and others that are in none, on texts of different length
 * (tests/unit/test_language.c). */
#define KNOWN_PERMILLE_MIN 500 /* of the text's trigrams, in the sample */
#define LEAD_MIN 80            /* before the next one, in 1/256 bit for each trigram */
#define LEAD_SURE 512          /* that is as good as certain */

static void judge(const struct verdict *v, struct language *ret)
{
	size_t best = 0;
	int64_t next = INT64_MIN, lead;

	for (size_t i = 1; i < LANGUAGES; i++) {
		if (v->bits[i] > v->bits[best])
			best = i;
	}
	for (size_t i = 0; i < LANGUAGES; i++) {
		if (i != best && v->bits[i] > next)
			next = v->bits[i];
	}
	if (v->trigrams < LANGUAGE_LETTERS_MIN)
		return;
	lead = (v->bits[best] - next) / (int64_t)v->trigrams;
	if (lead < LEAD_MIN ||
		(uint64_t)v->known[best] * 1000 < (uint64_t)v->trigrams * KNOWN_PERMILLE_MIN)
		return;
	ret->code = samples[best].code;
	ret->sure_permille = (uint32_t)(lead >= LEAD_SURE ? 1000 : lead * 1000 / LEAD_SURE);
}

static enum script main_script(const struct verdict *v)
{
	enum script best = SCRIPT_LATIN;

	for (enum script s = SCRIPT_LATIN; s < SCRIPTS; s++) {
		if (v->letters[s] > v->letters[best])
			best = s;
	}
	if (best == SCRIPT_HAN && v->letters[SCRIPT_KANA] * 10 > v->letters[SCRIPT_HAN])
		best = SCRIPT_KANA; /* Japanese has many Chinese characters; Chinese has no kana */
	return v->letters[best] == 0 ? SCRIPT_NONE : best;
}

struct language_profiles *language_profiles_new(struct arena *a)
{
	struct language_profiles *p = arena_alloc(a, sizeof(*p));

	if (p != NULL)
		read_samples(p);
	return p;
}

struct language language_of(const struct language_profiles *p, struct span text)
{
	struct language ret = { .code = "unknown" };
	struct verdict v = { 0 };
	enum script script;

	read_text(p, span_part(text, 0, LANGUAGE_READ_BYTES), &v);
	script = main_script(&v);
	ret.script = scripts[script].name;
	for (enum script s = SCRIPT_LATIN; s < SCRIPTS; s++)
		ret.letters += v.letters[s];
	/* several scripts of similar weight are several languages */
	if (v.letters[script] * 10 < ret.letters * 6 && script != SCRIPT_KANA)
		return ret;
	if (scripts[script].code != NULL && ret.letters >= LANGUAGE_LETTERS_MIN / 2) {
		ret.code = scripts[script].code;
		ret.sure_permille = 1000;
	} else if (script == SCRIPT_LATIN || script == SCRIPT_CYRILLIC) {
		judge(&v, &ret);
	}
	return ret;
}

const char *language_at(unsigned i)
{
	for (size_t k = 0; k < LANGUAGES; k++) {
		if (i-- == 0)
			return samples[k].code;
	}
	for (size_t k = 0; k < ARRAY_LEN(scripts); k++) {
		if (scripts[k].code != NULL && i-- == 0)
			return scripts[k].code;
	}
	return NULL;
}
