/* SPDX-License-Identifier: Apache-2.0
 *
 * serve: the child's life: say HELLO, run one job after the other, end when the socket closes.
 */
#pragma once
#include "gpu-node/device/device.h"
#include "gpu-node/device/probe.h"

/* Serves fd, a stream socket, until the other end closes it: 0. ERR_MALFORMED, ERR_IO, ERR_NO_MEMORY. */
int serve_run(struct device *d, const struct probe *probe, int fd) MUST_USE;
