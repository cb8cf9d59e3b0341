/* SPDX-License-Identifier: Apache-2.0
 *
 * zip: with zip_dict.c the only file that knows zstd. Unpacking is streamed, so that memory grows with what comes out and
 * never beyond the ceiling; a size that a frame declares is checked before its first byte.
 */
#include "run/zip.h"

#include <endian.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <zstd_errors.h>

#include "base/check.h"
#include "run/zip_inside.h"

#define WINDOW_LOG_MAX 23 /* 8 MiB: what zstd takes for the highest level that zip_pack allows */
#define STEP_BYTES 65536u /* the buffer grows by at least so much while it pays */
#define SLICE_BYTES                                                                                \
	((size_t)256 << 10) /* packed at once: a tenth of a second at the highest level */
#define MAGIC 0xFD2FB528u

void zip_done(struct zip *z)
{
	ZSTD_freeCCtx(z->packer);
	ZSTD_freeDCtx(z->unpacker);
	*z = (struct zip){ 0 };
}

/* Take back what was appended since `len`, with the buffer's error. */
static int undo(struct buf *b, size_t len, int err)
{
	b->len = len;
	b->err = 0;
	return err;
}

static int buf_failed(const struct buf *b, struct fail *why)
{
	return fail_set(why, buf_err(b), "max_bytes", (int64_t)b->max, NULL);
}

static int code_of(size_t r)
{
	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_memory_allocation:
		return ERR_NO_MEMORY;
	case ZSTD_error_frameParameter_windowTooLarge:
		return ERR_TOO_BIG;
	default:
		return ERR_MALFORMED;
	}
}

static int zstd_failed(size_t r, struct fail *why)
{
	bool window = ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge;

	return fail_set(why, code_of(r), window ? "window" : NULL,
		window ? (int64_t)1 << WINDOW_LOG_MAX : 0, "zstd: %s", ZSTD_getErrorName(r));
}

/* Room for the next piece: what the ceiling leaves, at most a step. NULL: none. */
static unsigned char *next_room(struct buf *b, size_t left, size_t *ret_room)
{
	size_t free_bytes = b->max - b->len;

	*ret_room = left < free_bytes ? left : free_bytes;
	if (*ret_room > STEP_BYTES)
		*ret_room = STEP_BYTES;
	return *ret_room == 0 ? NULL : buf_room(b, *ret_room);
}

/* Packing */

static bool is_stopped(const _Atomic bool *stop)
{
	return stop != NULL && atomic_load_explicit(stop, memory_order_relaxed);
}

static int pack_all(struct buf *b, ZSTD_CCtx *c, struct span plain, const _Atomic bool *stop,
	struct fail *why)
{
	ZSTD_inBuffer in = { plain.at, 0, 0 };
	size_t left = 1;

	while (left != 0 || in.size < plain.len) {
		ZSTD_outBuffer out = { NULL, 0, 0 };

		if (is_stopped(stop))
			return fail_set(why, ERR_CANCELLED, NULL, 0, NULL);
		if (in.pos == in.size)
			in.size += plain.len - in.size < SLICE_BYTES ? plain.len - in.size
								     : SLICE_BYTES;
		out.dst = next_room(b, ZSTD_compressBound(plain.len), &out.size);
		if (out.dst == NULL) {
			if (b->err == 0)
				b->err = ERR_TOO_BIG;
			return buf_failed(b, why);
		}
		left = ZSTD_compressStream2(c, &out, &in,
			in.size == plain.len ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return fail_set(why,
				code_of(left) == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_BUG, NULL, 0,
				"zstd: %s", ZSTD_getErrorName(left));
		buf_took(b, out.pos);
	}
	return 0;
}

/* The context as if it were new, for these settings. */
static int start_packer(struct zip *z, const struct zip_how *how, size_t plain_bytes,
	struct fail *why)
{
	ZSTD_CCtx *c = z->packer;

	if (how->dict == NULL && (how->level < 1 || how->level > ZIP_LEVEL_MAX))
		return fail_set(why, ERR_INVALID, "level", ZIP_LEVEL_MAX,
			"the level is from 1 to %d", ZIP_LEVEL_MAX);
	if (c == NULL)
		c = z->packer = ZSTD_createCCtx();
	if (c == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	CHECK(!ZSTD_isError(ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters)));
	if (how->dict == NULL)
		CHECK(!ZSTD_isError(
			ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, how->level)));
	else
		CHECK(!ZSTD_isError(ZSTD_CCtx_refCDict(c, how->dict->packing)));
	CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, !how->is_bare)));
	CHECK(!ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c, plain_bytes)));
	return 0;
}

int zip_pack(struct zip *z, struct buf *b, struct span plain, const struct zip_how *how,
	struct fail *why)
{
	size_t before = b->len;
	int r;

	if (buf_err(b) != 0)
		return buf_failed(b, why);
	r = start_packer(z, how, plain.len, why);
	if (r == 0)
		r = pack_all(b, z->packer, plain, how->stop, why);
	return r < 0 ? undo(b, before, r) : 0;
}

/* Unpacking */

struct ceiling {
	uint64_t left; /* bytes that may still come out */
	int64_t limit; /* what was asked for */
	const char *field;
};

static struct ceiling ceiling_of(size_t packed_bytes, int64_t max_bytes, int64_t max_ratio)
{
	unsigned __int128 by_ratio = (unsigned __int128)packed_bytes * (uint64_t)max_ratio;

	if (by_ratio < (uint64_t)max_bytes)
		return (struct ceiling){ (uint64_t)by_ratio, max_ratio, "max_ratio" };
	return (struct ceiling){ (uint64_t)max_bytes, max_bytes, "max_bytes" };
}

static int too_big(const struct ceiling *c, struct fail *why)
{
	return fail_set(why, ERR_TOO_BIG, c->field, c->limit, NULL);
}

/* Only frames of the current format: no skippable ones, none of old versions, whose decoders are not needed
 * and would have to be trusted. */
static int check_head(struct span packed, const struct ceiling *c, struct fail *why)
{
	unsigned long long declared;
	uint32_t magic;

	if (packed.len < sizeof(magic))
		return fail_set(why, ERR_MALFORMED, NULL, 0, "a zstd frame ends too early");
	memcpy(&magic, packed.at, sizeof(magic));
	if (le32toh(magic) != MAGIC)
		return fail_set(why, ERR_MALFORMED, NULL, 0, "this is not a zstd frame");
	declared = ZSTD_getFrameContentSize(packed.at, packed.len);
	if (declared == ZSTD_CONTENTSIZE_ERROR)
		return fail_set(why, ERR_MALFORMED, NULL, 0, "the head of a zstd frame is wrong");
	if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared > c->left)
		return fail_set(why, ERR_TOO_BIG, c->field, c->limit,
			"a zstd frame declares %llu bytes, at most %llu go", declared,
			(unsigned long long)c->left);
	return 0;
}

/* One piece of a frame. 1 if the frame goes on, 0 if it ended. At the ceiling one byte more is asked for, on
 * the side: if it comes, that is one too many. */
static int unpack_step(struct buf *b, ZSTD_DCtx *d, ZSTD_inBuffer *in, struct ceiling *c,
	struct fail *why)
{
	unsigned char extra;
	ZSTD_outBuffer out = { NULL, 0, 0 };
	size_t before = in->pos, r;
	bool full;

	out.dst = next_room(b, c->left < SIZE_MAX ? (size_t)c->left : SIZE_MAX, &out.size);
	full = out.dst == NULL;
	if (b->err != 0)
		return buf_failed(b, why);
	if (full) {
		out.dst = &extra;
		out.size = 1;
	}
	r = ZSTD_decompressStream(d, &out, in);
	if (ZSTD_isError(r))
		return zstd_failed(r, why);
	if (full && out.pos > 0)
		return c->left == 0
			       ? too_big(c, why)
			       : fail_set(why, ERR_TOO_BIG, "max_bytes", (int64_t)b->max, NULL);
	if (!full) {
		buf_took(b, out.pos);
		c->left -= out.pos;
	}
	if (r != 0 && out.pos == 0 && in->pos == before)
		return fail_set(why, ERR_MALFORMED, NULL, 0, "a zstd frame ends too early");
	return r != 0;
}

/* The dictionary that the next frame names, if it names one. */
static int use_dict(ZSTD_DCtx *d, struct span packed, const struct zip_caps *caps, struct fail *why)
{
	uint32_t number = zip_dict_of_frame(packed);
	const struct zip_dict *found = NULL;
	size_t r;

	for (size_t i = 0; number != 0 && i < caps->dicts_n && found == NULL; i++)
		if (caps->dicts[i]->number == number)
			found = caps->dicts[i];
	if (number != 0 && found == NULL)
		return fail_set(why, ERR_UNKNOWN, "dictionary", number,
			"a zstd frame needs dictionary number %" PRIu32 ", which is not there",
			number);
	r = ZSTD_DCtx_refDDict(d, found == NULL ? NULL : found->unpacking);
	return ZSTD_isError(r) ? zstd_failed(r, why) : 0;
}

static int unpack_all(struct buf *b, ZSTD_DCtx *d, struct span packed, struct ceiling *c,
	const struct zip_caps *caps, struct fail *why)
{
	ZSTD_inBuffer in = { packed.at, packed.len, 0 };

	do {
		struct span rest = span_part(packed, in.pos, packed.len);
		int r = check_head(rest, c, why);

		if (r == 0)
			r = use_dict(d, rest, caps, why);
		if (r < 0)
			return r;
		do
			r = is_stopped(caps->stop) ? fail_set(why, ERR_CANCELLED, NULL, 0, NULL)
						   : unpack_step(b, d, &in, c, why);
		while (r > 0);
		if (r < 0)
			return r;
	} while (in.pos < in.size);
	return 0;
}

int zip_unpack(struct zip *z, struct buf *b, struct span packed, const struct zip_caps *caps,
	struct fail *why)
{
	size_t before = b->len;
	struct ceiling c;
	int r;

	CHECK(caps->max_bytes >= 0 && caps->max_ratio >= 0);
	if (buf_err(b) != 0)
		return buf_failed(b, why);
	c = ceiling_of(packed.len, caps->max_bytes, caps->max_ratio);
	if (z->unpacker == NULL)
		z->unpacker = ZSTD_createDCtx();
	if (z->unpacker == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	CHECK(!ZSTD_isError(ZSTD_DCtx_reset(z->unpacker, ZSTD_reset_session_and_parameters)));
	CHECK(!ZSTD_isError(
		ZSTD_DCtx_setParameter(z->unpacker, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)));
	r = unpack_all(b, z->unpacker, packed, &c, caps, why);
	return r < 0 ? undo(b, before, r) : 0;
}
