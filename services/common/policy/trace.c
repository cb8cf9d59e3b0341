/* SPDX-License-Identifier: Apache-2.0
 *
 * trace: written line by line, read by one pass over the lines.
 */
#include "policy/trace.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/fmt.h"
#include "policy/text.h"

#include "base/pure.h"

#define HEAD "spu-map 1"

void trace_begin(struct buf *map)
{
	buf_str(map, HEAD "\n");
}

void trace_doc(struct buf *map, struct span doc)
{
	buf_fmt(map, "text %zu %016" PRIx64 "\n", doc.len, span_hash(doc, 0));
}

static void add(struct buf *map, char sign, struct trace_range out, struct trace_range in)
{
	buf_fmt(map, "%c %zu %zu %zu %zu\n", sign, out.from, out.to, in.from, in.to);
}

void trace_keep(struct buf *map, struct trace_range out, struct trace_range in)
{
	add(map, '=', out, in);
}

void trace_gap(struct buf *map, struct trace_range out, struct trace_range in)
{
	add(map, '-', out, in);
}

/* One line of a document. */
struct row {
	bool gap;
	struct trace_range out, in;
};

static bool read_number(struct span *line, size_t *ret)
{
	struct span word = span_cut(line, ' ');
	int64_t n;

	if (fmt_int(word, &n) < 0 || n < 0)
		return false;
	*ret = (size_t)n;
	return true;
}

static bool read_row(struct span line, size_t doc_bytes, struct row *ret)
{
	struct span sign = span_cut(&line, ' ');

	ret->gap = span_is(sign, "-");
	return (ret->gap || span_is(sign, "=")) && read_number(&line, &ret->out.from) &&
	       read_number(&line, &ret->out.to) && read_number(&line, &ret->in.from) &&
	       read_number(&line, &ret->in.to) && line.len == 0 && ret->out.from <= ret->out.to &&
	       ret->in.from <= ret->in.to && ret->in.to <= doc_bytes;
}

static bool is_doc(struct span line)
{
	return line.len > 5 && memcmp(line.at, "text ", 5) == 0;
}

static int malformed(struct fail *why, const char *what)
{
	return fail_set(why, ERR_MALFORMED, "map", 0, "%s", what);
}

/* Is the document the one that the line names? */
static int check_doc(struct span line, struct span doc, struct fail *why)
{
	char hash[17];
	size_t bytes;

	(void)span_cut(&line, ' ');
	if (!read_number(&line, &bytes) || line.len != 16)
		return malformed(why, "a line of a text has no size or hash");
	snprintf(hash, sizeof(hash), "%016" PRIx64, span_hash(doc, 0));
	if (bytes != doc.len || !span_is(line, hash))
		return fail_set(why, ERR_CONFLICT, "items", 0,
			"the map is of another text than this");
	return 0;
}

/* The rows behind the line of the wanted document, in *ret. */
static int find_doc(struct span map, struct span doc_text, uint32_t doc, struct span *ret,
	struct fail *why)
{
	size_t next, nth = 0;
	struct span line = text_line(map, &next);

	if (!span_is(line, HEAD))
		return malformed(why, "the first line is not " HEAD);
	for (size_t at = next; at < map.len; at += next) {
		line = text_line(span_part(map, at, map.len), &next);
		if (!is_doc(line) || nth++ != doc)
			continue;
		*ret = span_part(map, at + next, map.len);
		return check_doc(line, doc_text, why);
	}
	return fail_set(why, ERR_UNKNOWN, "item", (int64_t)nth, "the map has %zu texts", nth);
}

static bool is_wanted(const struct row *row, const struct trace_want *want, uint32_t gaps)
{
	if (want->gap > 0)
		return row->gap && gaps == want->gap;
	if (row->gap) /* the whole of its mark */
		return want->out.from <= row->out.from && want->out.to >= row->out.to;
	return row->out.from < want->out.to && row->out.to > want->out.from;
}

int trace_find(struct span map, const struct span *docs, size_t docs_n,
	const struct trace_want *want, struct trace_range *ret, struct fail *why)
{
	struct span rows = { 0 };
	struct trace_range found = { SIZE_MAX, 0 };
	uint32_t gaps = 0;
	size_t next;
	int r;

	if (want->doc >= docs_n)
		return fail_set(why, ERR_UNKNOWN, "item", (int64_t)docs_n, "there are %zu texts",
			docs_n);
	r = find_doc(map, docs[want->doc], want->doc, &rows, why);
	if (r < 0)
		return r;
	for (size_t at = 0; at < rows.len; at += next) {
		struct span line = text_line(span_part(rows, at, rows.len), &next);
		struct row row;

		if (is_doc(line))
			break;
		if (!read_row(line, docs[want->doc].len, &row))
			return malformed(why, "a line is no range of the text");
		gaps += row.gap;
		if (!is_wanted(&row, want, gaps))
			continue;
		found.from = row.in.from < found.from ? row.in.from : found.from;
		found.to = row.in.to > found.to ? row.in.to : found.to;
	}
	if (found.from > found.to)
		return want->gap > 0 ? fail_set(why, ERR_UNKNOWN, "gap", gaps, "it has %u gaps",
					       (unsigned)gaps)
				     : fail_set(why, ERR_UNKNOWN, "from", (int64_t)want->out.from,
					       "nothing was kept there");
	*ret = found;
	return 0;
}
