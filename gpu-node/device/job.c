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
};

static int put_result(struct job *j, const char *name, const char *media, struct span data, struct fail *why)
{
	body_put_item(j->out, span_str(name), span_str(media), data);
	if (buf_err(j->out) == ERR_TOO_BIG)
		return fail_set(why, ERR_TOO_BIG, "result", LIMIT_BODY_BYTES,
		                "the result is larger than a Body may be");
	return buf_err(j->out) == 0 ? 0 : fail_set(why, buf_err(j->out), NULL, 0, NULL);
}

static int items_check(const struct body *body, size_t n, struct fail *why)
{
	if (body->items_n == n)
		return 0;
	return fail_set(why, ERR_INVALID, "item", (int64_t)n, "%zu items are needed, there are %zu", n,
	                body->items_n);
}

static int multiply(struct job *j, struct matmul_shape s, float *a, struct fail *why)
{
	const size_t c_bytes = (size_t)s.m * s.n * sizeof(float);
	float *b = a + (size_t)s.m * s.k, *c = b + (size_t)s.k * s.n;
	CLEANUP(mem_freep) void *bytes = mem_alloc(c_bytes);
	int r;

	if (bytes == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	matmul_load(j->body->items[0].data, a);
	matmul_load(j->body->items[1].data, b);
	r = compute_matmul(j->device, s, a, b, c, j->pace, why);
	if (r < 0)
		return r;
	matmul_store(c, (size_t)s.m * s.n, bytes);
	return put_result(j, "c", "application/octet-stream", span_of(bytes, c_bytes), why);
}

static int run_matmul(struct job *j, struct fail *why)
{
	const struct matmul_shape s = { (uint32_t)kind_int(j->row, j->body, "m"),
		                        (uint32_t)kind_int(j->row, j->body, "k"),
		                        (uint32_t)kind_int(j->row, j->body, "n") };
	const size_t floats = (size_t)s.m * s.k + (size_t)s.k * s.n + (size_t)s.m * s.n;
	CLEANUP(mem_freep) void *memory = NULL;
	int r = items_check(j->body, 2, why);

	if (r == 0)
		r = matmul_check(j->body->items[0].data, j->body->items[1].data, s.m, s.k, s.n, why);
	if (r < 0)
		return r;
	memory = mem_alloc(floats * sizeof(float));
	return memory == NULL ? fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL) : multiply(j, s, memory, why);
}

static int run_montecarlo(struct job *j, struct fail *why)
{
	const uint64_t samples = (uint64_t)kind_int(j->row, j->body, "samples");
	const uint64_t seed = (uint64_t)kind_int(j->row, j->body, "seed");
	char pi[MONTECARLO_PI_BYTES];
	uint64_t inside;
	int r = compute_montecarlo(j->device, samples, seed, &inside, j->pace, why);

	if (r < 0)
		return r;
	body_put_int(j->out, "inside", (int64_t)inside);
	body_put_int(j->out, "samples", (int64_t)samples);
	return put_result(j, "pi", "text/plain", span_str(montecarlo_pi(inside, samples, pi)), why);
}

static int run_filter(struct job *j, struct fail *why)
{
	const struct filter_what what = { kind_choice(j->row, j->body, "filter"),
		                          (unsigned)kind_int(j->row, j->body, "radius") };
	CLEANUP(picture_done) struct picture in = { 0 }, out = { 0 };
	CLEANUP(buf_done) struct buf png;
	int r = items_check(j->body, 1, why);

	buf_init(&png, LIMIT_BODY_BYTES);
	if (r == 0)
		r = picture_decode(j->body->items[0].data, &in, why);
	if (r == 0)
		r = compute_filter(j->device, &in, what, &out, j->pace, why);
	if (r == 0)
		r = picture_encode_png(&out, PNG_LEVEL, &png, why);
	return r < 0 ? r : put_result(j, "picture.png", "image/png", buf_span(&png), why);
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

int job_run(struct device *d, enum gpu_kind kind, struct span bytes, const struct pace *pace, struct buf *out,
            struct fail *why)
{
	CLEANUP(arena_done) struct arena arena;
	struct body body;
	struct job j = { d, kind_find(span_str(gpu_kind_name(kind))), &body, pace, out };
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
