/* SPDX-License-Identifier: Apache-2.0
 *
 * telegraph: words between blanks; what touches a sign other than a blank stays.
 */
#include "policy/telegraph.h"

#include "base/err.h"

#include "base/pure.h"

/* "to", "for" and other prepositions say how things relate, and stay. */
static const char *const dropped[] = { "a", "also", "am", "an", "are", "be", "been", "being", "had",
	"has", "have", "indeed", "is", "just", "of", "please", "quite", "really", "simply", "that",
	"the", "there", "very", "was", "were", "which" };

static bool is_dropped(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++) {
		if (word.len == strlen(dropped[i]) &&
			strncasecmp((const char *)word.at, dropped[i], word.len) == 0)
			return true;
	}
	return false;
}

/* Inside brackets or quotes behind s[at]? Counted from the start of the sentence: an odd quote keeps the rest. */
static void see_sign(unsigned char c, unsigned *nested, bool *quoted)
{
	if (c == '(' || c == '[' || c == '{')
		++*nested;
	else if ((c == ')' || c == ']' || c == '}') && *nested > 0)
		--*nested;
	else if (c == '"' || c == '`')
		*quoted = !*quoted;
	else if (c >= 0x80)
		*quoted = true; /* typographic quotes, other languages */
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int telegraph(struct arena *a, struct span s, struct span *ret)
{
	unsigned char *to = arena_raw(a, s.len);
	size_t at = 0, len = 0;
	unsigned nested = 0;
	bool quoted = false;

	if (to == NULL)
		return ERR_NO_MEMORY;
	while (at < s.len) {
		size_t from = at, end;

		while (at < s.len && !is_blank(s.at[at]))
			see_sign(s.at[at++], &nested, &quoted);
		end = at;
		while (at < s.len && is_blank(s.at[at]))
			at++;
		if (nested == 0 && !quoted && at < s.len &&
			is_dropped(span_part(s, from, end - from)))
			continue;
		memcpy(to + len, s.at + from, end - from);
		len += end - from;
		if (at < s.len)
			to[len++] = ' ';
	}
	*ret = len == s.len ? s : span_of(to, len);
	return 0;
}
