/* SPDX-License-Identifier: Apache-2.0
 *
 * csv: prose has commas, too, but blanks behind them, and not as many in each of four lines.
 */
#include "policy/csv.h"

#include "base/check.h"
#include "policy/text.h"

#include "base/pure.h"

#define LINES_MIN 4u
#define NAME_BYTES 64u
#define NONE 0u

/* The end of the cell that begins at `at`; SIZE_MAX if its quotes do not close. */
static size_t cell_end(struct span line, unsigned char sign, size_t at)
{
	if (at < line.len && line.at[at] == '"') {
		for (at++; at < line.len; at++) {
			if (line.at[at] != '"')
				continue;
			if (at + 1 < line.len && line.at[at + 1] == '"') {
				at++;
				continue;
			}
			at++;
			return at == line.len || line.at[at] == sign ? at : SIZE_MAX;
		}
		return SIZE_MAX;
	}
	while (at < line.len && line.at[at] != sign)
		at++;
	return at < line.len ? at : line.len;
}

bool csv_cell(const struct csv *csv, struct span line, size_t *at, struct span *ret)
{
	size_t end;

	if (*at > line.len)
		return false;
	end = cell_end(line, csv->sign, *at);
	end = end == SIZE_MAX ? line.len : end;
	*ret = span_part(line, *at, end - *at);
	*at = end + 1;
	return true;
}

static struct span row_at(struct span s, size_t *ret_next)
{
	struct span line = text_line(s, ret_next);

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* NONE if a quote does not close. */
static uint32_t count_cells(struct span line, unsigned char sign)
{
	uint32_t n = 0;

	for (size_t at = 0; at <= line.len; n++) {
		at = cell_end(line, sign, at);
		if (at == SIZE_MAX)
			return NONE;
		at++;
	}
	return n;
}

static bool is_number(struct span s)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] >= '0' && s.at[i] <= '9')
			digits++;
		else if (memchr("+-.,:%/ eET", s.at[i], 11) == NULL)
			return false;
	}
	return digits > 0;
}

/* A word or a few, or a value: not the half of a sentence. */
static bool is_of_head(struct span cell)
{
	return cell.len <= NAME_BYTES &&
	       (cell.len == 0 || (cell.at[0] > ' ' && cell.at[cell.len - 1] > ' '));
}

/* Does the line look like a head of cells with this sign between? */
static bool is_head(struct csv *csv, struct span line)
{
	size_t at = 0;
	struct span cell;

	csv->named = true;
	csv->cells = count_cells(line, csv->sign);
	if (csv->cells < (csv->sign == '\t' ? 2u : 3u))
		return false;
	while (csv_cell(csv, line, &at, &cell)) {
		if (!is_of_head(cell))
			return false;
		csv->named = csv->named && cell.len > 0 && !is_number(cell);
	}
	return true;
}

size_t csv_len(struct span s, struct csv *ret)
{
	static const unsigned char signs[] = { '\t', ';', ',' };
	size_t first;
	struct span head = row_at(s, &first);

	if (head.len == 0 || head.at[0] <= ' ')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		struct csv csv = { .sign = signs[i] };
		uint32_t lines = 1;
		size_t end = first, next;

		if (memchr(head.at, signs[i], head.len) == NULL || !is_head(&csv, head))
			continue;
		for (; end < s.len; end += next, lines++) {
			struct span line = row_at(span_part(s, end, s.len), &next);

			if (line.len == 0 || count_cells(line, csv.sign) != csv.cells)
				break;
		}
		if (lines < LINES_MIN)
			continue;
		*ret = csv;
		return end;
	}
	return 0;
}
