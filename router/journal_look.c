/* SPDX-License-Identifier: Apache-2.0 */
#include "router/journal_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/journal_file.h"

#define HEADER 100 /* bytes of SQLite's file header */

int journal_look_fail(struct fail *why, const char *path, const char *what)
{
	int err = errno == EACCES || errno == EPERM || errno == EROFS ? ERR_DENIED : ERR_IO;

	return fail_set(why, err, "journal", 0, "%s %s: %s", what, path, strerror(errno));
}

int journal_look_path(char to[JOURNAL_PATH_ROOM], const char *path, const char *end,
	struct fail *why)
{
	int n = snprintf(to, JOURNAL_PATH_ROOM, "%s%s", path, end);

	return n >= 0 && n < JOURNAL_PATH_ROOM ? 0
					       : fail_set(why, ERR_TOO_BIG, "journal",
							 JOURNAL_PATH_ROOM, "the path is too long");
}

int journal_look_open(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int journal_look_orphan(const char *path, struct fail *why)
{
	char name[JOURNAL_PATH_ROOM];
	struct stat st;
	int err = journal_look_path(name, path, "-wal", why);

	if (err < 0)
		return err;
	if (stat(name, &st) < 0)
		return errno == ENOENT ? 0 : journal_look_fail(why, name, "cannot look at");
	if (st.st_size == 0)
		return 0;
	return fail_set(why, ERR_MALFORMED, "journal", 0,
		"%s is there but the journal that it belongs to is not", name);
}

static uint32_t be32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* How long the header says the file is, or 0 if it does not say. */
static uint64_t said_bytes(const unsigned char *h)
{
	uint32_t page = (uint32_t)h[16] << 8 | h[17];

	return be32(h + 24) == be32(h + 92) ? (uint64_t)be32(h + 28) * (page == 1 ? 65536 : page)
					    : 0;
}

static int judge(const unsigned char *h, size_t n, uint64_t size, bool has_log, struct fail *why)
{
	if (n == 0)
		return fail_set(why, ERR_MALFORMED, "journal", 0,
			"the journal is damaged: the file is empty (a new one is made where no "
			"file is)");
	if (n < HEADER || memcmp(h, "SQLite format 3", 16) != 0)
		return fail_set(why, ERR_INVALID, "journal", 0, "this is no journal");
	if (be32(h + 68) != JOURNAL_APPLICATION)
		return fail_set(why, ERR_INVALID, "journal", 0, "a database, but no journal");
	if (be32(h + 60) != JOURNAL_FORMAT)
		return fail_set(why, ERR_UNSUPPORTED, "journal", JOURNAL_FORMAT,
			"the journal is of %s router: it has format %u, this one knows %d",
			be32(h + 60) > JOURNAL_FORMAT ? "a newer" : "another", be32(h + 60),
			JOURNAL_FORMAT);
	/* With a log the file may still grow to what the header says. */
	if (!has_log && size < said_bytes(h))
		return fail_set(why, ERR_MALFORMED, "journal", 0,
			"the journal is damaged: %llu of its %llu bytes are there",
			(unsigned long long)size, (unsigned long long)said_bytes(h));
	return 0;
}

/* Has the journal a log with something in it? */
static int look_at_log(const char *path, bool *ret, struct fail *why)
{
	char log[JOURNAL_PATH_ROOM];
	struct stat st;
	int err = journal_look_path(log, path, "-wal", why);

	*ret = false;
	if (err < 0)
		return err;
	if (stat(log, &st) == 0)
		*ret = st.st_size > 0;
	else if (errno != ENOENT)
		err = journal_look_fail(why, log, "cannot look at");
	return err;
}

/* As many bytes of the header as the file has. */
static ssize_t read_header(int fd, unsigned char to[HEADER])
{
	size_t have = 0;
	ssize_t n = 1;

	while (n > 0 && have < HEADER) {
		n = pread(fd, to + have, HEADER - have, (off_t)have);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			have += (size_t)n;
	}
	return n < 0 ? n : (ssize_t)have;
}

static int look_at_file(int fd, const char *path, bool has_log, struct fail *why)
{
	unsigned char h[HEADER];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return journal_look_fail(why, path, "cannot look at");
	if (!S_ISREG(st.st_mode))
		return fail_set(why, ERR_INVALID, "journal", 0, "%s is not a file", path);
	n = read_header(fd, h);
	if (n < 0)
		return journal_look_fail(why, path, "cannot read");
	return judge(h, (size_t)n, (uint64_t)st.st_size, has_log, why);
}

int journal_look(const char *path, bool *ret_log, struct fail *why)
{
	int fd, err = look_at_log(path, ret_log, why);

	if (err < 0)
		return err;
	fd = journal_look_open(path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 && errno == ENOENT) {
		err = journal_look_orphan(path, why);
		return err < 0 ? err
			       : fail_set(why, ERR_UNKNOWN, "journal", 0, "there is no journal %s",
					 path);
	}
	if (fd < 0)
		return journal_look_fail(why, path, "cannot open");
	err = look_at_file(fd, path, *ret_log, why);
	close(fd);
	return err;
}
