/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON there and back: what the crusher makes of objects that are alike still says each member of each of them.
 */
#include "policy/crush.h"

#include <stdio.h>

#include "policy/compress.h"
#include "policy/json_scan.h"
#include "tests/support/test.h"

#define BYTES ((size_t)16 << 20)

static void put_value(struct buf *b, struct prng *p, unsigned depth)
{
	static const char *const values[] = { "null", "true", "-0.50e+7", "12345678901234567890",
		"\"\"", "\"a, b: [c] \\\"d\\\" {e}\"", "\"x\\\\\"", "[]", "{ }", "1" };

	if (depth > 0 && prng_below(p, 6) == 0) {
		buf_str(b, "{ \"in\" : ");
		put_value(b, p, depth - 1);
		buf_str(b, " ,\n\"er\":[ ");
		put_value(b, p, depth - 1);
		buf_str(b, "\t, 2 ] }");
		return;
	}
	buf_str(b, values[prng_below(p, ARRAY_LEN(values))]);
}

/* Objects that are alike: each member is there always, often, or with one value. */
static unsigned put_rows(struct buf *b, struct prng *p)
{
	unsigned rows = 3 + (unsigned)prng_below(p, 12), members = 1 + (unsigned)prng_below(p, 6);
	bool lines = prng_below(p, 3) == 0;
	unsigned missing = (unsigned)prng_below(p, 3);

	buf_str(b, lines ? "" : "[\n");
	for (unsigned i = 0; i < rows; i++) {
		bool first = true;

		buf_str(b, i == 0 || lines ? "{" : " ,\n {");
		for (unsigned m = 0; m < members; m++) {
			unsigned at = i % 2 == 0 ? m : members - 1 - m; /* in another order */

			if (at > 0 && missing > 0 && prng_below(p, 5) == 0)
				continue;
			buf_fmt(b, "%s\"member, %u\": ", first ? "" : ",", at);
			first = false;
			if (at % 3 == 2)
				buf_str(b, "{ \"same\": [ 1 ] }");
			else
				put_value(b, p, 2);
		}
		buf_str(b, lines ? "}\n" : "}");
	}
	buf_str(b, lines ? "" : "\n]\n");
	return rows;
}

/* The value of a member, without blanks, appended. */
static bool put_member(struct buf *b, struct span object, struct span key)
{
	struct json_scan members = json_scan_open(object);
	struct json_scan_member m;

	while (json_scan_next(&members, &m)) {
		if (!span_eq(m.key, key))
			continue;
		json_scan_minify(b, m.value);
		return true;
	}
	return false;
}

/* Does the cell say what the object has under the key? */
static void check_cell(struct span cell, struct span object, struct span key)
{
	struct buf b;
	bool there;

	buf_init(&b, BYTES);
	there = put_member(&b, object, key);
	assert_int_equal(there, cell.len > 0);
	assert_true(span_eq(buf_span(&b), cell));
	buf_done(&b);
}

/* Take a value, or nothing before a comma or the end, off the line. */
static struct span take_cell(struct span *line)
{
	struct span cell = span_part(*line, 0, json_scan_value(*line, NULL));
	size_t next = cell.len;

	assert_true(next == line->len || line->at[next] == ',');
	*line = span_part(*line, next + 1, line->len);
	return cell;
}

static void check_row(struct span head, struct span row, struct span object)
{
	struct span names = head, rest = SPAN_LIT("; in each ");
	const unsigned char *same = memmem(head.at, head.len, rest.at, rest.len);

	if (same != NULL) {
		names.len = (size_t)(same - head.at);
		rest = span_part(head, names.len + rest.len, head.len);
	} else {
		rest.len = 0;
	}
	while (names.len > 0)
		check_cell(take_cell(&row), object, take_cell(&names));
	assert_int_equal(row.len, 0);
	while (rest.len > 0) {
		struct span key = span_part(rest, 0, json_scan_value(rest, NULL));

		rest = span_part(rest, key.len + 1, rest.len);
		check_cell(take_cell(&rest), object, key);
	}
}

/* What the crusher made of rows tells each member of each object. */
static void check_rows(struct span out, struct span doc, unsigned rows)
{
	struct json_scan objects = { .rest = doc };
	struct span head = span_cut(&out, '\n'), of = SPAN_LIT(" rows of ");
	struct json_scan_member m;
	char count[16];

	if (doc.at[0] == '[')
		objects = json_scan_open(span_trim(doc));
	snprintf(count, sizeof(count), "%u rows", rows);
	assert_memory_equal(head.at, count, strlen(count));
	if (memmem(head.at, head.len, of.at, of.len) == NULL) { /* all are the same */
		assert_int_equal(out.len, 0);
		head = span_part(head, strlen(count), head.len);
		while (json_scan_next(&objects, &m))
			check_row(head, (struct span){ 0 }, m.value);
		return;
	}
	head = span_part(head, strlen(count) + 4, head.len);
	for (unsigned i = 0; i < rows; i++) {
		assert_true(json_scan_next(&objects, &m));
		check_row(head, span_cut(&out, '\n'), m.value);
	}
	assert_int_equal(out.len, 0);
}

static void test_json_there_and_back(void **state)
{
	struct compress_want want = { .mode = GUARD_LOSSLESS, .tokens = UINT64_MAX };
	unsigned tables = 0;
	struct arena scratch;
	struct prng p;

	(void)state;
	rand_start(&p);
	arena_init(&scratch, COMPRESS_ARENA_BYTES);
	for (int round = 0; round < 1000; round++) {
		struct compress_facts facts;
		struct buf doc, out;
		struct span text;
		unsigned rows;

		buf_init(&doc, BYTES);
		buf_init(&out, BYTES);
		rows = put_rows(&doc, &p);
		text = buf_span(&doc);
		assert_int_equal(
			compress_texts(&scratch, &text, 1, &want, &out, NULL, &facts, NULL), 0);
		assert_int_equal(facts.sections[SECTION_JSON], 1);
		if (out.at[0] >= '0' && out.at[0] <= '9') {
			check_rows(buf_span(&out), text, rows);
			tables++;
		}
		buf_done(&doc);
		buf_done(&out);
	}
	arena_done(&scratch);
	assert_true(tables > 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
