/* SPDX-License-Identifier: Apache-2.0
 *
 * state_dir: the lock is a record lock, so that the kernel tells which process holds it, and a process that
 * has died holds none: a number in a file would prove nothing.
 */
#include "services/cli/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "lock"
#define URL_NAME "url"

static int io_error(struct fail *why, const char *path)
{
	return fail_set(why, ERR_IO, NULL, 0, "%s: %s", path, strerror(errno));
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

int state_dir_find(const char *dir, char to[PATH_MAX], struct fail *why)
{
	const char *at = dir != NULL ? dir : env("SPU_DIR");
	const char *below = "";
	int n;

	if (at == NULL && (at = env("XDG_STATE_HOME")) != NULL)
		below = "/spu";
	if (at == NULL && geteuid() == 0)
		at = "/var/lib/spu";
	if (at == NULL && (at = env("HOME")) != NULL)
		below = "/.local/state/spu";
	if (at == NULL)
		return fail_set(why, ERR_INVALID, NULL, 0,
			"neither --dir nor HOME says where the state is");
	if (at[0] == '/')
		n = snprintf(to, PATH_MAX, "%s%s", at, below);
	else if (getcwd(to, PATH_MAX) == NULL)
		return io_error(why, "the current folder");
	else
		n = (int)strlen(to) +
		    snprintf(to + strlen(to), PATH_MAX - strlen(to), "/%s%s", at, below);
	return n < PATH_MAX ? 0
			    : fail_set(why, ERR_INVALID, "dir", PATH_MAX,
				      "the folder's name is too long");
}

int state_dir_make(const char *dir, struct fail *why)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return fail_set(why, ERR_INVALID, "dir", PATH_MAX, "the folder's name is too long");
	for (char *at = path + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return io_error(why, path);
		*at = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? io_error(why, path) : 0;
}

int state_dir_path(const char *dir, const char *name, char to[PATH_MAX])
{
	return snprintf(to, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : ERR_INVALID;
}

int state_dir_write(const char *dir, const char *name, const char *text, struct fail *why)
{
	char path[PATH_MAX], new[PATH_MAX];
	FILE *f;
	int r;

	if (state_dir_path(dir, name, path) < 0 ||
		snprintf(new, sizeof(new), "%s/%s.new", dir, name) >= PATH_MAX)
		return fail_set(why, ERR_INVALID, "dir", PATH_MAX, "the folder's name is too long");
	f = fopen(new, "we");
	if (f == NULL)
		return io_error(why, new);
	r = fputs(text, f) < 0 ? -1 : 0;
	if (fclose(f) != 0 || r < 0 || rename(new, path) < 0)
		return io_error(why, path);
	return 0;
}

int state_dir_lock(const char *dir, int *ret_fd, struct fail *why)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd;

	if (state_dir_path(dir, LOCK_NAME, path) < 0)
		return fail_set(why, ERR_INVALID, "dir", PATH_MAX, "the folder's name is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return io_error(why, path);
	if (fcntl(fd, F_SETLK, &whole) < 0) {
		int r = errno == EAGAIN || errno == EACCES
				? fail_set(why, ERR_CONFLICT, NULL, 0,
					  "a mesh already runs in %s (process %d); spu down stops "
					  "it",
					  dir, (int)state_dir_owner(dir))
				: io_error(why, path);

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

pid_t state_dir_owner(const char *dir)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	pid_t owner = 0;
	int fd;

	if (state_dir_path(dir, LOCK_NAME, path) < 0)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK)
		owner = whole.l_pid;
	close(fd);
	return owner;
}

bool state_dir_url(const char *dir, char *to, size_t room)
{
	char folder[PATH_MAX], path[PATH_MAX];
	FILE *f;
	bool ok;

	if (state_dir_find(dir, folder, NULL) < 0 || state_dir_owner(folder) == 0 ||
		state_dir_path(folder, URL_NAME, path) < 0)
		return false;
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	ok = fgets(to, (int)room, f) != NULL;
	fclose(f);
	if (!ok)
		return false;
	to[strcspn(to, "\n")] = '\0';
	return to[0] != '\0';
}
