/* SPDX-License-Identifier: Apache-2.0
 *
 * words: classes of characters by their first bytes, a light stemmer, a short list of stop words.
 */
#include "policy/words.h"

#include "base/check.h"
#include "base/utf8.h"

#include "base/pure.h"

#define STEM_BYTES 32 /* longer words are matched as they are */
#define STOP_BYTES 8  /* room for the longest stop word and a zero */

enum byte_kind { BYTE_GAP, BYTE_LETTER, BYTE_WIDE };

/* What a byte says by itself. */
/* clang-format off */
static const unsigned char byte_kinds[256] = {
	['0' ... '9'] = BYTE_LETTER, ['A' ... 'Z'] = BYTE_LETTER, ['_'] = BYTE_LETTER,
	['a' ... 'z'] = BYTE_LETTER, [0x80 ... 0xFF] = BYTE_WIDE,
};
/* clang-format on */

enum class {
	CLASS_GAP,    /* between words */
	CLASS_LETTER, /* of a word that goes on */
	CLASS_PAIR,   /* of a script without spaces */
};

/* Stop words by their first letter, each with zeros up to the record's end. */
struct stop_row {
	const char (*words)[STOP_BYTES];
	size_t n;
};
/* clang-format off */
#define WORDS(...) (const char[][STOP_BYTES]){ __VA_ARGS__ }
#define ROW(letter, ...) [letter - 'a'] = { WORDS(__VA_ARGS__), sizeof(WORDS(__VA_ARGS__)) / STOP_BYTES }
static const struct stop_row stop_rows['z' - 'a' + 1] = {
	ROW('a', "a", "about", "above", "after", "again", "all", "also", "am", "an", "and",
		"any", "are", "as", "at"),
	ROW('b', "be", "because", "been", "before", "being", "below", "between", "both", "but",
		"by"),
	ROW('c', "can", "cannot", "could"),
	ROW('d', "did", "do", "does", "doing", "done", "down", "during"),
	ROW('e', "each", "either", "else", "ever", "every"),
	ROW('f', "few", "for", "from", "further"),
	ROW('h', "had", "has", "have", "having", "he", "her", "here", "hers", "him", "his",
		"how", "however"),
	ROW('i', "i", "if", "in", "into", "is", "it", "its", "itself"),
	ROW('j', "just"),
	ROW('m', "may", "me", "might", "more", "most", "must", "my"),
	ROW('n', "neither", "no", "nor", "not"),
	ROW('o', "of", "off", "on", "once", "only", "or", "other", "our", "ours", "out", "over",
		"own"),
	ROW('s', "same", "shall", "she", "should", "so", "some", "such"),
	ROW('t', "than", "that", "the", "their", "theirs", "them", "then", "there", "these",
		"they", "this", "those", "through", "to", "too"),
	ROW('u', "under", "until", "up", "upon"),
	ROW('v', "very"),
	ROW('w', "was", "we", "were", "what", "when", "where", "whether", "which", "while",
		"who", "whom", "whose", "why", "will", "with", "within", "without", "would"),
	ROW('y', "you", "your", "yours"),
};
#undef ROW
#undef WORDS
/* clang-format on */

static bool is_ascii_letter(unsigned char c)
{
	return byte_kinds[c] == BYTE_LETTER;
}

/* The class of a character of n > 1 bytes. */
static enum class class_of_wide(const unsigned char *c, int n) {
	if (n == 2) return c[0] == 0xC2 ? CLASS_GAP : CLASS_LETTER; /* U+0080-00BF: signs */
	if (n == 4) return CLASS_PAIR;
	if (c[0] == 0xE2 || (c[0] == 0xE3 && c[1] == 0x80) ||
		c[0] == 0xEF) return CLASS_GAP; /* punctuation and symbols, of CJK too, full-width forms */
	return c[0] >= 0xE3 ? CLASS_PAIR : CLASS_LETTER;
}

/* The class and length of what stands at the start of s. */
static enum class class_at(struct span s, size_t *ret_len) {
	int n;

	*ret_len = 1;
	if (s.at[0] < 0x80) return is_ascii_letter(s.at[0]) ? CLASS_LETTER : CLASS_GAP;
	n = utf8_step(s);
	*ret_len = (size_t)abs(n);
	return n < 0 ? CLASS_GAP : class_of_wide(s.at, n);
}

static bool ends_with(const char *word, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(word + len - n, end, n) == 0;
}

static bool has_vowel(const char *word, size_t len)
{
	static const bool vowels[256] = {
		['a'] = true,
		['e'] = true,
		['i'] = true,
		['o'] = true,
		['u'] = true,
		['y'] = true,
	};

	for (size_t i = 0; i < len; i++) {
		if (vowels[(unsigned char)word[i]])
			return true;
	}
	return false;
}

/* Plurals, after Harman's rules. */
static size_t cut_plural(char *word, size_t len)
{
	if (len < 4 || word[len - 1] != 's' || word[len - 2] == 's' || word[len - 2] == 'u')
		return len;
	if (ends_with(word, len, "ies") && len > 4) {
		word[len - 3] = 'y';
		return len - 2;
	}
	if (ends_with(word, len, "xes") || ends_with(word, len, "ches") ||
		ends_with(word, len, "shes") || ends_with(word, len, "sses"))
		return len - 2;
	return len - 1;
}

/* -ing and -ed if a word with a vowel is left: "running" and "runs" become "run". */
static size_t cut_ending(const char *word, size_t len)
{
	size_t left = len;

	if (ends_with(word, len, "ing"))
		left = len - 3;
	else if (ends_with(word, len, "ed"))
		left = len - 2;
	if (left == len || left < 3 || !has_vowel(word, left))
		return len;
	if (word[left - 1] == word[left - 2] && memchr("lsz", word[left - 1], 3) == NULL)
		left--;
	return left;
}

static size_t stem(char *word, size_t len)
{
	len = cut_plural(word, len);
	len = cut_ending(word, len);
	return len > 3 && word[len - 1] == 'e' ? len - 1 : len;
}

static uint64_t record_of(const char *word)
{
	uint64_t bits;

	_Static_assert(sizeof(bits) == STOP_BYTES, "a record is compared as one number");
	memcpy(&bits, word, sizeof(bits));
	return bits;
}

/* Every word of a text comes by here, so records are compared as numbers. */
static bool is_stop(const char *word, size_t len)
{
	char record[STOP_BYTES] = { 0 };
	const struct stop_row *row;
	uint64_t bits;

	if (len >= STOP_BYTES || word[0] < 'a' || word[0] > 'z')
		return false;
	if (len == 1)
		return true;
	memcpy(record, word, len);
	bits = record_of(record);
	row = &stop_rows[word[0] - 'a'];
	for (size_t i = 0; i < row->n; i++) {
		if (record_of(row->words[i]) == bits)
			return true;
	}
	return false;
}

/* The first STEM_BYTES of s in lower case; a loop of fixed length costs less than one of the word's. */
static void fold_case(struct span s, char low[STEM_BYTES])
{
	if (s.len >= STEM_BYTES)
		memcpy(low, s.at, STEM_BYTES);
	else
		memcpy(low, s.at, s.len);
	for (size_t i = 0; i < STEM_BYTES; i++)
		low[i] = (char)(low[i] >= 'A' && low[i] <= 'Z' ? low[i] + ('a' - 'A') : low[i]);
}

/* The stem's hash and whether it is a stop word. rest: the text from the word on. */
static void judge(struct word *word, struct span rest, bool ascii)
{
	char low[STEM_BYTES] = { 0 };
	size_t len = word->text.len;

	if (len > STEM_BYTES) {
		word->hash = span_hash(word->text, 0);
		return;
	}
	fold_case(rest, low);
	word->is_stop = is_stop(low, len);
	if (word->is_stop)
		return;
	if (ascii)
		len = stem(low, len);
	word->hash = span_hash(span_of(low, len), 0);
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

/* "'s", "n't" and the like belong to no word. */
static size_t skip_apostrophe(struct span s, size_t len)
{
	size_t end = len + 1;

	if (len + 1 >= s.len || s.at[len] != '\'' || !is_ascii_letter(s.at[len + 1]))
		return len;
	while (end < s.len && end < len + 3 && is_ascii_letter(s.at[end]))
		end++;
	return end < s.len && is_ascii_letter(s.at[end]) ? len : end;
}

/* A character of a script without spaces: it gives the pair with the one before, or itself if it is the
 * first of its run and the last one, too. */
static bool take_pair(struct words *w, size_t n, struct word *ret)
{
	struct span here = span_part(w->rest, 0, n), next = span_part(w->rest, n, w->rest.len);
	size_t after;
	bool goes_on = next.len > 0 && class_at(next, &after) == CLASS_PAIR;
	struct span text = w->last.len > 0 ? span_of(w->last.at, w->last.len + n) : here;
	bool give = w->last.len > 0 || !goes_on;

	w->last = goes_on ? here : (struct span){ 0 };
	w->rest = next;
	if (give)
		*ret = (struct word){ .text = text, .hash = span_hash(text, 0) };
	return give;
}

static void skip_gap(struct words *w)
{
	size_t n = 0;

	while (n < w->rest.len && byte_kinds[w->rest.at[n]] == BYTE_GAP)
		n++;
	w->rest = span_of(w->rest.at + n, w->rest.len - n);
}

bool words_next(struct words *w, struct word *ret)
{
	for (skip_gap(w); w->rest.len > 0; skip_gap(w)) {
		size_t n;
		enum class class = class_at(w->rest, &n);

		if (class == CLASS_PAIR) {
			if (take_pair(w, n, ret))
				return true;
		} else if (class == CLASS_GAP) {
			w->rest = span_part(w->rest, n, w->rest.len);
		} else {
			bool ascii;
			size_t len = word_end(w->rest, &ascii);

			*ret = (struct word){ .text = span_part(w->rest, 0, len) };
			judge(ret, w->rest, ascii);
			w->rest = span_part(w->rest, skip_apostrophe(w->rest, len), w->rest.len);
			return true;
		}
	}
	return false;
}
