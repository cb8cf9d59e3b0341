/* SPDX-License-Identifier: Apache-2.0
 *
 * noise WIDTH HEIGHT: a colour picture that does not compress, as PNG to standard output; always the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "kernel/picture.h"

#define PNG_BYTES_MAX ((size_t)64 << 20)

int main(int argc, char **argv)
{
	CLEANUP(picture_done) struct picture p = { 0 };
	CLEANUP(buf_done) struct buf png = { 0 };
	struct fail why = { 0 };
	struct prng prng;
	int r = argc == 3 ? picture_init(&p, (uint32_t)strtoul(argv[1], NULL, 10),
				    (uint32_t)strtoul(argv[2], NULL, 10), 3, &why)
			  : fail_set(&why, ERR_INVALID, NULL, 0, "usage: noise WIDTH HEIGHT");

	buf_init(&png, PNG_BYTES_MAX);
	prng_seed(&prng, 3);
	for (size_t i = 0; r == 0 && i < picture_bytes(&p); i++)
		p.pixels[i] = (unsigned char)prng_below(&prng, 256);
	if (r == 0)
		r = picture_encode_png(&p, 1, &png, &why);
	if (r < 0) {
		fprintf(stderr, "noise: %s\n", why.detail);
		return 2;
	}
	return fwrite(png.at, 1, png.len, stdout) == png.len ? 0 : 1;
}
