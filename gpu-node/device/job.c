/* SPDX-License-Identifier: Apache-2.0
 *
 * job: see job.h.
 */
#include "gpu-node/device/job.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "kernel/matmul.h"
#include "kernel/montecarlo.h"
#include "wire/kinds.h"

/* The decoded body is as large as the encoded one, and a record for each of its items. */
#define ARENA_BYTES (2u << 20)
#define PNG_LEVEL 6

struct job {
	struct device *device;
	const struct kind_row *row;
	const struct body *body;
	const struct pace *pace;
	struct buf *out;
	struct arena *arena;
};

/* Forwards the progress of one item as that of the whole job. */
struct share {
	const struct pace *pace;
	size_t item;
	size_t items;
};

static int check_result(const struct job *j, struct fail *why)
{
	if (buf_err(j->out) == ERR_TOO_BIG)
		return fail_set(why, ERR_TOO_BIG, "result", LIMIT_BODY_BYTES,
			"the result is larger than a Body may be");
	return buf_err(j->out) == 0 ? 0 : fail_set(why, buf_err(j->out), NULL, 0, NULL);
}

static int put_result(struct job *j, struct span name, const char *media, struct span data,
	struct fail *why)
{
	body_put_item(j->out, name, span_str(media), data);
	return check_result(j, why);
}

static int find_item(const struct job *j, const char *name, struct span *ret, struct fail *why)
{
	for (size_t i = 0; i < j->body->items_n; i++) {
		if (span_is(j->body->items[i].name, name)) {
			*ret = j->body->items[i].data;
			return 0;
		}
	}
	return fail_set(why, ERR_INVALID, name, 0, "there is no item with the name \"%s\"", name);
}

/* memory has room for A, B and C. */
static int multiply(struct job *j, struct matmul_shape s, const struct span ab[2], float *memory,
	struct fail *why)
{
	const size_t c_n = (size_t)s.m * s.n;
	float *a = memory, *b = a + (size_t)s.m * s.k, *c = b + (size_t)s.k * s.n;
	CLEANUP(mem_freep) void *bytes = mem_alloc(c_n * sizeof(float));
	int r;

	if (bytes == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	matmul_load(ab[0], a);
	matmul_load(ab[1], b);
	r = compute_matmul(j->device, s, a, b, c, j->pace, why);
	if (r < 0)
		return r;
	matmul_store(c, c_n, bytes);
	return put_result(j, SPAN_LIT("c"), "application/octet-stream",
		span_of(bytes, c_n * sizeof(float)), why);
}

static int run_matmul(struct job *j, struct fail *why)
{
	const struct matmul_shape s = { (uint32_t)kind_int(j->row, j->body, "m"),
		(uint32_t)kind_int(j->row, j->body, "k"),
		(uint32_t)kind_int(j->row, j->body, "n") };
	const size_t floats = (size_t)s.m * s.k + (size_t)s.k * s.n + (size_t)s.m * s.n;
	CLEANUP(mem_freep) void *memory = NULL;
	struct span ab[2] = { 0 };
	int r = find_item(j, "a", &ab[0], why);

	if (r == 0)
		r = find_item(j, "b", &ab[1], why);
	if (r == 0)
		r = matmul_check(ab[0], ab[1], s.m, s.k, s.n, why);
	if (r < 0)
		return r;
	memory = mem_alloc(floats * sizeof(float));
	return memory == NULL ? fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL)
			      : multiply(j, s, ab, memory, why);
}

static int run_montecarlo(struct job *j, struct fail *why)
{
	const uint64_t samples = (uint64_t)kind_int(j->row, j->body, "samples");
	const uint64_t seed = (uint64_t)kind_int(j->row, j->body, "seed");
	const uint64_t first = (uint64_t)kind_int(j->row, j->body, "first");
	char pi[MONTECARLO_PI_BYTES];
	uint64_t inside;
	int r = montecarlo_check(first, why);

	if (r == 0)
		r = compute_montecarlo(j->device,
			(struct montecarlo_points){ first, samples, seed }, &inside, j->pace, why);

	if (r != 0)
		return r;
	body_put_int(j->out, "inside", (int64_t)inside);
	body_put_int(j->out, "samples", (int64_t)samples);
	body_put_param(j->out, SPAN_LIT("pi"), span_str(montecarlo_pi(inside, samples, pi)));
	return check_result(j, why);
}

/* The name with the ending .png instead of that of a JPEG. NULL in at: no memory. */
static struct span name_png(const struct job *j, struct span name)
{
	static const char *const endings[] = { ".jpg", ".jpeg", ".JPG", ".JPEG" };

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		const size_t n = strlen(endings[i]);

		if (name.len > n && memcmp(name.at + name.len - n, endings[i], n) == 0)
			return span_str(arena_fmt(j->arena, "%.*s.png", (int)(name.len - n),
				(const char *)name.at));
	}
	return name;
}

static bool on_item_step(void *ctx, uint32_t permille)
{
	const struct share *share = ctx;

	if (share->pace->on_step == NULL)
		return true;
	return share->pace->on_step(share->pace->ctx,
		(uint32_t)((share->item * 1000 + permille) / share->items));
}

static int filter_item(struct job *j, size_t i, struct fail *why)
{
	const struct item *item = &j->body->items[i];
	const struct filter_what what = { kind_choice(j->row, j->body, "filter"),
		(unsigned)kind_int(j->row, j->body, "radius") };
	struct share share = { j->pace, i, j->body->items_n };
	const struct pace pace = { on_item_step, &share };
	const struct span name = name_png(j, item->name);
	CLEANUP(picture_done) struct picture in = { 0 }, out = { 0 };
	CLEANUP(buf_done) struct buf png = { 0 };
	int r;

	buf_init(&png, LIMIT_BODY_BYTES);
	r = picture_decode(item->data, &in, why);
	if (r == 0)
		r = compute_filter(j->device, &in, what, &out, &pace, why);
	if (r == 0)
		r = picture_encode_png(&out, PNG_LEVEL, &png, why);
	return r < 0 ? r : put_result(j, name, "image/png", buf_span(&png), why);
}

static int run_filter(struct job *j, struct fail *why)
{
	int r = 0;

	if (j->body->items_n == 0)
		return fail_set(why, ERR_INVALID, "items", 1, "image.filter needs an item");
	for (size_t i = 0; r == 0 && i < j->body->items_n; i++)
		r = filter_item(j, i, why);
	return r;
}

static int run(struct job *j, enum gpu_kind kind, struct fail *why)
{
	switch (kind) {
	case GPU_MATMUL:
		return run_matmul(j, why);
	case GPU_MONTECARLO:
		return run_montecarlo(j, why);
	case GPU_FILTER:
		return run_filter(j, why);
	case GPU_KINDS:
		break;
	}
	return fail_set(why, ERR_UNKNOWN, "kind", 0, NULL);
}

int job_run(struct device *d, enum gpu_kind kind, struct span bytes, const struct pace *pace,
	struct buf *out, struct fail *why)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct body body;
	struct job j = { d, kind_find(span_str(gpu_kind_name(kind))), &body, pace, out, &arena };
	const size_t len = out->len;
	int r;

	CHECK(j.row != NULL);
	arena_init(&arena, ARENA_BYTES);
	r = body_decode(&arena, bytes, &body, why);
	if (r == 0)
		r = kind_check(j.row, &body, why);
	if (r == 0)
		r = run(&j, kind, why);
	if (r < 0) { /* what was appended is no result */
		out->len = len;
		out->err = 0;
	}
	return r;
}
