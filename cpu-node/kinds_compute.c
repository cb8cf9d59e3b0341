/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_compute: compute.matmul and compute.montecarlo by their references, in slices, so that a cancel is
 * seen soon.
 */
#include "base/fmt.h"
#include "cpu-node/kinds.h"
#include "kernel/matmul.h"
#include "kernel/montecarlo.h"

#define SAMPLES_PER_SLICE (UINT64_C(1) << 20) /* about 10 ms */

static int find_item(const struct cpu_call *call, const char *name, struct span *ret)
{
	for (size_t i = 0; i < call->in->items_n; i++) {
		if (span_is(call->in->items[i].name, name)) {
			*ret = call->in->items[i].data;
			return 0;
		}
	}
	return fail_set(call->why, ERR_INVALID, name, 0, "there is no item with the name \"%s\"",
		name);
}

/* A matrix of the arena with the item's numbers. */
static float *load(const struct cpu_call *call, struct span bytes)
{
	float *to = arena_raw(call->arena, bytes.len);

	if (to != NULL)
		matmul_load(bytes, to);
	return to;
}

int run_matmul(const struct cpu_call *call)
{
	uint32_t m = (uint32_t)kind_int(call->kind, call->in, "m");
	uint32_t k = (uint32_t)kind_int(call->kind, call->in, "k");
	uint32_t n = (uint32_t)kind_int(call->kind, call->in, "n");
	size_t c_bytes = (size_t)m * n * sizeof(float);
	unsigned char *c_wire;
	float *a, *b, *c;
	struct span as = { NULL, 0 }, bs = { NULL, 0 };

	if (find_item(call, "a", &as) < 0 || find_item(call, "b", &bs) < 0 ||
		matmul_check(as, bs, m, k, n, call->why) < 0)
		return call->why->code;
	a = load(call, as);
	b = load(call, bs);
	c = arena_raw(call->arena, c_bytes);
	c_wire = arena_raw(call->arena, c_bytes);
	if (a == NULL || b == NULL || c == NULL || c_wire == NULL)
		return cpu_no_memory(call);
	for (uint32_t row = 0; row < m; row++) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		matmul_ref(a + (size_t)row * k, b, c + (size_t)row * n, 1, k, n);
		cpu_progress(call, row + 1, m);
	}
	matmul_store(c, (size_t)m * n, c_wire);
	body_put_item(call->out, SPAN_LIT("c"), SPAN_LIT("application/octet-stream"),
		span_of(c_wire, c_bytes));
	return 0;
}

int run_montecarlo(const struct cpu_call *call)
{
	uint64_t samples = (uint64_t)kind_int(call->kind, call->in, "samples");
	uint64_t seed = (uint64_t)kind_int(call->kind, call->in, "seed");
	uint64_t inside = 0, done = 0;
	char pi[MONTECARLO_PI_BYTES];

	while (done < samples) {
		uint64_t slice =
			samples - done < SAMPLES_PER_SLICE ? samples - done : SAMPLES_PER_SLICE;

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		inside += montecarlo_ref(slice, seed, done);
		done += slice;
		cpu_progress(call, done, samples);
	}
	body_put_int(call->out, "inside", (int64_t)inside);
	body_put_int(call->out, "samples", (int64_t)samples);
	body_put_param(call->out, SPAN_LIT("pi"), span_str(montecarlo_pi(inside, samples, pi)));
	return 0;
}
