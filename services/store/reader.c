/* SPDX-License-Identifier: Apache-2.0 */
#include "services/store/reader.h"

#include "base/fmt.h"
#include "base/mem.h"

static void row_close(struct reader *r, struct reader_row *row)
{
	if (row->blob == NULL)
		return;
	r->disk->io->close(row->fd);
	mem_free(row->sums);
	*row = (struct reader_row){ 0 };
}

/* The blob's row, or the one that was used least lately. */
static struct reader_row *row_of(struct reader *r, const struct blob *b)
{
	struct reader_row *oldest = &r->rows[0];

	for (unsigned i = 0; i < READER_BLOBS; i++) {
		if (r->rows[i].blob == b)
			return &r->rows[i];
		if (r->rows[i].used < oldest->used)
			oldest = &r->rows[i];
	}
	return oldest;
}

static int row_open(struct reader *r, struct reader_row *row, const struct blob *b,
	struct fail *why)
{
	uint64_t *sums = NULL;
	int fd;

	if (row->blob == b)
		return 0;
	fd = disk_blob_open(r->disk, b, &sums, why);
	if (fd < 0)
		return fd;
	row_close(r, row);
	*row = (struct reader_row){ .blob = b, .fd = fd, .sums = sums };
	return 0;
}

int reader_read(struct reader *r, const struct blob *b, uint64_t offset, uint64_t max,
	struct span *ret, struct fail *why)
{
	struct reader_row *row = row_of(r, b);
	uint64_t start = offset - offset % DISK_CHUNK;
	uint64_t len = b->size - start < DISK_CHUNK ? b->size - start : DISK_CHUNK;
	int err;

	if (offset > b->size)
		return fail_set(why, ERR_INVALID, "offset", (int64_t)b->size,
			"the blob has %llu bytes", (unsigned long long)b->size);
	err = row_open(r, row, b, why);
	if (err < 0)
		return err;
	row->used = ++r->reads;
	err = disk_read(r->disk, row->fd, r->room, (size_t)len, start, why);
	if (err < 0)
		return err;
	if (len > 0 &&
		disk_sum(span_of(r->room, (size_t)len), start) != row->sums[start / DISK_CHUNK])
		return fail_set(why, ERR_MALFORMED, "hash", 0, "bytes are damaged");
	*ret = span_part(span_of(r->room, (size_t)len), (size_t)(offset - start), (size_t)max);
	return 0;
}

void reader_forget(struct reader *r, const struct blob *b)
{
	for (unsigned i = 0; i < READER_BLOBS; i++)
		if (r->rows[i].blob == b)
			row_close(r, &r->rows[i]);
}

void reader_done(struct reader *r)
{
	for (unsigned i = 0; i < READER_BLOBS; i++)
		row_close(r, &r->rows[i]);
}
