/* SPDX-License-Identifier: Apache-2.0
 *
 * subject: rows of proto/subjects.def, and the building and taking apart of subjects.
 */
#include "wire/subject.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/pure.h"

/* A tail has one token, or two with a dot between; constant, so that the table is. */
#define TOKENS(tail) (__builtin_strchr(tail, '.') == NULL ? 1 : 2)

static const struct subject_row rows[] = {
#define SUBJECT(name_, prefix_, tail_, request_, reply_, group_, text_)                            \
	{ .name = #name_,                                                                          \
		.prefix = prefix_,                                                                 \
		.tail = tail_,                                                                     \
		.request = request_,                                                               \
		.reply = reply_,                                                                   \
		.group = group_,                                                                   \
		.text = text_,                                                                     \
		.tokens = TOKENS(tail_) },
#include "proto/subjects.def"
#undef SUBJECT
};

/* The longest subject of ours: prefix, two tokens, dots and the zero. */
#define SUBJECT(name_, prefix_, tail_, request_, reply_, group_, text_)                            \
	_Static_assert(sizeof(prefix_) + 2 * (1 + LIMIT_TOKEN_BYTES) <= SUBJECT_BYTES,             \
		"room for " prefix_);
#include "proto/subjects.def"
#undef SUBJECT

const struct subject_row *subject_row(enum subject s)
{
	CHECK((unsigned)s < SUBJECTS);
	return &rows[s];
}

/* Puts ".token" at *at; the caller has checked the token. */
static void put_token(char **at, struct span token)
{
	*(*at)++ = '.';
	memcpy(*at, token.at, token.len);
	*at += token.len;
	**at = 0;
}

static char *put_prefix(const struct subject_row *row, char *to)
{
	size_t n = strlen(row->prefix);

	memcpy(to, row->prefix, n + 1);
	return to + n;
}

int subject_build(enum subject s, struct span a, struct span b, char to[SUBJECT_BYTES])
{
	const struct subject_row *row = subject_row(s);
	char *at;

	if (!fmt_is_token(a) || (row->tokens == 2 && !fmt_is_token(b)))
		return ERR_INVALID;
	at = put_prefix(row, to);
	put_token(&at, a);
	if (row->tokens == 2)
		put_token(&at, b);
	return 0;
}

void subject_pattern(enum subject s, char to[SUBJECT_BYTES])
{
	const struct subject_row *row = subject_row(s);
	char *at = put_prefix(row, to);

	for (unsigned i = 0; i < row->tokens; i++)
		put_token(&at, SPAN_LIT("*"));
}

/* Cut prefix and a dot off *s; false if it does not begin so. */
static bool cut_prefix(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->len <= n || memcmp(s->at, prefix, n) != 0 || s->at[n] != '.')
		return false;
	*s = span_of(s->at + n + 1, s->len - n - 1);
	return true;
}

int subject_parse(enum subject s, struct span subject, struct span *ret_a, struct span *ret_b)
{
	const struct subject_row *row = subject_row(s);
	struct span a;
	struct span b = { 0 };

	if (!cut_prefix(&subject, row->prefix))
		return ERR_INVALID;
	a = subject;
	if (row->tokens == 2) {
		a = span_cut(&subject, '.');
		b = subject;
	}
	if (!fmt_is_token(a) || (row->tokens == 2 && !fmt_is_token(b)))
		return ERR_INVALID;
	*ret_a = a;
	if (ret_b != NULL)
		*ret_b = b;
	return 0;
}

/* One or more tokens joined by single dots. */
static bool is_tokens(struct span s)
{
	if (s.len == 0 || s.at[s.len - 1] == '.')
		return false;
	while (s.len > 0)
		if (!fmt_is_token(span_cut(&s, '.')))
			return false;
	return true;
}

bool subject_may_reply(struct span reply_to, struct span who)
{
	struct span rest = reply_to;

	if (reply_to.len >= SUBJECT_BYTES)
		return false;
	if (cut_prefix(&rest, "_INBOX"))
		return is_tokens(rest);
	return cut_prefix(&rest, "spu.inbox") && rest.len > who.len && fmt_is_token(who) &&
	       span_eq(span_cut(&rest, '.'), who) && is_tokens(rest);
}
