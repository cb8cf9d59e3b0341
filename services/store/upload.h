/* SPDX-License-Identifier: Apache-2.0
 *
 * upload: a blob that is arriving. Its bytes come in order; each is written, summed and hashed as it comes. What
 * another process of the store received before is hashed step by step, as more comes.
 */
#pragma once
#include "run/keys.h"
#include "services/store/disk.h"

struct upload {
	struct list link;
	struct tenant *tenant;
	char token[LIMIT_TOKEN_BYTES + 1];
	int fd;
	uint64_t size;
	uint64_t have;   /* bytes written */
	uint64_t hashed; /* bytes hashed and summed, at most `have` */
	int64_t touched_ns;
	struct keys_stream hash;
	uint64_t *sums; /* of each chunk */
};

/* Its file is opened or made, with `have` bytes in it. NULL and *why: disk_upload_open's, ERR_NO_MEMORY. */
struct upload *upload_new(struct disk *d, struct tenant *t, struct span token, uint64_t size,
	uint64_t have, struct fail *why) MUST_USE;
/* with_file: what has arrived is removed, too. */
void upload_free(struct disk *d, struct upload *u, bool with_file);
/* The bytes at an offset. What is there already is passed over. ERR_INVALID (offset beyond what is there, or
 * not whole chunks), ERR_TOO_BIG (beyond the size), ERR_BUSY (disk), ERR_IO. room: a chunk. */
int upload_add(struct disk *d, struct upload *u, uint64_t offset, struct span data,
	unsigned char *room, struct fail *why) MUST_USE;
/* Is all there, with this hash? ERR_BUSY with a retry time: not all is hashed yet. ERR_INVALID, field "offset":
 * bytes are missing; field "hash": it is another. */
int upload_check(struct disk *d, struct upload *u, const struct blob_hash *hash,
	unsigned char *room, struct fail *why) MUST_USE;
