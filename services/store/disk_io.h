/* SPDX-License-Identifier: Apache-2.0
 *
 * disk_io: the calls that the store makes of the system, as a row that tests replace to make each one fail.
 * Each behaves as the call of its name, errno included.
 */
#pragma once
#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

struct disk_io {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*pread)(int fd, void *to, size_t n, off_t at);
	ssize_t (*pwrite)(int fd, const void *from, size_t n, off_t at);
	int (*ftruncate)(int fd, off_t len);
	int (*fsync)(int fd);
	/* Begin to write a range to the disk, without waiting; only a hint. */
	void (*write_soon)(int fd, off_t at, off_t len);
	int (*rename)(const char *from, const char *to);
	int (*unlink)(const char *path);
	int (*mkdir)(const char *path, mode_t mode);
	int (*stat)(const char *path, struct stat *ret);
	DIR *(*opendir)(const char *path);
	struct dirent *(*readdir)(DIR *d);
	int (*flock)(int fd, int how);
};

extern const struct disk_io disk_io_real;
