/* SPDX-License-Identifier: Apache-2.0
 *
 * graph_file: a task graph from a JSON file, as the Body of a task.graph.
 */
#pragma once
#include "services/cli/input.h"

/* Append the file's graph ("-": standard input) to the body. Names of files in it are taken from the folder in
 * which spu runs. ERR_IO, ERR_TOO_BIG, ERR_MALFORMED, ERR_INVALID; the detail names the part. Files are treated as by
 * input_item. What parts need of
 * each other is checked by the router. */
int graph_file_read(struct buf *body, const char *path, struct input_store *store,
	struct fail *why) MUST_USE;
