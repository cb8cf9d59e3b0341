/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_compute: compute.matmul and compute.montecarlo by their references, in slices, so that a cancel or
 * a pause is seen soon.
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

/* One product: rows of c up to `row` are done. */
struct product {
	uint32_t m, k, n, row;
	const float *a, *b;
	float *c;
	unsigned char *c_wire;
};

static int open_product(const struct cpu_call *call, struct product *p)
{
	struct span as = { NULL, 0 }, bs = { NULL, 0 };
	size_t c_bytes;

	p->m = (uint32_t)kind_int(call->kind, call->in, "m");
	p->k = (uint32_t)kind_int(call->kind, call->in, "k");
	p->n = (uint32_t)kind_int(call->kind, call->in, "n");
	c_bytes = (size_t)p->m * p->n * sizeof(float);
	if (find_item(call, "a", &as) < 0 || find_item(call, "b", &bs) < 0 ||
		matmul_check(as, bs, p->m, p->k, p->n, call->why) < 0)
		return call->why->code;
	p->a = load(call, as);
	p->b = load(call, bs);
	p->c = arena_raw(call->arena, c_bytes);
	p->c_wire = arena_raw(call->arena, c_bytes);
	return p->a == NULL || p->b == NULL || p->c == NULL || p->c_wire == NULL
		       ? cpu_no_memory(call)
		       : 0;
}

CPU_KIND("compute.matmul", run_matmul, 0, .traits = CPU_PAUSES)
int run_matmul(const struct cpu_call *call)
{
	struct product *p = cpu_state(call, sizeof *p);
	size_t c_len;

	if (p == NULL)
		return cpu_no_memory(call);
	if (p->m == 0 && open_product(call, p) < 0)
		return call->why->code;
	c_len = (size_t)p->m * p->n;
	for (; p->row < p->m; p->row++) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		if (cpu_is_paused(call))
			return CPU_PAUSED;
		matmul_ref(p->a + (size_t)p->row * p->k, p->b, p->c + (size_t)p->row * p->n, 1,
			p->k, p->n);
		cpu_progress(call, p->row + 1, p->m);
	}
	matmul_store(p->c, c_len, p->c_wire);
	body_put_item(call->out, SPAN_LIT("c"), SPAN_LIT("application/octet-stream"),
		span_of(p->c_wire, c_len * sizeof(float)));
	return 0;
}

/* Of a drawing of points, those that are done. */
struct drawing {
	uint64_t done, inside;
};

CPU_KIND("compute.montecarlo", run_montecarlo, 0, .traits = CPU_PAUSES)
int run_montecarlo(const struct cpu_call *call)
{
	uint64_t samples = (uint64_t)kind_int(call->kind, call->in, "samples");
	uint64_t seed = (uint64_t)kind_int(call->kind, call->in, "seed");
	uint64_t first = (uint64_t)kind_int(call->kind, call->in, "first");
	struct drawing *d = cpu_state(call, sizeof *d);
	char pi[MONTECARLO_PI_BYTES];

	if (d == NULL)
		return cpu_no_memory(call);
	if (montecarlo_check(first, call->why) < 0)
		return call->why->code;
	while (d->done < samples) {
		uint64_t slice = samples - d->done < SAMPLES_PER_SLICE ? samples - d->done
								       : SAMPLES_PER_SLICE;

		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		if (cpu_is_paused(call))
			return CPU_PAUSED;
		d->inside += montecarlo_ref(slice, seed, first + d->done);
		d->done += slice;
		cpu_progress(call, d->done, samples);
	}
	body_put_int(call->out, "inside", (int64_t)d->inside);
	body_put_int(call->out, "samples", (int64_t)samples);
	body_put_param(call->out, SPAN_LIT("pi"), span_str(montecarlo_pi(d->inside, samples, pi)));
	return 0;
}
