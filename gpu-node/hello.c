/* SPDX-License-Identifier: Apache-2.0
 *
 * hello: see hello.h.
 */
#include "gpu-node/hello.h"

#include "base/arena.h"
#include "base/fmt.h"
#include "wire/body.h"

#define ARENA_BYTES (2u << 20)

static void copy_param(const struct body *body, const char *key, char *to, size_t room)
{
	const struct param *p = body_param(body, key);

	span_copy(p == NULL ? (struct span){ 0 } : fmt_clip(p->value, room - 1), to, room);
}

static int int_param(const struct body *body, const char *key, int64_t *ret)
{
	const struct param *p = body_param(body, key);

	return p == NULL || fmt_int(p->value, ret) < 0 || *ret < 0 ? ERR_MALFORMED : 0;
}

static void kind_param_of(const struct body *body, enum gpu_kind k, struct child_facts *facts)
{
	const struct param *p = body_param(body, gpu_kind_name(k));

	facts->is_ready[k] = p != NULL && p->value.len == 0;
	if (p == NULL)
		span_copy(SPAN_LIT("its kernels were not tried"), facts->why[k],
			sizeof(facts->why[k]));
	else
		copy_param(body, gpu_kind_name(k), facts->why[k], sizeof(facts->why[k]));
}

static int read_body(const struct body *body, struct child_facts *facts)
{
	int r = int_param(body, "launch_us", &facts->launch_us);

	if (r == 0)
		r = int_param(body, "matmul_mflops", &facts->matmul_mflops);
	if (r == 0)
		r = int_param(body, "montecarlo_per_s", &facts->montecarlo_per_s);
	copy_param(body, "name", facts->name, sizeof(facts->name));
	for (unsigned k = 0; k < GPU_KINDS; k++)
		kind_param_of(body, k, facts);
	return facts->name[0] == '\0' ? ERR_MALFORMED : r;
}

int hello_read(struct span bytes, struct child_facts *ret)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct child_facts facts = { 0 };
	struct body body;
	int r;

	arena_init(&arena, ARENA_BYTES);
	r = body_decode(&arena, bytes, &body, NULL);
	if (r == 0)
		r = read_body(&body, &facts);
	if (r == 0)
		*ret = facts;
	return r;
}

void hello_read_fail(const struct frame *frame, struct fail *ret)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const int code = frame->arg == 0 ? ERR_BUG : err_from_wire(frame->arg);
	struct body body;

	arena_init(&arena, ARENA_BYTES);
	fail_set(ret, code, NULL, 0, NULL);
	if (body_decode(&arena, frame->body, &body, NULL) < 0)
		return;
	copy_param(&body, "field", ret->field, sizeof(ret->field));
	copy_param(&body, "detail", ret->detail, sizeof(ret->detail));
	if (int_param(&body, "limit", &ret->limit) < 0)
		ret->limit = 0;
}
