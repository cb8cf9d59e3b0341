/* SPDX-License-Identifier: Apache-2.0
 *
 * job: from a task's encoded Body to its result's. Here, in the child, is where foreign bytes are looked into.
 */
#pragma once
#include "base/buf.h"
#include "gpu-node/device/compute.h"
#include "gpu-node/protocol.h"

/* Append the result's encoded Body to out. 0, or what body_decode, kind_check, picture_decode or compute_x
 * refuse with; out then keeps its length. */
int job_run(struct device *d, enum gpu_kind kind, struct span body, const struct pace *pace,
	struct buf *out, struct fail *why) MUST_USE;
