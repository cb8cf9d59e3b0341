/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_sys: one wrapper for each call: decide, then fail or pass it on.
 */
#include "tests/support/fault_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

/* Whether a call can be interrupted, or do less than it was asked to. */
enum manner { PLAIN, SLOW, BYTES };

/* clang-format off */
#define CALLS(X) \
	X(open, SLOW) X(close, PLAIN) X(access, PLAIN) X(stat, PLAIN) X(lstat, PLAIN) X(fstat, PLAIN) \
	X(ftruncate, SLOW) X(fcntl, PLAIN) X(read, BYTES) X(pread, BYTES) X(write, BYTES) X(pwrite, BYTES) \
	X(fallocate, PLAIN) X(fchmod, PLAIN) X(unlink, PLAIN) X(link, PLAIN) X(open_folder, PLAIN) \
	X(fsync, PLAIN) X(fdatasync, PLAIN)
/* clang-format on */

enum call {
#define ROW(name, how) CALL_##name,
	CALLS(ROW)
#undef ROW
		CALLS_N
};

static const struct {
	const char *name;
	enum manner manner;
} calls[CALLS_N] = {
#define ROW(name, how) { #name, how },
	CALLS(ROW)
#undef ROW
};

static struct {
	pthread_mutex_t lock;
	bool on, always;
	uint64_t at, n, failed;
	int how;
	const char *first;
	uint64_t seen[CALLS_N];
} sys = { .lock = PTHREAD_MUTEX_INITIALIZER, .first = "" };

static bool spared(enum call c)
{
	if (sys.how == FAULT_SHORT)
		return calls[c].manner != BYTES;
	return sys.how == EINTR && calls[c].manner == PLAIN;
}

/* What this call has to do: 0, an errno or FAULT_SHORT. */
static int decide(enum call c)
{
	int how = 0;

	CHECK(pthread_mutex_lock(&sys.lock) == 0);
	if (sys.on) {
		sys.n++;
		sys.seen[c]++;
		if (sys.at > 0 && (sys.always ? sys.n >= sys.at : sys.n == sys.at) && !spared(c)) {
			how = sys.how;
			if (sys.failed++ == 0)
				sys.first = calls[c].name;
		}
	}
	CHECK(pthread_mutex_unlock(&sys.lock) == 0);
	if (how > 0)
		errno = how;
	return how;
}

void fault_sys_at(uint64_t n, int how, bool always)
{
	sys.at = n;
	sys.how = how;
	sys.always = always;
	sys.n = sys.failed = 0;
	sys.first = "";
	sys.on = true;
}

void fault_sys_off(void)
{
	sys.on = false;
}

uint64_t fault_sys_calls(void)
{
	return sys.n;
}

uint64_t fault_sys_failed(void)
{
	return sys.failed;
}

const char *fault_sys_first(void)
{
	return sys.first;
}

void fault_sys_tell(FILE *to)
{
	for (int i = 0; i < CALLS_N; i++)
		if (sys.seen[i] > 0)
			fprintf(to, "%s %llu ", calls[i].name, (unsigned long long)sys.seen[i]);
	fprintf(to, "\n");
}

/* --- SQLite's ----------------------------------------------------------------------------------------- */

/* As SQLite had them. */
static struct {
	int (*open)(const char *, int, int);
	int (*close)(int);
	int (*access)(const char *, int);
	int (*stat)(const char *, struct stat *);
	int (*lstat)(const char *, struct stat *);
	int (*fstat)(int, struct stat *);
	int (*ftruncate)(int, off_t);
	int (*fcntl)(int, int, ...);
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*pread)(int, void *, size_t, off_t);
	ssize_t (*pread64)(int, void *, size_t, off_t);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	ssize_t (*pwrite64)(int, const void *, size_t, off_t);
	int (*fallocate)(int, off_t, off_t);
	int (*fchmod)(int, mode_t);
	int (*unlink)(const char *);
	int (*openDirectory)(const char *, int *);
} db;

static size_t part(int how, size_t n)
{
	return how == FAULT_SHORT && n > 1 ? n / 2 : n;
}

static int db_open(const char *path, int flags, int mode)
{
	return decide(CALL_open) > 0 ? -1 : db.open(path, flags, mode);
}

/* The descriptor is gone in any case. */
static int db_close(int fd)
{
	int r = db.close(fd);

	return decide(CALL_close) > 0 ? -1 : r;
}

static int db_access(const char *path, int mode)
{
	return decide(CALL_access) > 0 ? -1 : db.access(path, mode);
}

static int db_stat(const char *path, struct stat *ret)
{
	return decide(CALL_stat) > 0 ? -1 : db.stat(path, ret);
}

static int db_lstat(const char *path, struct stat *ret)
{
	return decide(CALL_lstat) > 0 ? -1 : db.lstat(path, ret);
}

static int db_fstat(int fd, struct stat *ret)
{
	return decide(CALL_fstat) > 0 ? -1 : db.fstat(fd, ret);
}

static int db_ftruncate(int fd, off_t len)
{
	return decide(CALL_ftruncate) > 0 ? -1 : db.ftruncate(fd, len);
}

static int db_fcntl(int fd, int what, ...)
{
	va_list args;
	void *arg;

	va_start(args, what);
	arg = va_arg(args, void *);
	va_end(args);
	return decide(CALL_fcntl) > 0 ? -1 : db.fcntl(fd, what, arg);
}

static ssize_t db_read(int fd, void *to, size_t n)
{
	int how = decide(CALL_read);

	return how > 0 ? -1 : db.read(fd, to, part(how, n));
}

static ssize_t db_pread(int fd, void *to, size_t n, off_t at)
{
	int how = decide(CALL_pread);

	return how > 0 ? -1 : db.pread(fd, to, part(how, n), at);
}

static ssize_t db_pread64(int fd, void *to, size_t n, off_t at)
{
	int how = decide(CALL_pread);

	return how > 0 ? -1 : db.pread64(fd, to, part(how, n), at);
}

static ssize_t db_write(int fd, const void *from, size_t n)
{
	int how = decide(CALL_write);

	return how > 0 ? -1 : db.write(fd, from, part(how, n));
}

static ssize_t db_pwrite(int fd, const void *from, size_t n, off_t at)
{
	int how = decide(CALL_pwrite);

	return how > 0 ? -1 : db.pwrite(fd, from, part(how, n), at);
}

static ssize_t db_pwrite64(int fd, const void *from, size_t n, off_t at)
{
	int how = decide(CALL_pwrite);

	return how > 0 ? -1 : db.pwrite64(fd, from, part(how, n), at);
}

static int db_fallocate(int fd, off_t at, off_t len)
{
	return decide(CALL_fallocate) > 0 ? errno : db.fallocate(fd, at, len);
}

static int db_fchmod(int fd, mode_t mode)
{
	return decide(CALL_fchmod) > 0 ? -1 : db.fchmod(fd, mode);
}

static int db_unlink(const char *path)
{
	return decide(CALL_unlink) > 0 ? -1 : db.unlink(path);
}

static int db_open_folder(const char *path, int *ret_fd)
{
	return decide(CALL_open_folder) > 0 ? SQLITE_CANTOPEN : db.openDirectory(path, ret_fd);
}

typedef sqlite3_syscall_ptr ptr;

void fault_sys_install(void)
{
	static const struct {
		const char *name;
		ptr *was;
		ptr ours;
	} rows[] = {
#define ROW(name, ours) { #name, (ptr *)(void *)&db.name, (ptr)ours }
		ROW(open, db_open),
		ROW(close, db_close),
		ROW(access, db_access),
		ROW(stat, db_stat),
		ROW(lstat, db_lstat),
		ROW(fstat, db_fstat),
		ROW(ftruncate, db_ftruncate),
		ROW(fcntl, db_fcntl),
		ROW(read, db_read),
		ROW(pread, db_pread),
		ROW(pread64, db_pread64),
		ROW(write, db_write),
		ROW(pwrite, db_pwrite),
		ROW(pwrite64, db_pwrite64),
		ROW(fallocate, db_fallocate),
		ROW(fchmod, db_fchmod),
		ROW(unlink, db_unlink),
		ROW(openDirectory, db_open_folder),
#undef ROW
	};
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix-excl");

	CHECK(vfs != NULL && vfs->iVersion >= 3);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		*rows[i].was = vfs->xGetSystemCall(vfs, rows[i].name);
		if (*rows[i].was != NULL) /* this build of SQLite uses it */
			CHECK(vfs->xSetSystemCall(vfs, rows[i].name, rows[i].ours) == SQLITE_OK);
	}
}

/* --- flushes: SQLite's and the journal's -------------------------------------------------------------- */

int fsync(int fd)
{
	return decide(CALL_fsync) > 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return decide(CALL_fdatasync) > 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* --- the journal's own -------------------------------------------------------------------------------- */

/* Weak: this file is part of every test, and the linker wraps in some. */
#define REAL(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__) __attribute__((weak));                                     \
	type __wrap_##name(__VA_ARGS__)

REAL(int, open, const char *path, int flags, ...);
REAL(int, close, int fd);
REAL(int, stat, const char *path, struct stat *ret);
REAL(int, fstat, int fd, struct stat *ret);
REAL(ssize_t, pread, int fd, void *to, size_t n, off_t at);
REAL(int, link, const char *from, const char *to);
REAL(int, unlink, const char *path);

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(args, int);
	va_end(args);
	return decide(CALL_open) > 0 ? -1 : __real_open(path, flags, mode);
}

int __wrap_close(int fd)
{
	int r = __real_close(fd);

	return decide(CALL_close) > 0 ? -1 : r;
}

int __wrap_stat(const char *path, struct stat *ret)
{
	return decide(CALL_stat) > 0 ? -1 : __real_stat(path, ret);
}

int __wrap_fstat(int fd, struct stat *ret)
{
	return decide(CALL_fstat) > 0 ? -1 : __real_fstat(fd, ret);
}

ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at)
{
	int how = decide(CALL_pread);

	return how > 0 ? -1 : __real_pread(fd, to, part(how, n), at);
}

int __wrap_link(const char *from, const char *to)
{
	return decide(CALL_link) > 0 ? -1 : __real_link(from, to);
}

int __wrap_unlink(const char *path)
{
	return decide(CALL_unlink) > 0 ? -1 : __real_unlink(path);
}
