/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/disk_faulty.h"

#include <errno.h>
#include <stddef.h>

static struct {
	unsigned calls, at;
	int cause;
	bool for_ever;
} faulty;

void disk_faulty_set(unsigned n, int cause, bool for_ever)
{
	faulty.calls = 0;
	faulty.at = n;
	faulty.cause = cause;
	faulty.for_ever = for_ever;
}

unsigned disk_faulty_calls(void)
{
	return faulty.calls;
}

enum hit { PASSES, FAILS, LESS };

static enum hit hit(void)
{
	unsigned call = ++faulty.calls;

	if (faulty.at == 0 || (faulty.for_ever ? call < faulty.at : call != faulty.at))
		return PASSES;
	if (faulty.cause == DISK_SHORT)
		return LESS;
	errno = faulty.cause;
	return FAILS;
}

/* Of a call that is neither interrupted nor done in part. */
static bool fails(void)
{
	int before = errno;
	bool does = hit() == FAILS && faulty.cause != EINTR;

	if (!does)
		errno = before;
	return does;
}

static int f_open(const char *path, int flags, mode_t mode)
{
	return fails() ? -1 : disk_io_real.open(path, flags, mode);
}

/* The descriptor is gone in any case. */
static int f_close(int fd)
{
	return disk_io_real.close(fd);
}

static ssize_t f_pread(int fd, void *to, size_t n, off_t at)
{
	enum hit h = hit();

	return h == FAILS ? -1 : disk_io_real.pread(fd, to, h == LESS ? (n + 1) / 2 : n, at);
}

static ssize_t f_pwrite(int fd, const void *from, size_t n, off_t at)
{
	enum hit h = hit();

	return h == FAILS ? -1 : disk_io_real.pwrite(fd, from, h == LESS ? (n + 1) / 2 : n, at);
}

static int f_ftruncate(int fd, off_t len)
{
	return fails() ? -1 : disk_io_real.ftruncate(fd, len);
}

static int f_fsync(int fd)
{
	return fails() ? -1 : disk_io_real.fsync(fd);
}

static void f_write_soon(int fd, off_t at, off_t len)
{
	disk_io_real.write_soon(fd, at, len);
}

static int f_rename(const char *from, const char *to)
{
	return fails() ? -1 : disk_io_real.rename(from, to);
}

static int f_unlink(const char *path)
{
	return fails() ? -1 : disk_io_real.unlink(path);
}

static int f_mkdir(const char *path, mode_t mode)
{
	return fails() ? -1 : disk_io_real.mkdir(path, mode);
}

static int f_stat(const char *path, struct stat *ret)
{
	return fails() ? -1 : disk_io_real.stat(path, ret);
}

static DIR *f_opendir(const char *path)
{
	return fails() ? NULL : disk_io_real.opendir(path);
}

/* The end of a folder and an error differ by errno alone. */
static struct dirent *f_readdir(DIR *d)
{
	return fails() ? NULL : disk_io_real.readdir(d);
}

static int f_flock(int fd, int how)
{
	return fails() ? -1 : disk_io_real.flock(fd, how);
}

const struct disk_io disk_io_faulty = {
	f_open,
	f_close,
	f_pread,
	f_pwrite,
	f_ftruncate,
	f_fsync,
	f_write_soon,
	f_rename,
	f_unlink,
	f_mkdir,
	f_stat,
	f_opendir,
	f_readdir,
	f_flock,
};
