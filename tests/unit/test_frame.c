/* SPDX-License-Identifier: Apache-2.0
 *
 * test_frame: frames over a socket pair: whole, in pieces, too large, and nonsense.
 */
#include "tests/support/test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "node/frame.h"

#define BODY_MAX 1000u

struct ends {
	int fd[2];
	struct frames out;
	struct frames in;
};

static int set_up(void **state)
{
	static struct ends e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e.fd), 0);
	frames_init(&e.out, BODY_MAX);
	frames_init(&e.in, BODY_MAX);
	*state = &e;
	return 0;
}

static int tear_down(void **state)
{
	struct ends *e = *state;

	frames_done(&e->out);
	frames_done(&e->in);
	close(e->fd[0]);
	close(e->fd[1]);
	return 0;
}

static void put(struct ends *e, uint32_t type, uint32_t arg, uint64_t id, struct span body)
{
	assert_int_equal(frames_put(&e->out, &(struct frame){ type, arg, id, body }), 0);
}

static void pump(struct ends *e)
{
	assert_int_equal(frames_send(&e->out, e->fd[0]), 0);
	assert_int_equal(frames_read(&e->in, e->fd[1]), 0);
}

static void test_frames_arrive_in_order(void **state)
{
	struct ends *e = *state;
	struct frame f;

	put(e, 1, 7, UINT64_MAX, SPAN_LIT("first"));
	put(e, FRAME_TYPE_MAX, UINT32_MAX, 2, (struct span){ 0 });
	pump(e);
	assert_int_equal(frames_take(&e->in, &f), 1);
	assert_int_equal(f.type, 1);
	assert_int_equal(f.arg, 7);
	assert_true(f.id == UINT64_MAX);
	assert_true(span_is(f.body, "first"));
	assert_int_equal(frames_take(&e->in, &f), 1);
	assert_int_equal(f.type, FRAME_TYPE_MAX);
	assert_int_equal(f.body.len, 0);
	assert_int_equal(frames_take(&e->in, &f), 0);
}

static void test_frame_in_single_bytes(void **state)
{
	struct ends *e = *state;
	struct frame f;
	size_t n;

	put(e, 3, 4, 5, SPAN_LIT("bytes"));
	n = frames_waiting(&e->out);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(frames_take(&e->in, &f), 0);
		assert_int_equal(send(e->fd[0], e->out.bytes.at + i, 1, 0), 1);
		assert_int_equal(frames_read(&e->in, e->fd[1]), 0);
	}
	assert_int_equal(frames_take(&e->in, &f), 1);
	assert_true(span_is(f.body, "bytes"));
}

static void test_limits_of_the_sender(void **state)
{
	static const unsigned char body[BODY_MAX + 1];
	struct ends *e = *state;
	const struct frame big = { 1, 0, 0, { body, BODY_MAX + 1 } },
			   full = { 1, 0, 0, { body, BODY_MAX } };

	assert_int_equal(frames_put(&e->out, &big), ERR_TOO_BIG);
	assert_int_equal(frames_waiting(&e->out), 0);
	assert_int_equal(frames_put(&e->out, &full), 0);
	assert_int_equal(frames_put(&e->out, &full), 0);
	assert_int_equal(frames_put(&e->out, &full), ERR_BUSY);
	pump(e);
	assert_int_equal(frames_waiting(&e->out), 0);
}

/* bytes, type, arg, zero, id */
static void test_malformed_heads_are_refused(void **state)
{
	static const uint32_t heads[][6] = {
		{ BODY_MAX + 1, 1 },
		{ UINT32_MAX, 1 },
		{ 0, 0 },
		{ 0, FRAME_TYPE_MAX + 1 },
		{ 0, 1, 0, 1 },
	};
	struct ends *e = *state;
	struct frame f;

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		frames_reset(&e->in);
		assert_int_equal(send(e->fd[0], heads[i], sizeof(heads[i]), 0), sizeof(heads[i]));
		assert_int_equal(frames_read(&e->in, e->fd[1]), 0);
		assert_int_equal(frames_take(&e->in, &f), ERR_MALFORMED);
	}
}

static void test_closed_socket(void **state)
{
	struct ends *e = *state;
	struct frame f;

	put(e, 1, 0, 9, SPAN_LIT("last words"));
	assert_int_equal(frames_send(&e->out, e->fd[0]), 0);
	shutdown(e->fd[0], SHUT_WR);
	assert_int_equal(frames_read(&e->in, e->fd[1]), ERR_CLOSED);
	assert_int_equal(frames_take(&e->in, &f), 1); /* what came before the end is there */
	assert_int_equal(f.id, 9);
	shutdown(e->fd[1], SHUT_RDWR);
	put(e, 1, 0, 10, SPAN_LIT("too late"));
	assert_int_equal(frames_send(&e->out, e->fd[0]), ERR_CLOSED);
}

/* More than the ceiling is sent: reading stops there and goes on when frames were taken. */
static void test_reader_holds_its_ceiling(void **state)
{
	static const unsigned char body[BODY_MAX];
	struct ends *e = *state;
	struct frame f;

	for (unsigned i = 0; i < 8; i++) {
		put(e, 1, i, i, span_of(body, sizeof(body)));
		assert_int_equal(frames_send(&e->out, e->fd[0]), 0);
	}
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(frames_read(&e->in, e->fd[1]), 0);
		assert_true(e->in.bytes.len <= e->in.bytes.max);
		assert_int_equal(frames_take(&e->in, &f), 1);
		assert_int_equal(f.id, i);
		assert_int_equal(f.body.len, BODY_MAX);
	}
}

static int put_and_read(void *arg)
{
	struct ends *e = arg;
	struct frame f;
	char left[64];
	int r = frames_put(&e->out, &(struct frame){ 1, 2, 3, SPAN_LIT("x") });

	if (r < 0)
		assert_int_equal(frames_waiting(&e->out), 0);
	else
		r = frames_send(&e->out, e->fd[0]);
	if (r == 0) {
		r = frames_read(&e->in, e->fd[1]);
		if (r == 0)
			assert_int_equal(frames_take(&e->in, &f), 1);
		else /* nothing was lost: the bytes are still in the socket */
			assert_int_equal(recv(e->fd[1], left, sizeof(left), MSG_DONTWAIT), 25);
	}
	frames_done(&e->out);
	frames_done(&e->in);
	return r;
}

static void test_no_memory(void **state)
{
	struct ends *e = *state;

	frames_done(&e->out);
	frames_done(&e->in);
	assert_true(nth_alloc(put_and_read, e) >= 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_frames_arrive_in_order),
		T(test_frame_in_single_bytes),
		T(test_limits_of_the_sender),
		T(test_malformed_heads_are_refused),
		T(test_closed_socket),
		T(test_reader_holds_its_ceiling),
		T(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
