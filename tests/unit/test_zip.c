/* SPDX-License-Identifier: Apache-2.0 */
#include "run/zip.h"

#include <stdlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "tests/support/test.h"

#define MIB (INT64_C(1) << 20)

static int pack(struct buf *b, struct span plain, int level, const _Atomic bool *stop,
	struct fail *why)
{
	CLEANUP(zip_done) struct zip z = { 0 };

	return zip_pack(&z, b, plain, &(struct zip_how){ .level = level, .stop = stop }, why);
}

static int unpack(struct buf *b, struct span packed, int64_t max_bytes, int64_t max_ratio,
	const _Atomic bool *stop, struct fail *why)
{
	const struct zip_caps caps = { max_bytes, max_ratio, NULL, 0, stop };
	CLEANUP(zip_done) struct zip z = { 0 };

	return zip_unpack(&z, b, packed, &caps, why);
}

static void fill(struct prng *p, unsigned char *to, size_t len, unsigned letters)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)('a' + prng_below(p, letters));
}

static void gives_back_what_was_packed(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, 262144, 262145, 1 << 20 };
	static unsigned char plain[1 << 20];
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned i = 0; i < ARRAY_LEN(sizes) * 4; i++) {
		CLEANUP(buf_done)
		struct buf packed = { .max = 2 << 20 }, out = { .max = 3 + sizes[i / 4] };
		struct span s = span_of(plain, sizes[i / 4]);

		fill(&p, plain, s.len, i % 2 == 0 ? 2 : 200);
		buf_str(&packed, "x");
		assert_int_equal(pack(&packed, s, i % 4 < 2 ? 1 : 19, NULL, NULL), 0);
		assert_int_equal(ZSTD_getFrameContentSize(packed.at + 1, packed.len - 1), s.len);
		buf_str(&out, "abc");
		/* The ceiling is met exactly. */
		assert_int_equal(unpack(&out, span_part(buf_span(&packed), 1, SIZE_MAX),
					 (int64_t)s.len, 1 << 20, NULL, NULL),
			0);
		assert_true(span_eq(span_part(buf_span(&out), 3, SIZE_MAX), s));
	}
}

/* A frame of `len` zeros, with or without a content size. */
static void zeros(struct buf *b, size_t len, int with_size)
{
	static const unsigned char zero[65536];
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t left = 1;

	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, with_size);
	if (with_size)
		ZSTD_CCtx_setPledgedSrcSize(c, len);
	while (left != 0) {
		ZSTD_inBuffer in = { zero, len < sizeof(zero) ? len : sizeof(zero), 0 };
		ZSTD_EndDirective end = len <= sizeof(zero) ? ZSTD_e_end : ZSTD_e_continue;

		do {
			ZSTD_outBuffer out = { buf_room(b, 65536), 65536, 0 };

			left = ZSTD_compressStream2(c, &out, &in, end);
			assert_false(ZSTD_isError(left));
			buf_took(b, out.pos);
		} while (in.pos < in.size || (end == ZSTD_e_end && left != 0));
		len -= in.size;
		if (end == ZSTD_e_continue)
			left = 1;
	}
	ZSTD_freeCCtx(c);
}

static void is_refused(struct span packed, int64_t max_bytes, int64_t max_ratio, int err,
	const char *field)
{
	CLEANUP(buf_done) struct buf out = { .max = 200 * (size_t)MIB };
	struct fail why = { 0 };

	buf_str(&out, "abc");
	assert_int_equal(unpack(&out, packed, max_bytes, max_ratio, NULL, &why), err);
	assert_int_equal(why.code, err);
	assert_string_equal(why.field, field);
	assert_int_equal(buf_err(&out), 0);
	assert_true(span_is(buf_span(&out), "abc"));
	/* What was taken is about the ceiling, not what the frame would grow to. */
	assert_true(out.cap <= (size_t)max_bytes * 2 + 65536 + 64);
}

static void refuses_bombs(void **state)
{
	for (int with_size = 0; with_size < 2; with_size++) {
		CLEANUP(buf_done) struct buf bomb = { .max = 2 << 20 };

		zeros(&bomb, 100 * (size_t)MIB, with_size);
		assert_true(bomb.len < 20000);
		is_refused(buf_span(&bomb), MIB, 1 << 30, ERR_TOO_BIG, "max_bytes");
		is_refused(buf_span(&bomb), 100 * MIB - 1, 1 << 30, ERR_TOO_BIG, "max_bytes");
		is_refused(buf_span(&bomb), INT64_MAX / 4, 1, ERR_TOO_BIG, "max_ratio");
		is_refused(buf_span(&bomb), 0, 1 << 30, ERR_TOO_BIG, "max_bytes");
	}
	(void)state;
}

static void the_buffer_s_own_ceiling_holds(void **state)
{
	CLEANUP(buf_done)
	struct buf packed = { .max = 2 << 20 }, out = { .max = 1000 }, tight = { .max = 20 };
	struct fail why = { 0 };
	struct prng p;
	unsigned char plain[500];

	zeros(&packed, 1001, 0);
	assert_int_equal(unpack(&out, buf_span(&packed), MIB, 1 << 20, NULL, &why), ERR_TOO_BIG);
	assert_string_equal(why.field, "max_bytes");
	assert_int_equal(why.limit, 1000);
	rand_start(&p);
	fill(&p, plain, sizeof(plain), 200);
	assert_int_equal(pack(&tight, span_of(plain, sizeof(plain)), 3, NULL, &why), ERR_TOO_BIG);
	assert_true(tight.len == 0 && buf_err(&tight) == 0);
	/* A ceiling below the worst case is no obstacle for what packs well. */
	assert_int_equal(pack(&out, span_of((unsigned char[60000]){ 0 }, 60000), 3, NULL, &why), 0);
	(void)state;
}

static void reads_several_frames(void **state)
{
	CLEANUP(buf_done) struct buf packed = { .max = 1 << 20 }, out = { .max = 1 << 20 };

	assert_int_equal(pack(&packed, SPAN_LIT("one "), 3, NULL, NULL), 0);
	zeros(&packed, 0, 0);
	assert_int_equal(pack(&packed, SPAN_LIT("two"), 3, NULL, NULL), 0);
	assert_int_equal(unpack(&out, buf_span(&packed), 7, 100, NULL, NULL), 0);
	assert_true(span_is(buf_span(&out), "one two"));
	is_refused(buf_span(&packed), 6, 100, ERR_TOO_BIG,
		"max_bytes"); /* of all frames together */
	(void)state;
}

static void refuses_what_is_no_frame(void **state)
{
	CLEANUP(buf_done) struct buf packed = { .max = 1 << 20 };
	static const unsigned char skippable[] = { 0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 'x' };
	static const unsigned char old[] = { 0x25, 0xB5, 0x2F, 0xFD, 0, 0, 0, 0 }; /* zstd 0.5 */

	assert_int_equal(pack(&packed, SPAN_LIT("some text, some more text"), 3, NULL, NULL), 0);
	for (size_t n = 0; n < packed.len; n++) /* cut off anywhere */
		is_refused(span_part(buf_span(&packed), 0, n), MIB, 1000, ERR_MALFORMED, "");
	packed.at[packed.len - 1] ^= 1; /* of the checksum */
	is_refused(buf_span(&packed), MIB, 1000, ERR_MALFORMED, "");
	packed.at[packed.len - 1] ^= 1;
	buf_byte(&packed, 'x'); /* behind the frame */
	is_refused(buf_span(&packed), MIB, 1000, ERR_MALFORMED, "");
	buf_str(&packed, "yz and more than a head");
	is_refused(buf_span(&packed), MIB, 1000, ERR_MALFORMED, "");
	is_refused(SPAN_LIT("plain text"), MIB, 1000, ERR_MALFORMED, "");
	is_refused(span_of(skippable, sizeof(skippable)), MIB, 1000, ERR_MALFORMED, "");
	is_refused(span_of(old, sizeof(old)), MIB, 1000, ERR_MALFORMED, "");
	(void)state;
}

static void refuses_wide_windows(void **state)
{
	/* A head that asks for 16 MiB, and one for 8 MiB, with an empty last block. */
	unsigned char wide[] = { 0x28, 0xB5, 0x2F, 0xFD, 0x00, 14 << 3, 0x01, 0x00, 0x00 };
	CLEANUP(buf_done) struct buf out = { .max = 100 };

	(void)state;
	is_refused(span_of(wide, sizeof(wide)), MIB, 1000, ERR_TOO_BIG, "window");
	wide[5] = 13 << 3;
	assert_int_equal(unpack(&out, span_of(wide, sizeof(wide)), MIB, 1000, NULL, NULL), 0);
}

static void survives_broken_frames(void **state)
{
	CLEANUP(buf_done) struct buf packed = { .max = 1 << 20 };
	unsigned char plain[5000];
	struct prng p;

	(void)state;
	rand_start(&p);
	fill(&p, plain, sizeof(plain), 20);
	assert_int_equal(pack(&packed, span_of(plain, sizeof(plain)), 3, NULL, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		CLEANUP(buf_done) struct buf out = { .max = 10000 };
		size_t at = prng_below(&p, packed.len);
		unsigned char was = packed.at[at];
		int r;

		packed.at[at] = (unsigned char)prng_next(&p);
		r = unpack(&out, buf_span(&packed), 8000, 1000, NULL, NULL);
		assert_true(out.len <= 8000);
		/* The checksum finds every change of content. */
		assert_true(r < 0 || span_eq(buf_span(&out), span_of(plain, sizeof(plain))));
		packed.at[at] = was;
	}
}

static void refuses_levels_outside(void **state)
{
	CLEANUP(buf_done) struct buf b = { .max = 1000 };
	struct fail why = { 0 };

	(void)state;
	assert_int_equal(pack(&b, SPAN_LIT("x"), 0, NULL, &why), ERR_INVALID);
	assert_int_equal(pack(&b, SPAN_LIT("x"), 20, NULL, &why), ERR_INVALID);
	assert_string_equal(why.field, "level");
	assert_int_equal(why.limit, 19);
}

/* Nothing is left of what was stopped, whatever was there before is. */
static void stops(void **state)
{
	static const unsigned char plain[1 << 20];
	CLEANUP(buf_done) struct buf packed = { .max = 1 << 20 }, out = { .max = 2 << 20 };
	const _Atomic bool yes = true, no = false;
	struct fail why = { 0 };

	(void)state;
	buf_str(&out, "x");
	assert_int_equal(pack(&out, span_of(plain, sizeof(plain)), 3, &yes, &why), ERR_CANCELLED);
	assert_int_equal(why.code, ERR_CANCELLED);
	assert_int_equal(out.len, 1);
	assert_int_equal(pack(&packed, span_of(plain, sizeof(plain)), 3, &no, NULL), 0);
	assert_int_equal(unpack(&out, buf_span(&packed), MIB, MIB, &yes, &why), ERR_CANCELLED);
	assert_int_equal(out.len, 1);
	assert_int_equal(unpack(&out, buf_span(&packed), MIB, MIB, &no, NULL), 0);
	assert_int_equal(out.len, 1 + sizeof(plain));
}

static int there_and_back(void *arg)
{
	CLEANUP(buf_done) struct buf packed = { .max = 1 << 20 }, out = { .max = 1 << 20 };
	struct fail why;
	int r = pack(&packed, *(struct span *)arg, 1, NULL, &why);

	return r < 0 ? r : unpack(&out, buf_span(&packed), MIB, MIB, NULL, &why);
}

static void survives_a_lack_of_memory(void **state)
{
	struct span s = span_of(calloc(1, 300000), 300000);

	(void)state;
	assert_true(nth_alloc(there_and_back, &s) >= 2);
	free((void *)(uintptr_t)s.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_was_packed),
		cmocka_unit_test(refuses_bombs),
		cmocka_unit_test(the_buffer_s_own_ceiling_holds),
		cmocka_unit_test(reads_several_frames),
		cmocka_unit_test(refuses_what_is_no_frame),
		cmocka_unit_test(refuses_wide_windows),
		cmocka_unit_test(survives_broken_frames),
		cmocka_unit_test(refuses_levels_outside),
		cmocka_unit_test(stops),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
