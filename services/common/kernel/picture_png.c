/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_png: reading and writing PNG with libpng. Errors of the library leave by longjmp to the one place
 * that cleans up; its memory is counted and has a ceiling.
 */
#include <setjmp.h>

#include <png.h>

#include "base/mem.h"
#include "kernel/picture_formats.h"

#include "base/pure.h"

#define CHUNK_BYTES_MAX (1u << 20) /* of one chunk that libpng holds whole */

/* One use of the library, reading or writing. */
struct codec {
	png_structp png;
	png_infop info;
	jmp_buf out;
	struct span rest;           /* reading: what is still unread */
	struct picture picture;     /* reading: the result so far */
	unsigned char **rows;       /* reading: the start of each row */
	const struct picture *from; /* writing */
	struct buf *to;             /* writing */
	int level;                  /* writing */
	struct fail *why;
	int err;        /* set before the jump */
	bool no_memory; /* a request of the library failed */
};

static _Noreturn void leave(struct codec *c, int err)
{
	c->err = err;
	longjmp(c->out, 1);
}

static void on_error(png_structp png, png_const_charp text)
{
	struct codec *c = png_get_error_ptr(png);

	leave(c, fail_set(c->why, c->no_memory ? ERR_NO_MEMORY : ERR_MALFORMED, "picture", 0, "%s",
			 text));
}

static void on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text; /* nothing is printed: a picture with a warning can be read */
}

static void *on_alloc(png_structp png, png_alloc_size_t bytes)
{
	struct codec *c = png_get_mem_ptr(png);
	void *at = mem_alloc(bytes);

	c->no_memory = c->no_memory || at == NULL;
	return at;
}

static void on_free(png_structp png, void *at)
{
	(void)png;
	mem_free(at);
}

static void on_read(png_structp png, unsigned char *to, size_t bytes)
{
	struct codec *c = png_get_io_ptr(png);

	if (bytes > c->rest.len)
		leave(c, fail_set(c->why, ERR_MALFORMED, "picture", 0, "the PNG is cut short"));
	memcpy(to, c->rest.at, bytes);
	c->rest = span_part(c->rest, bytes, c->rest.len);
}

static void on_write(png_structp png, unsigned char *from, size_t bytes)
{
	struct codec *c = png_get_io_ptr(png);

	buf_add(c->to, span_of(from, bytes));
	if (buf_err(c->to) < 0)
		leave(c, fail_set(c->why, buf_err(c->to), "picture", (int64_t)c->to->max, NULL));
}

static void on_flush(png_structp png)
{
	(void)png;
}

/* The transformations to 8 bits and 1, 3 or 4 channels. Returns the channels. */
static uint32_t set_transforms(struct codec *c)
{
	bool clear = png_get_valid(c->png, c->info, PNG_INFO_tRNS) != 0;
	int type = png_get_color_type(c->png, c->info);

	png_set_scale_16(c->png);
	png_set_expand(c->png); /* palettes, fewer than 8 bits, a transparent colour */
	if (type == PNG_COLOR_TYPE_GRAY_ALPHA || (type == PNG_COLOR_TYPE_GRAY && clear))
		png_set_gray_to_rgb(c->png);
	if (type == PNG_COLOR_TYPE_GRAY && !clear)
		return 1;
	return clear || (type & PNG_COLOR_MASK_ALPHA) != 0 ? 4 : 3;
}

static void read_head(struct codec *c)
{
	png_set_read_fn(c->png, c, on_read);
	/* The sizes are checked by picture_init, before anything of their size is taken. */
	png_set_user_limits(c->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
	png_set_chunk_malloc_max(c->png, CHUNK_BYTES_MAX);
	/* Texts, profiles and other chunks that change no pixel are passed over: they may be packed bombs. */
	png_set_keep_unknown_chunks(c->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
	png_read_info(c->png, c->info);
}

static void read_pixels(struct codec *c)
{
	uint32_t width = png_get_image_width(c->png, c->info);
	uint32_t height = png_get_image_height(c->png, c->info);
	uint32_t channels = set_transforms(c);
	int r = picture_init(&c->picture, width, height, channels, c->why);

	if (r < 0)
		leave(c, r);
	(void)png_set_interlace_handling(c->png);
	png_read_update_info(c->png, c->info);
	if (png_get_rowbytes(c->png, c->info) != (size_t)width * channels)
		leave(c, fail_set(c->why, ERR_UNSUPPORTED, "picture", 0,
				 "a PNG of an unknown sort"));
	c->rows = mem_alloc(height * sizeof(*c->rows));
	if (c->rows == NULL)
		leave(c, fail_set(c->why, ERR_NO_MEMORY, "picture", 0, NULL));
	for (uint32_t y = 0; y < height; y++)
		c->rows[y] = c->picture.pixels + (size_t)y * width * channels;
	png_read_image(c->png, c->rows);
	png_read_end(c->png, NULL);
}

static int type_of(const struct picture *p)
{
	if (p->channels == 1)
		return PNG_COLOR_TYPE_GRAY;
	return p->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA;
}

static void write_pixels(struct codec *c)
{
	const struct picture *p = c->from;

	png_set_write_fn(c->png, c, on_write, on_flush);
	png_set_compression_level(c->png, c->level);
	png_set_IHDR(c->png, c->info, p->width, p->height, 8, type_of(p), PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(c->png, c->info);
	for (uint32_t y = 0; y < p->height; y++)
		png_write_row(c->png, p->pixels + (size_t)y * p->width * p->channels);
	png_write_end(c->png, NULL);
}

/* What may jump stays in read_all and write_all; the codec itself belongs to their caller's frame, so it
 * survives the jump. */
static int read_all(struct codec *c)
{
	if (setjmp(c->out) != 0)
		return c->err;
	c->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, c, on_error, on_warning, c,
		on_alloc, on_free);
	if (c->png != NULL)
		c->info = png_create_info_struct(c->png);
	if (c->info == NULL)
		return fail_set(c->why, ERR_NO_MEMORY, "picture", 0, NULL);
	read_head(c);
	read_pixels(c);
	return 0;
}

static int write_all(struct codec *c)
{
	if (setjmp(c->out) != 0)
		return c->err;
	c->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, c, on_error, on_warning, c,
		on_alloc, on_free);
	if (c->png != NULL)
		c->info = png_create_info_struct(c->png);
	if (c->info == NULL)
		return fail_set(c->why, ERR_NO_MEMORY, "picture", 0, NULL);
	write_pixels(c);
	return 0;
}

int picture_decode_png(struct span bytes, struct picture *ret, struct fail *why)
{
	struct codec c = { .rest = bytes, .why = why };
	int r = read_all(&c);

	png_destroy_read_struct(&c.png, &c.info, NULL);
	mem_free(c.rows);
	if (r < 0)
		picture_done(&c.picture);
	else
		*ret = c.picture;
	return r;
}

int picture_encode_png(const struct picture *p, int level, struct buf *b, struct fail *why)
{
	struct codec c = { .from = p, .to = b, .level = level, .why = why };
	size_t before = b->len;
	int r;

	CHECK(level >= 1 && level <= 9);
	r = write_all(&c);
	png_destroy_write_struct(&c.png, &c.info);
	if (r < 0)
		b->len = before;
	return r;
}
