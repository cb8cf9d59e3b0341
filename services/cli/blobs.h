/* SPDX-License-Identifier: Apache-2.0
 *
 * blobs: what commands move between files and the store, with progress on stderr when it takes long. Nothing of a
 * file's size is held in memory.
 */
#pragma once
#include <sys/stat.h>

#include "run/blob.h"
#include "services/cli/cli.h"

/* The bytes of a descriptor that can be read at any offset. */
struct blobs_source {
	int fd;
	uint64_t size;
	const char *name;                   /* for people */
	char upload[LIMIT_TOKEN_BYTES + 1]; /* the same again goes on where it broke off */
};

/* A regular file as it is now: another content does not go on with what came of this one. ERR_IO, ERR_TOO_BIG. */
int blobs_file(struct blobs_source *s, int fd, const char *name, const struct stat *st,
	struct fail *why) MUST_USE;
/* All that can be read from fd, after what was read of it already, in a file without a name, which the caller
 * closes. ERR_IO, ERR_TOO_BIG. */
int blobs_spool(struct blobs_source *s, int fd, struct span begun, const char *name,
	struct fail *why) MUST_USE;
/* Put it; the store keeps it at least until then (0: as long as it likes). 0, or EXIT_INTERRUPTED or the status of
 * another failure of waiting, after a message; how the transfer ended is in *ret. */
int blobs_put(struct cli *c, const struct blobs_source *s, int64_t keep_until_ns,
	struct blob_end *ret) MUST_USE;
/* Get a blob into fd. The exit status, after a message. */
int blobs_get(struct cli *c, const struct blob_hash *hash, int fd);
/* Into the file, through FILE.part, which a get that broke off leaves and the next one goes on with. The same. */
int blobs_get_file(struct cli *c, const struct blob_hash *hash, const char *path);
