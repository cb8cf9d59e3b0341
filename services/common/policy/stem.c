/* SPDX-License-Identifier: Apache-2.0
 *
 * stem: a light stemmer: it rather leaves two forms of a word apart than make two words one.
 */
#include "policy/stem.h"

#include <endian.h>

#include "base/check.h"

#include "base/pure.h"

#define STOP_BYTES 8 /* room for the longest stop word and a zero */

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

#define FORM_BYTES 12

/* clang-format off */
static const struct irregular {
	char form[FORM_BYTES], base[FORM_BYTES];
} irregulars[] = {
#define FORM(form, base) { #form, #base },
#include "policy/stem_forms.def"
#undef FORM
};
/* clang-format on */

/* The lower case of the two-byte letter in c, for letters whose lower case has two bytes, too. */
static unsigned fold_letter(unsigned c)
{
	if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3AB && c != 0x3A2) ||
		(c >= 0x410 && c <= 0x42F))
		return c + 32;
	if (c >= 0x400 && c <= 0x40F)
		return c + 80;
	if (c >= 0x531 && c <= 0x556)
		return c + 48;
	if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177) ||
		(c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || c >= 0x4D0)
		return c >= 0x530 ? c : c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
		return c + (c & 1);
	return c;
}

void stem_fold(struct span s, char to[STEM_BYTES])
{
	CHECK(s.len <= STEM_BYTES);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.at[i];
		bool letter =
			c >= 0xC3 && c <= 0xD5 && i + 1 < s.len && (s.at[i + 1] & 0xC0) == 0x80;

		if (letter) {
			unsigned low = fold_letter((c & 0x1Fu) << 6 | (s.at[i + 1] & 0x3Fu));

			to[i++] = (char)(0xC0 | low >> 6);
			to[i] = (char)(0x80 | (low & 0x3F));
		} else {
			to[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		}
	}
}

static bool ends_with(const char *word, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(word + len - n, end, n) == 0;
}

static bool is_vowel(char c)
{
	return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y';
}

static bool has_vowel(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_vowel(word[i]))
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

/* "quickly" becomes "quick", "easily" "easi" as "easy" does. */
static size_t cut_adverb(const char *word, size_t len)
{
	return len > 5 && ends_with(word, len, "ly") && has_vowel(word, len - 2) ? len - 2 : len;
}

static int order_of(const void *key, const void *row)
{
	const char *a = key, *b = ((const struct irregular *)row)->form;
	uint64_t x, y;
	uint32_t u, v;

	_Static_assert(FORM_BYTES == sizeof(x) + sizeof(u), "a form is compared as two numbers");
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	if (x != y)
		return be64toh(x) < be64toh(y) ? -1 : 1;
	memcpy(&u, a + sizeof(x), sizeof(u));
	memcpy(&v, b + sizeof(x), sizeof(v));
	return u == v ? 0 : be32toh(u) < be32toh(v) ? -1 : 1;
}

static size_t base_form(char *word, size_t len)
{
	char key[FORM_BYTES] = { 0 };
	const struct irregular *row;

	if (len < 2 || len >= FORM_BYTES)
		return len;
	memcpy(key, word, len);
	row = bsearch(key, irregulars, ARRAY_LEN(irregulars), sizeof(irregulars[0]), order_of);
	if (row == NULL || strlen(row->base) > STEM_BYTES)
		return len;
	len = strlen(row->base);
	memcpy(word, row->base, len);
	return len;
}

size_t stem_cut(char *word, size_t len)
{
	len = base_form(word, len);
	len = cut_plural(word, len);
	len = cut_ending(word, len);
	len = cut_adverb(word, len);
	if (len > 3 && word[len - 1] == 'e')
		len--;
	if (len > 2 && word[len - 1] == 'y' && !is_vowel(word[len - 2]))
		word[len - 1] = 'i';
	return len;
}

static uint64_t record_of(const char *word)
{
	uint64_t bits;

	_Static_assert(sizeof(bits) == STOP_BYTES, "a record is compared as one number");
	memcpy(&bits, word, sizeof(bits));
	return bits;
}

bool stem_is_stop(const char *word, size_t len)
{
	char record[STOP_BYTES] = { 0 };
	const struct stop_row *row;
	uint64_t bits;

	if (len == 0 || len >= STOP_BYTES || word[0] < 'a' || word[0] > 'z')
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
