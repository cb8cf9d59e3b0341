/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_sweep: task.sweep: a chain of kinds for each point of a grid, one point after the other. A point is made when
 * it is run; all that stays of it is its line, or what it adds to the sums.
 */
#include <inttypes.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "cpu-node/grid.h"

#define PREFIX "sweep."

/* As the choices of "join". */
enum { JOIN_ROWS, JOIN_SUM };

/* --- axes --------------------------------------------------------------------------------------------- */

/* KIND.KEY of an axis, empty of any other parameter. */
static struct span axis_of(struct span key)
{
	size_t n = sizeof(PREFIX) - 1;

	if (key.len <= n || memcmp(key.at, PREFIX, n) != 0)
		return (struct span){ 0 };
	return span_part(key, n, key.len);
}

bool grid_is(const struct body *b)
{
	for (size_t i = 0; i < b->params_n; i++) {
		if (axis_of(b->params[i].key).len > 0)
			return true;
	}
	return false;
}

void grid_put(struct buf *b, const struct body *from)
{
	for (size_t i = 0; i < from->params_n; i++) {
		if (axis_of(from->params[i].key).len > 0)
			body_put_param(b, from->params[i].key, from->params[i].value);
	}
}

static int refuse(const struct cpu_call *call, struct span key, const char *detail)
{
	char field[LIMIT_TOKEN_BYTES + 1];

	span_copy(key, field, sizeof(field));
	return fail_set(call->why, ERR_INVALID, field, 0, "%s", detail);
}

static int check_key(const struct cpu_call *call, const struct chain *c, const struct sweep *s,
	struct span key)
{
	struct span kind = key;

	while (kind.len > 0 && kind.at[kind.len - 1] != '.')
		kind.len--;
	kind = span_part(kind, 0, kind.len > 0 ? kind.len - 1 : 0);
	if (!chain_has(c, kind))
		return refuse(call, key, "an axis is sweep.KIND.KEY, of a kind that is run");
	for (uint32_t i = 0; i < s->axes_n; i++) {
		if (span_eq(s->axes[i].key, key))
			return refuse(call, key, "this axis is there twice");
	}
	return 0;
}

/* The call's parameters, then those of a point: the last one of a key counts. */
struct point {
	struct body body;
	struct param *axes; /* in it */
	char rooms[SWEEP_AXES_MAX][SWEEP_VALUE_BYTES];
};

static int open_point(const struct cpu_call *call, const struct sweep *s, struct point *p)
{
	const struct body *in = call->in;

	p->body = *in;
	p->body.params = arena_raw(call->arena, (in->params_n + s->axes_n) * sizeof(*in->params));
	if (p->body.params == NULL)
		return cpu_no_memory(call);
	memcpy(p->body.params, in->params, in->params_n * sizeof(*in->params));
	p->axes = p->body.params + in->params_n;
	p->body.params_n += s->axes_n;
	for (uint32_t i = 0; i < s->axes_n; i++)
		p->axes[i].key = s->axes[i].key;
	return 0;
}

static void set_point(struct point *p, const struct sweep *s, uint64_t number)
{
	for (uint32_t i = 0; i < s->axes_n; i++)
		p->axes[i].value = sweep_value(s, i, number, p->rooms[i]);
}

static int check_point(const struct cpu_call *call, const struct chain *c, struct arena *scratch,
	const struct point *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n; i++) {
		struct body body;

		arena_reset(scratch);
		r = chain_body(scratch, &p->body, c->kinds[i], &body, call->why);
	}
	return r;
}

/* Of a range the ends: what lies between them is as good. */
static int check_axis(const struct cpu_call *call, const struct chain *c, struct arena *scratch,
	const struct sweep_axis *axis, struct point *p, struct param *value)
{
	uint64_t by = axis->values == NULL && axis->n > 1 ? axis->n - 1 : 1;
	char room[SWEEP_VALUE_BYTES];
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < axis->n; i += by) {
		value->value = sweep_axis_value(axis, i, room);
		r = check_point(call, c, scratch, p);
	}
	return r;
}

static int check_axes(const struct cpu_call *call, const struct chain *c, const struct sweep *s)
{
	struct arena scratch;
	struct point p;
	int r = open_point(call, s, &p);

	arena_init(&scratch, 1 << 20);
	for (uint32_t i = 0; r == 0 && i < s->axes_n; i++) {
		set_point(&p, s, 0);
		r = check_axis(call, c, &scratch, &s->axes[i], &p, &p.axes[i]);
	}
	arena_done(&scratch);
	return r;
}

int grid_read(const struct cpu_call *call, const struct chain *c, struct sweep *ret)
{
	int r = 0;

	sweep_init(ret);
	for (size_t i = 0; r == 0 && i < call->in->params_n; i++) {
		const struct param *param = &call->in->params[i];
		struct span key = axis_of(param->key);

		if (key.len == 0)
			continue;
		r = check_key(call, c, ret, key);
		if (r == 0)
			r = sweep_add(call->arena, ret, key, param->value, call->why);
	}
	if (r == 0 && ret->axes_n == 0)
		r = fail_set(call->why, ERR_INVALID, "kinds", 0,
			"there is no axis: sweep.KIND.KEY=LOW..HIGH, or values with commas");
	return r == 0 ? check_axes(call, c, ret) : r;
}

/* --- points ------------------------------------------------------------------------------------------- */

struct sums {
	struct param *rows; /* of the first point: those that are numbers so far */
	int64_t *sums;
	size_t n;
	bool begun;
};

struct run {
	struct chain chain;
	struct sweep sweep;
	struct point point;
	struct links links;
	struct arena view; /* of one result */
	struct buf result;
	struct buf rows;
	struct sums sums;
	uint64_t first, points;
};

static void run_init(struct run *run, size_t out_max)
{
	links_init(&run->links, out_max);
	arena_init(&run->view, (size_t)4 << 20);
	buf_init(&run->result, out_max);
	buf_init(&run->rows, out_max);
}

static void run_done(struct run *run)
{
	links_done(&run->links);
	arena_done(&run->view);
	buf_done(&run->result);
	buf_done(&run->rows);
}

static void put_pair(struct buf *b, const struct param *p)
{
	int64_t n;

	buf_byte(b, ',');
	buf_json(b, p->key);
	buf_byte(b, ':');
	if (fmt_int(p->value, &n) == 0)
		buf_fmt(b, "%" PRId64, n);
	else
		buf_json(b, p->value);
}

static int put_items(const struct cpu_call *call, struct buf *b, const struct body *result,
	uint64_t number)
{
	for (size_t i = 0; i < result->items_n; i++) {
		const struct item *item = &result->items[i];

		if (!fmt_is_text(item->data))
			return fail_set(call->why, ERR_UNSUPPORTED, "items", 0,
				"point %" PRIu64 " gives bytes that are no text: let a kind such "
				"as data.hash follow",
				number);
		buf_str(b, i == 0 ? ",\"items\":[{\"name\":" : ",{\"name\":");
		buf_json(b, item->name);
		buf_str(b, ",\"text\":");
		buf_json(b, item->data);
		buf_byte(b, '}');
	}
	if (result->items_n > 0)
		buf_byte(b, ']');
	return 0;
}

/* {"point":N, the axes' values, the result's parameters, its items} */
static int put_row(const struct cpu_call *call, struct run *run, const struct body *result,
	uint64_t number)
{
	struct buf *b = &run->rows;
	int r;

	buf_fmt(b, "{\"point\":%" PRIu64, number);
	for (uint32_t i = 0; i < run->sweep.axes_n; i++)
		put_pair(b, &run->point.axes[i]);
	for (size_t i = 0; i < result->params_n; i++)
		put_pair(b, &result->params[i]);
	r = put_items(call, b, result, number);
	buf_str(b, "}\n");
	if (r == 0 && buf_err(b) == ERR_TOO_BIG)
		r = fail_set(call->why, ERR_TOO_BIG, "result", (int64_t)b->max,
			"the points' lines have more than %zu bytes", b->max);
	return r == 0 && buf_err(b) < 0 ? cpu_no_memory(call) : r;
}

static int begin_sums(const struct cpu_call *call, struct sums *s, const struct body *result)
{
	s->begun = true;
	s->rows = arena_raw(call->arena, result->params_n * sizeof(*s->rows));
	s->sums = arena_alloc(call->arena, result->params_n * sizeof(*s->sums));
	if (s->rows == NULL || s->sums == NULL)
		return cpu_no_memory(call);
	for (size_t i = 0; i < result->params_n; i++) {
		char *key = arena_str(call->arena, result->params[i].key);

		if (key == NULL)
			return cpu_no_memory(call);
		s->rows[s->n++].key = span_str(key);
	}
	return 0;
}

/* Those that one point lacks, or that are no number there, are left out from then on. */
static int add_sums(const struct cpu_call *call, struct sums *s, const struct body *result)
{
	size_t kept = 0;
	int r = s->begun ? 0 : begin_sums(call, s, result);

	for (size_t i = 0; r == 0 && i < s->n; i++) {
		char key[LIMIT_TOKEN_BYTES + 1];
		const struct param *p;
		int64_t n;

		span_copy(s->rows[i].key, key, sizeof(key));
		p = body_param(result, key);
		if (p == NULL || fmt_int(p->value, &n) < 0)
			continue;
		s->rows[kept] = s->rows[i];
		if (__builtin_add_overflow(s->sums[i], n, &s->sums[kept++]))
			r = fail_set(call->why, ERR_TOO_BIG, key, INT64_MAX,
				"the sum of the points' is too large");
	}
	s->n = kept;
	return r;
}

/* Say where; the code, field and limit stay. */
static int at_point(struct fail *why, uint64_t number)
{
	struct fail of = *why;

	return of.code == ERR_CANCELLED ? of.code
					: fail_set(why, of.code, of.field, of.limit,
						  "point %" PRIu64 ": %s", number, of.detail);
}

static int run_point(const struct cpu_call *call, struct run *run, uint64_t number)
{
	bool sum = kind_choice(call->kind, call->in, "join") == JOIN_SUM;
	struct body result;
	int r;

	set_point(&run->point, &run->sweep, number);
	buf_reset(&run->result);
	arena_reset(&run->view);
	r = links_run(call, &run->chain, &run->links, &run->point.body, &run->result, false);
	if (r == 0)
		r = body_view(&run->view, buf_span(&run->result), &result, call->why);
	if (r < 0)
		return at_point(call->why, number);
	return sum ? add_sums(call, &run->sums, &result) : put_row(call, run, &result, number);
}

static void put_result(const struct cpu_call *call, const struct run *run)
{
	for (size_t i = 0; i < run->sums.n; i++)
		body_put_int(call->out, (const char *)run->sums.rows[i].key.at, run->sums.sums[i]);
	body_put_int(call->out, "points", (int64_t)run->points);
	if (kind_choice(call->kind, call->in, "join") == JOIN_ROWS)
		body_put_item(call->out, SPAN_LIT("rows"), SPAN_LIT(CPU_LINES_MEDIA),
			buf_span(&run->rows));
}

static int open_run(const struct cpu_call *call, struct run *run)
{
	uint64_t asked = (uint64_t)kind_int(call->kind, call->in, "points");
	int r = chain_read(call, "kinds", kind_text(call->kind, call->in, "kinds"), &run->chain);

	if (r == 0)
		r = chain_check(call, &run->chain);
	if (r == 0)
		r = grid_read(call, &run->chain, &run->sweep);
	if (r == 0)
		r = open_point(call, &run->sweep, &run->point);
	if (r < 0)
		return r;
	run->first = (uint64_t)kind_int(call->kind, call->in, "first");
	if (run->first >= run->sweep.points)
		return fail_set(call->why, ERR_INVALID, "first", (int64_t)run->sweep.points - 1,
			"the sweep has %" PRIu64 " points", run->sweep.points);
	run->points = run->sweep.points - run->first;
	if (asked > run->points)
		return fail_set(call->why, ERR_INVALID, "points", (int64_t)run->points,
			"the sweep has %" PRIu64 " points", run->sweep.points);
	if (asked > 0)
		run->points = asked;
	return 0;
}

CPU_KIND("task.sweep", run_sweep, 0)
int run_sweep(const struct cpu_call *call)
{
	CLEANUP(run_done) struct run run = { 0 };
	int r;

	run_init(&run, call->out->max);
	r = open_run(call, &run);
	for (uint64_t i = 0; r == 0 && i < run.points; i++) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		r = run_point(call, &run, run.first + i);
		cpu_progress(call, i + 1, run.points);
	}
	if (r == 0)
		put_result(call, &run);
	return r;
}
