/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: a small file system of the journal's own, in memory and in a mount namespace that only we and what we start
 * live in. A file takes the room that it is to lack.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/torture/torture.h"

#define SIZE "size=96m"

static bool put_line(const char *path, const char *line)
{
	FILE *f = fopen(path, "we");
	bool ok = f != NULL && fputs(line, f) >= 0;

	return f != NULL && fclose(f) == 0 && ok;
}

/* A namespace where we may mount: root's own, or one in which we are root (user_namespaces(7)). */
static bool own_mounts(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof uids, "0 %u 1", (unsigned)getuid());
	snprintf(gids, sizeof gids, "0 %u 1", (unsigned)getgid());
	if (unshare(CLONE_NEWNS) != 0 && (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
						 !put_line("/proc/self/setgroups", "deny") ||
						 !put_line("/proc/self/uid_map", uids) ||
						 !put_line("/proc/self/gid_map", gids)))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool disk_open(struct disk *d, const char *dir)
{
	d->until_ns = 0;
	snprintf(d->dir, sizeof d->dir, "%s/disk", dir);
	if (mkdir(d->dir, 0700) != 0)
		return false;
	d->is_own = own_mounts() && mount("none", d->dir, "tmpfs", 0, SIZE) == 0;
	return true;
}

void disk_fill(struct disk *d, uint64_t leave_bytes, int64_t until_ns)
{
	char path[DISK_PATH];
	struct statvfs s;
	int fd, r = ENOSPC;

	snprintf(path, sizeof path, "%s/filler", d->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	/* Again where somebody else took some of it meanwhile: then it took nothing. */
	for (int i = 0; i < 5 && fd >= 0 && r == ENOSPC && fstatvfs(fd, &s) == 0; i++) {
		uint64_t room = s.f_bavail * s.f_frsize;

		r = room <= leave_bytes ? 0 : posix_fallocate(fd, 0, (off_t)(room - leave_bytes));
	}
	if (fd >= 0)
		close(fd);
	d->until_ns = until_ns;
}

void disk_turn(struct disk *d, int64_t now_ns)
{
	char path[DISK_PATH];

	if (d->until_ns == 0 || now_ns < d->until_ns)
		return;
	d->until_ns = 0;
	snprintf(path, sizeof path, "%s/filler", d->dir);
	(void)unlink(path);
}

void disk_keep(const struct disk *d)
{
	char command[2 * DISK_PATH + 16];

	if (!d->is_own)
		return;
	snprintf(command, sizeof command, "cp -a '%s' '%s.kept'", d->dir, d->dir);
	if (system(command) != 0)
		fprintf(stderr, "%s is lost\n", d->dir);
}

void disk_close(struct disk *d)
{
	if (d->is_own && umount(d->dir) != 0)
		perror(d->dir);
	d->is_own = false;
}
