/* SPDX-License-Identifier: Apache-2.0
 *
 * filter: the filters of kernel/filter.h for 8-bit pictures of 1, 3 or 4 channels, all in integers: every
 * device gives the bytes of filter_ref. One work-item makes one pixel; row `first_row` and those after it.
 */
#define GROUP 64

static uint luma(global const uchar *pixel, uint channels)
{
	return channels == 1 ? pixel[0] : (77u * pixel[0] + 150u * pixel[1] + 29u * pixel[2] + 128) >> 8;
}

/* value into the colours of a pixel, alpha from the pixel it was made of */
static void put(global uchar *to, global const uchar *from, uint channels, uint value)
{
	to[0] = value;
	if (channels >= 3) {
		to[1] = value;
		to[2] = value;
	}
	if (channels == 4)
		to[3] = from[3];
}

kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void filter_grey(global const uchar *in, global uchar *out, uint width, uint channels, uint first_row)
{
	const uint x = get_global_id(0);
	const uint at = ((first_row + get_global_id(1)) * width + x) * channels;

	if (x < width)
		put(out + at, in + at, channels, luma(in + at, channels));
}

/* The grey values alone, one byte a pixel: what filter_sobel looks at. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void filter_luma(global const uchar *in, global uchar *out, uint width, uint channels, uint first_row)
{
	const uint x = get_global_id(0);
	const uint at = (first_row + get_global_id(1)) * width + x;

	if (x < width)
		out[at] = luma(in + at * channels, channels);
}

/* One pass of gauss. along: 1 for the horizontal pass, 0 for the vertical one. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void filter_gauss(global const uchar *in, global uchar *out, uint width, uint channels, uint first_row,
                  uint height, uint radius, uint along, global const uint *weights)
{
	const int x = get_global_id(0), y = first_row + get_global_id(1);
	const uint at = (y * width + x) * channels;
	const uint colours = min(channels, 3u);

	if (x >= (int)width)
		return;
	for (uint c = 0; c < colours; c++) {
		uint sum = 32768;

		for (int i = -(int)radius; i <= (int)radius; i++) {
			const uint from_x = along ? clamp(x + i, 0, (int)width - 1) : x;
			const uint from_y = along ? y : clamp(y + i, 0, (int)height - 1);

			sum += weights[i + (int)radius] * in[(from_y * width + from_x) * channels + c];
		}
		out[at + c] = sum >> 16;
	}
	if (channels == 4)
		out[at + 3] = in[at + 3];
}

kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void filter_sobel(global const uchar *in, global uchar *out, uint width, uint channels, uint first_row,
                  uint height, global const uchar *grey)
{
	const uint x = get_global_id(0), y = first_row + get_global_id(1);
	const uint at = (y * width + x) * channels;
	const uint left = x > 0 ? x - 1 : 0, right = min(x + 1, width - 1);
	global const uchar *above = grey + (y > 0 ? y - 1 : 0) * width;
	global const uchar *same = grey + y * width;
	global const uchar *below = grey + min(y + 1, height - 1) * width;

	if (x >= width)
		return;

	const int gx = above[right] + 2 * same[right] + below[right] - above[left] - 2 * same[left] - below[left];
	const int gy = below[left] + 2 * below[x] + below[right] - above[left] - 2 * above[x] - above[right];

	put(out + at, in + at, channels, min(abs(gx) + abs(gy), 255u));
}
