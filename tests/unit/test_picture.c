/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/picture.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

#include "base/mem.h"
#include "tests/support/nth.h"
#include "tests/support/rand.h"
#include "tests/support/test.h"

#define FILE_BYTES_MAX (1u << 20)

/* Files are made by the libraries, in forms that our own encoder never writes. */

static void put(png_structp png, unsigned char *from, size_t bytes)
{
	buf_add(png_get_io_ptr(png), span_of(from, bytes));
}

struct form {
	uint32_t width, height;
	int type, bits;
	bool interlaced;
	bool clear; /* has a transparent colour */
};

/* A picture whose rows are counted up, value by value. */
static void make_png(struct buf *b, const struct form *form)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	png_color colours[16];
	png_color_16 clear = { 0 };
	unsigned char row[4096];
	int passes;

	for (int i = 0; i < 16; i++)
		colours[i] = (png_color){ (unsigned char)(i * 16), (unsigned char)(255 - i), 7 };
	png_set_write_fn(png, b, put, NULL);
	png_set_IHDR(png, info, form->width, form->height, form->bits, form->type,
		form->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (form->type == PNG_COLOR_TYPE_PALETTE)
		png_set_PLTE(png, info, colours, 16);
	if (form->clear)
		png_set_tRNS(png, info, NULL, 0, &clear);
	png_write_info(png, info);
	passes = png_set_interlace_handling(png);
	for (; passes > 0; passes--) {
		for (uint32_t y = 0; y < form->height; y++) {
			for (size_t i = 0; i < sizeof(row); i++)
				row[i] = (unsigned char)(i + y);
			png_write_row(png, row);
		}
	}
	png_write_end(png, NULL);
	png_destroy_write_struct(&png, &info);
	assert_int_equal(buf_err(b), 0);
}

struct jpeg_form {
	uint32_t width, height;
	int components;
	J_COLOR_SPACE space;
	bool progressive;
};

static void make_jpeg(struct buf *b, const struct jpeg_form *form)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL, row[4096];
	unsigned long n = 0;

	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &bytes, &n);
	jpeg.image_width = form->width;
	jpeg.image_height = form->height;
	jpeg.input_components = form->components;
	jpeg.in_color_space = form->space;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, 95, TRUE);
	if (form->progressive)
		jpeg_simple_progression(&jpeg);
	jpeg_start_compress(&jpeg, TRUE);
	while (jpeg.next_scanline < form->height) {
		JSAMPROW at = row;

		for (uint32_t i = 0; i < form->width * (uint32_t)form->components; i++)
			row[i] = (unsigned char)(i % (uint32_t)form->components * 40 +
						 jpeg.next_scanline);
		jpeg_write_scanlines(&jpeg, &at, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	buf_add(b, span_of(bytes, n));
	free(bytes);
}

static void test_round_trip(void **state)
{
	struct prng r;

	(void)state;
	rand_start(&r);
	for (int round = 0; round < 30; round++) {
		static const uint32_t channels[] = { 1, 3, 4 };
		struct picture in, out;
		struct buf b;

		buf_init(&b, FILE_BYTES_MAX);
		assert_int_equal(picture_init(&in, 1 + (uint32_t)prng_below(&r, 50),
					 1 + (uint32_t)prng_below(&r, 50), channels[round % 3],
					 NULL),
			0);
		for (size_t i = 0; i < picture_bytes(&in); i++)
			in.pixels[i] = (unsigned char)prng_next(&r);
		assert_int_equal(picture_encode_png(&in, 1 + round % 9, &b, NULL), 0);
		assert_int_equal(picture_decode(buf_span(&b), &out, NULL), 0);
		assert_int_equal(out.width, in.width);
		assert_int_equal(out.height, in.height);
		assert_int_equal(out.channels, in.channels);
		assert_memory_equal(out.pixels, in.pixels, picture_bytes(&in));
		picture_done(&in);
		picture_done(&out);
		buf_done(&b);
	}
}

static void test_png_forms(void **state)
{
	static const struct {
		struct form form;
		uint32_t channels;
		unsigned char first[8]; /* the first two pixels */
	} rows[] = {
		{ { 9, 5, PNG_COLOR_TYPE_GRAY, 8, true, false }, 1, { 0, 1 } },
		{ { 9, 5, PNG_COLOR_TYPE_GRAY, 1, false, false }, 1, { 0, 0 } },
		{ { 9, 5, PNG_COLOR_TYPE_GRAY, 4, false, false }, 1, { 0, 0 } },
		{ { 9, 5, PNG_COLOR_TYPE_GRAY, 16, false, false }, 1, { 0, 2 } },
		{ { 9, 5, PNG_COLOR_TYPE_GRAY, 8, false, true }, 4, { 0, 0, 0, 0, 1, 1, 1, 255 } },
		{ { 9, 5, PNG_COLOR_TYPE_GRAY_ALPHA, 8, true, false }, 4,
			{ 0, 0, 0, 1, 2, 2, 2, 3 } },
		{ { 9, 5, PNG_COLOR_TYPE_PALETTE, 4, false, false }, 3, { 0, 255, 7, 0, 255, 7 } },
		{ { 9, 5, PNG_COLOR_TYPE_PALETTE, 4, true, false }, 3, { 0, 255, 7, 0, 255, 7 } },
		{ { 9, 5, PNG_COLOR_TYPE_RGB, 16, true, false }, 3, { 0, 2, 4, 6, 8, 10 } },
		{ { 9, 5, PNG_COLOR_TYPE_RGB_ALPHA, 8, false, false }, 4,
			{ 0, 1, 2, 3, 4, 5, 6, 7 } },
		{ { 1, 1, PNG_COLOR_TYPE_RGB_ALPHA, 16, true, false }, 4, { 0, 2, 4, 6 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t pixels = rows[i].form.width > 1 ? 2 : 1;
		struct picture p;
		struct buf b;

		buf_init(&b, FILE_BYTES_MAX);
		make_png(&b, &rows[i].form);
		assert_int_equal(picture_decode(buf_span(&b), &p, NULL), 0);
		assert_int_equal(p.channels, rows[i].channels);
		assert_int_equal(p.width, rows[i].form.width);
		assert_memory_equal(p.pixels, rows[i].first, pixels * p.channels);
		picture_done(&p);
		buf_done(&b);
	}
}

static void test_jpeg_forms(void **state)
{
	static const struct {
		struct jpeg_form form;
		int want;
		uint32_t channels;
	} rows[] = {
		{ { 33, 17, 3, JCS_RGB, false }, 0, 3 },
		{ { 33, 17, 3, JCS_RGB, true }, 0, 3 },
		{ { 33, 17, 1, JCS_GRAYSCALE, false }, 0, 1 },
		{ { 1, 1, 1, JCS_GRAYSCALE, true }, 0, 1 },
		{ { 33, 17, 4, JCS_CMYK, false }, ERR_UNSUPPORTED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct picture p = { 0 };
		struct buf b;

		buf_init(&b, FILE_BYTES_MAX);
		make_jpeg(&b, &rows[i].form);
		assert_int_equal(picture_decode(buf_span(&b), &p, NULL), rows[i].want);
		assert_int_equal(p.channels, rows[i].channels);
		if (rows[i].want == 0)
			assert_in_range(p.pixels[0], 0, 8); /* 0 was written; the format is lossy */
		if (rows[i].channels == 3)
			assert_in_range(p.pixels[2], 72, 88); /* 80 was */
		picture_done(&p);
		buf_done(&b);
	}
}

/* Every start of a file is refused. */
static void check_starts(struct span file)
{
	for (size_t n = 0; n < file.len; n++) {
		/* A copy of exactly this size, so that reading on is seen. */
		void *start = mem_dup(span_part(file, 0, n));
		struct fail why = { 0 };
		struct picture p;
		int r = picture_decode(span_of(start, n), &p, &why);

		assert_true(r == ERR_MALFORMED || r == ERR_UNSUPPORTED);
		assert_int_equal(why.code, r);
		mem_free(start);
	}
}

static void test_cut_short(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, FILE_BYTES_MAX);
	make_png(&b, &(struct form){ 9, 5, PNG_COLOR_TYPE_RGB, 8, true, false });
	check_starts(buf_span(&b));
	buf_reset(&b);
	make_jpeg(&b, &(struct jpeg_form){ 33, 17, 3, JCS_RGB, false });
	/* libjpeg takes the end marker as given when all pixels were there. */
	check_starts(span_part(buf_span(&b), 0, b.len - 2));
	buf_done(&b);
}

static void test_wrong_magic(void **state)
{
	static const char *const files[] = { "", "\x89PNG", "GIF89a", "<svg/>", "\xff\xd8",
		"RIFF....WEBP" };
	struct picture p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_int_equal(picture_decode(span_str(files[i]), &p, NULL), ERR_UNSUPPORTED);
}

/* The declared size is in the bytes 16 to 23 of a PNG; its check sum is at 29. */
static void declare(struct buf *b, uint32_t width, uint32_t height)
{
	uint32_t crc = 0xFFFFFFFF;

	for (int i = 0; i < 4; i++) {
		b->at[16 + i] = (unsigned char)(width >> (24 - 8 * i));
		b->at[20 + i] = (unsigned char)(height >> (24 - 8 * i));
	}
	for (int i = 12; i < 29; i++) {
		crc ^= b->at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
	}
	for (int i = 0; i < 4; i++)
		b->at[29 + i] = (unsigned char)(~crc >> (24 - 8 * i));
}

static void test_giant_sizes(void **state)
{
	static const struct {
		uint32_t width, height;
		int want;
		const char *field;
	} rows[] = {
		{ 4097, 4096, ERR_TOO_BIG, "pixels" },
		{ 65536, 1, ERR_TOO_BIG, "width" },
		{ 1, 0x7fffffff, ERR_TOO_BIG, "height" },
		{ 0x7fffffff, 0x7fffffff, ERR_TOO_BIG, "width" },
		{ 0x80000000, 1, ERR_MALFORMED, "picture" },
		{ 0, 1, ERR_MALFORMED, "picture" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, FILE_BYTES_MAX);
	make_png(&b, &(struct form){ 9, 5, PNG_COLOR_TYPE_RGB, 8, false, false });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fail why = { 0 };
		struct picture p;

		declare(&b, rows[i].width, rows[i].height);
		assert_int_equal(picture_decode(buf_span(&b), &p, &why), rows[i].want);
		assert_string_equal(why.field, rows[i].field);
	}
	/* As large as is allowed, but the pixels are missing. */
	declare(&b, 4096, 4096);
	assert_int_equal(picture_decode(buf_span(&b), &(struct picture){ 0 }, NULL), ERR_MALFORMED);
	buf_done(&b);
}

static void test_init_limits(void **state)
{
	struct picture p;

	(void)state;
	assert_int_equal(picture_init(&p, 0, 1, 1, NULL), ERR_INVALID);
	assert_int_equal(picture_init(&p, 1, 1, 2, NULL), ERR_INVALID);
	assert_int_equal(picture_init(&p, 65535, 257, 1, NULL), ERR_TOO_BIG);
	assert_int_equal(picture_init(&p, 65535, 256, 1, NULL), 0);
	picture_done(&p);
}

static void test_encode_ceiling(void **state)
{
	struct picture p;
	struct buf b;

	(void)state;
	assert_int_equal(picture_init(&p, 100, 100, 3, NULL), 0);
	buf_init(&b, 50);
	buf_str(&b, "kept");
	assert_int_equal(picture_encode_png(&p, 6, &b, NULL), ERR_TOO_BIG);
	assert_int_equal(b.len, 4);
	buf_done(&b);
	picture_done(&p);
}

static int decode_and_encode(void *arg)
{
	struct picture p;
	struct buf b;
	int r = picture_decode(buf_span(arg), &p, NULL);

	if (r < 0)
		return r;
	buf_init(&b, FILE_BYTES_MAX);
	r = picture_encode_png(&p, 6, &b, NULL);
	buf_done(&b);
	picture_done(&p);
	return r == ERR_NO_MEMORY || r == 0 ? r : ERR_BUG;
}

static void test_want_of_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, FILE_BYTES_MAX);
	make_png(&b, &(struct form){ 9, 5, PNG_COLOR_TYPE_PALETTE, 8, true, false });
	assert_true(nth_alloc(decode_and_encode, &b) > 5);
	buf_reset(&b);
	make_jpeg(&b, &(struct jpeg_form){ 33, 17, 3, JCS_RGB, false });
	assert_true(nth_alloc(decode_and_encode, &b) > 2);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_png_forms),
		cmocka_unit_test(test_jpeg_forms),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_wrong_magic),
		cmocka_unit_test(test_giant_sizes),
		cmocka_unit_test(test_init_limits),
		cmocka_unit_test(test_encode_ceiling),
		cmocka_unit_test(test_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
