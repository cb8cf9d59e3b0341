/* SPDX-License-Identifier: Apache-2.0
 *
 * vfs_faulty: a file of ours has SQLite's own file behind it. The journal's writer thread calls it too.
 */
#include "tests/support/vfs_faulty.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>

struct file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int left, calls;
	bool on, full, for_ever;
} fault;

void vfs_faulty_set(int n, bool full, bool for_ever)
{
	pthread_mutex_lock(&lock);
	fault.on = n >= 0;
	fault.left = n;
	fault.full = full;
	fault.for_ever = for_ever;
	fault.calls = 0;
	pthread_mutex_unlock(&lock);
}

int vfs_faulty_calls(void)
{
	pthread_mutex_lock(&lock);
	int n = fault.calls;

	pthread_mutex_unlock(&lock);
	return n;
}

/* SQLITE_OK, or what fails now. */
static int strike(int otherwise)
{
	int r = SQLITE_OK;

	pthread_mutex_lock(&lock);
	fault.calls++;
	if (fault.on && fault.left-- <= 0 && (fault.for_ever || fault.left == -1))
		r = fault.full ? SQLITE_FULL : otherwise;
	pthread_mutex_unlock(&lock);
	return r;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct file *)(void *)f)->real;
}

static int f_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	int r = strike(SQLITE_IOERR_WRITE);

	/* Torn: half of it gets there. */
	if (r != SQLITE_OK)
		(void)real_of(f)->pMethods->xWrite(real_of(f), from, n / 2, at);
	return r != SQLITE_OK ? r : real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int r = strike(SQLITE_IOERR_TRUNCATE);

	return r != SQLITE_OK ? r : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
	int r = strike(SQLITE_IOERR_FSYNC);

	return r != SQLITE_OK ? r : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int f_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int f_reserved(sqlite3_file *f, int *ret)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_device(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int f_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void f_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_unmap(sqlite3_file *f, int remove)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	static const sqlite3_io_methods methods = { .iVersion = 2,
		.xClose = f_close,
		.xRead = f_read,
		.xWrite = f_write,
		.xTruncate = f_truncate,
		.xSync = f_sync,
		.xFileSize = f_size,
		.xLock = f_lock,
		.xUnlock = f_unlock,
		.xCheckReservedLock = f_reserved,
		.xFileControl = f_control,
		.xSectorSize = f_sector,
		.xDeviceCharacteristics = f_device,
		.xShmMap = f_map,
		.xShmLock = f_shm_lock,
		.xShmBarrier = f_barrier,
		.xShmUnmap = f_unmap };
	struct file *file = (struct file *)(void *)f;
	int r = strike(SQLITE_CANTOPEN);

	(void)v;
	file->base.pMethods = NULL;
	file->real = (sqlite3_file *)(void *)(file + 1);
	if (r == SQLITE_OK)
		r = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
	if (r == SQLITE_OK)
		file->base.pMethods = &methods;
	return r;
}

bool vfs_faulty_register(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	if (real_vfs == NULL)
		return false;
	vfs = *real_vfs;
	vfs.pNext = NULL;
	vfs.zName = VFS_FAULTY;
	vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
	vfs.xOpen = open_file;
	return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}
