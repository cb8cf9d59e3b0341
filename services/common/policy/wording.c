/* SPDX-License-Identifier: Apache-2.0
 *
 * wording: words by their stems, and what stands between them as it is.
 */
#include "policy/wording.h"

#include "base/check.h"
#include "policy/words.h"

#include "base/pure.h"

/* A word of the text at hand. */
struct place {
	struct form form;
	struct span gap; /* before it */
	bool is_noise;   /* it changes nothing */
};

struct reader {
	struct words words;
	const unsigned char *at; /* what was read ends here */
};

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_noise(const struct form *f)
{
	static const char *const noise[] = { "a", "an", "the", "please" };
	char lower[STEM_BYTES];

	if (!f->ascii || f->text.len > 6)
		return false;
	stem_fold(f->text, lower);
	for (size_t i = 0; i < ARRAY_LEN(noise); i++)
		if (span_is(span_of(lower, f->text.len), noise[i]))
			return true;
	return false;
}

static bool next(struct reader *r, struct place *ret)
{
	const unsigned char *end;

	if (!words_next_form(&r->words, &ret->form))
		return false;
	end = ret->form.text.at + ret->form.text.len;
	if (ret->form.text.at < r->at) /* a pair shares a character with the one before */
		ret->form.text = span_of(r->at, (size_t)(end - r->at));
	ret->gap = span_of(r->at, (size_t)(ret->form.text.at - r->at));
	ret->is_noise = is_noise(&ret->form);
	r->at = end;
	return true;
}

/* Without space at both ends, and without the full stop or the like that ends it. */
static struct span body_of(struct span text)
{
	text = span_trim(text);
	while (text.len > 0 && memchr(".?!", text.at[text.len - 1], 3) != NULL)
		text.len--;
	return span_trim(text);
}

static struct reader reader_of(struct span text)
{
	return (struct reader){ words_of(text), text.at };
}

static void put_blank(struct buf *b, size_t from)
{
	if (b->len > from && b->at[b->len - 1] != ' ')
		buf_byte(b, ' ');
}

/* Signs as they are; white space is one blank. */
static void put_gap(struct buf *b, size_t from, struct span gap)
{
	for (size_t i = 0; i < gap.len; i++) {
		if (is_space(gap.at[i]))
			put_blank(b, from);
		else
			buf_byte(b, gap.at[i]);
	}
}

static bool has_digit(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] >= '0' && s.at[i] <= '9')
			return true;
	return false;
}

/* True for a word with a content of its own. */
static bool put_word(struct buf *b, const struct form *f)
{
	char room[STEM_BYTES];
	struct span stem;
	struct word word;

	if (has_digit(f->text)) {
		buf_add(b, f->text);
		return true;
	}
	word = words_judge(f, room, &stem);
	if (word.is_stop) { /* it is in the room, folded */
		buf_add(b, span_of(room, f->text.len));
		return false;
	}
	buf_add(b, stem);
	return true;
}

size_t wording_put(struct buf *b, struct span text)
{
	struct span body = body_of(text);
	struct reader r = reader_of(body);
	size_t from = b->len, n = 0;
	struct place p;
	bool after_noise = false;

	while (next(&r, &p)) {
		if (after_noise && p.gap.len > 0 && p.gap.at[0] == ',') /* "please, ..." */
			p.gap = span_part(p.gap, 1, p.gap.len);
		put_gap(b, from, p.gap);
		after_noise = p.is_noise;
		if (!p.is_noise)
			n += put_word(b, &p.form);
	}
	put_gap(b, from, span_of(r.at, (size_t)(body.at + body.len - r.at)));
	if (b->len > from && b->err == 0 && b->at[b->len - 1] == ' ')
		b->len--;
	return n;
}

/* The next word that counts, and how many before it do not. */
static bool next_counted(struct reader *r, struct place *ret, size_t *ret_noise)
{
	for (*ret_noise = 0; next(r, ret); ++*ret_noise)
		if (!ret->is_noise)
			return true;
	return false;
}

uint32_t wording_near(struct span a, struct span b)
{
	struct reader ra = reader_of(body_of(a)), rb = reader_of(body_of(b));
	size_t words = 0, same = 0, noise_a, noise_b;
	struct place pa, pb;
	bool more = true;

	while (more) {
		bool has_a = next_counted(&ra, &pa, &noise_a);
		bool has_b = next_counted(&rb, &pb, &noise_b);

		more = has_a || has_b;
		words += has_a + has_b + noise_a + noise_b;
		same += 2 * (noise_a < noise_b ? noise_a : noise_b);
		same += has_a && has_b && span_eq(pa.form.text, pb.form.text) ? 2 : 0;
	}
	return same == 0 ? 1 : (uint32_t)(same * 1000 / words);
}
