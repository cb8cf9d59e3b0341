/* SPDX-License-Identifier: Apache-2.0 */
#include "services/store/upload.h"

#include "base/mem.h"

#define CATCH_UP_CHUNKS 2u /* hashed beside each that comes */
#define SOON_BYTES                                                                                 \
	(32 * DISK_CHUNK) /* written to the disk while more comes, so that the commit waits less */
#define CHECK_CHUNKS 32u  /* hashed by one check */

struct upload *upload_new(struct disk *d, struct tenant *t, struct span token, uint64_t size,
	uint64_t have, struct fail *why)
{
	struct upload *u = mem_alloc(sizeof(*u));

	if (u == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	list_init(&u->link);
	u->tenant = t;
	u->fd = -1;
	u->size = size;
	u->have = have;
	span_copy(token, u->token, sizeof(u->token));
	keys_stream_start(&u->hash);
	u->sums = mem_alloc(disk_chunks(size) * sizeof(*u->sums));
	if (u->sums == NULL)
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	else
		u->fd = disk_upload_open(d, t, u->token, size, have, why);
	if (u->fd < 0) {
		upload_free(d, u, false);
		return NULL;
	}
	return u;
}

void upload_free(struct disk *d, struct upload *u, bool with_file)
{
	list_drop(&u->link);
	if (u->fd >= 0)
		d->io->close(u->fd);
	if (with_file)
		disk_upload_drop(d, u->tenant, u->token, u->size);
	mem_free(u->sums);
	mem_free(u);
}

/* data: whole chunks from `hashed` on. */
static void hash(struct upload *u, struct span data)
{
	keys_stream_add(&u->hash, data);
	for (size_t at = 0; at < data.len; at += DISK_CHUNK)
		u->sums[(u->hashed + at) / DISK_CHUNK] =
			disk_sum(span_part(data, at, DISK_CHUNK), u->hashed + at);
	u->hashed += data.len;
}

static int catch_up(struct disk *d, struct upload *u, unsigned chunks, unsigned char *room,
	struct fail *why)
{
	for (; chunks > 0 && u->hashed < u->have; chunks--) {
		uint64_t left = u->have - u->hashed;
		size_t n = left < DISK_CHUNK ? (size_t)left : (size_t)DISK_CHUNK;
		int r = disk_read(d, u->fd, room, n, u->hashed, why);

		if (r < 0)
			return r;
		hash(u, span_of(room, n));
	}
	return 0;
}

static int check_place(const struct upload *u, uint64_t offset, struct span data, struct fail *why)
{
	uint64_t end = offset + data.len;

	if (offset > u->have)
		return fail_set(why, ERR_INVALID, "offset", (int64_t)u->have,
			"%llu bytes are there, what follows them is wanted",
			(unsigned long long)u->have);
	if (end > u->size)
		return fail_set(why, ERR_TOO_BIG, "size", (int64_t)u->size,
			"more bytes than the upload was opened for");
	if (offset % DISK_CHUNK != 0 || (end % DISK_CHUNK != 0 && end != u->size))
		return fail_set(why, ERR_INVALID, "data", (int64_t)DISK_CHUNK,
			"only whole chunks go, but for the last");
	return 0;
}

int upload_add(struct disk *d, struct upload *u, uint64_t offset, struct span data,
	unsigned char *room, struct fail *why)
{
	int r = check_place(u, offset, data, why);

	if (r < 0 || offset < u->have)
		return r;
	r = disk_write(d, u->fd, data.at, data.len, offset, why);
	if (r < 0)
		return r;
	u->have += data.len;
	if (u->have % SOON_BYTES == 0)
		d->io->write_soon(u->fd, (off_t)(u->have - SOON_BYTES), (off_t)SOON_BYTES);
	if (u->hashed == offset) {
		hash(u, data);
		return 0;
	}
	return catch_up(d, u, CATCH_UP_CHUNKS, room, why);
}

int upload_check(struct disk *d, struct upload *u, const struct blob_hash *want,
	unsigned char *room, struct fail *why)
{
	struct keys_stream end;
	struct blob_hash got;
	int r;

	if (u->have < u->size)
		return fail_set(why, ERR_INVALID, "offset", (int64_t)u->have,
			"%llu of %llu bytes are there", (unsigned long long)u->have,
			(unsigned long long)u->size);
	r = catch_up(d, u, CHECK_CHUNKS, room, why);
	if (r < 0)
		return r;
	if (u->hashed < u->have) {
		r = fail_set(why, ERR_BUSY, "upload", 0, "what is there is being read again");
		if (why != NULL)
			why->retry_after_ms = 1;
		return r;
	}
	keys_stream_copy(&end, &u->hash);
	keys_stream_end(&end, got.at);
	if (blob_hash_eq(&got, want))
		return 0;
	return fail_set(why, ERR_INVALID, "hash", 0, "the bytes that came have another hash");
}
