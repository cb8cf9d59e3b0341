/* SPDX-License-Identifier: Apache-2.0 */
#include "run/work.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/support/test.h"

#define JOBS 500u

struct job {
	struct work_job work;
	struct bench *bench;
	pthread_t ran_on;
	bool ran;
	bool signals_blocked;
	int ended;
	int post_again; /* what work_post said from on_end; 1: do not */
};

struct bench {
	struct loop loop;
	struct work_pool *pool;
	pthread_t owner;
	sem_t gate; /* held jobs wait here */
	sem_t inside;
	unsigned ended;
	struct job jobs[JOBS];
};

static struct bench bench;

static int open_bench(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	bench.owner = pthread_self();
	sem_init(&bench.gate, 0, 0);
	sem_init(&bench.inside, 0, 0);
	return loop_open(&bench.loop);
}

static int close_bench(void **state)
{
	(void)state;
	loop_close(&bench.loop);
	return 0;
}

static void on_run(struct work_job *work)
{
	struct job *j = CONTAINER(work, struct job, work);
	sigset_t mask;

	j->ran = true;
	j->ran_on = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	j->signals_blocked = sigismember(&mask, SIGTERM) == 1;
}

static void on_run_held(struct work_job *work)
{
	sem_post(&bench.inside);
	while (sem_wait(&bench.gate) != 0)
		;
	on_run(work);
}

static void on_end(struct work_job *work)
{
	struct job *j = CONTAINER(work, struct job, work);

	assert_true(pthread_equal(pthread_self(), bench.owner));
	j->ended++;
	bench.ended++;
	if (j->post_again != 1)
		j->post_again = work_post(bench.pool, &j->work);
}

static struct job *job(unsigned i, void (*run)(struct work_job *))
{
	bench.jobs[i] = (struct job){ .work = { run, on_end }, .post_again = 1 };
	return &bench.jobs[i];
}

static void turns_until(unsigned ended)
{
	while (bench.ended < ended)
		assert_int_equal(loop_turn(&bench.loop, 10 * NS_PER_S), 0);
}

static void runs_jobs_on_threads_and_ends_them_on_the_owner(void **state)
{
	(void)state;
	bench.pool = work_open(&bench.loop, 3, JOBS);
	assert_non_null(bench.pool);
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(work_post(bench.pool, &job(i, on_run)->work), 0);
	turns_until(JOBS);
	for (unsigned i = 0; i < JOBS; i++) {
		assert_true(bench.jobs[i].ran && bench.jobs[i].signals_blocked);
		assert_false(pthread_equal(bench.jobs[i].ran_on, bench.owner));
		assert_int_equal(bench.jobs[i].ended, 1);
	}
	work_close(bench.pool);
	assert_int_equal(bench.ended, JOBS);
}

static void refuses_jobs_beyond_the_limit(void **state)
{
	(void)state;
	bench.pool = work_open(&bench.loop, 1, 2);
	assert_non_null(bench.pool);
	assert_int_equal(work_post(bench.pool, &job(0, on_run_held)->work), 0);
	assert_int_equal(work_post(bench.pool, &job(1, on_run)->work), 0);
	assert_int_equal(work_post(bench.pool, &job(2, on_run)->work), ERR_BUSY);
	sem_post(&bench.gate);
	turns_until(2);
	assert_int_equal(work_post(bench.pool, &job(2, on_run)->work), 0);
	turns_until(3);
	work_close(bench.pool);
}

static void an_end_may_post_the_job_again(void **state)
{
	(void)state;
	bench.pool = work_open(&bench.loop, 1, 1);
	assert_non_null(bench.pool);
	job(0, on_run)->post_again = 0;
	assert_int_equal(work_post(bench.pool, &bench.jobs[0].work), 0);
	turns_until(20);
	assert_int_equal(bench.jobs[0].post_again, 0);
	work_close(bench.pool);
	assert_int_equal(bench.jobs[0].post_again, ERR_CLOSED);
}

static void waiting_calls_the_ends_in_order(void **state)
{
	(void)state;
	bench.pool = work_open(&bench.loop, 1, 4);
	assert_non_null(bench.pool);
	assert_false(work_wait(bench.pool));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(work_post(bench.pool, &job(i, on_run)->work), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(bench.jobs[i].ended, 0);
		assert_true(work_wait(bench.pool));
		assert_true(bench.jobs[i].ran);
		assert_int_equal(bench.jobs[i].ended, 1);
	}
	assert_false(work_wait(bench.pool));
	work_close(bench.pool);
	assert_int_equal(bench.ended, 4);
}

/* Most likely after work_close has begun; if not, all jobs are run before it. */
static void *open_gate_later(void *arg)
{
	usleep(20000);
	for (int i = 0; i < 10; i++)
		sem_post(&bench.gate);
	return arg;
}

static void closing_waits_and_ends_every_job(void **state)
{
	pthread_t thread;

	(void)state;
	bench.pool = work_open(&bench.loop, 1, 10);
	assert_non_null(bench.pool);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(work_post(bench.pool, &job(i, on_run_held)->work), 0);
	sem_wait(&bench.inside); /* the first one runs */
	assert_int_equal(pthread_create(&thread, NULL, open_gate_later, NULL), 0);
	work_close(bench.pool);
	assert_int_equal(bench.ended, 10);
	assert_true(bench.jobs[0].ran);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(bench.jobs[i].ended, 1);
	pthread_join(thread, NULL);
	work_close(NULL);
}

static int open_and_close(void *arg)
{
	struct work_pool *p = work_open(&bench.loop, 2, 4);

	(void)arg;
	if (p == NULL)
		return ERR_NO_MEMORY;
	work_close(p);
	return 0;
}

static void opens_without_memory_or_not_at_all(void **state)
{
	(void)state;
	assert_int_equal(nth_alloc(open_and_close, NULL), 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_jobs_on_threads_and_ends_them_on_the_owner),
		TEST(refuses_jobs_beyond_the_limit),
		TEST(an_end_may_post_the_job_again),
		TEST(waiting_calls_the_ends_in_order),
		TEST(closing_waits_and_ends_every_job),
		TEST(opens_without_memory_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
