/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: the files of the store.
 *
 *	DIR/lock                                   held while a store runs
 *	DIR/TENANT/upload/TOKEN@SIZE               what has arrived of an upload
 *	DIR/TENANT/ab/cd/HASH                      a blob: its bytes, a sum of each chunk, and a footer
 *	DIR/TENANT/ab/cd/HASH@BY@EXPIRE_MS         a reference: an empty file, all of it in its name
 *
 * A blob appears under its name after it is whole and flushed; a name appears or goes in one step. So a store
 * that died finds nothing half done but uploads.
 */
#pragma once
#include <limits.h>

#include "services/store/disk_io.h"
#include "services/store/index.h"

#define DISK_CHUNK ((uint64_t)LIMIT_BLOB_CHUNK_BYTES)

struct disk {
	const struct disk_io *io;
	char dir[512];
	int lock_fd;
};

/* Make the folder if it is not there, and take its lock. ERR_IO, ERR_CONFLICT (another store has it), ERR_TOO_BIG
 * (the name). */
int disk_open(struct disk *d, const struct disk_io *io, const char *dir, struct fail *why) MUST_USE;
void disk_close(struct disk *d);
/* The errno of a call that failed, as an error of ours: a full disk is ERR_BUSY with field "disk", else ERR_IO. */
int disk_fail(struct fail *why, const char *what);

/* What is there at the start; any error ends it. */
struct disk_seen {
	int (*blob)(void *ctx, struct span tenant, const struct blob_hash *hash, uint64_t size,
		int64_t mtime_ns);
	int (*reference)(void *ctx, struct span tenant, const struct blob_hash *hash,
		struct span by, int64_t expire_ms);
	int (*upload)(void *ctx, struct span tenant, struct span token, uint64_t size,
		uint64_t have);
	void *ctx;
};
int disk_scan(struct disk *d, const struct disk_seen *seen, struct fail *why) MUST_USE;

/* Open or make the file of an upload, cut to `have` bytes. A descriptor or an error. */
int disk_upload_open(struct disk *d, const struct tenant *t, const char *token, uint64_t size,
	uint64_t have, struct fail *why) MUST_USE;
void disk_upload_drop(struct disk *d, const struct tenant *t, const char *token, uint64_t size);
/* All n bytes, or an error. */
int disk_write(struct disk *d, int fd, const void *from, size_t n, uint64_t at,
	struct fail *why) MUST_USE;
/* n bytes, or an error; ERR_MALFORMED if the file ends before. */
int disk_read(struct disk *d, int fd, void *to, size_t n, uint64_t at, struct fail *why) MUST_USE;
/* Make a whole upload a blob. sums: one for each chunk. After an error neither may be there. */
int disk_keep(struct disk *d, int fd, const struct tenant *t, const char *token, uint64_t size,
	const struct blob_hash *hash, const uint64_t *sums, struct fail *why) MUST_USE;
/* Open a blob and read its sums (mem_free them). A descriptor, ERR_MALFORMED (damaged) or another error. */
int disk_blob_open(struct disk *d, const struct blob *b, uint64_t **ret_sums,
	struct fail *why) MUST_USE;
/* The blob and its references. */
int disk_blob_drop(struct disk *d, const struct blob *b, struct fail *why) MUST_USE;
int disk_link(struct disk *d, const struct blob *b, struct span by, int64_t expire_ms,
	struct fail *why) MUST_USE;
int disk_unlink(struct disk *d, const struct blob *b, const struct reference *r,
	struct fail *why) MUST_USE;

/* Of a chunk at its offset: finds what a disk spoils, no defence against people. */
static inline uint64_t disk_sum(struct span chunk, uint64_t offset)
{
	return span_hash(chunk, offset);
}
static inline uint64_t disk_chunks(uint64_t size)
{
	return (size + DISK_CHUNK - 1) / DISK_CHUNK;
}
