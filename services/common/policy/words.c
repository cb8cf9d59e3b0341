/* SPDX-License-Identifier: Apache-2.0
 *
 * words: classes of characters by their first bytes, a light stemmer, a short list of stop words.
 */
#include "policy/words.h"

#include "base/check.h"
#include "base/utf8.h"

#include "base/pure.h"

#define STEM_BYTES 32 /* longer words are matched as they are */
#define STOP_BYTES 7  /* the longest stop word */

enum class {
	CLASS_GAP,    /* between words */
	CLASS_LETTER, /* of a word that goes on */
	CLASS_PAIR,   /* of a script without spaces */
};

/* Sorted by bytes. */
static const char *const stop_words[] = { "a", "about", "above", "after", "again", "all", "also",
	"am", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before", "being",
	"below", "between", "both", "but", "by", "can", "cannot", "could", "did", "do", "does",
	"doing", "done", "down", "during", "each", "either", "else", "ever", "every", "few", "for",
	"from", "further", "had", "has", "have", "having", "he", "her", "here", "hers", "him",
	"his", "how", "however", "i", "if", "in", "into", "is", "it", "its", "itself", "just",
	"may", "me", "might", "more", "most", "must", "my", "neither", "no", "nor", "not", "of",
	"off", "on", "once", "only", "or", "other", "our", "ours", "out", "over", "own", "same",
	"shall", "she", "should", "so", "some", "such", "than", "that", "the", "their", "theirs",
	"them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "under",
	"until", "up", "upon", "very", "was", "we", "were", "what", "when", "where", "whether",
	"which", "while", "who", "whom", "whose", "why", "will", "with", "within", "without",
	"would", "you", "your", "yours" };

static bool is_ascii_letter(unsigned char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10 || c == '_';
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
	for (size_t i = 0; i < len; i++) {
		if (memchr("aeiouy", word[i], 6) != NULL)
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

static int order_of(const void *key, const void *row)
{
	return strcmp(key, *(const char *const *)row);
}

static bool is_stop(const char *word, size_t len)
{
	if (len > STOP_BYTES)
		return false;
	return (len == 1 && word[0] >= 'a' && word[0] <= 'z') ||
	       bsearch(word, stop_words, ARRAY_LEN(stop_words), sizeof(stop_words[0]), order_of) !=
		       NULL;
}

/* The stem's hash and whether it is a stop word. */
static void judge(struct word *word)
{
	char low[STEM_BYTES + 1];
	size_t len = word->text.len;
	bool ascii = true;

	if (len > STEM_BYTES) {
		word->hash = span_hash(word->text, 0);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = word->text.at[i];

		low[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		ascii = ascii && c < 0x80;
	}
	low[len] = '\0';
	word->is_stop = is_stop(low, len);
	if (ascii)
		len = stem(low, len);
	word->hash = span_hash(span_of(low, len), 0);
}

/* The rest of a word whose first len bytes were read. */
static size_t word_end(struct span s, size_t len)
{
	while (len < s.len) {
		size_t n = 1;

		if (is_ascii_letter(s.at[len])) {
			len++;
			continue;
		}
		if (s.at[len] < 0x80 || class_at(span_part(s, len, s.len), &n) != CLASS_LETTER)
			break;
		len += n;
	}
	return len;
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

size_t words_bound(struct span text)
{
	size_t n = 0;
	bool inside = false;

	for (size_t i = 0; i < text.len; i++) {
		bool letter = is_ascii_letter(text.at[i]);

		/* The first byte of a wide character, too: it may be a word of its own. */
		n += (letter && !inside) || text.at[i] >= 0xC0;
		inside = letter;
	}
	return n;
}

bool words_next(struct words *w, struct word *ret)
{
	while (w->rest.len > 0) {
		size_t n;
		enum class class = class_at(w->rest, &n);

		if (class == CLASS_PAIR) {
			if (take_pair(w, n, ret))
				return true;
		} else if (class == CLASS_GAP) {
			w->rest = span_part(w->rest, n, w->rest.len);
		} else {
			size_t len = word_end(w->rest, n);

			*ret = (struct word){ .text = span_part(w->rest, 0, len) };
			w->rest = span_part(w->rest, skip_apostrophe(w->rest, len), w->rest.len);
			judge(ret);
			return true;
		}
	}
	return false;
}
