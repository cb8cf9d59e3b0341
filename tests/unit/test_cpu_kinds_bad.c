/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kind of the table with every sort of bad input: a result, or an error that says what it is about; nothing is
 * left over. What takes too long, or too much, fails by the time and the memory that a test may have.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cpu-node/kinds.h"
#include "run/keys.h"
#include "wire/plan.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define HUGE_BYTES (100 * MIB)
#define OUT_BYTES (128 * MIB) /* as a node's blob_bytes */
#define ITEMS_MAX LIMIT_ITEMS

/* What a kind must be told, and what else to try; all other parameters have their defaults. */
static const struct setting {
	const char *kind;
	const char *text; /* key=value, with blanks between */
} settings[] = {
	{ "util.echo", "" },
	{ "util.count", "" },
	{ "blob.compress", "" },
	{ "blob.compress", "level=19" },
	{ "blob.decompress", "" },
	{ "blob.train", "" },
	{ "blob.train", "unit=line max_bytes=262144" },
	{ "text.extract", "" },
	{ "text.extract", "query=lease sentences=1000 max_bytes=524288" },
	{ "text.compress", "ratio_milli=5000" },
	{ "text.compress", "tokens=1" },
	{ "text.compress", "query=lease tokens=1000000000 map=yes" },
	{ "text.compress", "mode=telegraphic prefix_bytes=524288" },
	{ "text.compress", "mode=lossless" },
	{ "text.expand", "" },
	{ "text.expand", "item=1024 gap=1000000 from=524288" },
	{ "text.summarize", "" },
	{ "text.summarize", "percent=90 of=each" },
	{ "text.search", "query=lease" },
	{ "text.search", "query=lease unit=document limit=1000" },
	{ "text.dedupe", "" },
	{ "text.dedupe", "unit=line report=yes" },
	{ "text.dedupe", "unit=paragraph similar_percent=50" },
	{ "text.stats", "top=1000" },
	{ "text.language", "" },
	{ "data.hash", "" },
	{ "data.hash", "algorithm=sha256" },
	{ "data.diff", "" },
	{ "data.diff", "context=100 max_edits=20000" },
	{ "task.split", "split.kind=task.map split.parts=1024" },
	{ "task.split", "split.kind=llm.chat" },
	{ "task.split", "split.kind=nonsense" },
	{ "task.reduce", "" },
	{ "task.reduce", "how=concat" },
	{ "task.reduce", "how=items" },
	{ "task.reduce", "how=sum" },
	{ "task.chain", "kinds=text.dedupe,data.hash" },
	{ "task.chain", "kinds=task.chain,nonsense" },
	{ "task.sweep", "kinds=data.hash sweep.data.hash.algorithm=blake2b,sha256" },
	{ "task.sweep", "kinds=text.stats sweep.text.stats.top=1,2,3 join=sum" },
	{ "task.sweep", "kinds=nonsense sweep.nonsense.a=1" },
	{ "image.filter", "" },
	{ "image.filter", "filter=gauss radius=16" },
	{ "compute.matmul", "m=2 k=2 n=2" },
	{ "compute.matmul", "m=2048 k=2048 n=2048" },
	{ "compute.montecarlo", "samples=1000" },
};

/* --- inputs ------------------------------------------------------------------------------------------- */

static struct item items[ITEMS_MAX];
static unsigned char *room; /* HUGE_BYTES */

static size_t one(size_t bytes)
{
	items[0] = (struct item){ .name = SPAN_LIT("in"), .data = span_of(room, bytes) };
	return 1;
}

/* Fill with copies of this. */
static void repeat(const char *text, size_t bytes)
{
	size_t n = strlen(text);

	memcpy(room, text, n < bytes ? n : bytes);
	for (size_t at = n; at < bytes; at += at)
		memcpy(room + at, room, at < bytes - at ? at : bytes - at);
}

static void fill_random(size_t bytes)
{
	struct prng p;

	rand_start(&p);
	for (size_t i = 0; i < bytes; i++)
		room[i] = (unsigned char)prng_next(&p);
}

static size_t make_nothing(void)
{
	return 0;
}

static size_t make_empty(void)
{
	return one(0);
}

static size_t make_many_empty(void)
{
	for (size_t i = 0; i < ITEMS_MAX; i++)
		items[i] = (struct item){ 0 };
	return ITEMS_MAX;
}

static size_t make_one_byte(void)
{
	repeat("a", 1);
	return one(1);
}

/* Two names of one text, of which some kinds need two. */
static size_t make_twice(void)
{
	repeat("The mesh places tasks. A silent node loses its lease.\n", 10 * KIB);
	items[1] = items[0] = (struct item){ .data = span_of(room, 10 * KIB) };
	return 2;
}

static size_t make_endless_word(void)
{
	repeat("a", MIB);
	return one(MIB);
}

static size_t make_endless_line(void)
{
	repeat("The mesh places tasks and a silent node loses its lease ", MIB);
	return one(MIB);
}

static size_t make_ends_of_lines(void)
{
	repeat("\n", MIB);
	return one(MIB);
}

static size_t make_one_letter_sentences(void)
{
	repeat("A. ", 300 * KIB);
	return one(300 * KIB);
}

static size_t make_zeros(void)
{
	memset(room, 0, 64 * KIB);
	return one(64 * KIB);
}

static size_t make_random(void)
{
	fill_random(64 * KIB);
	return one(64 * KIB);
}

/* Starts that promise what does not follow. */
static size_t make_false_starts(void)
{
	static const struct {
		const char *bytes;
		size_t n;
	} starts[] = {
		{ "\x28\xb5\x2f\xfd\xa4\xff\xff\xff\xff\x00\x01\x00", 12 }, /* zstd: 4 GiB */
		{ "\x37\xa4\x30\xec\x01\x00\x00\x00", 8 },                  /* a dictionary */
		{ "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06", 26 },
		{ "\xff\xd8\xff\xe0\0\x10JFIF", 10 },
	};

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		items[i] = (struct item){ .data = span_of(starts[i].bytes, starts[i].n) };
	return ARRAY_LEN(starts);
}

static size_t make_false_start_alone(void)
{
	(void)make_false_starts();
	return 1;
}

static size_t make_nested_arrays(void)
{
	repeat("[", 400 * KIB);
	memset(room + 200 * KIB, ']', 200 * KIB);
	return one(400 * KIB);
}

static size_t make_nested_objects(void)
{
	repeat("{\"a\":", 400 * KIB);
	return one(400 * KIB);
}

static size_t make_odd_json(void)
{
	repeat("[{\"a\":1e999,\"a\":-0,\"\\ud800\":null},99999999999999999999999,\"\\u0000\"]\n",
		64 * KIB);
	return one(64 * KIB);
}

/* Latin-1, UTF-16 with its mark, forms that are too long, surrogates, beyond Unicode, and good UTF-8 between. */
static size_t make_mixed_encodings(void)
{
	static const char text[] =
		"caf\xe9 caf\xc3\xa9. \xff\xfeT\0e\0x\0t\0. \xc0\xaf \xe0\x80\xaf. "
		"\xed\xa0\x80\xed\xb0\x80 \xf4\x90\x80\x80 \xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82"
		"\xf0\x9f\x98 ";

	for (size_t i = 0; i < 1000; i++)
		memcpy(room + i * (sizeof(text) - 1), text, sizeof(text) - 1);
	return one(1000 * (sizeof(text) - 1));
}

/* Characters that join with those before them, and that turn the line round. */
static size_t make_odd_letters(void)
{
	repeat("a\xcc\x81\xcc\x82\xcc\x83 \xe2\x80\xae\xd7\xa9 \xef\xbb\xbf \xe2\x80\x8d. ",
		64 * KIB);
	return one(64 * KIB);
}

static size_t make_nested_bodies(void)
{
	static struct buf b, c;

	buf_init(&b, MIB);
	buf_init(&c, MIB);
	for (int i = 0; i < 1000; i++) {
		buf_reset(&c);
		body_put_item(&c, SPAN_LIT("task"), SPAN_LIT(BODY_MEDIA), buf_span(&b));
		buf_reset(&b);
		buf_add(&b, buf_span(&c));
	}
	memcpy(room, b.at, b.len);
	(void)one(b.len);
	buf_done(&b);
	buf_done(&c);
	items[0].media = SPAN_LIT(BODY_MEDIA);
	return 1;
}

/* A task to cut: as many points as there are numbers, and one more. */
static size_t sweep_of(const char *samples)
{
	struct buf b = { .max = KIB };

	body_put_param(&b, SPAN_LIT("kinds"), SPAN_LIT("compute.montecarlo"));
	body_put_param(&b, SPAN_LIT("compute.montecarlo.samples"), span_str(samples));
	memcpy(room, b.at, b.len);
	(void)one(b.len);
	buf_done(&b);
	items[0].media = SPAN_LIT(BODY_MEDIA);
	return 1;
}

static size_t make_sweep(void)
{
	return sweep_of("18446744073709551616");
}

static size_t make_long_sweep(void)
{
	return sweep_of("10000000000");
}

static size_t make_wrong_body(void)
{
	(void)make_random();
	items[0].media = SPAN_LIT(BODY_MEDIA);
	return 1;
}

static size_t make_huge_word(void)
{
	memset(room, 'a', HUGE_BYTES);
	return one(HUGE_BYTES);
}

static size_t make_huge_text(void)
{
	repeat("The mesh places tasks, of which there are many.\nA silent node loses its lease. ",
		HUGE_BYTES);
	return one(HUGE_BYTES);
}

static size_t make_huge_binary(void)
{
	fill_random(MIB);
	for (size_t at = MIB; at < HUGE_BYTES; at += MIB)
		memcpy(room + at, room, MIB);
	return one(HUGE_BYTES);
}

static const struct input {
	const char *name;
	size_t (*make)(void); /* returns how many items */
} inputs[] = {
	{ "nothing", make_nothing },
	{ "an empty item", make_empty },
	{ "many empty items", make_many_empty },
	{ "one byte", make_one_byte },
	{ "a text, twice", make_twice },
	{ "an endless word", make_endless_word },
	{ "an endless line", make_endless_line },
	{ "ends of lines", make_ends_of_lines },
	{ "sentences of one letter", make_one_letter_sentences },
	{ "zeros", make_zeros },
	{ "random bytes", make_random },
	{ "false starts", make_false_starts },
	{ "a false start", make_false_start_alone },
	{ "nested arrays", make_nested_arrays },
	{ "nested objects", make_nested_objects },
	{ "odd JSON", make_odd_json },
	{ "mixed encodings", make_mixed_encodings },
	{ "odd letters", make_odd_letters },
	{ "nested bodies", make_nested_bodies },
	{ "a wrong body", make_wrong_body },
	{ "a sweep of 2^64 points", make_sweep },
	{ "a sweep of 10^10 points", make_long_sweep },
}, huge[] = {
	{ "a word of 100 MiB", make_huge_word },
	{ "a text of 100 MiB", make_huge_text },
	{ "100 MiB of random bytes", make_huge_binary },
};

/* --- a call ------------------------------------------------------------------------------------------- */

struct trial {
	const struct cpu_kind *row;
	const struct kind_row *kind;
	const char *about; /* for the failure */
	struct body in;
	_Atomic bool cancel;
};

static unsigned complaints; /* of a test: all of them are shown before it fails */

static void complain(const struct trial *t, const struct fail *why, const char *what)
{
	complaints++;
	print_error("%s with %s: %s (%d, field \"%s\", limit %lld: %s)\n", t->row->name, t->about,
		what, why->code, why->field, (long long)why->limit, why->detail);
}

/* The error says what is wrong with what, and what would have been right. */
static void check_error(const struct trial *t, int r, const struct fail *why)
{
	if (r > 0 || why->code != r)
		complain(t, why, "the error is not told");
	if (r == ERR_BUG || r == ERR_NO_MEMORY || r == ERR_IO || err_row(r)->wire != -r)
		complain(t, why, "this is not the fault of the input");
	if (r == ERR_CANCELLED || r == ERR_LOST)
		return;
	if (why->field[0] == '\0')
		complain(t, why, "no field");
	if (why->detail[0] == '\0')
		complain(t, why, "no detail");
	if (r == ERR_TOO_BIG && why->limit <= 0)
		complain(t, why, "no limit");
}

static void check_result(const struct trial *t, const struct buf *out, const struct fail *why)
{
	struct arena a;
	struct body result;
	struct plan plan;
	int r;

	arena_init(&a, 16 * MIB);
	if (span_is(SPAN_LIT("task.split"), t->row->name))
		r = plan_view(&a, buf_span(out), &plan, NULL);
	else
		r = body_view(&a, buf_span(out), &result, NULL);
	arena_done(&a);
	if (r < 0)
		complain(t, why, "the result is no body");
}

static void run(struct trial *t)
{
	_Atomic uint32_t permille = 0;
	struct fail why = { 0 };
	struct arena arena;
	struct buf out;
	struct cpu_call call = { .kind = t->kind,
		.in = &t->in,
		.attempt = 1,
		.arena = &arena,
		.out = &out,
		.why = &why,
		.cancel = &t->cancel,
		.permille = &permille };
	int64_t before = mem_held();
	int r = kind_check(t->kind, &t->in, &why);

	arena_init(&arena, CALL_ARENA_BYTES);
	buf_init(&out, OUT_BYTES);
	if (r == 0)
		r = cpu_kind_run(t->row, &call);
	if (r == 0)
		check_result(t, &out, &why);
	else
		check_error(t, r, &why);
	if (permille > 1000)
		complain(t, &why, "more progress than there is");
	arena_done(&arena);
	buf_done(&out);
	if (mem_held() != before)
		complain(t, &why, "memory is left over");
}

/* key=value, with blanks between. */
static size_t read_params(const char *text, struct param *to)
{
	struct span rest = span_str(text);
	size_t n = 0;

	while (rest.len > 0) {
		struct span value = span_cut(&rest, ' '), key = span_cut(&value, '=');

		to[n++] = (struct param){ key, value };
	}
	return n;
}

static void run_setting(const struct setting *s, const struct input *in, size_t items_n)
{
	struct param params[8];
	char about[200];
	struct trial t = { .row = cpu_kind_find(span_str(s->kind)),
		.kind = kind_find(span_str(s->kind)),
		.about = about };

	(void)snprintf(about, sizeof(about), "\"%s\" and %s", s->text, in->name);
	assert_non_null(t.row);
	t.in = (struct body){ .params = params,
		.params_n = read_params(s->text, params),
		.items = items,
		.items_n = items_n };
	run(&t);
}

/* only_first: one setting of each kind. */
static void run_all(const struct input *in, bool only_first)
{
	size_t n = in->make();

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (!only_first || i == 0 || strcmp(settings[i].kind, settings[i - 1].kind) != 0)
			run_setting(&settings[i], in, n);
}

/* --- tests -------------------------------------------------------------------------------------------- */

static void each_kind_is_tried(void **state)
{
	(void)state;
	for (unsigned i = 0; cpu_kind_at(i) != NULL; i++) {
		bool found = false;

		for (size_t k = 0; k < ARRAY_LEN(settings); k++)
			found |= strcmp(settings[k].kind, cpu_kind_at(i)->name) == 0;
		if (!found)
			fail_msg("%s is not in the table of settings", cpu_kind_at(i)->name);
	}
}

static void bad_inputs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(inputs); i++)
		run_all(&inputs[i], false);
	assert_int_equal(complaints, 0);
}

static void huge_inputs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(huge); i++)
		run_all(&huge[i], true);
	assert_int_equal(complaints, 0);
}

/* A number, at its ends and beyond them, in a task that is cancelled: what computes for as long as it is told, stops. */
static void try_number(const struct cpu_kind *row, const struct kind_param *p, const char *value,
	bool is_good)
{
	struct param params[9];
	char about[200];
	struct fail why = { 0 };
	struct trial t = { .row = row,
		.kind = kind_find(span_str(row->name)),
		.about = about,
		.cancel = true };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(settings) && n == 0; i++)
		if (strcmp(settings[i].kind, row->name) == 0)
			n = read_params(settings[i].text, params);
	(void)snprintf(about, sizeof(about), "%s=%s", p->key, value);
	params[n++] = (struct param){ span_str(p->key), span_str(value) };
	t.in = (struct body){ .params = params,
		.params_n = n,
		.items = items,
		.items_n = make_twice() };
	if (is_good) {
		run(&t);
		return;
	}
	if (kind_check(t.kind, &t.in, &why) != ERR_INVALID || strcmp(why.field, p->key) != 0)
		complain(&t, &why, "it is not refused");
}

static void numbers_at_their_ends(void **state)
{
	static const char *const wrong[] = { "", "-1", "18446744073709551616",
		"-9223372036854775809", "1e3", "0x10", " 1", "1 ", "one", "\xff" };

	(void)state;
	for (unsigned i = 0; cpu_kind_at(i) != NULL; i++) {
		const struct cpu_kind *row = cpu_kind_at(i);
		const struct kind_row *kind = kind_find(span_str(row->name));

		for (unsigned k = 0; kind != NULL && k < kind->params_n; k++) {
			const struct kind_param *p = &kind->params[k];
			char low[24], high[24], beyond[24];

			if (p->type != PARAM_INT)
				continue;
			(void)snprintf(low, sizeof(low), "%lld", (long long)p->low);
			(void)snprintf(high, sizeof(high), "%lld", (long long)p->high);
			(void)snprintf(beyond, sizeof(beyond), "%llu",
				(unsigned long long)p->high + 1);
			try_number(row, p, low, true);
			try_number(row, p, high, true);
			try_number(row, p, beyond, false);
			for (size_t w = 0; w < ARRAY_LEN(wrong); w++)
				try_number(row, p, wrong[w], false);
		}
	}
	assert_int_equal(complaints, 0);
}

static int forget(void **state)
{
	(void)state;
	complaints = 0;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	room = malloc(HUGE_BYTES);
	return room == NULL ? -1 : keys_open();
}

static int tear_down(void **state)
{
	(void)state;
	free(room);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_tried),
		cmocka_unit_test_setup(bad_inputs, forget),
		cmocka_unit_test_setup(numbers_at_their_ends, forget),
		cmocka_unit_test_setup(huge_inputs, forget),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
