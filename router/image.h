/* SPDX-License-Identifier: Apache-2.0
 *
 * image: a task as the journal keeps it, and back. What an image holds decides about the task; the rest (which
 * nodes to avoid, progress, places in queues) is made anew after a restart.
 */
#pragma once
#include "router/router.h"

/* Hand out the images of all tasks that this step touched, each once, through router_out.on_image. */
void image_touched(struct router *r);
/* The task's row goes with it. */
void image_gone(struct router *r, const struct task *t);
