/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop runs on real time here and the bus on its own, so deadlines are a few ms, and nothing depends on
 * how late they fire.
 */
#include "run/request.h"

#include <stdio.h>
#include <string.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "run/bus_mem.h"
#include "tests/support/test.h"

#define SOON (5 * NS_PER_MS)
#define LATE (1000 * NS_PER_S)
#define MAX 4

struct rig {
	struct loop loop;
	struct bus_net *net;
	struct bus *asker, *answerer;
	struct requests *requests;
	char asked[8][64]; /* reply subjects of the questions that came */
	unsigned asked_n;
	struct answer {
		struct rig *rig;
		unsigned calls;
		int err;
		char text[16];
	} answers[8];
};

static void on_question(void *ctx, const struct bus_msg *m)
{
	struct rig *r = ctx;

	assert_true(r->asked_n < ARRAY_LEN(r->asked));
	(void)span_copy(m->reply, r->asked[r->asked_n++], sizeof(r->asked[0]));
}

static void on_answer(void *ctx, int err, const struct bus_msg *m)
{
	struct answer *a = ctx;

	a->calls++;
	a->err = err;
	assert_int_equal(m == NULL, err != 0);
	if (m != NULL)
		(void)span_copy(m->data, a->text, sizeof(a->text));
}

static int set_up(void **state)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	assert_int_equal(loop_open(&r.loop), 0);
	r.net = bus_net_new(NULL, NULL, 1);
	r.asker = bus_mem_open(r.net, "asker");
	r.answerer = bus_mem_open(r.net, "answerer");
	assert_non_null(bus_subscribe(r.answerer, "ask.*", NULL, on_question, &r));
	r.requests = requests_new(&r.loop, r.asker, "_INBOX.test", MAX);
	assert_non_null(r.requests);
	for (unsigned i = 0; i < ARRAY_LEN(r.answers); i++)
		r.answers[i].rig = &r;
	*state = &r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	requests_free(r->requests);
	bus_close(r->asker);
	bus_close(r->answerer);
	bus_net_free(r->net);
	loop_close(&r->loop);
	return 0;
}

static int ask(struct rig *r, unsigned i, int64_t timeout_ns)
{
	return requests_send(r->requests, "ask.it", SPAN_LIT("?"), timeout_ns, on_answer,
		&r->answers[i]);
}

static void deliver(struct rig *r)
{
	while (bus_net_step(r->net, 0))
		;
}

static void answer(struct rig *r, unsigned question, const char *text)
{
	assert_int_equal(bus_publish(r->answerer, r->asked[question], NULL, span_of(NULL, 0),
				 span_str(text)),
		0);
	deliver(r);
}

static void turn_until(struct rig *r, const unsigned *calls, unsigned n)
{
	for (unsigned i = 0; *calls < n; i++) {
		assert_true(i < 1000);
		assert_int_equal(loop_turn(&r->loop, 20 * NS_PER_MS), 0);
	}
}

static void answers_find_their_questions(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask(r, i, LATE), 0);
	deliver(r);
	assert_int_equal(r->asked_n, 3);
	answer(r, 1, "one");
	answer(r, 2, "two");
	answer(r, 0, "zero");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(r->answers[i].calls, 1);
		assert_int_equal(r->answers[i].err, 0);
	}
	assert_string_equal(r->answers[0].text, "zero");
	assert_string_equal(r->answers[1].text, "one");
	assert_string_equal(r->answers[2].text, "two");
}

static void a_second_answer_finds_nothing(void **state)
{
	struct rig *r = *state;

	assert_int_equal(ask(r, 0, LATE), 0);
	deliver(r);
	answer(r, 0, "first");
	/* The next question has the same slot, but another subject. */
	assert_int_equal(ask(r, 1, LATE), 0);
	deliver(r);
	assert_string_not_equal(r->asked[0], r->asked[1]);
	answer(r, 0, "second");
	assert_int_equal(r->answers[0].calls, 1);
	assert_int_equal(r->answers[1].calls, 0);
	answer(r, 1, "right");
	assert_string_equal(r->answers[1].text, "right");
}

static void silence_times_out(void **state)
{
	struct rig *r = *state;

	/* Set in the wrong order: the timer must come forward. */
	assert_int_equal(ask(r, 0, LATE), 0);
	assert_int_equal(ask(r, 1, 4 * SOON), 0);
	assert_int_equal(ask(r, 2, SOON), 0);
	deliver(r);
	turn_until(r, &r->answers[2].calls, 1);
	assert_int_equal(r->answers[2].err, ERR_TIMEOUT);
	turn_until(r, &r->answers[1].calls, 1);
	assert_int_equal(r->answers[1].err, ERR_TIMEOUT);
	assert_int_equal(r->answers[0].calls, 0);
	answer(r, 2, "late");
	assert_int_equal(r->answers[2].calls, 1);
	answer(r, 0, "in time");
	assert_string_equal(r->answers[0].text, "in time");
}

static void a_timer_for_an_answered_question_is_harmless(void **state)
{
	struct rig *r = *state;

	assert_int_equal(ask(r, 0, SOON), 0);
	assert_int_equal(ask(r, 1, 4 * SOON), 0);
	deliver(r);
	answer(r, 0, "soon");
	turn_until(r, &r->answers[1].calls, 1);
	assert_int_equal(r->answers[0].calls, 1);
	assert_int_equal(r->answers[1].err, ERR_TIMEOUT);
}

static void nobody_listening_is_told_at_once(void **state)
{
	struct rig *r = *state;

	assert_int_equal(requests_send(r->requests, "nobody", SPAN_LIT("?"), LATE, on_answer,
				 &r->answers[0]),
		0);
	assert_int_equal(r->answers[0].calls, 0);
	deliver(r);
	assert_int_equal(r->answers[0].calls, 1);
	assert_int_equal(r->answers[0].err, ERR_NO_NODE);
}

/* A slot's next request is not told what was meant for the one before. */
static void a_late_nobody_is_nobodys(void **state)
{
	struct rig *r = *state;

	assert_int_equal(
		requests_send(r->requests, "nobody", SPAN_LIT("?"), 0, on_answer, &r->answers[0]),
		0);
	turn_until(r, &r->answers[0].calls, 1);
	assert_int_equal(r->answers[0].err, ERR_TIMEOUT);
	assert_int_equal(ask(r, 1, LATE), 0);
	deliver(r);
	assert_int_equal(r->answers[1].calls, 0);
	answer(r, 0, "right");
	assert_string_equal(r->answers[1].text, "right");
}

static const struct bus_ops *plain_ops;
static unsigned subscribed;

static struct bus_sub *count_subscribe(struct bus *b, const char *pattern, const char *group,
	void (*on_msg)(void *ctx, const struct bus_msg *m), void *ctx)
{
	subscribed++;
	return plain_ops->subscribe(b, pattern, group, on_msg, ctx);
}

static void an_answered_question_leaves_its_subscription_to_the_next(void **state)
{
	struct rig *r = *state;
	struct bus_ops counting = *r->asker->ops;

	plain_ops = r->asker->ops;
	counting.subscribe = count_subscribe;
	r->asker->ops = &counting;
	subscribed = 0;
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(ask(r, i, LATE), 0);
		deliver(r);
		answer(r, i, "x");
		assert_int_equal(r->answers[i].calls, 1);
	}
	assert_int_equal(subscribed, 1);
	r->asker->ops = plain_ops;
}

static void so_many_are_open(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < MAX; i++)
		assert_int_equal(ask(r, i, LATE), 0);
	assert_int_equal(ask(r, MAX, LATE), ERR_BUSY);
	deliver(r);
	answer(r, 0, "room");
	assert_int_equal(ask(r, MAX, LATE), 0);
	assert_int_equal(r->answers[MAX].calls, 0);
}

static void what_cannot_be_sent_is_not_answered(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 2 * MAX; i++)
		assert_int_equal(requests_send(r->requests, "not ok", SPAN_LIT("?"), LATE,
					 on_answer, &r->answers[0]),
			ERR_INVALID);
	assert_int_equal(r->answers[0].calls, 0);
	assert_int_equal(ask(r, 1, INT64_MAX), 0);
}

static void ask_again(void *ctx, int err, const struct bus_msg *m)
{
	struct answer *a = ctx;

	on_answer(ctx, err, m);
	a->err = ask(a->rig, 7, SOON);
}

static void callbacks_may_ask(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < MAX; i++)
		assert_int_equal(requests_send(r->requests, "ask.it", SPAN_LIT("?"), SOON,
					 ask_again, &r->answers[i]),
			0);
	turn_until(r, &r->answers[7].calls, MAX);
	for (unsigned i = 0; i < MAX; i++) {
		assert_int_equal(r->answers[i].calls, 1);
		assert_int_equal(r->answers[i].err, 0); /* of asking */
	}
}

static void the_end_is_told_and_nothing_more_is_sent(void **state)
{
	struct rig *r = *state;

	assert_int_equal(requests_send(r->requests, "ask.it", SPAN_LIT("?"), LATE, ask_again,
				 &r->answers[0]),
		0);
	assert_int_equal(ask(r, 1, LATE), 0);
	requests_free(r->requests);
	r->requests = NULL;
	assert_int_equal(r->answers[0].calls, 1);
	assert_int_equal(r->answers[0].err, ERR_CLOSED); /* of asking */
	assert_int_equal(r->answers[1].calls, 1);
	assert_int_equal(r->answers[1].err, ERR_CLOSED);
	deliver(r);
	answer(r, 0, "late");
	assert_int_equal(r->answers[7].calls, 0);
}

static void wrong_prefixes_are_refused(void **state)
{
	struct rig *r = *state;
	char longest[BUS_SUBJECT_BYTES + 1];

	memset(longest, 'a', sizeof(longest));
	longest[BUS_SUBJECT_BYTES] = '\0';
	assert_null(requests_new(&r->loop, r->asker, longest, MAX));
	assert_null(requests_new(&r->loop, r->asker, "a..b", MAX));
	assert_null(requests_new(&r->loop, r->asker, "a.*", MAX));
	requests_free(NULL);
}

static int use_all(void *arg)
{
	struct rig *r = arg;
	struct answer a = { .rig = r };
	struct requests *q = requests_new(&r->loop, r->asker, "_INBOX.other", 8);
	unsigned sent = 0;
	int err = q == NULL ? ERR_NO_MEMORY : 0;

	while (err == 0 && sent < 8) {
		err = requests_send(q, "nobody.at.all", SPAN_LIT("?"), LATE, on_answer, &a);
		sent += err == 0;
	}
	requests_free(q);
	assert_int_equal(a.calls, sent);
	deliver(r);
	return err;
}

static void lives_through_lack_of_memory(void **state)
{
	struct rig *r = *state;

	/* What the bus and the loop keep for the next time is not a leak of ours. */
	assert_int_equal(use_all(r), 0);
	assert_true(nth_alloc(use_all, r) > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_find_their_questions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_answer_finds_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_times_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_timer_for_an_answered_question_is_harmless,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_listening_is_told_at_once, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(so_many_are_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_late_nobody_is_nobodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_answered_question_leaves_its_subscription_to_the_next, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_not_answered, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(callbacks_may_ask, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_is_told_and_nothing_more_is_sent, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(wrong_prefixes_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lives_through_lack_of_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
