/* SPDX-License-Identifier: Apache-2.0 */
#include "run/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/support/test.h"

/* What happened, as letters. */
struct trace {
	struct loop loop;
	char log[64];
	unsigned n;
};

struct step {
	struct trace *trace;
	char letter;
	struct loop_timer timer;
	struct loop_fd fd;
	struct loop_hook hook;
	int pipe[2];
	int64_t again_ns; /* timer: set it again so far from now */
	struct step *drops;
	bool reads;
};

static int open_trace(void **state)
{
	struct trace *t = calloc(1, sizeof(*t));

	*state = t;
	return t == NULL ? -1 : loop_open(&t->loop);
}

static int close_trace(void **state)
{
	struct trace *t = *state;

	loop_close(&t->loop);
	loop_close(&t->loop);
	free(t);
	return 0;
}

static void note(struct step *s)
{
	assert_true(s->trace->n < sizeof(s->trace->log) - 1);
	s->trace->log[s->trace->n++] = s->letter;
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct step *s = ctx;

	note(s);
	assert_true(now_ns == s->trace->loop.now_ns);
	if (s->again_ns != 0)
		assert_int_equal(loop_timer_set(&s->trace->loop, &s->timer, now_ns + s->again_ns),
			0);
	if (s->drops != NULL)
		loop_timer_stop(&s->trace->loop, &s->drops->timer);
}

static struct step timer_step(struct trace *t, char letter)
{
	return (struct step){ .trace = t, .letter = letter };
}

static void set(struct step *s, int64_t due_ns)
{
	s->timer.on_due = on_due;
	s->timer.ctx = s;
	assert_int_equal(loop_timer_set(&s->trace->loop, &s->timer, due_ns), 0);
}

static void turn(struct trace *t, int64_t wait_ns)
{
	assert_int_equal(loop_turn(&t->loop, wait_ns), 0);
}

static void fires_timers_in_the_order_of_their_time(void **state)
{
	struct trace *t = *state;
	struct step a = timer_step(t, 'a'), b = timer_step(t, 'b'), c = timer_step(t, 'c');
	int64_t now = t->loop.now_ns;

	set(&a, now + 2 * NS_PER_MS);
	set(&b, now + NS_PER_MS);
	set(&c, now + 3 * NS_PER_MS);
	set(&a, now + 4 * NS_PER_MS); /* moved */
	while (t->n < 3)
		turn(t, -1);
	assert_string_equal(t->log, "bca");
	assert_true(t->loop.now_ns >= now + 4 * NS_PER_MS);
	assert_int_equal(a.timer.index, 0);
}

static void waits_no_longer_than_told(void **state)
{
	struct trace *t = *state;
	struct step a = timer_step(t, 'a');
	int64_t began = clocks_mono();

	set(&a, t->loop.now_ns + 10 * NS_PER_S);
	turn(t, 2 * NS_PER_MS);
	assert_true(clocks_mono() - began >= 2 * NS_PER_MS);
	assert_true(clocks_mono() - began < 5 * NS_PER_S);
	t->loop.coarse = true; /* as on a system without epoll_pwait2 */
	began = clocks_mono();
	turn(t, 2 * NS_PER_MS);
	set(&a, t->loop.now_ns + 1500 * NS_PER_US);
	turn(t, -1);
	if (t->n == 0)
		turn(t, -1);
	assert_true(clocks_mono() - began >= 3 * NS_PER_MS);
	assert_string_equal(t->log, "a");
}

static void a_timer_set_in_a_turn_waits_for_the_next(void **state)
{
	struct trace *t = *state;
	struct step a = timer_step(t, 'a');

	a.again_ns = -NS_PER_S;
	set(&a, 0);
	for (unsigned i = 1; i <= 3; i++) {
		turn(t, 0);
		assert_int_equal(t->n, i);
	}
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct trace *t = *state;
	struct step a = timer_step(t, 'a'), b = timer_step(t, 'b');

	set(&a, 1);
	a.drops = &b;
	set(&b, 1);
	/* Both fall due in one turn; the first stops the second. */
	turn(t, 0);
	assert_string_equal(t->log, "a");
	loop_timer_stop(&t->loop, &b.timer);
	turn(t, 0);
	assert_string_equal(t->log, "a");
}

static void refuses_timers_beyond_the_limit(void **state)
{
	struct trace *t = *state;
	struct loop_timer *timers = calloc(LOOP_TIMERS_MAX + 1, sizeof(*timers));

	assert_non_null(timers);
	for (unsigned i = 0; i <= LOOP_TIMERS_MAX; i++) {
		timers[i].on_due = on_due;
		assert_int_equal(loop_timer_set(&t->loop, &timers[i], INT64_MAX),
			i < LOOP_TIMERS_MAX ? 0 : ERR_BUSY);
	}
	loop_timer_stop(&t->loop, &timers[7]);
	assert_int_equal(loop_timer_set(&t->loop, &timers[LOOP_TIMERS_MAX], INT64_MAX), 0);
	/* Those that are set may still move. */
	assert_int_equal(loop_timer_set(&t->loop, &timers[9], INT64_MAX - 1), 0);
	free(timers);
}

static void on_ready(void *ctx, uint32_t events)
{
	struct step *s = ctx;
	char c;

	assert_true(events & EPOLLIN);
	note(s);
	if (s->reads)
		assert_int_equal(read(s->fd.fd, &c, 1), 1);
	if (s->drops == NULL)
		return;
	loop_fd_drop(&s->trace->loop, &s->drops->fd);
	s->drops->fd.on_ready = NULL; /* a stale event would now crash */
	s->drops = NULL;
}

static struct step pipe_step(struct trace *t, char letter)
{
	struct step s = { .trace = t, .letter = letter };

	assert_int_equal(pipe(s.pipe), 0);
	return s;
}

static void watch(struct step *s)
{
	s->fd = (struct loop_fd){ s->pipe[0], EPOLLIN, on_ready, s };
	assert_int_equal(loop_fd_add(&s->trace->loop, &s->fd), 0);
}

static void end_pipe(struct step *s)
{
	loop_fd_drop(&s->trace->loop, &s->fd);
	close(s->pipe[0]);
	close(s->pipe[1]);
}

static void serves_descriptors(void **state)
{
	struct trace *t = *state;
	struct step a = pipe_step(t, 'a');

	a.reads = true;
	watch(&a);
	turn(t, 0);
	assert_int_equal(t->n, 0);
	assert_int_equal(write(a.pipe[1], "xy", 2), 2);
	turn(t, -1);
	assert_int_equal(loop_fd_set(&t->loop, &a.fd, 0), 0);
	turn(t, 0);
	assert_string_equal(t->log, "a");
	assert_int_equal(loop_fd_set(&t->loop, &a.fd, EPOLLIN), 0);
	turn(t, -1);
	assert_string_equal(t->log, "aa");
	assert_int_equal(loop_fd_add(&t->loop, &a.fd), ERR_IO); /* twice */
	end_pipe(&a);
}

static void a_dropped_descriptor_is_not_served(void **state)
{
	struct trace *t = *state;
	struct step a = pipe_step(t, 'a'), b = pipe_step(t, 'b');

	watch(&a);
	watch(&b);
	assert_int_equal(write(a.pipe[1], "x", 1), 1);
	assert_int_equal(write(b.pipe[1], "x", 1), 1);
	/* Both are ready in one wait; whichever comes first drops the other. */
	a.drops = &b;
	b.drops = &a;
	turn(t, -1);
	assert_int_equal(t->n, 1);
	end_pipe(&a);
	end_pipe(&b);
}

static void a_handler_may_drop_itself(void **state)
{
	struct trace *t = *state;
	struct step a = pipe_step(t, 'a');

	watch(&a);
	a.drops = &a;
	assert_int_equal(write(a.pipe[1], "x", 1), 1);
	turn(t, -1);
	turn(t, 0);
	assert_string_equal(t->log, "a");
	end_pipe(&a);
}

static void *wake_it(void *arg)
{
	struct step *s = arg;

	assert_int_equal(loop_fd_set(&s->trace->loop, &s->fd, EPOLLIN), 0);
	return NULL;
}

static void another_thread_may_ask_for_events(void **state)
{
	struct trace *t = *state;
	struct step a = pipe_step(t, 'a');
	pthread_t thread;

	watch(&a);
	a.reads = true;
	assert_int_equal(write(a.pipe[1], "x", 1), 1);
	assert_int_equal(loop_fd_set(&t->loop, &a.fd, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, wake_it, &a), 0);
	turn(t, 10 * NS_PER_S);
	assert_string_equal(t->log, "a");
	pthread_join(thread, NULL);
	end_pipe(&a);
}

static void on_hook(void *ctx, int64_t now_ns)
{
	struct step *s = ctx;

	(void)now_ns;
	note(s);
	if (s->drops != NULL)
		loop_hook_drop(&s->trace->loop, &s->drops->hook);
}

static void hook(struct step *s)
{
	s->hook.on_turn = on_hook;
	s->hook.ctx = s;
	loop_hook_add(&s->trace->loop, &s->hook);
}

static void calls_hooks_last_and_in_order(void **state)
{
	struct trace *t = *state;
	struct step a = timer_step(t, 'a'), b = timer_step(t, 'b'), c = timer_step(t, 'c');
	struct step d = timer_step(t, 'd');

	hook(&a);
	hook(&b);
	hook(&c);
	set(&d, 0);
	turn(t, 0);
	assert_string_equal(t->log, "dabc");
	a.drops = &b; /* the next one */
	turn(t, 0);
	assert_string_equal(t->log, "dabcac");
	a.drops = &a; /* itself */
	turn(t, 0);
	turn(t, 0);
	assert_string_equal(t->log, "dabcacacc");
}

struct control {
	struct loop *loop;
	int beats;
	int sleep_ms;
	int64_t began_ns;
};

static void on_control(void *ctx, int64_t now_ns)
{
	struct control *c = ctx;

	(void)now_ns;
	c->beats++;
	if (c->sleep_ms > 0)
		usleep((unsigned)c->sleep_ms * 1000);
	c->sleep_ms = 0;
	if (c->beats == 4)
		loop_stop(c->loop);
}

static void keeps_the_beat(void **state)
{
	struct trace *t = *state;
	struct control c = { .loop = &t->loop, .began_ns = t->loop.now_ns };
	int64_t took_ns;

	assert_int_equal(loop_control(&t->loop, on_control, &c), 0);
	assert_int_equal(loop_run(&t->loop), 0);
	took_ns = clocks_now(&t->loop.clocks) - c.began_ns;
	assert_true(took_ns >= 400 * NS_PER_MS);
	assert_int_equal(t->loop.jitter_us.count, 4);
	/* The beat is fixed: the next one is a multiple of its length from the start. */
	assert_true((t->loop.control_due_ns - c.began_ns) % LOOP_CONTROL_NS == 0);
}

static void skips_missed_beats_and_measures_late_ones(void **state)
{
	struct trace *t = *state;
	struct control c = { .loop = &t->loop, .sleep_ms = 250, .began_ns = t->loop.now_ns };

	assert_int_equal(loop_control(&t->loop, on_control, &c), 0);
	assert_int_equal(loop_run(&t->loop), 0);
	/* Beats at 100 (sleeps until 350), 200 run late at 350, 400, 500: 300 is skipped. */
	assert_true(clocks_now(&t->loop.clocks) - c.began_ns >= 500 * NS_PER_MS);
	assert_true(t->loop.jitter_us.max >= 140000);
	assert_true((t->loop.control_due_ns - c.began_ns) % LOOP_CONTROL_NS == 0);
}

/* What serves a descriptor takes its time; the beat does not wait for it. */
static void on_slow_fd(void *ctx, uint32_t events)
{
	const struct control *c = ctx;

	(void)events;
	assert_int_equal(c->beats, 1);
	usleep(50000);
	loop_stop(c->loop);
}

static void the_beat_comes_before_what_is_ready(void **state)
{
	struct trace *t = *state;
	struct control c = { .loop = &t->loop };
	struct loop_fd slow = { .events = EPOLLIN, .on_ready = on_slow_fd, .ctx = &c };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	slow.fd = fds[0];
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_control(&t->loop, on_control, &c), 0);
	usleep(110000);
	assert_int_equal(loop_fd_add(&t->loop, &slow), 0);
	assert_int_equal(loop_run(&t->loop), 0);
	loop_fd_drop(&t->loop, &slow);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(c.beats, 1);
}

static void on_byte(void *ctx, uint32_t events)
{
	struct step *s = ctx;
	char byte;

	(void)events;
	assert_int_equal(read(s->fd.fd, &byte, 1), 1);
	note(s);
}

/* Stop this process in its wait, write, and let it go on when its timer is overdue. */
static pid_t stop_me_for_a_while(int to)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	usleep(50000);
	if (kill(parent, SIGSTOP) < 0 || write(to, "x", 1) != 1)
		_exit(1);
	usleep(400000);
	_exit(kill(parent, SIGCONT) < 0);
}

static void what_arrived_in_a_standstill_comes_before_timers(void **state)
{
	struct trace *t = *state;
	struct step timer = { .trace = t,
		.letter = 't',
		.timer = { .on_due = on_due, .ctx = &timer } };
	struct step fd = { .trace = t, .letter = 'f', .fd = { -1, EPOLLIN, on_byte, &fd } };
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fd.fd.fd = fds[0];
	assert_int_equal(loop_fd_add(&t->loop, &fd.fd), 0);
	assert_int_equal(loop_timer_set(&t->loop, &timer.timer,
				 clocks_now(&t->loop.clocks) + 300 * NS_PER_MS),
		0);
	pid = stop_me_for_a_while(fds[1]);
	assert_true(pid > 0);
	while (t->n < 2)
		turn(t, -1);
	assert_string_equal(t->log, "ft");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	loop_fd_drop(&t->loop, &fd.fd);
	close(fds[0]);
	close(fds[1]);
}

static int open_and_close(void *arg)
{
	struct loop *l = arg;
	int r = loop_open(l);

	if (r == 0)
		loop_close(l);
	return r;
}

static void opens_without_memory_or_not_at_all(void **state)
{
	struct loop *l = calloc(1, sizeof(*l));

	(void)state;
	assert_true(nth_alloc(open_and_close, l) >= 1);
	free(l);
}

static void clocks_agree(void **state)
{
	struct clocks c;
	char text[CLOCKS_TEXT_BYTES];
	int64_t off;

	(void)state;
	clocks_open(&c);
	off = clocks_now(&c) - clocks_wall();
	assert_true(off > -NS_PER_S && off < NS_PER_S);
	assert_string_equal(clocks_text(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clocks_text(INT64_C(1795169472345678901), text),
		"2026-11-20T10:11:12.345Z");
	assert_string_equal(clocks_text(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clocks_text(INT64_MAX, text), "2262-04-11T23:47:16.854Z");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_trace, close_trace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fires_timers_in_the_order_of_their_time),
		TEST(waits_no_longer_than_told),
		TEST(a_timer_set_in_a_turn_waits_for_the_next),
		TEST(a_stopped_timer_does_not_fire),
		TEST(refuses_timers_beyond_the_limit),
		TEST(serves_descriptors),
		TEST(a_dropped_descriptor_is_not_served),
		TEST(a_handler_may_drop_itself),
		TEST(another_thread_may_ask_for_events),
		TEST(calls_hooks_last_and_in_order),
		TEST(keeps_the_beat),
		TEST(skips_missed_beats_and_measures_late_ones),
		TEST(the_beat_comes_before_what_is_ready),
		TEST(what_arrived_in_a_standstill_comes_before_timers),
		cmocka_unit_test(opens_without_memory_or_not_at_all),
		cmocka_unit_test(clocks_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
