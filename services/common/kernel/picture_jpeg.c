/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_jpeg: reading JPEG with libjpeg. Errors of the library leave by longjmp to the one place that
 * cleans up; what it would print is kept for the fail.
 */
#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

#include "kernel/picture_formats.h"

#include "base/pure.h"

/* libjpeg's own memory: a progressive picture holds two bytes of coefficients for each sample. */
#define LIBRARY_BYTES_MAX (INT64_C(128) << 20)
/* A progressive picture may repeat its scans over the whole area without end. */
#define SCANS_MAX 100

struct reader {
	struct jpeg_error_mgr errors; /* first: libjpeg hands it back */
	struct jpeg_progress_mgr progress;
	struct jpeg_decompress_struct jpeg;
	jmp_buf out;
	struct span bytes;
	struct picture picture; /* the result so far */
	struct fail *why;
	int err; /* set before the jump */
};

static struct reader *reader_of(j_common_ptr jpeg)
{
	return CONTAINER(jpeg->err, struct reader, errors);
}

static _Noreturn void leave(struct reader *rd, int err)
{
	rd->err = err;
	longjmp(rd->out, 1);
}

static int err_from_jpeg(int code)
{
	if (code == JERR_OUT_OF_MEMORY)
		return ERR_NO_MEMORY;
	/* What it answers to a request above LIBRARY_BYTES_MAX. */
	return code == JERR_NO_BACKING_STORE ? ERR_TOO_BIG : ERR_MALFORMED;
}

static void on_error(j_common_ptr jpeg)
{
	struct reader *rd = reader_of(jpeg);
	char text[JMSG_LENGTH_MAX];

	jpeg->err->format_message(jpeg, text);
	leave(rd, fail_set(rd->why, err_from_jpeg(jpeg->err->msg_code), "picture", 0, "%s", text));
}

/* Warnings have a negative level. Those of missing or damaged data end the reading; the rest is harmless. */
static void on_message(j_common_ptr jpeg, int level)
{
	int code = jpeg->err->msg_code;

	if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER ||
				 code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC))
		on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
	struct reader *rd = reader_of(jpeg);

	if (rd->jpeg.input_scan_number > SCANS_MAX)
		leave(rd, fail_set(rd->why, ERR_TOO_BIG, "scans", SCANS_MAX, NULL));
}

static void on_output(j_common_ptr jpeg)
{
	(void)jpeg; /* nothing is printed */
}

static void read_head(struct reader *rd)
{
	struct jpeg_decompress_struct *j = &rd->jpeg;

	j->progress = &rd->progress;
	j->mem->max_memory_to_use = LIBRARY_BYTES_MAX;
	jpeg_mem_src(j, (unsigned char *)rd->bytes.at, rd->bytes.len);
	(void)jpeg_read_header(j, TRUE);
	if (j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK)
		leave(rd, fail_set(rd->why, ERR_UNSUPPORTED, "picture", 0, "a JPEG in CMYK"));
	j->out_color_space = j->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
	/* The slow, exact transform: the same bytes on every machine. */
	j->dct_method = JDCT_ISLOW;
	jpeg_calc_output_dimensions(j);
}

static void read_rows(struct reader *rd)
{
	struct jpeg_decompress_struct *j = &rd->jpeg;
	size_t row_bytes = (size_t)rd->picture.width * rd->picture.channels;

	(void)jpeg_start_decompress(j);
	while (j->output_scanline < j->output_height) {
		JSAMPROW row = rd->picture.pixels + j->output_scanline * row_bytes;

		(void)jpeg_read_scanlines(j, &row, 1);
	}
	(void)jpeg_finish_decompress(j);
}

/* What may jump stays in here; the reader itself belongs to the caller's frame, so it survives the jump. */
static int read_picture(struct reader *rd)
{
	int r;

	if (setjmp(rd->out) != 0)
		return rd->err;
	jpeg_create_decompress(&rd->jpeg);
	read_head(rd);
	r = picture_init(&rd->picture, rd->jpeg.output_width, rd->jpeg.output_height,
		rd->jpeg.out_color_space == JCS_GRAYSCALE ? 1 : 3, rd->why);
	if (r < 0)
		return r;
	read_rows(rd);
	return 0;
}

int picture_decode_jpeg(struct span bytes, struct picture *ret, struct fail *why)
{
	struct reader rd = { .bytes = bytes, .why = why, .progress.progress_monitor = on_progress };
	int r;

	rd.jpeg.err = jpeg_std_error(&rd.errors);
	rd.errors.error_exit = on_error;
	rd.errors.emit_message = on_message;
	rd.errors.output_message = on_output;
	r = read_picture(&rd);
	jpeg_destroy_decompress(&rd.jpeg);
	if (r < 0)
		picture_done(&rd.picture);
	else
		*ret = rd.picture;
	return r;
}
