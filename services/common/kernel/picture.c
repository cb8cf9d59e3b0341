/* SPDX-License-Identifier: Apache-2.0
 *
 * picture: memory and limits of pictures; which library reads which file is told by the first bytes.
 */
#include "kernel/picture.h"

#include "base/mem.h"
#include "kernel/picture_formats.h"

#include "base/pure.h"

static int check_side(const char *field, uint32_t pixels, struct fail *why)
{
	if (pixels == 0)
		return fail_set(why, ERR_INVALID, field, 1, "a picture of no pixels");
	if (pixels > PICTURE_SIDE_MAX)
		return fail_set(why, ERR_TOO_BIG, field, PICTURE_SIDE_MAX, "%u pixels",
			(unsigned)pixels);
	return 0;
}

int picture_init(struct picture *ret, uint32_t width, uint32_t height, uint32_t channels,
	struct fail *why)
{
	struct picture p = { .width = width, .height = height, .channels = channels };
	int r = check_side("width", width, why);

	if (r == 0)
		r = check_side("height", height, why);
	if (r < 0)
		return r;
	if ((int64_t)width * height > PICTURE_PIXELS_MAX)
		return fail_set(why, ERR_TOO_BIG, "pixels", PICTURE_PIXELS_MAX, "%u x %u pixels",
			(unsigned)width, (unsigned)height);
	if (channels != 1 && channels != 3 && channels != 4)
		return fail_set(why, ERR_INVALID, "channels", 0, "%u channels", (unsigned)channels);
	p.pixels = mem_alloc(picture_bytes(&p));
	if (p.pixels == NULL)
		return fail_set(why, ERR_NO_MEMORY, "pixels", 0, NULL);
	*ret = p;
	return 0;
}

void picture_done(struct picture *p)
{
	mem_free(p->pixels);
	*p = (struct picture){ 0 };
}

int picture_decode(struct span bytes, struct picture *ret, struct fail *why)
{
	static const unsigned char png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff };

	if (bytes.len >= sizeof(png) && memcmp(bytes.at, png, sizeof(png)) == 0)
		return picture_decode_png(bytes, ret, why);
	if (bytes.len >= sizeof(jpeg) && memcmp(bytes.at, jpeg, sizeof(jpeg)) == 0)
		return picture_decode_jpeg(bytes, ret, why);
	return fail_set(why, ERR_UNSUPPORTED, "picture", 0, "neither PNG nor JPEG");
}
