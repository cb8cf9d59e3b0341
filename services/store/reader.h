/* SPDX-License-Identifier: Apache-2.0
 *
 * reader: reads blobs, each chunk checked against its sum; a few blobs are kept open.
 */
#pragma once
#include "services/store/disk.h"

#define READER_BLOBS 8u

struct reader_row {
	const struct blob *blob; /* NULL: free */
	int fd;
	uint64_t *sums;
	uint64_t used; /* when it was read last, in reads */
};

struct reader {
	struct disk *disk;
	struct reader_row rows[READER_BLOBS];
	uint64_t reads;
	unsigned char room[LIMIT_BLOB_CHUNK_BYTES];
};

/* At most max bytes from offset on, up to the end of their chunk; valid until the next read. ERR_INVALID (offset
 * beyond the end), ERR_MALFORMED (the file is damaged), ERR_IO, ERR_NO_MEMORY. */
int reader_read(struct reader *r, const struct blob *b, uint64_t offset, uint64_t max,
	struct span *ret, struct fail *why) MUST_USE;
/* The blob goes, or gets another file. */
void reader_forget(struct reader *r, const struct blob *b);
void reader_done(struct reader *r);
