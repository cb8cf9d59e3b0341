/* SPDX-License-Identifier: Apache-2.0
 *
 * stem: a light stemmer: it rather leaves two forms of a word apart than make two words one.
 */
#include "policy/stem.h"

#include <endian.h>

#include "base/check.h"

#include "base/pure.h"

#define KEY_BYTES 8 /* of a word, which are compared as one number, in the order of bytes */

/* Stop words by their first letter, each with zeros up to the key's end; sorted by bytes. */
struct stop_row {
	const char (*words)[KEY_BYTES];
	size_t n;
};
/* clang-format off */
#define WORDS(...) (const char[][KEY_BYTES]){ __VA_ARGS__ }
#define ROW(letter, ...) [letter - 'a'] = { WORDS(__VA_ARGS__), sizeof(WORDS(__VA_ARGS__)) / KEY_BYTES }
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

#define FORM_BYTES (2 * KEY_BYTES)

static const struct irregular {
	char form[FORM_BYTES], base[FORM_BYTES];
} irregulars[] = {
#define FORM(form, base) { #form, #base },
#include "policy/stem_forms.def"
#undef FORM
};

enum {
#define FORM(form, base) AT_##form,
#include "policy/stem_forms.def"
#undef FORM
	IRREGULARS
};

/* The first of them that begins with this letter or a later one. */
static const unsigned char irregular_from['z' - 'a' + 2] = { AT_analyses, AT_became, AT_came,
	AT_dealt, AT_eaten, AT_fallen, AT_gave, AT_halves, AT_indices, AT_kept, AT_kept, AT_laid,
	AT_made, AT_overcame, AT_overcame, AT_paid, AT_ran, AT_ran, AT_said, AT_taken,
	AT_understood, AT_vertices, AT_went, IRREGULARS, IRREGULARS, IRREGULARS, IRREGULARS };

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

/* Eight bytes of ASCII in lower case. */
static uint64_t fold_eight(uint64_t bytes)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t from_a = bytes + (0x80 - 'A') * each, behind_z = bytes + (0x80 - 'Z' - 1) * each;

	return bytes | (from_a & ~behind_z & UINT64_C(0x80) * each) >> 2;
}

static bool has_other(uint64_t bytes)
{
	return (bytes & UINT64_C(0x8080808080808080)) != 0;
}

/* Most words, of four letters and more, eight at a time: the last ones may overlap those before. false: there are
 * others than ASCII among them. */
static bool fold_ascii(struct span s, char *to)
{
	uint64_t bytes;

	if (s.len < 8) {
		uint32_t first, last;

		memcpy(&first, s.at, sizeof(first));
		memcpy(&last, s.at + s.len - sizeof(last), sizeof(last));
		bytes = fold_eight((uint64_t)last << 32 | first);
		first = (uint32_t)bytes;
		last = (uint32_t)(bytes >> 32);
		memcpy(to, &first, sizeof(first));
		memcpy(to + s.len - sizeof(last), &last, sizeof(last));
		return !has_other(bytes);
	}
	for (size_t at = 0;; at = at + 16 <= s.len ? at + 8 : s.len - 8) {
		memcpy(&bytes, s.at + at, sizeof(bytes));
		if (has_other(bytes))
			return false;
		bytes = fold_eight(bytes);
		memcpy(to + at, &bytes, sizeof(bytes));
		if (at + 8 >= s.len)
			return true;
	}
}

void stem_fold(struct span s, char to[STEM_BYTES])
{
	CHECK(s.len <= STEM_BYTES);
	if (s.len >= 4 && fold_ascii(s, to))
		return;
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
	size_t left;

	if (len < 5 || (word[len - 1] != 'g' && word[len - 1] != 'd'))
		return len;
	left = ends_with(word, len, "ing") ? len - 3 : ends_with(word, len, "ed") ? len - 2 : 0;
	if (left < 3 || !has_vowel(word, left))
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

static uint64_t key_at(const char *at)
{
	uint64_t bytes;

	_Static_assert(sizeof(bytes) == KEY_BYTES, "a key is compared as one number");
	memcpy(&bytes, at, sizeof(bytes));
	return be64toh(bytes);
}

/* Of up to `len` bytes at `at`, zeros behind them; eight may be read. */
static uint64_t key_of(const char *at, size_t len)
{
	return len == 0 ? 0 : len >= KEY_BYTES ? key_at(at) : key_at(at) & ~(UINT64_MAX >> 8 * len);
}

/* The last of n > 0 sorted rows that is not greater than the key, or the first. By halves, without a branch for what is
 * found there: which half it is cannot be predicted. */
static const char *row_of(const char *rows, size_t n, size_t row_bytes, uint64_t key)
{
	while (n > 1) {
		size_t half = n / 2;
		const char *middle = rows + half * row_bytes;

		rows = key_at(middle) <= key ? middle : rows;
		n -= half;
	}
	return rows;
}

static size_t base_form(char *word, size_t len)
{
	const struct irregular *row;
	unsigned letter = (unsigned)word[0] - 'a';
	uint64_t key;
	size_t n;

	_Static_assert(FORM_BYTES == 2 * KEY_BYTES, "a form is two keys");
	if (len < 2 || len >= FORM_BYTES || letter > 'z' - 'a')
		return len;
	row = &irregulars[irregular_from[letter]];
	n = (size_t)irregular_from[letter + 1] - irregular_from[letter];
	if (n == 0)
		return len;
	key = key_of(word, len);
	row = (const struct irregular *)row_of(row->form, n, sizeof(*row), key);
	if (key_at(row->form) != key ||
		key_at(row->form + KEY_BYTES) !=
			key_of(word + KEY_BYTES, len < KEY_BYTES ? 0 : len - KEY_BYTES))
		return len;
	len = strlen(row->base);
	memcpy(word, row->base, len);
	return len;
}

size_t stem_cut(char word[STEM_BYTES], size_t len)
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

bool stem_is_stop(const char word[STEM_BYTES], size_t len)
{
	const struct stop_row *row;
	uint64_t key;

	if (len == 0 || len >= KEY_BYTES || word[0] < 'a' || word[0] > 'z')
		return false;
	if (len == 1)
		return true;
	row = &stop_rows[word[0] - 'a'];
	if (row->n == 0)
		return false;
	key = key_of(word, len);
	return key_at(row_of(row->words[0], row->n, KEY_BYTES, key)) == key;
}
