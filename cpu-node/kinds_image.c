/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds_image: image.filter by its reference, item by item.
 */
#include "cpu-node/kinds.h"
#include "kernel/filter.h"

#define ROWS_PER_SLICE 16u /* a cancel is seen after so many rows */
#define PNG_LEVEL 6

/* The name with the ending .png instead of that of a JPEG. */
static int name_png(const struct cpu_call *call, struct span name, struct span *ret)
{
	static const char *const endings[] = { ".jpg", ".jpeg", ".JPG", ".JPEG" };

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		size_t n = strlen(endings[i]);

		if (name.len > n && memcmp(name.at + name.len - n, endings[i], n) == 0)
			return cpu_name(call, span_part(name, 0, name.len - n), ".png", ret);
	}
	*ret = name;
	return 0;
}

static int filter_sliced(const struct cpu_call *call, const struct picture *in, struct picture *ret)
{
	CLEANUP(filter_done) struct filter_run run = { 0 };
	enum filter f = (enum filter)kind_choice(call->kind, call->in, "filter");
	int r = filter_open(&run, in, f, (unsigned)kind_int(call->kind, call->in, "radius"),
		call->why);

	if (r < 0)
		return r;
	while (filter_step(&run, ROWS_PER_SLICE)) {
		if (cpu_is_cancelled(call))
			return cpu_cancelled(call);
		cpu_progress(call, run.row, run.rows);
	}
	*ret = filter_take(&run);
	return 0;
}

static int filter_item(const struct cpu_call *call, const struct item *item)
{
	CLEANUP(picture_done) struct picture in = { 0 }, out = { 0 };
	CLEANUP(buf_done) struct buf png = { 0 };
	struct span name;
	int r = name_png(call, item->name, &name);

	buf_init(&png, call->out->max);
	if (r == 0)
		r = picture_decode(item->data, &in, call->why);
	if (r == 0)
		r = filter_sliced(call, &in, &out);
	if (r == 0)
		r = picture_encode_png(&out, PNG_LEVEL, &png, call->why);
	if (r == 0)
		body_put_item(call->out, name, SPAN_LIT("image/png"), buf_span(&png));
	return r;
}

CPU_KIND("image.filter", run_image, 0)
int run_image(const struct cpu_call *call)
{
	int r = cpu_need_items(call);

	for (size_t i = 0; r == 0 && i < call->in->items_n; i++)
		r = filter_item(call, &call->in->items[i]);
	return r;
}
