/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_picture: bytes as a picture. What is read has a size within the limits, and survives writing and
 * reading again.
 */
#include "kernel/picture.h"

#include "base/mem.h"

#define ROUND_TRIP_BYTES_MAX (1u << 16) /* larger ones take too long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct picture *p)
{
	struct picture again;
	struct buf b;

	buf_init(&b, 1 << 20);
	CHECK(picture_encode_png(p, 1, &b, NULL) == 0);
	CHECK(picture_decode(buf_span(&b), &again, NULL) == 0);
	CHECK(again.width == p->width && again.height == p->height &&
		again.channels == p->channels);
	CHECK(memcmp(again.pixels, p->pixels, picture_bytes(p)) == 0);
	picture_done(&again);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fail why = { 0 };
	struct picture p;
	int r = picture_decode(span_of(data, size), &p, &why);

	CHECK(r == why.code);
	if (r == 0) {
		CHECK((int64_t)p.width * p.height <= PICTURE_PIXELS_MAX);
		if (picture_bytes(&p) <= ROUND_TRIP_BYTES_MAX)
			check_round_trip(&p);
		picture_done(&p);
	}
	CHECK(mem_held() == 0);
	return 0;
}
