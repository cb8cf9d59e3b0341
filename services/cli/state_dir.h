/* SPDX-License-Identifier: Apache-2.0
 *
 * state_dir: the folder in which `spu up` keeps its mesh: the lock of the process that runs it, the URL of its
 * nats-server, settings and logs.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* The folder: dir if not NULL, else SPU_DIR, $XDG_STATE_HOME/spu, for root /var/lib/spu, ~/.local/state/spu.
 * 0 or ERR_INVALID (none of them is set, or too long). */
int state_dir_find(const char *dir, char to[PATH_MAX], struct fail *why) MUST_USE;
/* Make it with the folders above. 0 or ERR_IO. */
int state_dir_make(const char *dir, struct fail *why) MUST_USE;
/* "<dir>/<name>" in to; ERR_INVALID if too long. */
int state_dir_path(const char *dir, const char *name, char to[PATH_MAX]) MUST_USE;
/* Write a file that others may read at any time: whole or not at all. 0 or ERR_IO. */
int state_dir_write(const char *dir, const char *name, const char *text, struct fail *why) MUST_USE;

/* Take the lock for this process's life; *ret_fd holds it. ERR_CONFLICT if another process has it, ERR_IO. A
 * child does not inherit it. */
int state_dir_lock(const char *dir, int *ret_fd, struct fail *why) MUST_USE;
/* The process that holds the lock, or 0. */
pid_t state_dir_owner(const char *dir);
/* The URL of the mesh that runs in the folder that state_dir_find gives; false if none runs. */
bool state_dir_url(const char *dir, char *to, size_t room);
