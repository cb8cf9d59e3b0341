/* SPDX-License-Identifier: Apache-2.0
 *
 * patch: inside a hunk its counted lines say what belongs to it; between hunks a line must be one of the few that may
 * stand there.
 */
#include "policy/patch.h"

#include "base/check.h"
#include "policy/text.h"

#include "base/pure.h"

#define CHANGE_LINES 24u /* a longer run of changes is several parts */
#define COUNT_MAX 99999999u
#define PARTS_BEFORE                                                                               \
	32u /* the first change: else every line of a list of files would look through all the others */

static bool begins(struct span line, const char *with)
{
	size_t n = strlen(with);

	return line.len >= n && memcmp(line.at, with, n) == 0;
}

/* "12" or "12,5" at the start of *s: the lines; false if there is no number. */
static bool read_range(struct span *s, uint32_t *ret_lines)
{
	uint32_t numbers[2] = { 0, 1 };
	size_t at = 0;

	for (unsigned i = 0; i < 2; i++) {
		size_t from = at;

		for (; at < s->len && s->at[at] >= '0' && s->at[at] <= '9'; at++) {
			numbers[i] = (at == from ? 0 : numbers[i] * 10) + (s->at[at] - '0');
			if (numbers[i] > COUNT_MAX)
				return false;
		}
		if (at == from)
			return false;
		if (i == 1 || at == s->len || s->at[at] != ',')
			break;
		at++;
	}
	*ret_lines = numbers[1];
	*s = span_part(*s, at, s->len);
	return true;
}

/* "@@ -12,5 +12,7 @@ int main(void)" */
static bool read_hunk(struct span line, uint32_t *ret_old, uint32_t *ret_new)
{
	if (!begins(line, "@@ -"))
		return false;
	line = span_part(line, 4, line.len);
	if (!read_range(&line, ret_old) || !begins(line, " +"))
		return false;
	line = span_part(line, 2, line.len);
	return read_range(&line, ret_new) && begins(line, " @@");
}

/* A line between "diff" and the first hunk. */
static bool is_of_head(struct span line)
{
	static const char *const begin[] = { "Binary files ", "GIT binary patch", "copy ",
		"deleted file mode ", "dissimilarity index ", "index ", "new file mode ",
		"new mode ", "old mode ", "rename ", "similarity index ", "====" };

	for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
		if (begins(line, begin[i]))
			return true;
	}
	return false;
}

/* Bytes of "--- a" and "+++ b" at the start of s, or 0. */
static size_t names_len(struct span s)
{
	size_t first, second;

	if (!begins(text_line(s, &first), "--- ") ||
		!begins(text_line(span_part(s, first, s.len), &second), "+++ "))
		return 0;
	return first + second;
}

/* Bytes of the lines that name a file at the start of s, or 0. */
static size_t file_len(struct span s)
{
	size_t next, at = 0;
	struct span line = text_line(s, &next);

	if (begins(line, "diff --git ") || begins(line, "diff -") || begins(line, "Index: ")) {
		for (at = next; at < s.len; at += next) {
			if (!is_of_head(text_line(span_part(s, at, s.len), &next)))
				break;
		}
	}
	return at + names_len(span_part(s, at, s.len));
}

/* --- a hunk --------------------------------------------------------------------------------------- */

/* A line of the hunk: is it a change? Its end in *ret_next with the remark behind it; 0: it is none of its lines. */
static bool hunk_line(const struct patch_reader *r, struct span s, size_t *ret_next)
{
	struct span line = text_line(s, ret_next);
	unsigned char sign = line.len == 0 || line.at[0] == '\r' ? ' ' : line.at[0];
	size_t more;

	if (s.len == 0 || (sign != '+' && r->old_left == 0) || (sign != '-' && r->new_left == 0) ||
		(sign != ' ' && sign != '+' && sign != '-')) {
		*ret_next = 0;
		return false;
	}
	if (begins(text_line(span_part(s, *ret_next, s.len), &more), "\\ "))
		*ret_next += more;
	return sign != ' ';
}

static size_t take_line(struct patch_reader *r, size_t at)
{
	size_t next;

	(void)hunk_line(r, span_part(r->rest, at, r->rest.len), &next);
	if (next == 0)
		return at;
	r->old_left -= r->rest.at[at] != '+';
	r->new_left -= r->rest.at[at] != '-';
	return at + next;
}

/* Lines that are in both from `at` on; *ret_last: where the last of them begins, *ret_changes: a change follows. */
static size_t context_end(struct patch_reader *r, size_t *ret_last, bool *ret_changes)
{
	struct patch_reader look = *r;
	size_t at = 0, next;

	*ret_last = 0;
	*ret_changes = false;
	for (;;) {
		bool change = hunk_line(&look, span_part(look.rest, at, look.rest.len), &next);

		*ret_changes = change;
		if (change || next == 0)
			return at;
		*ret_last = at;
		at = take_line(&look, at);
	}
}

/* Take the lines up to `to`. */
static void take_to(struct patch_reader *r, size_t to)
{
	for (size_t at = 0; at < to;)
		at = take_line(r, at);
}

/* The changes behind `at`, and a line that follows them. */
static size_t change_end(struct patch_reader *r, size_t at)
{
	size_t next;

	for (unsigned n = 0; n < CHANGE_LINES; n++) {
		if (!hunk_line(r, span_part(r->rest, at, r->rest.len), &next))
			return next == 0 ? at : take_line(r, at);
		at = take_line(r, at);
	}
	return at;
}

static bool next_of_hunk(struct patch_reader *r, struct patch_part *ret)
{
	size_t last, end;
	bool changes;

	end = context_end(r, &last, &changes);
	ret->kind = PATCH_CONTEXT;
	if (changes && last == 0) { /* one line at most before the change */
		take_to(r, end);
		end = change_end(r, end);
		ret->kind = PATCH_CHANGE;
	} else {
		end = changes ? last : end;
		take_to(r, end);
	}
	if (end == 0) { /* cut off */
		r->old_left = r->new_left = 0;
		return false;
	}
	ret->text = span_part(r->rest, 0, end);
	r->rest = span_part(r->rest, end, r->rest.len);
	return true;
}

bool patch_next(struct patch_reader *r, struct patch_part *ret)
{
	size_t n;

	if ((r->old_left > 0 || r->new_left > 0) && next_of_hunk(r, ret))
		return true;
	n = file_len(r->rest);
	ret->kind = PATCH_FILE;
	if (n == 0) {
		if (!read_hunk(text_line(r->rest, &n), &r->old_left, &r->new_left))
			return false;
		ret->kind = PATCH_HUNK;
	}
	ret->text = span_part(r->rest, 0, n);
	r->rest = span_part(r->rest, n, r->rest.len);
	return true;
}

size_t patch_len(struct span s)
{
	struct patch_reader r = patch_read(s);
	struct patch_part part;
	bool hunk = false;

	for (unsigned n = 0; (hunk || n < PARTS_BEFORE) && patch_next(&r, &part); n++)
		hunk = hunk || part.kind == PATCH_CHANGE;
	return hunk ? s.len - r.rest.len : 0;
}

bool patch_may_begin(struct span line)
{
	return begins(line, "@@ -") || begins(line, "--- ") || begins(line, "diff -") ||
	       begins(line, "Index: ");
}
