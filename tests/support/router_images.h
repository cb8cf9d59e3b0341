/* SPDX-License-Identifier: Apache-2.0
 *
 * router_images: what a router under test writes for its journal, and a new router made from it.
 */
#pragma once
#include "router/router.h"

#define IMAGES_MAX 256u

struct images {
	struct journal_image of[IMAGES_MAX]; /* by row */
	void *bytes[IMAGES_MAX][2];
	unsigned n; /* that came */
};

/* For struct router_out.on_image, with the images as ctx. */
int images_take(struct images *all, const struct journal_image *image);
void images_done(struct images *all);
/* A machine with these rows, before router_resume; the test fails if one cannot be restored. */
struct router *images_router(const struct images *all, const struct router_conf *conf,
	int64_t now_ns);
