/* SPDX-License-Identifier: Apache-2.0
 *
 * made: records with numbers from a generator, the same in every run.
 */
#include "tests/bench/made.h"

#include "base/check.h"
#include "base/prng.h"

static const char *const words[] = { "request", "served", "cache", "replica", "shard", "timeout",
	"accepted", "queue", "worker", "connection", "closed", "retry", "index", "flushed" };

static const char *word(struct prng *p)
{
	return words[prng_below(p, ARRAY_LEN(words))];
}

static unsigned number(struct prng *p, unsigned below)
{
	return (unsigned)prng_below(p, below);
}

static void put_json(struct buf *to, struct prng *p, unsigned nth)
{
	buf_fmt(to,
		"%s  {\n    \"id\": %u,\n    \"region\": \"eu-central\",\n    \"name\": \"%s "
		"%s\",\n"
		"    \"enabled\": true,\n    \"load\": 0.%u,\n    \"tags\": [\"%s\", \"%s\"]\n  }",
		nth == 0 ? "[\n" : ",\n", nth, word(p), word(p), number(p, 1000), word(p), word(p));
}

static void put_log(struct buf *to, struct prng *p, unsigned nth)
{
	unsigned s = nth / 7;

	buf_fmt(to, "2026-11-%02uT%02u:%02u:%02u.%03uZ %s worker[%u]: %s %s in %u ms\n",
		1 + s / 86400 % 28, s / 3600 % 24, s / 60 % 60, s % 60, number(p, 1000),
		nth % 311 == 0 ? "ERROR" : "INFO", number(p, 16), words[nth % 5],
		words[5 + nth % 3], number(p, 900));
}

static void put_csv(struct buf *to, struct prng *p, unsigned nth)
{
	if (nth == 0)
		buf_str(to, "id,region,name,load,state\n");
	buf_fmt(to, "%u,eu-central,%s-%s,0.%u,ready\n", nth, word(p), word(p), number(p, 1000));
}

static void put_diff(struct buf *to, struct prng *p, unsigned nth)
{
	if (nth % 8 == 0)
		buf_fmt(to, "diff --git a/%s%u.c b/%s%u.c\n--- a/%s%u.c\n+++ b/%s%u.c\n", words[3],
			nth, words[3], nth, words[3], nth, words[3], nth);
	buf_fmt(to, "@@ -%u,7 +%u,7 @@ static int %s(void)\n", 20 * nth + 1, 20 * nth + 1, word(p));
	for (unsigned i = 0; i < 6; i++) {
		if (i == 3)
			buf_fmt(to, "-\tint %s = %u;\n+\tint %s = %u;\n", word(p), nth, word(p),
				number(p, 900));
		buf_fmt(to, " \t%s_%s(%u);\n", word(p), word(p), number(p, 900));
	}
}

static void put_code(struct buf *to, struct prng *p, unsigned nth)
{
	buf_fmt(to, "static int %s_%u(struct %s *x)\n{\n\tint n = %u;\n\n", word(p), nth, word(p),
		number(p, 900));
	for (unsigned i = 0; i < 8; i++)
		buf_fmt(to, "\tif (x->%s > %u)\n\t\tn += %s_%s(x);\n", word(p), number(p, 900),
			word(p), word(p));
	buf_str(to, "\treturn n;\n}\n\n");
}

const char *made_name(enum made sort)
{
	static const char *const names[MADE_SORTS] = { "json", "log", "csv", "diff", "code" };

	return names[sort];
}

void made_text(enum made sort, size_t bytes, struct buf *to)
{
	static void (*const puts[MADE_SORTS])(struct buf *, struct prng *, unsigned) = { put_json,
		put_log, put_csv, put_diff, put_code };
	size_t from = to->len;
	struct prng p;

	prng_seed(&p, 1);
	for (unsigned i = 0; buf_err(to) == 0 && to->len - from < bytes; i++)
		puts[sort](to, &p, i);
	if (sort == MADE_JSON)
		buf_str(to, "\n]\n");
}
