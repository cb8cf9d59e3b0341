/* SPDX-License-Identifier: Apache-2.0 */
#include "services/store/disk_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int real_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static void real_write_soon(int fd, off_t at, off_t len)
{
	(void)sync_file_range(fd, at, len, SYNC_FILE_RANGE_WRITE);
}

const struct disk_io disk_io_real = {
	.open = real_open,
	.close = close,
	.pread = pread,
	.pwrite = pwrite,
	.ftruncate = ftruncate,
	.fsync = fsync,
	.write_soon = real_write_soon,
	.rename = rename,
	.unlink = unlink,
	.mkdir = mkdir,
	.stat = stat,
	.opendir = opendir,
	.readdir = readdir,
	.flock = flock,
};
