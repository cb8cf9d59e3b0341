/* SPDX-License-Identifier: Apache-2.0
 *
 * child: starts one process of a mesh: in a process group of its own, so that Ctrl-C reaches only the
 * supervisor; ended by the kernel if the supervisor dies; its output in a log file.
 */
#pragma once
#include "services/cli/plan.h"

/* Start it; its output is appended to <dir>/log/<name>.log. The pid, or ERR_IO. *ret_ready_fd: readable when
 * it is ready (a newline) or has closed it. */
pid_t child_start(const struct plan_process *process, const char *dir, int *ret_ready_fd) MUST_USE;
