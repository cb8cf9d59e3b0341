/* SPDX-License-Identifier: Apache-2.0
 *
 * pack: one zstd frame of level 1, without a checksum: what carries it has one.
 */
#include "run/pack.h"

#include <string.h>

#include "base/limits.h"

#define LEVEL 1

void packer_init(struct packer *p)
{
	*p = (struct packer){ 0 };
	buf_init(&p->packed, LIMIT_MESSAGE_BYTES);
	buf_init(&p->plain, LIMIT_MESSAGE_BYTES);
}

void packer_done(struct packer *p)
{
	zip_done(&p->zip);
	buf_done(&p->packed);
	buf_done(&p->plain);
}

struct span packer_pack(struct packer *p, struct span body)
{
	static const struct zip_how how = { .level = LEVEL, .is_bare = true };

	if (body.len < PACK_BYTES)
		return (struct span){ 0 };
	buf_reset(&p->packed);
	if (zip_pack(&p->zip, &p->packed, body, &how, NULL) < 0 ||
		p->packed.len > body.len - body.len / 8)
		return (struct span){ 0 };
	return buf_span(&p->packed);
}

int packer_unpack(struct packer *p, struct span packed, size_t bytes_max, struct span *ret,
	struct fail *why)
{
	const struct zip_caps caps = { .max_bytes = (int64_t)bytes_max, .max_ratio = INT64_MAX };
	struct fail said = { 0 };
	int r;

	buf_reset(&p->plain);
	r = zip_unpack(&p->zip, &p->plain, packed, &caps, &said);
	if (r < 0)
		return fail_set(why, r == ERR_UNKNOWN ? ERR_MALFORMED : r, "body",
			(int64_t)bytes_max, "the packed body cannot be unpacked: %s", said.detail);
	*ret = buf_span(&p->plain);
	return 0;
}

static bool is_near(struct span url)
{
	static const char *const here[] = { "localhost", "127.", "[::1]" };

	for (size_t i = 0; i + 3 <= url.len; i++) /* behind the scheme and a user */
		if (memcmp(url.at + i, "://", 3) == 0)
			url = span_part(url, i + 3, url.len);
	while (memchr(url.at, '@', url.len) != NULL)
		(void)span_cut(&url, '@');
	for (size_t i = 0; i < ARRAY_LEN(here); i++)
		if (span_is(span_part(url, 0, strlen(here[i])), here[i]))
			return true;
	return false;
}

bool pack_is_near(const char *urls)
{
	struct span rest = span_str(urls);

	while (rest.len > 0)
		if (!is_near(span_trim(span_cut(&rest, ','))))
			return false;
	return true;
}
