/* SPDX-License-Identifier: Apache-2.0
 *
 * plant: a window of the corpus is cut at the ends of its sentences, and grows there.
 */
#include "tests/bench/plant.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "policy/text.h"

#define BYTES ((size_t)4 << 20)
#define NAMES_OF_TRAP 6u /* the trap's sentence is also there with so many other names */

static const struct fact {
	const char *said, *same, *changed, *other;
} facts[] = {
#define FACT(said, same, changed, other) { said, same, changed, other },
#include "tests/bench/facts.def"
#undef FACT
};

static const struct trap {
	const char *said, *asked, *before, *thing, *attribute;
} traps[] = {
#define TRAP(said, asked, before, thing, attribute) { said, asked, before, thing, attribute },
#include "tests/bench/traps.def"
#undef TRAP
};

static const char *const names[] = { "Aldermoor", "Brisling", "Carvossa", "Dunmarrow", "Elverstone",
	"Fenwright", "Galloden", "Harrowby", "Istrander", "Jorvale", "Kelmscot", "Lindqvist" };

const char *plant_class_name(enum plant_class class)
{
	static const char *const texts[PLANT_CLASSES] = { "lexical", "stem", "adversarial",
		"synonym" };

	return texts[class];
}

/* --- the window ----------------------------------------------------------------------------------- */

static struct span window_of(struct span corpus, struct prng *prng, unsigned words)
{
	size_t at = prng_below(prng, corpus.len / 2), from;
	unsigned n = 0;
	bool inside = false;

	while (at < corpus.len && corpus.at[at] != '\n')
		at++;
	for (from = ++at; at < corpus.len; at++) {
		bool blank = corpus.at[at] <= ' ';

		n += inside && blank;
		if (n == words)
			break;
		inside = !blank;
	}
	return span_part(corpus, from, at - from);
}

struct place {
	size_t at;
	char said[256];
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->at != y->at ? (x->at < y->at ? -1 : 1) : x < y ? -1 : 1;
}

/* Ends of sentences of prose. */
static size_t *read_ends(struct span text, size_t *ret_n)
{
	size_t *ends = malloc((text_bound(text) + 1) * sizeof(*ends)), n = 0;
	struct text_reader r = text_read(text);
	struct sentence s;

	CHECK(ends != NULL);
	while (text_next(&r, &s)) {
		if (s.kind == SENTENCE_PROSE && s.text.at[s.text.len - 1] == '.')
			ends[n++] = (size_t)(s.text.at - text.at) + s.text.len;
	}
	if (n == 0)
		ends[n++] = text.len;
	*ret_n = n;
	return ends;
}

static void grow(struct buf *to, struct span text, struct place *places, unsigned n)
{
	size_t at = 0;

	qsort(places, n, sizeof(*places), by_place);
	for (unsigned i = 0; i < n; i++) {
		buf_add(to, span_part(text, at, places[i].at - at));
		buf_byte(to, ' ');
		buf_str(to, places[i].said);
		at = places[i].at;
	}
	buf_add(to, span_part(text, at, text.len));
}

/* --- facts ---------------------------------------------------------------------------------------- */

/* A number that is not in the text. */
static void new_number(char number[16], struct prng *prng, struct span text)
{
	do {
		snprintf(number, 16, "%u", (unsigned)(10000 + prng_below(prng, 90000)));
	} while (memmem(text.at, text.len, number, strlen(number)) != NULL);
}

/* The format with %E and %V filled in. */
static void say(char *to, size_t room, const char *format, const char *name, const char *number)
{
	size_t n = 0;

	for (; *format != '\0' && n + 1 < room; format++) {
		const char *fill = format[0] != '%' ? NULL : format[1] == 'E' ? name : number;

		if (fill == NULL) {
			to[n++] = *format;
			continue;
		}
		n += (size_t)snprintf(to + n, room - n, "%s", fill);
		format++;
	}
	CHECK(n < room);
	to[n] = '\0';
}

struct plan {
	struct place places[16];
	unsigned n;
	struct prng *prng;
	struct span text;
	const size_t *ends;
	size_t ends_n;
};

/* Somewhere. */
static void add_trap(struct plan *plan, const char *format, const char *name)
{
	struct place *place = &plan->places[plan->n++];
	char number[16];

	new_number(number, plan->prng, plan->text);
	place->at = plan->ends[prng_below(plan->prng, plan->ends_n)];
	say(place->said, sizeof(place->said), format, name, number);
}

static void add_traps(struct plan *plan, const struct trap *t, unsigned name)
{
	add_trap(plan, t->before, names[name]);
	add_trap(plan, t->thing, names[name]);
	add_trap(plan, t->attribute, names[name]);
	for (unsigned i = 1; i <= NAMES_OF_TRAP; i++)
		add_trap(plan, t->said, names[(name + i) % ARRAY_LEN(names)]);
}

static const char *question_of(enum plant_class class, unsigned nth)
{
	const struct fact *f = &facts[nth % ARRAY_LEN(facts)];

	return class == PLANT_ADVERSARIAL ? traps[nth % ARRAY_LEN(traps)].asked
	       : class == PLANT_LEXICAL   ? f->same
	       : class == PLANT_STEM      ? f->changed
					  : f->other;
}

void plant_make(struct planted *p, struct prng *prng, enum plant_class class, unsigned nth,
	struct span corpus, unsigned words)
{
	struct plan plan = { .prng = prng, .text = window_of(corpus, prng, words) };
	const struct trap *trap = &traps[nth % ARRAY_LEN(traps)];
	unsigned name = nth / ARRAY_LEN(traps) % ARRAY_LEN(names);
	struct place *place = &plan.places[plan.n++];
	size_t *ends = read_ends(plan.text, &plan.ends_n);
	char query[256];

	plan.ends = ends;
	buf_init(&p->text, BYTES);
	buf_init(&p->query, BYTES);
	new_number(p->answer, prng, plan.text);
	place->at = ends[nth % PLANT_DEPTHS * (plan.ends_n - 1) / (PLANT_DEPTHS - 1)];
	say(place->said, sizeof(place->said),
		class == PLANT_ADVERSARIAL ? trap->said : facts[nth % ARRAY_LEN(facts)].said,
		names[name], p->answer);
	if (class == PLANT_ADVERSARIAL)
		add_traps(&plan, trap, name);
	say(query, sizeof(query), question_of(class, nth), names[name], "");
	buf_str(&p->query, query);
	grow(&p->text, plan.text, plan.places, plan.n);
	free(ends);
}

void planted_done(struct planted *p)
{
	buf_done(&p->text);
	buf_done(&p->query);
}
