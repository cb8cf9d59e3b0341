/* SPDX-License-Identifier: Apache-2.0
 *
 * Placement: the table in tests/cases/place/policies.txt, and what holds of every policy among many nodes.
 */
#include "router/place.h"

#include <stdio.h>

#include "base/fmt.h"
#include "tests/support/test.h"

#define NODES_MAX 6000

struct table {
	struct place_load loads[16];
	struct place_row rows[16];
	struct span names[16];
	uint32_t n;
};

static const struct place_policy *policy_of(struct case_line *c)
{
	struct span name = case_value(c, "policy", NULL);

	for (unsigned i = 0; place_policy_at(i) != NULL; i++)
		if (span_is(name, place_policy_at(i)->name))
			return place_policy_at(i);
	case_fail(c, "no such policy");
}

static void set(struct case_line *c, struct table *t, struct span pair)
{
	struct place_load *l = &t->loads[t->n];
	struct place_row *row = &t->rows[t->n];
	struct span key = span_cut(&pair, '=');
	int64_t n = 0;

	if (span_is(key, "model")) {
		row->model = pair;
		return;
	}
	if (fmt_int(pair, &n) < 0)
		case_fail(c, "no number: %.*s", (int)pair.len, (const char *)pair.at);
	if (span_is(key, "run_us"))
		row->run_us = n;
	else if (span_is(key, "price"))
		row->price_ucr = n;
	else if (span_is(key, "slots"))
		l->slots = (uint32_t)n;
	else if (span_is(key, "busy"))
		l->busy = (uint32_t)n;
	else if (span_is(key, "queued"))
		l->queued = (uint32_t)n;
	else if (span_is(key, "health"))
		l->health = (uint32_t)n;
	else if (span_is(key, "bad"))
		l->bad_milli = (uint32_t)n;
	else if (span_is(key, "ended"))
		l->ended = (uint32_t)n;
	else
		case_fail(c, "no such key: %.*s", (int)key.len, (const char *)key.at);
}

static void add(struct case_line *c, struct table *t, struct span word)
{
	t->names[t->n] = span_cut(&word, ':');
	t->loads[t->n] =
		(struct place_load){ .node = t->n, .slots = 1, .health = 1000, .ended = 100 };
	t->rows[t->n] = (struct place_row){ .load = &t->loads[t->n] };
	while (word.len > 0)
		set(c, t, span_cut(&word, ','));
	t->n++;
}

static uint32_t find(struct case_line *c, const struct table *t, struct span name)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (span_eq(t->names[i], name))
			return i;
	case_fail(c, "no node %.*s", (int)name.len, (const char *)name.at);
}

static void same_verdicts(struct case_line *c, const struct table *t, const struct place_out *out)
{
	char text[512] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < out->seen_n; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s:%s",
			i == 0 ? "" : ",", (int)t->names[out->seen[i].node].len,
			(const char *)t->names[out->seen[i].node].at,
			verdict_name(out->seen[i].verdict));
	case_same_text(c, "verdicts", span_str(text), case_value(c, "is", NULL));
}

/* Models are joined by '+' in the table, by ',' in offers. */
static void commas(char *text, struct place_row *row)
{
	size_t n = span_copy(row->model, text, 64);

	for (size_t i = 0; i < n; i++)
		if (text[i] == '+')
			text[i] = ',';
	row->model = span_of(text, n);
}

static void run_case(struct case_line *c)
{
	static char models[16][64];
	bool picks = span_is(case_word(c, 0), "pick");
	struct span avoid = case_value(c, "avoid", "");
	struct table t = { .n = 0 };
	struct place_need need = {
		.max_price_ucr = case_int(c, "price", "0"),
		.model = case_value(c, "model", ""),
	};
	uint32_t cursor = (uint32_t)case_int(c, "cursor", "0");
	struct prng prng;
	struct place_out out = { .pick = PLACE_NONE };

	for (unsigned i = picks ? 2 : 1; i < c->words; i++)
		add(c, &t, case_word(c, i));
	for (uint32_t i = 0; i < t.n; i++)
		commas(models[i], &t.rows[i]);
	while (avoid.len > 0)
		need.avoid[need.avoid_n++] = find(c, &t, span_cut(&avoid, ','));
	prng_seed(&prng, (uint64_t)case_int(c, "seed", "1"));
	policy_of(c)->pick(&(struct place_in){ &need, t.rows, t.n, &cursor, &prng }, &out);
	same_verdicts(c, &t, &out);
	if (picks)
		case_same_int(c, "the node", out.pick, find(c, &t, case_word(c, 1)));
	else
		case_same_int(c, "no node", out.pick, PLACE_NONE);
}

/* --- properties --------------------------------------------------------------------------------- */

struct many {
	struct place_load loads[NODES_MAX];
	struct place_row rows[NODES_MAX];
};

static void fill(struct many *m, uint32_t n, struct prng *p, uint32_t fits_in_1000)
{
	for (uint32_t i = 0; i < n; i++) {
		m->loads[i] = (struct place_load){
			.node = i,
			.slots = 1 + (uint32_t)prng_below(p, 4),
			.busy = (uint32_t)prng_below(p, 4),
			.health = 1000,
			.ended = (uint32_t)prng_below(p, 20),
		};
		m->rows[i] = (struct place_row){
			.load = &m->loads[i],
			.price_ucr = prng_below(p, 1000) < fits_in_1000 ? 0 : 1,
			.run_us = 1 + (int64_t)prng_below(p, 1000),
		};
	}
}

/* What is written down names the pick once, each node once, and only what was looked at. */
static void check_record(const struct place_out *out, const struct many *m)
{
	uint32_t chosen = 0;

	assert_true(out->seen_n <= PLACE_SEEN && out->seen_n <= out->considered);
	for (uint32_t i = 0; i < out->seen_n; i++) {
		chosen += out->seen[i].verdict == VERDICT_CHOSEN;
		if (out->seen[i].verdict == VERDICT_CHOSEN)
			assert_int_equal(out->seen[i].node, m->rows[out->pick].load->node);
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(out->seen[i].node, out->seen[k].node);
	}
	assert_int_equal(chosen, out->pick != PLACE_NONE);
}

/* No policy refuses while a row passes the filter, and none picks a row that does not. */
static void test_never_refuses(void **state)
{
	static struct many m;
	struct place_need need = { .max_price_ucr = 0 };
	uint32_t cursor = 0;
	struct prng p;

	(void)state;
	rand_start(&p);
	for (int round = 0; round < 400; round++) {
		uint32_t n = 1 + (uint32_t)prng_below(&p, round < 300 ? 40 : NODES_MAX);
		bool any = false;

		fill(&m, n, &p, round % 2 == 0 ? 500 : round < 300 ? 30 : 0);
		if (round >= 300 && round % 4 == 1) /* exactly one, anywhere */
			m.rows[prng_below(&p, n)].price_ucr = 0;
		for (uint32_t i = 0; i < n; i++)
			any = any || m.rows[i].price_ucr == 0;
		for (unsigned i = 0; place_policy_at(i) != NULL; i++) {
			struct place_out out = { .pick = PLACE_NONE };

			cursor = (uint32_t)prng_below(&p, n);
			place_policy_at(i)->pick(
				&(struct place_in){ &need, m.rows, n, &cursor, &p }, &out);
			if (any != (out.pick != PLACE_NONE))
				fail_msg("%s of %u", place_policy_at(i)->name, n);
			assert_true(!any || m.rows[out.pick].price_ucr == 0);
			check_record(&out, &m);
		}
	}
}

/* Apart from trials p2c looks at two rows that fit, and takes the cheaper. */
static void test_p2c_is_the_cheaper_of_two(void **state)
{
	static struct many m;
	struct place_need need = { .max_price_ucr = 0 };
	uint32_t cursor = 0, trials = 0;
	struct prng p;

	(void)state;
	rand_start(&p);
	fill(&m, 1000, &p, 800);
	for (int round = 0; round < 2000; round++) {
		struct place_out out = { .pick = PLACE_NONE };
		uint32_t fit = 0;

		place_p2c.pick(&(struct place_in){ &need, m.rows, 1000, &cursor, &p }, &out);
		for (uint32_t i = 0; i < out.seen_n; i++)
			fit += out.seen[i].verdict == VERDICT_CHOSEN ||
			       out.seen[i].verdict == VERDICT_DEARER;
		if (fit != 2) {
			trials++;
			continue;
		}
		struct cost cost = place_price(&need, &m.rows[out.pick]);

		for (uint32_t i = 0; i < out.seen_n; i++)
			if (out.seen[i].verdict == VERDICT_DEARER)
				assert_true(cost_total(&out.seen[i].cost) >= cost_total(&cost));
	}
	assert_in_range(trials, 2000 / 16 / 2, 2000 / 16 * 2);
}

/* A new node gets work though others are far cheaper, with every policy. */
static void test_new_nodes_get_a_share(void **state)
{
	static struct many m;
	struct place_need need = { .max_price_ucr = 0 };
	struct prng p;

	(void)state;
	rand_start(&p);
	for (unsigned i = 0; place_policy_at(i) != NULL; i++) {
		uint32_t cursor = 0, share = 0;

		fill(&m, 6, &p, 1000);
		for (uint32_t k = 0; k < 6; k++) {
			m.loads[k].busy = 0;
			m.loads[k].ended = k == 3 ? 0 : 100;
			m.rows[k].run_us = k == 3 ? 100000000 : 10;
		}
		for (int round = 0; round < 1600; round++) {
			struct place_out out = { .pick = PLACE_NONE };

			if (i == 1) /* least-loaded sees load only */
				m.loads[round % 6].busy = (uint32_t)prng_below(&p, 2);
			place_policy_at(i)->pick(
				&(struct place_in){ &need, m.rows, 6, &cursor, &p }, &out);
			share += out.pick == 3;
		}
		if (share < 1600 / PLACE_TRIAL_EVERY / 2)
			fail_msg("%s gave it %u of 1600", place_policy_at(i)->name, share);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_refuses),
		cmocka_unit_test(test_p2c_is_the_cheaper_of_two),
		cmocka_unit_test(test_new_nodes_get_a_share),
	};
	int failed = cases_run("tests/cases/place/policies.txt", run_case);

	return failed + cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
