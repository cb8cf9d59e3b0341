/* SPDX-License-Identifier: Apache-2.0 */
#include "services/store/disk_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int real_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

const struct disk_io disk_io_real = {
	.open = real_open,
	.close = close,
	.pread = pread,
	.pwrite = pwrite,
	.ftruncate = ftruncate,
	.fsync = fsync,
	.rename = rename,
	.unlink = unlink,
	.mkdir = mkdir,
	.stat = stat,
	.opendir = opendir,
};
