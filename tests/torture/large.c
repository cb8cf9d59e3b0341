/* SPDX-License-Identifier: Apache-2.0
 *
 * large: bytes that go through the store: a task's own, told by its number. One blob moves at a time; what breaks off
 * for good is begun again by the caller.
 */
#include <stdio.h>

#include "base/fmt.h"
#include "tests/torture/torture.h"

static unsigned char byte_at(uint32_t number, uint64_t i)
{
	return (unsigned char)((i + 1) * (number + 1) * 2654435761u >> 13);
}

static int on_read(void *ctx, uint64_t offset, unsigned char *to, size_t n)
{
	const struct large *l = ctx;

	for (size_t i = 0; i < n; i++)
		to[i] = byte_at(l->number, offset + i);
	return 0;
}

static int on_write(void *ctx, uint64_t offset, struct span data)
{
	const struct large *l = ctx;

	for (size_t i = 0; i < data.len; i++)
		if (data.at[i] != byte_at(l->number, offset + i))
			return ERR_MALFORMED;
	return 0;
}

static void on_end(void *ctx, const struct blob_end *e)
{
	struct large *l = ctx;

	l->end = *e;
	l->has_ended = true;
}

static struct blob_conf conf_of(struct large *l, uint32_t number)
{
	l->number = number;
	l->has_ended = false;
	return (struct blob_conf){
		.loop = l->loop,
		.bus = l->bus,
		.tenant = SPAN_LIT("local"),
		.read = on_read,
		.write = on_write,
		.on_end = on_end,
		.ctx = l,
	};
}

void large_put(struct large *l, uint32_t number)
{
	struct blob_conf conf = conf_of(l, number);
	char upload[16];

	snprintf(upload, sizeof upload, "t%u", number);
	conf.size = LARGE_BYTES;
	conf.upload = span_str(upload);
	conf.keep_until_ns = l->loop->now_ns + 24 * 3600 * NS_PER_S;
	l->transfer = blob_put(&conf);
}

void large_get(struct large *l, uint32_t number, const struct blob_hash *hash)
{
	struct blob_conf conf = conf_of(l, number);

	conf.hash = *hash;
	l->transfer = blob_get(&conf);
}

bool large_is_moving(const struct large *l)
{
	return l->transfer != NULL && !l->has_ended;
}

bool large_take(struct large *l, struct blob_end *ret)
{
	if (l->transfer == NULL || !l->has_ended)
		return false;
	blob_transfer_free(l->transfer);
	l->transfer = NULL;
	*ret = l->end;
	return true;
}
