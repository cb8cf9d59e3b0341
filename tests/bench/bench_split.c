/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_split: what it costs to cut work: the plan of a graph of 1,000 and 10,000 parts with a tree that joins them
 * (split_1k_us, split_10k_us), moves of its parts from waiting to begun to ended (transitions_per_s), 4 MiB of text in
 * 1,000 parts by lines and where a reader would cut (lines_1k_us, docs_1k_us), and the whole plan of a task.map over
 * 10,000,000,000 points in 1,024 parts as a node makes it (range_us). Warm, medians. With valgrind: the instructions of
 * making the parts of a graph and its plan.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/kinds.h"
#include "policy/graph.h"
#include "policy/split.h"
#include "run/clocks.h"
#include "tests/bench/counted.h"

#define ROUNDS 101u
#define MANY 10000u
#define FAN_IN 32u
#define TEXT_BYTES ((size_t)4 << 20)

static struct arena arena;
static struct graph_part parts[MANY + 1];
static char names[MANY + 1][8];
static char inputs[MANY * 8];

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t median(int64_t *of)
{
	qsort(of, ROUNDS, sizeof(*of), by_size);
	return of[ROUNDS / 2];
}

/* n parts with a content each, and one that takes in what all of them give. */
static void make_parts(uint32_t n)
{
	size_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		int len = snprintf(names[i], sizeof(names[i]), "p%u", i);

		parts[i] = (struct graph_part){
			.name = span_of(names[i], (size_t)len),
			.kind = SPAN_LIT("text.extract"),
			.content = span_of(names[i], (size_t)len),
		};
		memcpy(inputs + at, names[i], (size_t)len);
		at += (size_t)len;
		inputs[at++] = ' ';
	}
	parts[n] = (struct graph_part){
		.name = SPAN_LIT("all"),
		.kind = SPAN_LIT("task.reduce"),
		.inputs = span_of(inputs, at),
		.fan_in = FAN_IN,
	};
}

static void plan(uint32_t n, struct graph *ret)
{
	int r;

	arena_reset(&arena);
	r = graph_plan(&arena, parts, n + 1, 2 * MANY, ret, NULL);
	CHECK(r == 0);
}

static int64_t plan_ns(uint32_t n)
{
	int64_t ns[ROUNDS];
	struct graph g;

	make_parts(n);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t started = clocks_mono();

		plan(n, &g);
		ns[i] = clocks_mono() - started;
	}
	return median(ns);
}

/* Each run is begun and ended. */
static int64_t moves_per_s(void)
{
	int64_t ns[ROUNDS];
	uint32_t runs = 0;

	make_parts(MANY);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct graph g;
		int64_t started;
		uint32_t node;

		plan(MANY, &g);
		started = clocks_mono();
		for (runs = 0; (node = graph_next(&g)) != GRAPH_NONE; runs++)
			graph_end(&g, node);
		ns[i] = clocks_mono() - started;
		CHECK(runs == g.runs_n);
	}
	return 2 * (int64_t)runs * NS_PER_S / (median(ns) + 1);
}

static int64_t text_ns(struct span text, bool lines)
{
	const struct split_want want = { .parts_max = 1000, .part_min = 1, .lines = lines };
	int64_t ns[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct split_piece *pieces;
		int64_t started = clocks_mono();
		size_t n;
		int r;

		arena_reset(&arena);
		r = split_docs(&arena, &text, 1, &want, &pieces, &n);
		ns[i] = clocks_mono() - started;
		CHECK(r == 0 && n == 1000);
	}
	return median(ns);
}

static struct span make_text(char *to)
{
	static const char line[] =
		"A line of a text that tells of nothing in particular. It has two sentences.\n";

	for (size_t i = 0; i < TEXT_BYTES; i++)
		to[i] = line[i % (sizeof(line) - 1)];
	return span_of(to, TEXT_BYTES);
}

/* One call of task.split, as a node makes it. */
static int64_t range_ns(void)
{
	const struct cpu_kind *kind = cpu_kind_find(SPAN_LIT("task.split"));
	const _Atomic bool never = false;
	_Atomic uint32_t permille = 0;
	int64_t ns[ROUNDS];
	struct buf task, out;
	struct item item = { .name = SPAN_LIT("task"), .media = SPAN_LIT(BODY_MEDIA) };
	struct param params[] = { { SPAN_LIT("split.kind"), SPAN_LIT("task.map") } };
	const struct body in = { params, 1, &item, 1 };
	const struct cpu_call call = { .kind = kind_find(SPAN_LIT("task.split")),
		.in = &in,
		.attempt = 1,
		.arena = &arena,
		.out = &out,
		.cancel = &never,
		.permille = &permille };

	buf_init(&task, 4096);
	buf_init(&out, LIMIT_BODY_BYTES);
	body_put_param(&task, SPAN_LIT("kinds"), SPAN_LIT("compute.montecarlo"));
	body_put_param(&task, SPAN_LIT("compute.montecarlo.samples"), SPAN_LIT("10000000000"));
	body_put_param(&task, SPAN_LIT("parts"), SPAN_LIT("1024"));
	item.data = buf_span(&task);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t started = clocks_mono();
		int r;

		arena_reset(&arena);
		buf_reset(&out);
		r = cpu_kind_run(kind, &call);
		ns[i] = clocks_mono() - started;
		CHECK(r == 0);
	}
	buf_done(&task);
	buf_done(&out);
	return median(ns);
}

static void print(const char *name, int64_t ns)
{
	printf("figure %s %.1f us\n", name, (double)ns / 1e3);
}

/* --- what is counted ------------------------------------------------------------------------------ */

static void plan_1k(void)
{
	struct graph g;

	make_parts(1000);
	plan(1000, &g);
}

static void plan_10k(void)
{
	struct graph g;

	make_parts(MANY);
	plan(MANY, &g);
}

static const struct counted counted[] = { { "split_1k", plan_1k }, { "split_10k", plan_10k } };

int main(int argc, char **argv)
{
	char *room = malloc(TEXT_BYTES);
	struct span text;

	CHECK(room != NULL);
	arena_init(&arena, (size_t)64 << 20);
	if (counted_child(counted, ARRAY_LEN(counted), argc, argv))
		return 0;
	text = make_text(room);
	print("split_1k_us", plan_ns(1000));
	print("split_10k_us", plan_ns(MANY));
	printf("figure transitions_per_s %lld /s\n", (long long)moves_per_s());
	print("lines_1k_us", text_ns(text, true));
	print("docs_1k_us", text_ns(text, false));
	print("range_us", range_ns());
	counted_print(counted, ARRAY_LEN(counted), argv[0]);
	arena_done(&arena);
	free(room);
	return 0;
}
