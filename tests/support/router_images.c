/* SPDX-License-Identifier: Apache-2.0
 *
 * router_images: the newest image of each row.
 */
#include "tests/support/router_images.h"

#include "base/mem.h"
#include "tests/support/test.h"

static void keep(void **at, struct span *to, struct span from)
{
	if (from.len == 0)
		return;
	mem_free(*at);
	*at = mem_dup(from);
	*to = span_of(*at, from.len);
}

int images_take(struct images *all, const struct journal_image *image)
{
	struct journal_image *to = &all->of[image->row];
	struct span order = to->order, state = to->state;

	assert_true(image->row < IMAGES_MAX);
	all->n++;
	keep(&all->bytes[image->row][0], &order, image->order);
	keep(&all->bytes[image->row][1], &state, image->state);
	*to = *image;
	to->order = order;
	to->state = state;
	return 0;
}

void images_done(struct images *all)
{
	for (uint32_t row = 0; row < IMAGES_MAX; row++) {
		mem_free(all->bytes[row][0]);
		mem_free(all->bytes[row][1]);
	}
	memset(all, 0, sizeof *all);
}

struct router *images_router(const struct images *all, const struct router_conf *conf,
	int64_t now_ns)
{
	struct router *r = router_new(conf, now_ns);
	struct fail why = { 0 };

	assert_non_null(r);
	for (uint32_t row = 0; row < IMAGES_MAX; row++)
		if (all->of[row].life == JOURNAL_OPEN && router_restore(r, &all->of[row], &why) < 0)
			fail_msg("row %u: %s %s", row, why.field, why.detail);
	return r;
}
