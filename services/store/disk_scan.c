/* SPDX-License-Identifier: Apache-2.0
 *
 * disk_scan: what a store finds when it starts. Names that are none of ours are left alone.
 */
#include <errno.h>
#include <stdio.h>

#include "base/fmt.h"
#include "services/store/disk.h"

#define PATH_BYTES 1024
#define FOOTER_BYTES 32u
#define NS_PER_S INT64_C(1000000000)

struct scan {
	struct disk *d;
	const struct disk_seen *seen;
	struct fail *why;
	struct span tenant;
};

typedef int visit_fn(struct scan *s, const char *path, struct span name);

/* NULL with errno 0 at the end. */
static const struct dirent *next(const struct scan *s, DIR *dir)
{
	errno = 0;
	return s->d->io->readdir(dir);
}

/* Visit each name in a folder; one that is missing is empty. */
static int each(struct scan *s, const char *folder, visit_fn *visit)
{
	DIR *dir = s->d->io->opendir(folder);
	const struct dirent *entry = NULL;
	char path[PATH_BYTES];
	int r = 0;

	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : disk_fail(s->why, folder);
	while (r == 0 && (entry = next(s, dir)) != NULL) {
		if (entry->d_name[0] == '.' || snprintf(path, sizeof(path), "%s/%s", folder,
						       entry->d_name) >= (int)sizeof(path))
			continue;
		r = visit(s, path, span_str(entry->d_name));
	}
	if (r == 0 && errno != 0) /* what was not listed would be taken for absent */
		r = disk_fail(s->why, folder);
	closedir(dir);
	return r;
}

static bool parse_number(struct span text, uint64_t *ret)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.at[i] - '0');
	}
	*ret = n;
	return true;
}

static int visit_blob(struct scan *s, const char *path, struct span name)
{
	struct blob_hash hash;
	struct stat st;
	uint64_t bytes, chunks;

	if (blob_hash_parse(name, &hash) < 0)
		return 0;
	if (s->d->io->stat(path, &st) < 0)
		return disk_fail(s->why, path);
	/* The file is the bytes, 8 for each chunk begun, and the footer. */
	bytes = (uint64_t)st.st_size < FOOTER_BYTES ? 0 : (uint64_t)st.st_size - FOOTER_BYTES;
	chunks = (bytes + DISK_CHUNK + 7) / (DISK_CHUNK + 8);
	return s->seen->blob(s->seen->ctx, s->tenant, &hash,
		bytes < chunks * 8 ? 0 : bytes - chunks * 8,
		st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec);
}

static int visit_reference(struct scan *s, const char *path, struct span name)
{
	struct span hash_text = span_cut(&name, '@'), by = span_cut(&name, '@');
	struct blob_hash hash;
	uint64_t expire_ms;

	(void)path;
	if (blob_hash_parse(hash_text, &hash) < 0 || !fmt_is_token(by) ||
		!parse_number(name, &expire_ms))
		return 0;
	return s->seen->reference(s->seen->ctx, s->tenant, &hash, by, (int64_t)expire_ms);
}

static int visit_second(struct scan *s, const char *path, struct span name)
{
	int r = 0;

	if (name.len == 2)
		r = each(s, path, visit_blob);
	return r < 0 || name.len != 2 ? r : each(s, path, visit_reference);
}

static int visit_upload(struct scan *s, const char *path, struct span name)
{
	struct span token = span_cut(&name, '@');
	struct stat st;
	uint64_t size, have;

	if (!fmt_is_token(token) || !parse_number(name, &size) || size > BLOB_BYTES_MAX)
		return 0;
	if (s->d->io->stat(path, &st) < 0)
		return disk_fail(s->why, path);
	have = (uint64_t)st.st_size < size ? (uint64_t)st.st_size / DISK_CHUNK * DISK_CHUNK : size;
	return s->seen->upload(s->seen->ctx, s->tenant, token, size, have);
}

static int visit_first(struct scan *s, const char *path, struct span name)
{
	if (span_is(name, "upload"))
		return each(s, path, visit_upload);
	return name.len == 2 ? each(s, path, visit_second) : 0;
}

static int visit_tenant(struct scan *s, const char *path, struct span name)
{
	if (!fmt_is_token(name))
		return 0;
	s->tenant = name;
	return each(s, path, visit_first);
}

int disk_scan(struct disk *d, const struct disk_seen *seen, struct fail *why)
{
	struct scan s = { .d = d, .seen = seen, .why = why };

	return each(&s, d->dir, visit_tenant);
}
