/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer: a text is matched in windows, so that no pattern sees more than TOKENIZER_PIECE_BYTES, however long a word
 * is; what ends near the end of a window is matched again at the beginning of the next one.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "run/tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "policy/bpe.h"

#define NEAR 8u /* a match that ends so many bytes before a window's end might have gone on */

struct tokenizer {
	struct bpe bpe;
	pcre2_general_context *memory;
	pcre2_code *split;
};

/* White_Space of Unicode; PCRE2's own \s has U+180E besides. */
#define SPACE                                                                                      \
	"\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"         \
	"\\x{202f}\\x{205f}\\x{3000}"
#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define BEFORE "[^\\r\\n\\p{L}\\p{N}]?"
#define BLANKS "[" SPACE "]*[\\r\\n]+|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+"
#define WORDS(digits)                                                                              \
	CONTRACTION "|" BEFORE "\\p{L}+|\\p{N}" digits "| ?[^" SPACE                               \
		    "\\p{L}\\p{N}]+[\\r\\n]*|" BLANKS

/* How each family cuts a text, as published. */
static const char *const splits[TOKENS_FAMILIES] = {
	[TOKENS_O200K] =
		BEFORE UPPER "*" LOWER "+" CONTRACTION "?|" BEFORE UPPER "+" LOWER "*" CONTRACTION
			     "?|\\p{N}{1,3}| ?[^" SPACE "\\p{L}\\p{N}]+[\\r\\n/]*|" BLANKS,
	[TOKENS_CL100K] = WORDS("{1,3}"),
	[TOKENS_LLAMA] = WORDS("{1,3}"),
	[TOKENS_QWEN] = WORDS(""),
};

/* --- opening ------------------------------------------------------------------------------------------ */

static void *take(size_t size, void *ctx)
{
	(void)ctx;
	return mem_alloc(size);
}

static void give(void *at, void *ctx)
{
	(void)ctx;
	mem_free(at);
}

static int compile(struct tokenizer *t, const char *pattern)
{
	pcre2_compile_context *context;
	PCRE2_SIZE at;
	int error;

	t->memory = pcre2_general_context_create(take, give, NULL);
	context = t->memory == NULL ? NULL : pcre2_compile_context_create(t->memory);
	if (context == NULL)
		return ERR_NO_MEMORY;
	t->split = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &at, context);
	pcre2_compile_context_free(context);
	if (t->split == NULL) {
		CHECK(error == PCRE2_ERROR_HEAP_FAILED);
		return ERR_NO_MEMORY;
	}
	/* Where memory may not be both written and run there is none, and it is interpreted. */
	(void)pcre2_jit_compile(t->split, PCRE2_JIT_COMPLETE);
	return 0;
}

struct tokenizer *tokenizer_read(enum tokens_family family, struct span file, struct fail *why)
{
	struct tokenizer *t;
	int r;

	if (splits[family] == NULL) {
		fail_set(why, ERR_INVALID, "tokenizer", 0,
			"how models of the family %s split texts is not known",
			tokens_family_name(family));
		return NULL;
	}
	t = mem_alloc(sizeof(*t));
	if (t == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	r = bpe_read(&t->bpe, file, why);
	if (r == 0) {
		r = compile(t, splits[family]);
		if (r < 0)
			fail_set(why, r, NULL, 0, NULL);
	}
	if (r == 0)
		return t;
	tokenizer_close(t);
	return NULL;
}

void tokenizer_close(struct tokenizer *t)
{
	if (t == NULL)
		return;
	bpe_done(&t->bpe);
	pcre2_code_free(t->split);
	pcre2_general_context_free(t->memory);
	mem_free(t);
}

static int bad_file(struct fail *why, int code, const char *file, const char *what)
{
	return fail_set(why, code, "tokenizer", 0, "%s %s", file, what);
}

static ssize_t read_all(int fd, unsigned char *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, to + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int read_file(const char *file, struct span *ret, struct fail *why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
	unsigned char *bytes = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		r = bad_file(why, ERR_IO, file, "cannot be read");
	else if ((uint64_t)st.st_size > TOKENIZER_FILE_BYTES)
		r = fail_set(why, ERR_TOO_BIG, "tokenizer", (int64_t)TOKENIZER_FILE_BYTES,
			"%s is too big", file);
	else if ((bytes = mem_alloc((size_t)st.st_size)) == NULL)
		r = fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	else if (read_all(fd, bytes, (size_t)st.st_size) < 0)
		r = bad_file(why, ERR_IO, file, "cannot be read");
	if (fd >= 0)
		close(fd);
	if (r < 0)
		mem_free(bytes);
	else
		*ret = span_of(bytes, (size_t)st.st_size);
	return r;
}

struct tokenizer *tokenizer_open(enum tokens_family family, const char *file, struct fail *why)
{
	struct span bytes;
	struct tokenizer *t;

	if (read_file(file, &bytes, why) < 0)
		return NULL;
	t = tokenizer_read(family, bytes, why);
	mem_free((void *)(uintptr_t)bytes.at);
	return t;
}

/* --- counting ----------------------------------------------------------------------------------------- */

struct encoder {
	const struct tokenizer *t;
	pcre2_match_data *match;
	struct bpe_work work;
	uint32_t *ret; /* where the next rank goes, or NULL */
	int64_t n;
};

static int encode_piece(struct encoder *e, struct span piece)
{
	int64_t n = bpe_encode(&e->t->bpe, &e->work, piece, e->ret);

	if (n < 0)
		return (int)n;
	e->n += n;
	if (e->ret != NULL)
		e->ret += n;
	return 0;
}

/* The length of the match at `from`. */
static size_t match_piece(struct encoder *e, struct span window, size_t from)
{
	PCRE2_SPTR at = (PCRE2_SPTR)window.at;
	size_t end;
	int r = pcre2_match(e->t->split, at, window.len, from, PCRE2_NO_UTF_CHECK, e->match, NULL);

	if (r < 0) /* its stack is small */
		r = pcre2_match(e->t->split, at, window.len, from,
			PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, e->match, NULL);
	end = r > 0 ? pcre2_get_ovector_pointer(e->match)[1] : 0;
	return end > from ? end - from : (size_t)utf8_step(span_part(window, from, window.len));
}

/* The pieces of a window, which begins with one. Returns how much of it was read, or an error. */
static int64_t encode_window(struct encoder *e, struct span window, bool goes_on)
{
	size_t at = 0;

	while (at < window.len) {
		size_t n = match_piece(e, window, at);
		int r;

		if (goes_on && at > 0 && at + n + NEAR > window.len)
			break;
		r = encode_piece(e, span_part(window, at, n));
		if (r < 0)
			return r;
		at += n;
	}
	return (int64_t)at;
}

/* How many bytes at the start are characters, at most a window's. */
static size_t valid_len(struct span s)
{
	size_t n = 0;

	while (n < s.len && n < TOKENIZER_PIECE_BYTES) {
		int step = s.at[n] < 0x80 ? 1 : utf8_step(span_part(s, n, s.len));

		if (step <= 0)
			break;
		n += (size_t)step;
	}
	return n;
}

static int encode_all(struct encoder *e, struct span s)
{
	while (s.len > 0) {
		size_t n = valid_len(s);
		int64_t read;

		if (n == 0) {
			n = (size_t)-utf8_step(s);
			read = encode_piece(e, span_part(s, 0, n));
			read = read < 0 ? read : (int64_t)n;
		} else {
			read = encode_window(e, span_part(s, 0, n),
				n < s.len && n >= TOKENIZER_PIECE_BYTES);
		}
		if (read < 0)
			return (int)read;
		s = span_part(s, (size_t)read, s.len);
	}
	return 0;
}

int64_t tokenizer_encode(const struct tokenizer *t, struct span s, uint32_t *ret)
{
	struct encoder e = { .t = t, .ret = ret };
	int r;

	e.match = pcre2_match_data_create(1, t->memory);
	if (e.match == NULL)
		return ERR_NO_MEMORY;
	r = encode_all(&e, s);
	bpe_work_done(&e.work);
	pcre2_match_data_free(e.match);
	return r < 0 ? r : e.n;
}

/* --- settings ----------------------------------------------------------------------------------------- */

#define FILE_OF(family) offsetof(struct tokenizers_conf, files[family])
const struct conf_row tokenizers_rows[] = {
	{ "tokenizer_o200k", CONF_TEXT, FILE_OF(TOKENS_O200K), "", 0, TOKENIZER_PATH_BYTES, NULL,
		".tiktoken file of GPT-4o and later: exact counts of tokens; empty: estimates" },
	{ "tokenizer_cl100k", CONF_TEXT, FILE_OF(TOKENS_CL100K), "", 0, TOKENIZER_PATH_BYTES, NULL,
		"the same of GPT-4 and GPT-3.5" },
	{ "tokenizer_llama", CONF_TEXT, FILE_OF(TOKENS_LLAMA), "", 0, TOKENIZER_PATH_BYTES, NULL,
		"the same of Llama 3 and later, whose file is called tokenizer.model" },
	{ "tokenizer_qwen", CONF_TEXT, FILE_OF(TOKENS_QWEN), "", 0, TOKENIZER_PATH_BYTES, NULL,
		"the same of Qwen" },
	{ 0 },
};

/* The setting's name in place of "tokenizer". */
static void name_setting(enum tokens_family family, struct fail *why)
{
	if (why != NULL && strcmp(why->field, "tokenizer") == 0)
		snprintf(why->field, sizeof(why->field), "tokenizer_%s",
			tokens_family_name(family));
}

int tokenizers_open(struct tokenizers *ts, const struct tokenizers_conf *conf, struct fail *why)
{
	struct fail inner = { 0 };

	*ts = (struct tokenizers){ 0 };
	for (unsigned i = 0; i < TOKENS_FAMILIES; i++) {
		if (conf->files[i][0] == '\0')
			continue;
		ts->of[i] = tokenizer_open((enum tokens_family)i, conf->files[i], &inner);
		if (ts->of[i] != NULL)
			continue;
		name_setting((enum tokens_family)i, &inner);
		tokenizers_close(ts);
		if (why != NULL)
			*why = inner;
		return inner.code;
	}
	return 0;
}

void tokenizers_close(struct tokenizers *ts)
{
	for (unsigned i = 0; i < TOKENS_FAMILIES; i++)
		tokenizer_close(ts->of[i]);
	*ts = (struct tokenizers){ 0 };
}

static int64_t count_exactly(const void *vocabulary, struct span s)
{
	return tokenizer_encode(vocabulary, s, NULL);
}

struct token_count tokenizers_count(const struct tokenizers *ts, struct span model, uint32_t rate)
{
	struct token_count c = { tokens_family_of(model), rate, NULL, NULL };
	const struct tokenizer *t = ts == NULL ? NULL : ts->of[c.family];

	if (t == NULL || !tokens_family_is_sure(model))
		return c;
	return (struct token_count){ c.family, TOKEN_RATE_ONE, count_exactly, t };
}
