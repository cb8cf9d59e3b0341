/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fault_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/prng.h"

#define UNDER "unix-excl"
#define DISKS_MAX 16
#define SECTOR 512u

/* What a disk has of a file: its bytes at the last flush. */
struct disk {
	char path[512];
	ino_t inode;
	unsigned char *at;
	size_t len;
};

struct file {
	sqlite3_file base;
	struct disk *disk; /* NULL: not one that is watched */
	sqlite3_file *under;
};

static struct {
	pthread_mutex_t lock;
	uint64_t left, power_left, failed;
	unsigned kinds;
	int result;
	bool armed, always, power, dark;
	struct disk disks[DISKS_MAX];
} vfs = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- what fails --------------------------------------------------------------------------------------- */

static bool hits(unsigned kind, int result, int *ret)
{
	if (!vfs.armed || (vfs.kinds & kind) == 0)
		return false;
	if (vfs.left > 0 && --vfs.left > 0)
		return false;
	vfs.armed = vfs.always;
	*ret = vfs.result != 0 ? vfs.result : result;
	return true;
}

/* The result that this call has to give, or SQLITE_OK. */
static int fault(unsigned kind, int result)
{
	int r = SQLITE_OK;

	CHECK(pthread_mutex_lock(&vfs.lock) == 0);
	if (vfs.power && (kind & (FAULT_WRITE | FAULT_SYNC | FAULT_OTHER)) &&
		--vfs.power_left == 0) {
		vfs.power = false;
		vfs.dark = true;
	}
	if (vfs.dark && kind != FAULT_MEMORY)
		r = result;
	else
		(void)hits(kind, result, &r);
	vfs.failed += r != SQLITE_OK;
	CHECK(pthread_mutex_unlock(&vfs.lock) == 0);
	return r;
}

void fault_vfs_reset(void)
{
	vfs.armed = vfs.power = vfs.dark = false;
	vfs.failed = 0;
	for (int i = 0; i < DISKS_MAX; i++) {
		free(vfs.disks[i].at);
		vfs.disks[i] = (struct disk){ .at = NULL };
	}
}

void fault_vfs_at(uint64_t n, bool always, unsigned kinds, int result)
{
	vfs.left = n;
	vfs.always = always;
	vfs.kinds = kinds;
	vfs.result = result;
	vfs.failed = 0;
	vfs.armed = n > 0;
}

void fault_vfs_power(uint64_t n)
{
	vfs.power_left = n;
	vfs.power = true;
	vfs.failed = 0;
}

bool fault_vfs_is_dark(void)
{
	return vfs.dark;
}

uint64_t fault_vfs_failed(void)
{
	return vfs.failed;
}

/* --- memory ------------------------------------------------------------------------------------------- */

static sqlite3_mem_methods memory;

static void *on_malloc(int n)
{
	return fault(FAULT_MEMORY, SQLITE_NOMEM) != SQLITE_OK ? NULL : memory.xMalloc(n);
}

static void *on_realloc(void *old, int n)
{
	return fault(FAULT_MEMORY, SQLITE_NOMEM) != SQLITE_OK ? NULL : memory.xRealloc(old, n);
}

static void watch_memory(void)
{
	sqlite3_mem_methods ours;

	CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) == SQLITE_OK);
	ours = memory;
	ours.xMalloc = on_malloc;
	ours.xRealloc = on_realloc;
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK);
}

/* --- disks -------------------------------------------------------------------------------------------- */

static unsigned char *read_all(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = { .st_size = 0 };
	unsigned char *at;

	*ret_len = 0;
	if (fd < 0)
		return NULL;
	CHECK(fstat(fd, &st) == 0);
	at = malloc((size_t)st.st_size + 1);
	CHECK(at != NULL && pread(fd, at, (size_t)st.st_size, 0) == st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return at;
}

static struct disk *disk_of(const char *path)
{
	for (int i = 0; i < DISKS_MAX; i++)
		if (vfs.disks[i].path[0] != '\0' && strcmp(vfs.disks[i].path, path) == 0)
			return &vfs.disks[i];
	for (int i = 0; i < DISKS_MAX; i++) {
		struct disk *d = &vfs.disks[i];

		if (d->path[0] != '\0')
			continue;
		snprintf(d->path, sizeof d->path, "%s", path);
		return d;
	}
	CHECK(!"too many files");
	return NULL;
}

/* Through the file itself: to open and close the path would give back this process's locks on it. */
static void flushed(struct file *f)
{
	struct disk *d = f->disk;
	sqlite3_int64 size = 0;

	if (d == NULL)
		return;
	CHECK(f->under->pMethods->xFileSize(f->under, &size) == SQLITE_OK);
	free(d->at);
	d->len = (size_t)size;
	d->at = malloc(d->len + 1);
	CHECK(d->at != NULL);
	if (d->len > 0)
		CHECK(f->under->pMethods->xRead(f->under, d->at, (int)d->len, 0) == SQLITE_OK);
}

/* A file that got another name is the same file; else it lies there as it is found before the first write. */
static void meet(struct file *f)
{
	struct disk *d = f->disk;
	struct stat st = { .st_ino = 0 };

	if (d == NULL || d->at != NULL || vfs.dark)
		return;
	CHECK(stat(d->path, &st) == 0);
	d->inode = st.st_ino;
	for (int i = 0; i < DISKS_MAX; i++) {
		const struct disk *other = &vfs.disks[i];

		if (other == d || other->at == NULL || other->inode != st.st_ino)
			continue;
		d->len = other->len;
		d->at = malloc(d->len + 1);
		CHECK(d->at != NULL);
		memcpy(d->at, other->at, d->len);
		return;
	}
	flushed(f);
}

static void forget(const char *path)
{
	for (int i = 0; i < DISKS_MAX; i++) {
		if (strcmp(vfs.disks[i].path, path) != 0)
			continue;
		free(vfs.disks[i].at);
		vfs.disks[i] = (struct disk){ .at = NULL };
	}
}

static unsigned char byte_at(const unsigned char *of, size_t len, size_t at)
{
	return at < len ? of[at] : 0;
}

/* Sector by sector the old, the new, or a part of the new one from its beginning or its end; the length is one of the
 * two. */
static void wreck(struct disk *d, struct prng *p)
{
	size_t now_len, len;
	unsigned char *now = read_all(d->path, &now_len);
	int fd;

	/* Deleted, which a disk may not have done; SQLite deletes only what is not needed. */
	if (now == NULL)
		return;
	len = prng_below(p, 2) == 0 ? now_len : d->len;
	fd = open(d->path, O_RDWR | O_TRUNC | O_CLOEXEC);
	CHECK(fd >= 0);
	for (size_t at = 0; at < len; at += SECTOR) {
		unsigned char sector[SECTOR];
		unsigned sort = (unsigned)prng_below(p, 4);
		size_t from = sort == 3 ? prng_below(p, SECTOR) : 0;
		size_t to = sort == 0 ? 0 : sort == 2 ? prng_below(p, SECTOR) : SECTOR;
		size_t n = len - at < SECTOR ? len - at : SECTOR;

		for (size_t i = 0; i < n; i++)
			sector[i] = i >= from && i < to ? byte_at(now, now_len, at + i)
							: byte_at(d->at, d->len, at + i);
		CHECK(pwrite(fd, sector, n, (off_t)at) == (ssize_t)n);
	}
	close(fd);
	free(now);
}

void fault_vfs_wreck(uint64_t seed)
{
	struct prng p;

	prng_seed(&p, seed);
	for (int i = 0; i < DISKS_MAX; i++)
		if (vfs.disks[i].path[0] != '\0')
			wreck(&vfs.disks[i], &p);
}

/* --- files -------------------------------------------------------------------------------------------- */

static struct file *file_of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

#define UNDER_OF(f) (file_of(f)->under)
#define PASS(f, method, ...) UNDER_OF(f)->pMethods->method(UNDER_OF(f), __VA_ARGS__)

static int on_close(sqlite3_file *f)
{
	int r = UNDER_OF(f)->pMethods->xClose(UNDER_OF(f));

	free(UNDER_OF(f));
	return r;
}

static int on_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	int r = fault(FAULT_READ, SQLITE_IOERR_READ);

	return r != SQLITE_OK ? r : PASS(f, xRead, to, n, at);
}

static int on_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	int r = fault(FAULT_WRITE, SQLITE_IOERR_WRITE);

	return r != SQLITE_OK ? r : PASS(f, xWrite, from, n, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int r = fault(FAULT_OTHER, SQLITE_IOERR_TRUNCATE);

	return r != SQLITE_OK ? r : PASS(f, xTruncate, size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	int r = fault(FAULT_SYNC, SQLITE_IOERR_FSYNC);

	if (r == SQLITE_OK)
		r = PASS(f, xSync, flags);
	if (r == SQLITE_OK)
		flushed(file_of(f));
	return r;
}

static int on_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	int r = fault(FAULT_READ, SQLITE_IOERR_FSTAT);

	return r != SQLITE_OK ? r : PASS(f, xFileSize, ret);
}

static int on_lock(sqlite3_file *f, int level)
{
	return PASS(f, xLock, level);
}

static int on_unlock(sqlite3_file *f, int level)
{
	return PASS(f, xUnlock, level);
}

static int on_reserved(sqlite3_file *f, int *ret)
{
	return PASS(f, xCheckReservedLock, ret);
}

static int on_control(sqlite3_file *f, int what, void *arg)
{
	return PASS(f, xFileControl, what, arg);
}

static int on_sector(sqlite3_file *f)
{
	return UNDER_OF(f)->pMethods->xSectorSize(UNDER_OF(f));
}

static int on_device(sqlite3_file *f)
{
	/* Nothing is promised of what a power cut leaves. */
	return UNDER_OF(f)->pMethods->xDeviceCharacteristics(UNDER_OF(f)) &
	       ~SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int on_shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **ret)
{
	return PASS(f, xShmMap, page, bytes, extend, ret);
}

static int on_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return PASS(f, xShmLock, at, n, flags);
}

static void on_shm_barrier(sqlite3_file *f)
{
	UNDER_OF(f)->pMethods->xShmBarrier(UNDER_OF(f));
}

static int on_shm_unmap(sqlite3_file *f, int remove)
{
	return PASS(f, xShmUnmap, remove);
}

/* --- the file system ---------------------------------------------------------------------------------- */

static sqlite3_vfs *under(sqlite3_vfs *v)
{
	return v->pAppData;
}

static int on_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	static const sqlite3_io_methods methods = { 2, on_close, on_read, on_write, on_truncate,
		on_sync, on_size, on_lock, on_unlock, on_reserved, on_control, on_sector, on_device,
		on_shm_map, on_shm_lock, on_shm_barrier, on_shm_unmap, NULL, NULL };
	struct file *file = file_of(f);
	int r = fault(FAULT_OPEN, SQLITE_CANTOPEN);

	file->base.pMethods = NULL;
	if (r != SQLITE_OK)
		return r;
	file->under = calloc(1, (size_t)under(v)->szOsFile);
	CHECK(file->under != NULL);
	r = under(v)->xOpen(under(v), name, file->under, flags, ret_flags);
	if (r != SQLITE_OK) {
		free(file->under);
		return r;
	}
	CHECK(pthread_mutex_lock(&vfs.lock) == 0);
	file->disk = name == NULL ? NULL : disk_of(name);
	CHECK(pthread_mutex_unlock(&vfs.lock) == 0);
	meet(file);
	file->base.pMethods = &methods;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *v, const char *name, int sync)
{
	int r = fault(FAULT_OTHER, SQLITE_IOERR_DELETE);

	if (r != SQLITE_OK)
		return r;
	CHECK(pthread_mutex_lock(&vfs.lock) == 0);
	forget(name);
	CHECK(pthread_mutex_unlock(&vfs.lock) == 0);
	return under(v)->xDelete(under(v), name, sync);
}

static int on_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
	return under(v)->xAccess(under(v), name, flags, ret);
}

static int on_path(sqlite3_vfs *v, const char *name, int n, char *to)
{
	return under(v)->xFullPathname(under(v), name, n, to);
}

void fault_vfs_install(void)
{
	static sqlite3_vfs ours;
	sqlite3_vfs *real;

	watch_memory();
	real = sqlite3_vfs_find(UNDER);
	CHECK(real != NULL);
	ours = *real;
	ours.iVersion = 1;
	ours.zName = FAULT_VFS;
	ours.szOsFile = sizeof(struct file);
	ours.pAppData = real;
	ours.pNext = NULL;
	ours.xOpen = on_open;
	ours.xDelete = on_delete;
	ours.xAccess = on_access;
	ours.xFullPathname = on_path;
	CHECK(sqlite3_vfs_register(&ours, 0) == SQLITE_OK);
}
