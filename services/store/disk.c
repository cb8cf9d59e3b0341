/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: names, and the order of writes and flushes that keeps its promise.
 */
#include "services/store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/mem.h"

#define PATH_BYTES 1024
#define NS_PER_MS INT64_C(1000000)
#define MAGIC UINT64_C(0x31424f4c42555053) /* "SPUBLOB1" */

struct footer {
	uint64_t magic;
	uint64_t size;
	uint64_t sums_sum;
	uint64_t reserved;
};

int disk_fail(struct fail *why, const char *what)
{
	int cause = errno;

	if (cause == ENOSPC || cause == EDQUOT)
		return fail_set(why, ERR_BUSY, "disk", 0, "the disk is full");
	return fail_set(why, ERR_IO, NULL, 0, "%s: %s", what, strerror(cause));
}

/* --- names -------------------------------------------------------------------------------------------- */

static void path_leaf(const struct disk *d, const char *tenant, const struct blob_hash *h,
	char to[PATH_BYTES])
{
	snprintf(to, PATH_BYTES, "%s/%s/%02x/%02x", d->dir, tenant, h->at[0], h->at[1]);
}

static void path_blob(const struct disk *d, const struct blob *b, char to[PATH_BYTES])
{
	char hash[BLOB_HASH_TEXT + 1];
	size_t n;

	blob_hash_text(&b->hash, hash);
	path_leaf(d, b->tenant->name, &b->hash, to);
	n = strlen(to);
	snprintf(to + n, PATH_BYTES - n, "/%s", hash);
}

static void path_reference(const struct disk *d, const struct blob *b, struct span by,
	int64_t expire_ms, char to[PATH_BYTES])
{
	size_t n;

	path_blob(d, b, to);
	n = strlen(to);
	snprintf(to + n, PATH_BYTES - n, "@%.*s@%lld", (int)by.len, (const char *)by.at,
		(long long)expire_ms);
}

static void path_upload(const struct disk *d, const struct tenant *t, const char *token,
	uint64_t size, char to[PATH_BYTES])
{
	snprintf(to, PATH_BYTES, "%s/%s/upload/%s@%llu", d->dir, t->name, token,
		(unsigned long long)size);
}

/* --- folders and flushes ------------------------------------------------------------------------------ */

static int flush_folder(struct disk *d, const char *path, struct fail *why)
{
	int fd = d->io->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return disk_fail(why, "opening a folder");
	if (d->io->fsync(fd) < 0)
		r = disk_fail(why, "flushing a folder");
	d->io->close(fd);
	return r;
}

/* The folder above path, flushed. */
static int flush_above(struct disk *d, const char *path, struct fail *why)
{
	char folder[PATH_BYTES];

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	return flush_folder(d, folder, why);
}

/* Make what is missing of the folders below DIR that path names. */
static int make_folders(struct disk *d, const char *path, struct fail *why)
{
	char folder[PATH_BYTES];
	char *slash;
	int r = 0;

	snprintf(folder, sizeof(folder), "%s/", path);
	slash = folder + strlen(d->dir);
	while (r == 0 && (slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (d->io->mkdir(folder, 0700) == 0)
			r = flush_above(d, folder, why);
		else if (errno != EEXIST)
			r = disk_fail(why, "making a folder");
		*slash = '/';
	}
	return r;
}

int disk_open(struct disk *d, const struct disk_io *io, const char *dir, struct fail *why)
{
	char lock[PATH_BYTES];

	*d = (struct disk){ .io = io, .lock_fd = -1 };
	if (snprintf(d->dir, sizeof(d->dir), "%s", dir) >= (int)sizeof(d->dir) || dir[0] == '\0')
		return fail_set(why, ERR_INVALID, "dir", sizeof(d->dir) - 1,
			"a folder's name is needed, and not longer than that");
	if (io->mkdir(dir, 0700) < 0 && errno != EEXIST)
		return disk_fail(why, dir);
	snprintf(lock, sizeof(lock), "%s/lock", d->dir);
	d->lock_fd = io->open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock_fd < 0)
		return disk_fail(why, lock);
	if (io->flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		fail_set(why, ERR_CONFLICT, "dir", 0, "another store holds %s", dir);
	else
		(void)disk_fail(why, lock);
	disk_close(d);
	return why->code;
}

void disk_close(struct disk *d)
{
	if (d->io != NULL && d->lock_fd >= 0)
		d->io->close(d->lock_fd);
	d->lock_fd = -1;
}

int disk_write(struct disk *d, int fd, const void *from, size_t n, uint64_t at, struct fail *why)
{
	const unsigned char *p = from;

	while (n > 0) {
		ssize_t done = d->io->pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return disk_fail(why, "writing");
		p += done;
		at += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

int disk_read(struct disk *d, int fd, void *to, size_t n, uint64_t at, struct fail *why)
{
	unsigned char *p = to;

	while (n > 0) {
		ssize_t done = d->io->pread(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return disk_fail(why, "reading");
		if (done == 0)
			return fail_set(why, ERR_MALFORMED, "hash", 0, "the file is too short");
		p += done;
		at += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

/* --- uploads ------------------------------------------------------------------------------------------ */

int disk_upload_open(struct disk *d, const struct tenant *t, const char *token, uint64_t size,
	uint64_t have, struct fail *why)
{
	char path[PATH_BYTES], folder[PATH_BYTES];
	int fd, r;

	snprintf(folder, sizeof(folder), "%s/%s/upload", d->dir, t->name);
	path_upload(d, t, token, size, path);
	r = make_folders(d, folder, why);
	if (r < 0)
		return r;
	fd = d->io->open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_fail(why, "making an upload");
	if (d->io->ftruncate(fd, (off_t)have) == 0)
		return fd;
	r = disk_fail(why, "cutting an upload");
	d->io->close(fd);
	return r;
}

void disk_upload_drop(struct disk *d, const struct tenant *t, const char *token, uint64_t size)
{
	char path[PATH_BYTES];

	path_upload(d, t, token, size, path);
	d->io->unlink(path);
}

static int write_footer(struct disk *d, int fd, uint64_t size, const uint64_t *sums,
	struct fail *why)
{
	size_t sums_bytes = disk_chunks(size) * sizeof(*sums);
	const struct footer f = {
		.magic = MAGIC,
		.size = size,
		.sums_sum = span_hash(span_of(sums, sums_bytes), size),
	};
	int r = disk_write(d, fd, sums, sums_bytes, size, why);

	if (r == 0)
		r = disk_write(d, fd, &f, sizeof(f), size + sums_bytes, why);
	if (r == 0 && d->io->fsync(fd) < 0)
		r = disk_fail(why, "flushing a blob");
	return r;
}

int disk_keep(struct disk *d, int fd, const struct tenant *t, const char *token, uint64_t size,
	const struct blob_hash *hash, const uint64_t *sums, struct fail *why)
{
	struct blob b = { .hash = *hash };
	struct tenant owner = *t;
	char from[PATH_BYTES], to[PATH_BYTES], leaf[PATH_BYTES];
	int r = write_footer(d, fd, size, sums, why);

	b.tenant = &owner;
	path_upload(d, t, token, size, from);
	path_blob(d, &b, to);
	path_leaf(d, t->name, hash, leaf);
	if (r == 0)
		r = make_folders(d, leaf, why);
	if (r == 0 && d->io->rename(from, to) < 0)
		r = disk_fail(why, "naming a blob");
	if (r < 0)
		return r;
	r = flush_folder(d, leaf, why);
	if (r < 0)
		d->io->unlink(to);
	return r;
}

/* --- blobs -------------------------------------------------------------------------------------------- */

static int read_sums(struct disk *d, int fd, const struct blob *b, uint64_t *sums, struct fail *why)
{
	size_t sums_bytes = disk_chunks(b->size) * sizeof(*sums);
	struct footer f = { 0 };
	int r = disk_read(d, fd, sums, sums_bytes, b->size, why);

	if (r == 0)
		r = disk_read(d, fd, &f, sizeof(f), b->size + sums_bytes, why);
	if (r < 0)
		return r;
	if (f.magic != MAGIC || f.size != b->size ||
		f.sums_sum != span_hash(span_of(sums, sums_bytes), b->size))
		return fail_set(why, ERR_MALFORMED, "hash", 0, "the end of the file is damaged");
	return 0;
}

int disk_blob_open(struct disk *d, const struct blob *b, uint64_t **ret_sums, struct fail *why)
{
	char path[PATH_BYTES];
	uint64_t *sums = mem_alloc(disk_chunks(b->size) * sizeof(*sums));
	int fd, r;

	if (sums == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	path_blob(d, b, path);
	fd = d->io->open(path, O_RDONLY | O_CLOEXEC, 0);
	r = fd < 0 ? disk_fail(why, "opening a blob") : read_sums(d, fd, b, sums, why);
	if (r < 0) {
		if (fd >= 0)
			d->io->close(fd);
		mem_free(sums);
		return r;
	}
	*ret_sums = sums;
	return fd;
}

static int drop_file(struct disk *d, const char *path, struct fail *why)
{
	return d->io->unlink(path) < 0 && errno != ENOENT ? disk_fail(why, "removing a file") : 0;
}

/* References first: one without a blob is nothing, a blob without one only garbage. */
int disk_blob_drop(struct disk *d, const struct blob *b, struct fail *why)
{
	char path[PATH_BYTES];
	int r = 0;

	for (struct list *l = b->references.next; r == 0 && l != &b->references; l = l->next)
		r = disk_unlink(d, b, CONTAINER(l, struct reference, link), why);
	path_blob(d, b, path);
	return r < 0 ? r : drop_file(d, path, why);
}

int disk_link(struct disk *d, const struct blob *b, struct span by, int64_t expire_ms,
	struct fail *why)
{
	const struct reference *old = index_reference(b, by);
	char path[PATH_BYTES];
	int fd, r;

	if (old != NULL && old->expire_ns / NS_PER_MS == expire_ms)
		return 0;
	path_reference(d, b, by, expire_ms, path);
	fd = d->io->open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_fail(why, "making a reference");
	d->io->close(fd);
	r = flush_above(d, path, why);
	return r == 0 && old != NULL ? disk_unlink(d, b, old, why) : r;
}

int disk_unlink(struct disk *d, const struct blob *b, const struct reference *r, struct fail *why)
{
	char path[PATH_BYTES];

	path_reference(d, b, span_str(r->by), r->expire_ns / NS_PER_MS, path);
	return drop_file(d, path, why);
}
