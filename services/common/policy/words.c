/* SPDX-License-Identifier: Apache-2.0
 *
 * words: classes of characters by their first bytes.
 */
#include "policy/words.h"

#include "base/check.h"
#include "base/utf8.h"
#include "policy/scan.h"

#include "base/pure.h"

#define SCAN_SPECIAL(bytes) (SCAN_WIDE(bytes) | scan_is(bytes, '\''))

enum byte_kind { BYTE_GAP, BYTE_LETTER, BYTE_WIDE };

/* What a byte says by itself. */
/* clang-format off */
static const unsigned char byte_kinds[256] = {
	['0' ... '9'] = BYTE_LETTER, ['A' ... 'Z'] = BYTE_LETTER, ['_'] = BYTE_LETTER,
	['a' ... 'z'] = BYTE_LETTER, [0x80 ... 0xFF] = BYTE_WIDE,
};

/* Ranges of characters of three bytes that are not as their neighbours: by the number that the bytes make, so
 * that the last one counts, too. */
enum class_of {
	CLASS_GAP,    /* between words */
	CLASS_LETTER, /* of a word that goes on */
	CLASS_PAIR,   /* of a script without spaces */
};
static const struct range {
	unsigned first, last;
	enum class_of class;
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

/* Of a character of two bytes. */
static enum class_of class_of_two(const unsigned char *c)
{
	unsigned bytes = (unsigned)c[0] << 8 | c[1];

	if (c[0] == 0xC2) /* U+0080-00BF: signs, but for three */
		return c[1] == 0xAA || c[1] == 0xB5 || c[1] == 0xBA ? CLASS_LETTER : CLASS_GAP;
	/* Arabic comma, semicolon, question mark, full stop; the Armenian one */
	return bytes == 0xD88C || bytes == 0xD89B || bytes == 0xD89F || bytes == 0xDB94 ||
			       bytes == 0xD689
		       ? CLASS_GAP
		       : CLASS_LETTER;
}

/* Of a character of n > 1 bytes. */
static enum class_of class_of_wide(const unsigned char *c, int n)
{
	const struct range *range;
	unsigned bytes;

	if (n == 2)
		return class_of_two(c);
	if (n == 4)
		return CLASS_PAIR;
	bytes = (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2];
	range = bsearch(&bytes, ranges, ARRAY_LEN(ranges), sizeof(ranges[0]), order_of);
	return range == NULL ? CLASS_LETTER : range->class;
}

/* The class and length of what stands at the start of s. */
static enum class_of class_at(struct span s, size_t *ret_len)
{
	int n;

	*ret_len = 1;
	if (s.at[0] < 0x80)
		return byte_kinds[s.at[0]] == BYTE_LETTER ? CLASS_LETTER : CLASS_GAP;
	n = utf8_step(s);
	*ret_len = (size_t)abs(n);
	return n < 0 ? CLASS_GAP : class_of_wide(s.at, n);
}

/* The end of the word at the start of s. */
static size_t word_end(struct span s, bool *ret_ascii)
{
	size_t len = 0, n;

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

/* --- hashes --------------------------------------------------------------------------------------- */

#define SHORT_BYTES 16u /* most words have no more */
#define FIRST(n) ((n) < 8 ? (UINT64_C(1) << 8 * ((n) % 8)) - 1 : UINT64_MAX)
#define KEEP(n)                                                                                    \
	{                                                                                          \
		FIRST(n), (n) < 8 ? 0 : FIRST((n)-8)                                               \
	}

/* The first bytes of a word, and zeros: as two numbers, without a branch for its length, which cannot be predicted. */
static inline uint64_t hash_short(const unsigned char bytes[SHORT_BYTES], size_t len)
{
	static const uint64_t keep[SHORT_BYTES + 1][2] = { KEEP(0), KEEP(1), KEEP(2), KEEP(3),
		KEEP(4), KEEP(5), KEEP(6), KEEP(7), KEEP(8), KEEP(9), KEEP(10), KEEP(11), KEEP(12),
		KEEP(13), KEEP(14), KEEP(15), KEEP(16) };
	unsigned __int128 product;
	uint64_t low, high;

	memcpy(&low, bytes, sizeof(low));
	memcpy(&high, bytes + sizeof(low), sizeof(high));
	low = le64toh(low) & keep[len][0];
	high = le64toh(high) & keep[len][1];
	/* Folded as by span_hash, with wyhash's numbers; no word has their bytes, so no factor is zero. */
	product = (unsigned __int128)(low ^ UINT64_C(0xe7037ed1a0b428db)) *
		  (high ^ len ^ UINT64_C(0x8ebc6af09c88c6e3));
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of what is long or at a text's end. */
static __attribute__((noinline)) uint64_t hash_other(struct span word)
{
	unsigned char bytes[SHORT_BYTES] = { 0 };

	if (word.len > SHORT_BYTES)
		return span_hash(word, 0);
	memcpy(bytes, word.at, word.len);
	return hash_short(bytes, word.len);
}

/* The same bytes have the same form, wherever they stand. */
static inline struct form form_at(struct span s, size_t at, size_t len, bool ascii)
{
	bool quick = len <= SHORT_BYTES && s.len - at >= SHORT_BYTES;
	struct span text = span_of(s.at + at, len);

	return (struct form){
		.hash = quick ? hash_short(text.at, len) : hash_other(text),
		.text = text,
		.ascii = ascii,
	};
}

/* --- words ---------------------------------------------------------------------------------------- */

/* A character of a script without spaces: it gives the pair with the one before, or itself if it is the
 * first of its run and the last one, too. */
static bool take_pair(struct words *w, size_t n, struct form *ret)
{
	struct span here = span_part(w->text, w->at, n),
		    next = span_part(w->text, w->at + n, w->text.len);
	size_t after;
	bool goes_on = next.len > 0 && class_at(next, &after) == CLASS_PAIR;
	struct span text = w->last.len > 0 ? span_of(w->last.at, w->last.len + n) : here;
	bool give = w->last.len > 0 || !goes_on;

	w->last = goes_on ? here : (struct span){ 0 };
	w->at += n;
	if (give)
		*ret = form_at(w->text, (size_t)(text.at - w->text.at), text.len, false);
	return give;
}

static void look(struct words *w)
{
	struct scan_block block;

	scan_open(&block, w->text, w->at);
	w->narrow = SCAN(&block, scan_word);
	w->special = SCAN(&block, SCAN_SPECIAL);
	w->from = w->at;
	w->to = w->at + block.n;
}

/* Words that end where the sets show it, up to the first special byte: most. */
static size_t take_plain(struct words *w, struct form *forms, size_t most)
{
	uint64_t unread = UINT64_MAX << (w->at - w->from), narrow = w->narrow & unread,
		 special = w->special & unread, starts = narrow & ~(narrow << 1),
		 ends = narrow << 1 & ~narrow & ((special & -special) - 1);
	struct span text = w->text;
	size_t n = 0, from = w->from, end = 0;

	for (; ends != 0 && n < most; n++) {
		size_t start = (unsigned)__builtin_ctzll(starts);

		end = (unsigned)__builtin_ctzll(ends);
		starts &= starts - 1;
		ends &= ends - 1;
		forms[n] = form_at(text, from + start, end - start, true);
	}
	if (n > 0)
		w->at = from + end;
	return n;
}

/* What begins at w->at by its characters; false: it was no word. */
static bool take_special(struct words *w, struct form *ret)
{
	struct span rest = span_part(w->text, w->at, w->text.len);
	size_t n, len;
	enum class_of class = class_at(rest, &n);
	bool ascii;

	if (class == CLASS_PAIR)
		return take_pair(w, n, ret);
	if (class == CLASS_GAP) {
		w->at += n;
		return false;
	}
	len = word_end(rest, &ascii);
	*ret = form_at(w->text, w->at, len, ascii);
	if (len + 1 < rest.len && rest.at[len] == '\'')
		len = skip_apostrophe(rest, len);
	w->at += len;
	return true;
}

size_t words_fill(struct words *w, struct form *forms, size_t most)
{
	size_t n = 0;

	while (n < most && w->at < w->text.len) {
		uint64_t left;

		if (w->at >= w->to)
			look(w);
		n += take_plain(w, forms + n, most - n);
		left = w->at < w->to ? (w->narrow | w->special) >> (w->at - w->from) : 0;
		if (left == 0) {
			w->at = w->at > w->to ? w->at : w->to;
			continue;
		}
		if (n == most)
			break;
		w->at += (unsigned)__builtin_ctzll(left);
		/* A word that goes on behind these 64 bytes is seen whole from its start. */
		if (w->special >> (w->at - w->from) == 0 && w->at > w->from && w->to < w->text.len)
			look(w);
		else
			n += take_special(w, &forms[n]);
	}
	return n;
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
