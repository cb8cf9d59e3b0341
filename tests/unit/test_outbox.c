/* SPDX-License-Identifier: Apache-2.0 */
#include "run/outbox.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/bus_mem.h"
#include "tests/support/test.h"

#define KEPT 1200

/* An outbox, and what left it. */
struct rig {
	struct bus_net *net;
	struct bus *bus;
	struct outbox *out;
	unsigned n;
	struct sent {
		char subject[24];
		char text[24]; /* the start of it */
		size_t len;
	} sent[KEPT];
};

static void on_msg(void *ctx, const struct bus_msg *m)
{
	struct rig *r = ctx;
	struct sent *s = &r->sent[r->n];

	assert_true(r->n++ < KEPT);
	(void)span_copy(m->subject, s->subject, sizeof(s->subject));
	(void)span_copy(m->data, s->text, sizeof(s->text));
	s->len = m->data.len;
}

static int set_up(void **state)
{
	static struct rig r;

	r = (struct rig){ .net = bus_net_new(NULL, NULL, 1) };
	r.bus = bus_mem_open(r.net, "b");
	r.out = outbox_new(r.bus);
	assert_non_null(r.out);
	assert_non_null(bus_subscribe(r.bus, "s.>", NULL, on_msg, &r));
	*state = &r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	outbox_free(r->out);
	bus_close(r->bus);
	bus_net_free(r->net);
	return 0;
}

static void put(struct rig *r, const char *subject, const char *text)
{
	struct buf *b = outbox_put(r->out, subject, strlen(text));

	buf_str(b, text);
	assert_int_equal(outbox_put_end(r->out, b), 0);
}

static void put_big(struct rig *r, const char *subject, size_t len)
{
	struct buf *b = outbox_put(r->out, subject, len);
	unsigned char *at = buf_room(b, len);

	assert_non_null(at);
	memset(at, 'x', len);
	buf_took(b, len);
	assert_int_equal(outbox_put_end(r->out, b), 0);
}

static void deliver(struct rig *r)
{
	while (bus_net_step(r->net, 0))
		;
}

static unsigned send_and_deliver(struct rig *r)
{
	unsigned refused = outbox_send(r->out);

	deliver(r);
	return refused;
}

static void assert_sent(const struct rig *r, unsigned i, const char *subject, const char *text)
{
	assert_true(i < r->n);
	assert_string_equal(r->sent[i].subject, subject);
	assert_string_equal(r->sent[i].text, text);
}

static void items_of_a_subject_leave_as_one_message(void **state)
{
	struct rig *r = *state;

	put(r, "s.b", "1");
	put(r, "s.a", "2");
	put(r, "s.b", "3");
	put(r, "s.c", "4");
	put(r, "s.a", "5");
	deliver(r);
	assert_int_equal(r->n, 0);
	assert_int_equal(send_and_deliver(r), 0);
	assert_int_equal(r->n, 3);
	assert_sent(r, 0, "s.b", "13");
	assert_sent(r, 1, "s.a", "25");
	assert_sent(r, 2, "s.c", "4");
	assert_int_equal(send_and_deliver(r), 0);
	assert_int_equal(r->n, 3);
	/* The next turn starts anew. */
	put(r, "s.c", "6");
	put(r, "s.b", "7");
	assert_int_equal(send_and_deliver(r), 0);
	assert_sent(r, 3, "s.c", "6");
	assert_sent(r, 4, "s.b", "7");
}

static void subjects_are_compared_not_their_addresses(void **state)
{
	struct rig *r = *state;
	char subject[] = "s.a";

	put(r, subject, "1");
	subject[2] = 'b';
	put(r, subject, "2");
	put(r, "s.a", "3");
	subject[2] = '\0';
	assert_int_equal(send_and_deliver(r), 0);
	assert_sent(r, 0, "s.a", "13");
	assert_sent(r, 1, "s.b", "2");
}

static void a_full_message_leaves_first(void **state)
{
	struct rig *r = *state;

	put_big(r, "s.a", LIMIT_BATCH_BYTES - 10);
	put_big(r, "s.a", 10);
	deliver(r);
	assert_int_equal(r->n, 0);
	put_big(r, "s.a", 1);
	deliver(r);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->sent[0].len, LIMIT_BATCH_BYTES);
	/* One item may be larger than a batch; it goes alone. */
	put_big(r, "s.a", LIMIT_MESSAGE_BYTES);
	put_big(r, "s.a", 5);
	assert_int_equal(send_and_deliver(r), 0);
	assert_int_equal(r->n, 4);
	assert_int_equal(r->sent[1].len, 1);
	assert_int_equal(r->sent[2].len, LIMIT_MESSAGE_BYTES);
	assert_int_equal(r->sent[3].len, 5);
}

static void a_message_holds_so_many_items(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < LIMIT_ITEMS_PER_MESSAGE + 1; i++)
		put(r, "s.a", "i");
	assert_int_equal(send_and_deliver(r), 0);
	assert_int_equal(r->n, 2);
	assert_int_equal(r->sent[0].len, LIMIT_ITEMS_PER_MESSAGE);
	assert_int_equal(r->sent[1].len, 1);
}

static void a_failed_item_is_taken_back(void **state)
{
	struct rig *r = *state;
	struct buf *b;

	b = outbox_put(r->out, "s.b", 1);
	assert_null(buf_room(b, LIMIT_MESSAGE_BYTES + 1));
	assert_int_equal(outbox_put_end(r->out, b), ERR_TOO_BIG);
	put(r, "s.a", "1");
	b = outbox_put(r->out, "s.a", 1);
	buf_str(b, "half of it");
	assert_null(buf_room(b, LIMIT_MESSAGE_BYTES));
	assert_int_equal(outbox_put_end(r->out, b), ERR_TOO_BIG);
	put(r, "s.a", "2");
	assert_int_equal(send_and_deliver(r), 0);
	/* Nothing was left of s.b's, so nothing was sent. */
	assert_int_equal(r->n, 1);
	assert_sent(r, 0, "s.a", "12");
}

static void one_subject_too_many_sends_what_there_is(void **state)
{
	struct rig *r = *state;
	char subject[16];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < OUTBOX_SUBJECTS; i++) {
			(void)snprintf(subject, sizeof(subject), "s.%u", i);
			put(r, subject, "1");
			put(r, subject, "2");
		}
		deliver(r);
		assert_int_equal(r->n, 0);
		put(r, "s.more", "3");
		put(r, "s.0", "4");
		deliver(r);
		assert_int_equal(r->n, OUTBOX_SUBJECTS);
		for (unsigned i = 0; i < OUTBOX_SUBJECTS; i++) {
			(void)snprintf(subject, sizeof(subject), "s.%u", i);
			assert_sent(r, i, subject, "12");
		}
		assert_int_equal(send_and_deliver(r), 0);
		assert_int_equal(r->n, OUTBOX_SUBJECTS + 2);
		assert_sent(r, OUTBOX_SUBJECTS, "s.more", "3");
		assert_sent(r, OUTBOX_SUBJECTS + 1, "s.0", "4");
		r->n = 0;
	}
}

static void refusals_are_counted_once(void **state)
{
	struct rig *r = *state;

	put(r, "s.not ok", "1");
	put(r, "s.a", "2");
	assert_int_equal(send_and_deliver(r), 1);
	assert_int_equal(r->n, 1);
	assert_int_equal(send_and_deliver(r), 0);
}

static void one_item_is_open_at_a_time(void **state)
{
	struct rig *r = *state;
	struct buf *b = outbox_put(r->out, "s.a", 1);

	expect_assert_failure((void)!outbox_put(r->out, "s.b", 1));
	expect_assert_failure((void)outbox_send(r->out));
	assert_int_equal(outbox_put_end(r->out, b), 0);
	expect_assert_failure((void)!outbox_put_end(r->out, b));
}

/* Random subjects and lengths against a list of what was put: all of it leaves, in order within a subject. */
static void nothing_is_lost_or_turned_round(void **state)
{
	struct rig *r = *state;
	unsigned put_n[40] = { 0 }, got_n[40] = { 0 };
	struct prng prng;

	rand_start(&prng);
	for (unsigned turn = 0; turn < 50; turn++) {
		r->n = 0;
		for (unsigned k = prng_below(&prng, 12); k > 0; k--) {
			unsigned s = (unsigned)prng_below(&prng, ARRAY_LEN(put_n));
			char subject[16], text[2] = { (char)('a' + put_n[s]++ % 26), 0 };

			(void)snprintf(subject, sizeof(subject), "s.%u", s);
			put(r, subject, text);
		}
		assert_int_equal(send_and_deliver(r), 0);
		for (unsigned i = 0; i < r->n; i++) {
			unsigned s;

			assert_int_equal(sscanf(r->sent[i].subject, "s.%u", &s), 1);
			for (size_t k = 0; k < r->sent[i].len; k++)
				assert_int_equal(r->sent[i].text[k], 'a' + got_n[s]++ % 26);
		}
	}
	assert_memory_equal(put_n, got_n, sizeof(put_n));
}

static void what_is_held_waits_for_its_mark(void **state)
{
	struct rig *r = *state;

	outbox_free(r->out);
	r->out = outbox_new_held(r->bus);
	assert_non_null(r->out);
	assert_false(outbox_holds(r->out));
	put(r, "s.a", "1");
	assert_true(outbox_holds(r->out));
	size_t one = outbox_bytes(r->out);

	assert_true(one > 0);
	assert_int_equal(outbox_release(r->out, 100), 0);
	deliver(r);
	assert_int_equal(r->n, 0); /* not sealed: nobody knows yet what it waits for */
	outbox_seal(r->out, 5);
	put(r, "s.a", "2");
	outbox_seal(r->out, 7);
	put(r, "s.b", "3");
	assert_int_equal(outbox_bytes(r->out), 3 * one);
	assert_int_equal(outbox_release(r->out, 4), 0);
	deliver(r);
	assert_int_equal(r->n, 0);
	assert_int_equal(outbox_release(r->out, 6), 0);
	deliver(r);
	assert_int_equal(r->n, 1);
	assert_string_equal(r->sent[0].text, "1");
	outbox_seal(r->out, 7);
	assert_int_equal(outbox_release(r->out, 7), 0);
	deliver(r);
	assert_int_equal(r->n, 3);
	assert_string_equal(r->sent[1].text, "2");
	assert_string_equal(r->sent[2].text, "3");
	assert_false(outbox_holds(r->out));
	assert_int_equal(outbox_bytes(r->out), 0);
}

/* A message that is full before the turn's end waits like the rest. */
static void a_full_message_is_held_too(void **state)
{
	struct rig *r = *state;

	outbox_free(r->out);
	r->out = outbox_new_held(r->bus);
	put_big(r, "s.a", LIMIT_BATCH_BYTES);
	put_big(r, "s.a", LIMIT_BATCH_BYTES);
	deliver(r);
	assert_int_equal(r->n, 0);
	outbox_seal(r->out, 1);
	assert_int_equal(outbox_release(r->out, 1), 0);
	deliver(r);
	assert_int_equal(r->n, 2);
}

static int hold_all(void *arg)
{
	struct rig *r = arg;
	struct outbox *o = outbox_new_held(r->bus);
	int err = o == NULL ? ERR_NO_MEMORY : 0;

	for (unsigned i = 0; i < 4 && err == 0; i++) {
		struct buf *b = outbox_put(o, i % 2 ? "t.a" : "t.b", 8);

		buf_str(b, "12345678");
		err = outbox_put_end(o, b);
		outbox_seal(o, i);
	}
	if (o != NULL && outbox_release(o, 2) > 0)
		err = ERR_NO_MEMORY;
	outbox_free(o);
	return err;
}

static int use_all(void *arg)
{
	struct rig *r = arg;
	struct outbox *o = outbox_new(r->bus);
	int err = o == NULL ? ERR_NO_MEMORY : 0;

	for (unsigned i = 0; i < 20 && err == 0; i++) {
		struct buf *b = outbox_put(o, i % 2 ? "t.a" : "t.b", 8);

		buf_str(b, "12345678");
		err = outbox_put_end(o, b);
	}
	if (o != NULL && outbox_send(o) > 0)
		err = ERR_NO_MEMORY;
	outbox_free(o);
	return err;
}

static void lives_through_lack_of_memory(void **state)
{
	assert_in_range(nth_alloc(use_all, *state), 3, 20);
	assert_true(nth_alloc(hold_all, *state) > 5);
	outbox_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(items_of_a_subject_leave_as_one_message, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(subjects_are_compared_not_their_addresses, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_full_message_leaves_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_holds_so_many_items, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_item_is_taken_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_subject_too_many_sends_what_there_is, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(refusals_are_counted_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_item_is_open_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_lost_or_turned_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_held_waits_for_its_mark, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_message_is_held_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lives_through_lack_of_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
