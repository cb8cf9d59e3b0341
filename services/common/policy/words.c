/* SPDX-License-Identifier: Apache-2.0
 *
 * words: classes of characters by their first bytes.
 */
#include "policy/words.h"

#include "base/check.h"
#include "base/utf8.h"
#include "policy/letters.h"

#include "base/pure.h"

enum byte_kind { BYTE_GAP, BYTE_LETTER, BYTE_WIDE };

/* What a byte says by itself. */
/* clang-format off */
static const unsigned char byte_kinds[256] = {
	['0' ... '9'] = BYTE_LETTER, ['A' ... 'Z'] = BYTE_LETTER, ['_'] = BYTE_LETTER,
	['a' ... 'z'] = BYTE_LETTER, [0x80 ... 0xFF] = BYTE_WIDE,
};

/* Ranges of characters of three bytes that are not as their neighbours: by the number that the bytes make, so
 * that the last one counts, too. */
enum class {
	CLASS_GAP,    /* between words */
	CLASS_LETTER, /* of a word that goes on */
	CLASS_PAIR,   /* of a script without spaces */
};
static const struct range {
	unsigned first, last;
	enum class class;
} ranges[] = {
	{ 0xE0A5A4, 0xE0A5A5, CLASS_GAP },    /* danda, double danda */
	{ 0xE0B880, 0xE0BBBF, CLASS_PAIR },   /* Thai, Lao */
	{ 0xE18080, 0xE1829F, CLASS_PAIR },   /* Burmese */
	{ 0xE18DA0, 0xE18DA8, CLASS_GAP },    /* Ethiopic punctuation */
	{ 0xE19E80, 0xE19F93, CLASS_PAIR },   /* Khmer */
	{ 0xE19F94, 0xE19F9A, CLASS_GAP },
	{ 0xE28080, 0xE2AFBF, CLASS_GAP },    /* punctuation, symbols, arrows, shapes */
	{ 0xE2B880, 0xE38084, CLASS_GAP },    /* more punctuation, radicals, that of CJK */
	{ 0xE38085, 0xE38087, CLASS_PAIR },   /* signs that stand for characters */
	{ 0xE38088, 0xE380BF, CLASS_GAP },
	{ 0xE38180, 0xEDBFBF, CLASS_PAIR },   /* kana, ideographs, Hangul */
	{ 0xEE8080, 0xEFA3BF, CLASS_GAP },    /* private use */
	{ 0xEFA480, 0xEFABBF, CLASS_PAIR },
	{ 0xEFB880, 0xEFBC8F, CLASS_GAP },
	{ 0xEFBC90, 0xEFBC99, CLASS_PAIR },   /* full-width digits and letters */
	{ 0xEFBC9A, 0xEFBCA0, CLASS_GAP },
	{ 0xEFBCA1, 0xEFBCBA, CLASS_PAIR },
	{ 0xEFBCBB, 0xEFBD80, CLASS_GAP },
	{ 0xEFBD81, 0xEFBD9A, CLASS_PAIR },
	{ 0xEFBD9B, 0xEFBDA5, CLASS_GAP },
	{ 0xEFBDA6, 0xEFBE9F, CLASS_PAIR },   /* half-width kana */
	{ 0xEFBFA0, 0xEFBFBF, CLASS_GAP },
};
/* clang-format on */

static int order_of(const void *key, const void *row)
{
	unsigned c = *(const unsigned *)key;
	const struct range *range = row;

	return c < range->first ? -1 : c > range->last;
}

/* The class of a character of n > 1 bytes. */
static enum class class_of_wide(const unsigned char *c, int n) {
	unsigned bytes; const struct range * range;

	if (n == 2){ if (c[0] == 0xC2) /* U+0080-00BF: signs, but for three */
					     return c[1] == 0xAA ||
				     c[1] == 0xB5 || c[1] == 0xBA
			     ? CLASS_LETTER
			     : CLASS_GAP;
		     /* Arabic comma, semicolon, question mark, full stop; the Armenian one */
		     bytes = (unsigned)c[0] << 8 | c[1];
		     return bytes == 0xD88C || bytes == 0xD89B || bytes == 0xD89F ||
					    bytes == 0xDB94 || bytes == 0xD689
				    ? CLASS_GAP
				    : CLASS_LETTER; }
if (n == 4) return CLASS_PAIR;
bytes = (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2];
range = bsearch(&bytes, ranges, ARRAY_LEN(ranges), sizeof(ranges[0]), order_of);
return range == NULL ? CLASS_LETTER : range->class;
}

/* The class and length of what stands at the start of s. */
static enum class class_at(struct span s, size_t *ret_len) {
	int n;

	*ret_len = 1;
	if (s.at[0] < 0x80) return byte_kinds[s.at[0]] == BYTE_LETTER ? CLASS_LETTER : CLASS_GAP;
	n = utf8_step(s);
	*ret_len = (size_t)abs(n);
	return n < 0 ? CLASS_GAP : class_of_wide(s.at, n);
}

/* The end of the word at the start of s. */
static size_t word_end(struct span s, bool *ret_ascii)
{
	size_t len = letters_end(s, 0), n;

	for (*ret_ascii = true;; *ret_ascii = false, len += n) {
		while (len < s.len && byte_kinds[s.at[len]] == BYTE_LETTER)
			len++;
		if (len == s.len || byte_kinds[s.at[len]] == BYTE_GAP ||
			class_at(span_part(s, len, s.len), &n) != CLASS_LETTER)
			return len;
	}
}

/* "'s", "n't" and the like belong to no word; s.at[len] is the apostrophe, and something follows. */
static size_t skip_apostrophe(struct span s, size_t len)
{
	size_t end = len + 1;

	if (byte_kinds[s.at[len + 1]] != BYTE_LETTER)
		return len;
	while (end < s.len && end < len + 3 && byte_kinds[s.at[end]] == BYTE_LETTER)
		end++;
	return end < s.len && byte_kinds[s.at[end]] == BYTE_LETTER ? len : end;
}

/* A character of a script without spaces: it gives the pair with the one before, or itself if it is the
 * first of its run and the last one, too. */
static bool take_pair(struct words *w, size_t n, struct form *ret)
{
	struct span here = span_part(w->rest, 0, n), next = span_part(w->rest, n, w->rest.len);
	size_t after;
	bool goes_on = next.len > 0 && class_at(next, &after) == CLASS_PAIR;
	struct span text = w->last.len > 0 ? span_of(w->last.at, w->last.len + n) : here;
	bool give = w->last.len > 0 || !goes_on;

	w->last = goes_on ? here : (struct span){ 0 };
	w->rest = next;
	if (give)
		*ret = (struct form){ .text = text, .hash = span_hash(text, 0) };
	return give;
}

static void skip_gap(struct words *w)
{
	size_t n = 0;

	while (n < w->rest.len && byte_kinds[w->rest.at[n]] == BYTE_GAP)
		n++;
	w->rest = span_of(w->rest.at + n, w->rest.len - n);
}

bool words_next_form(struct words *w, struct form *ret)
{
	for (skip_gap(w); w->rest.len > 0; skip_gap(w)) {
		size_t n, len;
		enum class class = class_at(w->rest, &n);

		if (class == CLASS_PAIR) {
			if (take_pair(w, n, ret))
				return true;
			continue;
		}
		if (class == CLASS_GAP) {
			w->rest = span_of(w->rest.at + n, w->rest.len - n);
			continue;
		}
		len = word_end(w->rest, &ret->ascii);
		ret->text = span_of(w->rest.at, len);
		ret->hash = span_hash(ret->text, 0);
		if (len + 1 < w->rest.len && w->rest.at[len] == '\'')
			len = skip_apostrophe(w->rest, len);
		w->rest = span_of(w->rest.at + len, w->rest.len - len);
		return true;
	}
	return false;
}

struct word words_judge(const struct form *form, char room[STEM_BYTES], struct span *ret_stem)
{
	struct word word = { .text = form->text };
	size_t len = form->text.len;

	*ret_stem = form->text;
	if (len <= STEM_BYTES) {
		stem_fold(form->text, room);
		word.is_stop = form->ascii && stem_is_stop(room, len);
		if (form->ascii && !word.is_stop)
			len = stem_cut(room, len);
		*ret_stem = span_of(room, word.is_stop ? 0 : len);
	}
	if (!word.is_stop)
		word.hash = span_hash(*ret_stem, 0);
	return word;
}

bool words_next(struct words *w, struct word *ret)
{
	char room[STEM_BYTES];
	struct span stem;
	struct form form;

	if (!words_next_form(w, &form))
		return false;
	*ret = words_judge(&form, room, &stem);
	return true;
}
