/* SPDX-License-Identifier: Apache-2.0
 *
 * split: the documents count as one long text. Each cut has a target, and a window of a quarter of a part's
 * size on both sides, in which the best border wins; so windows never meet and parts stay similar.
 */
#include "policy/split.h"

#include "base/err.h"
#include "policy/text.h"
#include "policy/words.h"

#include "base/pure.h"

/* Where a cut can be, from worst to best. */
enum border {
	BORDER_ANY,
	BORDER_CHARACTER,
	BORDER_WORD,
	BORDER_SENTENCE,
	BORDER_LINE,
	BORDER_PARAGRAPH,
	BORDER_HEADING
};

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The line before `at`, which is the start of a line. */
static struct span line_before(struct span s, size_t at)
{
	size_t from = at - 1;

	while (from > 0 && s.at[from - 1] != '\n' && at - from <= TEXT_SENTENCE_MAX)
		from--;
	return span_part(s, from, at - 1 - from);
}

/* Only the start of a long line is looked at: it is enough to tell what the line is. */
static struct span line_after(struct span s, size_t at)
{
	size_t next;

	return text_line(span_part(s, at, TEXT_SENTENCE_MAX), &next);
}

/* How good it is to cut before s[at], at > 0. */
static enum border border_at(struct span s, size_t at)
{
	if (at >= s.len || s.at[at - 1] == '\n') {
		struct span after = line_after(s, at);

		if (text_is_heading(after))
			return BORDER_HEADING;
		return text_is_blank(line_before(s, at)) && !text_is_blank(after) ? BORDER_PARAGRAPH
										  : BORDER_LINE;
	}
	if (is_space(s.at[at - 1]) && !is_space(s.at[at])) {
		size_t end = at - 1;

		while (end > 0 && is_space(s.at[end]) && at - end < 8)
			end--;
		return text_stop(s, end) > 0 ? BORDER_SENTENCE : BORDER_WORD;
	}
	return text_border(s, at) == at ? BORDER_CHARACTER : BORDER_ANY;
}

size_t split_border(struct span s, size_t low, size_t high)
{
	size_t middle = low + (high - low) / 2, best = middle, best_far = SIZE_MAX;
	enum border best_border = BORDER_ANY;

	for (size_t at = low > 0 ? low : 1; at <= high && at < s.len; at++) {
		size_t far = at > middle ? at - middle : middle - at;
		unsigned char before = s.at[at - 1];
		enum border border;

		/* Most places cannot be better than what was found; they need no look around. */
		if ((best_border >= BORDER_LINE && before != '\n') ||
			(best_border >= BORDER_WORD && !is_space(before)))
			continue;
		border = border_at(s, at);
		if (border > best_border || (border == best_border && far < best_far)) {
			best = at;
			best_border = border;
			best_far = far;
		}
	}
	return best;
}

static size_t total_bytes(const struct span *docs, size_t docs_n)
{
	size_t sum = 0;

	for (size_t i = 0; i < docs_n; i++)
		sum += docs[i].len;
	return sum;
}

/* The cut nearest to target in the joined text: between documents if one ends in the window, else inside
 * the document. */
static size_t cut_near(const struct span *docs, size_t docs_n, size_t target, size_t window)
{
	size_t start = 0, best = SIZE_MAX, best_far = window + 1;

	for (size_t i = 0; i < docs_n; i++) {
		size_t end = start + docs[i].len;
		size_t far = end > target ? end - target : target - end;

		if (far < best_far) {
			best = end;
			best_far = far;
		}
		if (best == SIZE_MAX && target >= start + window && target + window < end)
			return start + split_border(docs[i], target - start - window,
					       target - start + window);
		start = end;
	}
	if (best != SIZE_MAX)
		return best;
	return target;
}

/* The first end of a line or document at target or behind it, in the joined text. */
static size_t cut_line(const struct span *docs, size_t docs_n, size_t target)
{
	size_t start = 0;

	for (size_t i = 0; i < docs_n; start += docs[i++].len) {
		size_t at = target > start ? target - start : 0;
		const unsigned char *end;

		if (at > docs[i].len)
			continue;
		if (at == 0 || at == docs[i].len)
			return start + at;
		end = memchr(docs[i].at + at - 1, '\n', docs[i].len - at + 1);
		return start + (end == NULL ? docs[i].len : (size_t)(end - docs[i].at) + 1);
	}
	return start;
}

/* The pieces of the joined text's bytes from..to. */
static size_t put_pieces(const struct span *docs, size_t docs_n, size_t from, size_t to,
	struct split_piece *ret)
{
	size_t start = 0, n = 0;

	for (size_t i = 0; i < docs_n; start += docs[i++].len) {
		size_t low = from > start ? from - start : 0;
		size_t high = to > start ? to - start : 0;

		if (high > docs[i].len)
			high = docs[i].len;
		if (low < high)
			ret[n++] = (struct split_piece){
				.doc = (uint32_t)i,
				.text = span_part(docs[i], low, high - low),
			};
	}
	return n;
}

int split_docs(struct arena *a, const struct span *docs, size_t docs_n,
	const struct split_want *want, struct split_piece **ret, size_t *ret_n)
{
	size_t total = total_bytes(docs, docs_n), n = 0, from = 0;
	size_t parts = total / want->part_min;
	struct split_piece *pieces;
	uint32_t part = 0;

	if (parts > want->parts_max)
		parts = want->parts_max;
	if (parts < 1)
		parts = 1;
	pieces = arena_raw(a, (docs_n + parts) * sizeof(*pieces));
	if (pieces == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 1; i <= parts; i++) {
		size_t target = total / parts * i + total % parts * i / parts;
		size_t to = i == parts    ? total
			    : want->lines ? cut_line(docs, docs_n, target)
					  : cut_near(docs, docs_n, target, total / parts / 4);
		size_t put = put_pieces(docs, docs_n, from, to, pieces + n);

		for (size_t k = 0; k < put; k++)
			pieces[n++].part = part;
		part += put > 0;
		from = to;
	}
	*ret = pieces;
	*ret_n = n;
	return 0;
}

/* Stems would hide them from readers, so all their usual forms are listed. */
static const char *const task_words[] = { "answer", "article", "articles", "brief", "briefly",
	"bullet", "bullets", "content", "contents", "describe", "document", "documents", "explain",
	"file", "files", "find", "following", "give", "key", "list", "main", "overview",
	"paragraph", "paragraphs", "please", "point", "points", "question", "sentence", "sentences",
	"short", "shortly", "show", "summaries", "summarise", "summarize", "summary", "tell",
	"text", "texts", "tl", "dr", "tldr", "use", "word", "words", "write" };

static bool is_task_word(uint64_t hash)
{
	for (size_t i = 0; i < ARRAY_LEN(task_words); i++) {
		struct words w = words_of(span_str(task_words[i]));
		struct word word;

		if (words_next(&w, &word) && word.hash == hash)
			return true;
	}
	return false;
}

static bool is_number(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	}
	return true;
}

size_t split_query(struct span prompt, char *to, size_t bytes_max)
{
	struct words w = words_of(prompt);
	struct word word;
	size_t len = 0;

	while (words_next(&w, &word)) {
		size_t need = word.text.len + (len > 0);

		/* A lone short number says how long the answer should be. */
		if (word.is_stop || is_task_word(word.hash) ||
			(is_number(word.text) && word.text.len < 3))
			continue;
		if (need > bytes_max - len)
			break;
		if (len > 0)
			to[len++] = ' ';
		memcpy(to + len, word.text.at, word.text.len);
		len += word.text.len;
	}
	return len;
}
