/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gpu_node: the supervisor with real children, and with scripts in their place that misbehave. The
 * shared node is replaced by a record of what the backend reports.
 */
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "gpu-node/gpu.h"
#include "run/log.h"
#include "tests/support/gpu_child.h"
#include "tests/support/proc.h"

struct report {
	struct ulid task;
	int code; /* 0: done */
	char detail[256];
	size_t body_bytes;
};

struct node {
	struct daemon daemon;
	struct report reports[32];
	unsigned reports_n;
	unsigned progress_n;
	unsigned changes_n;
};

static struct node node;
static struct gpu_conf conf;
static struct gpu gpu;

/* What the shared node would do with reports. */

static struct report *add_report(struct ulid task)
{
	assert_true(node.reports_n < ARRAY_LEN(node.reports));
	node.reports[node.reports_n].task = task;
	return &node.reports[node.reports_n++];
}

void node_done(struct node *n, struct ulid task, uint32_t attempt, struct span body)
{
	struct report *r = add_report(task);

	assert_ptr_equal(n, &node);
	assert_int_equal(attempt, 1);
	r->code = 0;
	r->body_bytes = body.len;
}

void node_failed(struct node *n, struct ulid task, uint32_t attempt, const struct fail *why)
{
	struct report *r = add_report(task);

	assert_ptr_equal(n, &node);
	assert_int_equal(attempt, 1);
	assert_true(why->code < 0);
	r->code = why->code;
	snprintf(r->detail, sizeof(r->detail), "%s", why->detail);
}

void node_progress(struct node *n, struct ulid task, uint32_t attempt, uint32_t permille,
	const char *note)
{
	(void)task;
	(void)attempt;
	(void)note;
	assert_true(permille <= 1000);
	n->progress_n++;
}

void node_chunk(struct node *n, struct ulid task, uint32_t attempt, struct span data)
{
	(void)n;
	(void)task;
	(void)attempt;
	(void)data;
	fail();
}

void node_offer_changed(struct node *n)
{
	n->changes_n++;
}

struct daemon *node_daemon(struct node *n)
{
	return &n->daemon;
}

/* Tools */

static int set_up(void **state)
{
	(void)state;
	node = (struct node){ 0 };
	conf = (struct gpu_conf){ .devices = "all", .watchdog_ns = 2 * NS_PER_S, .price_ucr = 5 };
	log_open("test", LOG_ERROR, false);
	assert_int_equal(loop_open(&node.daemon.loop), 0);
	proc_path("spu-gpu-device", conf.device_program);
	snprintf(conf.cache_dir, sizeof(conf.cache_dir), "caches");
	mkdir("caches", 0700);
	return 0;
}

static void open_gpu(void)
{
	struct fail why = { 0 };

	gpu_init(&gpu, &conf);
	assert_int_equal(gpu_ops.open(&gpu, &node, &why), 0);
}

static int tear_down(void **state)
{
	(void)state;
	gpu_ops.close(&gpu);
	loop_close(&node.daemon.loop);
	return 0;
}

static struct ulid id_of(unsigned i)
{
	return (struct ulid){ .hi = 1, .lo = i };
}

/* Turns until `is` holds; the test fails after a minute. */
static void turn_until(bool (*is)(void))
{
	const int64_t end_ns = clocks_mono() + 60 * NS_PER_S;

	while (!is()) {
		assert_true(clocks_mono() < end_ns);
		assert_int_equal(loop_turn(&node.daemon.loop, 50 * NS_PER_MS), 0);
	}
}

static struct child *first(void)
{
	return &gpu.children[0];
}

static bool is_ready(void)
{
	return gpu.children_n > 0 && first()->state == CHILD_READY;
}

static bool is_resting(void)
{
	return gpu.children_n > 0 && first()->state == CHILD_RESTING;
}

static bool has_no_devices(void)
{
	return gpu.again.index != 0;
}

static bool has_progress(void)
{
	return node.progress_n > 0;
}

static bool has_1_report(void)
{
	return node.reports_n >= 1;
}

static bool has_2_reports(void)
{
	return node.reports_n >= 2;
}

/* samples NULL: a job whose body is nonsense. */
static int put_job(unsigned i, const char *samples, int64_t deadline_ns)
{
	struct fail why = { 0 };
	struct buf b;
	struct job job = { .task = id_of(i), .attempt = 1, .kind = SPAN_LIT("compute.montecarlo") };
	int r;

	buf_init(&b, 1000);
	if (samples != NULL)
		body_put_param(&b, SPAN_LIT("samples"), span_str(samples));
	else
		buf_str(&b, "\xff\xff");
	job.raw = buf_span(&b);
	job.deadline_ns = deadline_ns != 0 ? deadline_ns : INT64_MAX;
	r = gpu_ops.start(&gpu, &job, &why);
	assert_int_equal(r, why.code);
	buf_done(&b);
	return r;
}

#define LONG "10000000000"

/* The offer's row of a kind, as "ready" or why it is not. */
static const char *offered(const char *kind)
{
	static char text[300];
	struct arena a;
	struct offer o = { 0 };

	arena_init(&a, 1u << 16);
	assert_int_equal(gpu_ops.offer(&gpu, &a, &o), 0);
	assert_int_equal(o.kinds_n, GPU_KINDS + 1);
	for (size_t i = 0; i < o.kinds_n; i++) {
		if (!span_is(o.kinds[i].kind, kind))
			continue;
		assert_int_equal(o.kinds[i].price_ucr, 5);
		span_copy(o.kinds[i].ready ? SPAN_LIT("ready") : o.kinds[i].why, text,
			sizeof(text));
	}
	arena_done(&a);
	return text;
}

static struct offer offer_of(struct arena *a)
{
	struct offer o = { 0 };

	arena_init(a, 1u << 16);
	assert_int_equal(gpu_ops.offer(&gpu, a, &o), 0);
	return o;
}

/* A program in place of spu-gpu-device: lists one device, then does `what` with its socket at 3. */
static void use_script(const char *what)
{
	FILE *f = fopen("device.sh", "w");

	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\n"
		"if [ \"$1\" = --list ]; then\n"
		"echo a driver says hello here\n"
		"echo "
		"'{\"index\":0,\"name\":\"Script\",\"type\":\"gpu\",\"platform\":\"P\",\"driver\":"
		"\"1\","
		"\"uuid\":\"\",\"pci\":\"\",\"memory_bytes\":1,\"units\":1,\"same_as\":-1}'\n"
		"exit 0\nfi\n%s\n",
		what);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("device.sh", 0700), 0);
	snprintf(conf.device_program, sizeof(conf.device_program), "./device.sh");
}

/* Writes a frame to a file, for scripts. */
static void write_frame(const char *path, const struct frame *frame)
{
	struct frames frames;
	FILE *f = fopen(path, "w");

	frames_init(&frames, GPU_FRAME_BYTES);
	assert_non_null(f);
	assert_int_equal(frames_put(&frames, frame), 0);
	assert_int_equal(fwrite(frames.bytes.at, 1, frames.bytes.len, f), frames.bytes.len);
	assert_int_equal(fclose(f), 0);
	frames_done(&frames);
}

static void write_hello(const char *launch_us)
{
	struct buf b;

	buf_init(&b, 4096);
	body_put_param(&b, SPAN_LIT("name"), SPAN_LIT("Script"));
	body_put_param(&b, SPAN_LIT("launch_us"), span_str(launch_us));
	body_put_param(&b, SPAN_LIT("matmul_mflops"), SPAN_LIT("1"));
	body_put_param(&b, SPAN_LIT("montecarlo_per_s"), SPAN_LIT("1"));
	body_put_param(&b, SPAN_LIT("compute.montecarlo"), SPAN_LIT(""));
	body_put_param(&b, SPAN_LIT("image.filter"), SPAN_LIT("the lens is broken"));
	write_frame("hello", &(struct frame){ .type = GPU_HELLO, .body = buf_span(&b) });
	buf_done(&b);
}

/* Tests with real devices */

static void test_jobs_run(void **state)
{
	struct arena a;
	struct offer o;

	(void)state;
	open_gpu();
	assert_string_equal(offered("compute.matmul"), "looking for OpenCL devices");
	assert_int_equal(put_job(1, "1000", 0), ERR_DEVICE);
	turn_until(is_ready);
	assert_true(node.changes_n > 0);
	assert_string_equal(offered("compute.matmul"), "ready");
	assert_string_equal(offered("image.filter"), "ready");
	assert_string_equal(offered("llm.chat"), "no model is loaded");
	o = offer_of(&a);
	assert_true(o.slots >= CHILD_JOBS);
	assert_int_equal(o.health, 1000);
	assert_non_null(strstr((const char *)o.device.at, ": READY"));
	arena_done(&a);
	assert_int_equal(put_job(2, "1000", 0), 0);
	assert_int_equal(put_job(3, NULL, 0), 0);
	turn_until(has_2_reports);
	assert_int_equal(node.reports[0].code, 0);
	assert_true(node.reports[0].body_bytes > 0);
	assert_true(ulid_eq(node.reports[0].task, id_of(2)));
	assert_int_equal(node.reports[1].code, ERR_MALFORMED);
	assert_int_equal(first()->jobs_n, 0);
}

static void test_queue_is_bounded(void **state)
{
	struct job chat = {
		.task = id_of(9),
		.attempt = 1,
		.kind = SPAN_LIT("llm.chat"),
		.raw = SPAN_LIT(""),
	};
	struct fail why;
	struct arena a;
	struct offer o;

	(void)state;
	open_gpu();
	turn_until(is_ready);
	assert_int_equal(gpu_ops.start(&gpu, &chat, &why), ERR_UNSUPPORTED);
	assert_int_equal(put_job(1, LONG, 0), 0);
	assert_int_equal(put_job(2, LONG, 0), 0);
	assert_int_equal(put_job(3, "1", 0), ERR_BUSY);
	o = offer_of(&a);
	assert_int_equal(o.queued, 1);
	assert_int_equal(o.load, 1000);
	arena_done(&a);
	gpu_ops.cancel(&gpu, id_of(2), 1); /* which waits: ends at once */
	assert_int_equal(node.reports_n, 1);
	assert_true(ulid_eq(node.reports[0].task, id_of(2)));
	assert_int_equal(node.reports[0].code, ERR_CANCELLED);
	gpu_ops.cancel(&gpu, id_of(7), 1); /* nobody */
	gpu_ops.cancel(&gpu, id_of(1), 2); /* another attempt */
	turn_until(has_progress);
	assert_int_equal(node.reports_n, 1);
	gpu_ops.cancel(&gpu, id_of(1), 1);
	gpu_ops.cancel(&gpu, id_of(1), 1);
	turn_until(has_2_reports);
	assert_int_equal(node.reports[1].code, ERR_CANCELLED);
	assert_int_equal(first()->state, CHILD_READY);
}

static void test_deadline_stops_a_job(void **state)
{
	(void)state;
	open_gpu();
	turn_until(is_ready);
	assert_int_equal(put_job(1, LONG, node.daemon.loop.now_ns + 300 * NS_PER_MS), 0);
	turn_until(has_1_report);
	assert_int_equal(node.reports[0].code, ERR_EXPIRED);
	assert_int_equal(first()->state, CHILD_READY);
}

static void test_killed_child_fails_its_jobs_and_comes_back(void **state)
{
	struct arena a;
	struct offer o;
	pid_t pid;

	(void)state;
	open_gpu();
	turn_until(is_ready);
	pid = first()->process.pid;
	assert_int_equal(put_job(1, LONG, 0), 0);
	assert_int_equal(put_job(2, "1000", 0), 0);
	turn_until(has_progress);
	assert_int_equal(kill(pid, SIGKILL), 0);
	turn_until(has_2_reports);
	assert_int_equal(node.reports[0].code, ERR_DEVICE);
	assert_int_equal(node.reports[1].code, ERR_DEVICE);
	assert_non_null(strstr(node.reports[0].detail, "killed by signal 9"));
	turn_until(is_resting);
	assert_string_equal(offered("compute.montecarlo"), "killed by signal 9");
	o = offer_of(&a);
	assert_int_equal(o.slots, 0);
	arena_done(&a);
	assert_int_equal(put_job(3, "1000", 0), ERR_DEVICE);
	turn_until(is_ready);
	assert_true(first()->process.pid != pid);
	node.reports_n = 0;
	assert_int_equal(put_job(4, "1000", 0), 0);
	turn_until(has_1_report);
	assert_int_equal(node.reports[0].code, 0);
	assert_int_equal(first()->deaths, 0);
}

/* Stopped, it is silent: the watchdog's case. */
static void test_silent_child_is_killed(void **state)
{
	(void)state;
	conf.watchdog_ns = NS_PER_S;
	open_gpu();
	turn_until(is_ready);
	assert_int_equal(put_job(1, LONG, 0), 0);
	turn_until(has_progress);
	assert_int_equal(kill(first()->process.pid, SIGSTOP), 0);
	turn_until(has_1_report);
	assert_int_equal(node.reports[0].code, ERR_DEVICE);
	assert_non_null(strstr(node.reports[0].detail, "silent"));
	turn_until(is_resting);
}

static void test_close_ends_jobs(void **state)
{
	(void)state;
	open_gpu();
	turn_until(is_ready);
	assert_int_equal(put_job(1, LONG, 0), 0);
	assert_int_equal(put_job(2, "5", 0), 0);
	gpu_ops.close(&gpu);
	assert_int_equal(node.reports_n, 2);
	assert_int_equal(node.reports[0].code, ERR_CLOSED);
	assert_int_equal(node.reports[1].code, ERR_CLOSED);
	open_gpu(); /* for the teardown */
}

/* Tests with scripts */

static void check_breaks(const char *script, const char *why)
{
	use_script(script);
	open_gpu();
	turn_until(is_resting);
	assert_non_null(strstr(first()->why, why));
	assert_non_null(strstr(offered("compute.matmul"), why));
	assert_int_equal(first()->process.pid, 0);
}

static void test_child_that_exits(void **state)
{
	(void)state;
	check_breaks("exit 3", "exit status 3");
}

static void test_child_that_crashes(void **state)
{
	(void)state;
	check_breaks("kill -SEGV $$", "killed by signal 11");
}

static void test_child_that_closes_its_socket(void **state)
{
	(void)state;
	check_breaks("exec 3>&-; exec sleep 60", "killed by signal 9");
}

static void test_child_that_talks_nonsense(void **state)
{
	(void)state;
	check_breaks("echo what a wonderful day it is today >&3; exec sleep 60", "malformed");
}

static void test_child_that_greets_wrongly(void **state)
{
	(void)state;
	write_hello("soon");
	check_breaks("cat hello >&3; exec sleep 60", "greeted wrongly");
}

static void test_child_that_greets_twice(void **state)
{
	(void)state;
	write_hello("1");
	check_breaks("cat hello hello >&3; exec sleep 60", "greeted wrongly");
}

static void test_child_that_reports_what_it_was_not_given(void **state)
{
	(void)state;
	write_hello("1");
	write_frame("done", &(struct frame){ .type = GPU_DONE, .id = 1 });
	check_breaks("cat hello done >&3; exec sleep 60", "does not have");
}

static void test_child_that_sends_an_order(void **state)
{
	(void)state;
	write_frame("job", &(struct frame){ .type = GPU_JOB, .id = 1 });
	check_breaks("cat job >&3; exec sleep 60", "unknown type");
}

static void test_program_that_is_missing(void **state)
{
	(void)state;
	snprintf(conf.device_program, sizeof(conf.device_program), "./no-such-program");
	open_gpu();
	turn_until(has_no_devices);
	assert_non_null(strstr(offered("compute.matmul"), "cannot start"));
}

/* A device that fails one kind serves the others; a reply without words has a code nevertheless. */
static void test_kind_that_failed_its_test(void **state)
{
	(void)state;
	write_hello("1");
	write_frame("failed",
		&(struct frame){ .type = GPU_FAILED, .id = 1, .arg = 0, .body = SPAN_LIT("\xff") });
	use_script("cat hello >&3; head -c 1 <&3 >/dev/null; cat failed >&3; exec sleep 60");
	open_gpu();
	turn_until(is_ready);
	assert_string_equal(offered("compute.montecarlo"), "ready");
	assert_string_equal(offered("image.filter"), "the lens is broken");
	assert_string_equal(offered("compute.matmul"), "its kernels were not tried");
	assert_int_equal(put_job(1, "1", 0), 0);
	turn_until(has_1_report);
	assert_int_equal(node.reports[0].code, ERR_BUG);
}

static void use_list(const char *what)
{
	FILE *f = fopen("device.sh", "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", what);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod("device.sh", 0700), 0);
	snprintf(conf.device_program, sizeof(conf.device_program), "./device.sh");
	open_gpu();
	turn_until(has_no_devices);
}

static void test_no_device(void **state)
{
	struct arena a;
	struct offer o;

	(void)state;
	use_list("exit 0");
	assert_string_equal(offered("compute.matmul"), "no OpenCL device");
	assert_string_equal(offered("llm.chat"), "no model is loaded");
	o = offer_of(&a);
	assert_int_equal(o.slots, 0);
	arena_done(&a);
	assert_int_equal(put_job(1, "1", 0), ERR_DEVICE);
}

static void test_list_that_crashes(void **state)
{
	(void)state;
	use_list("kill -SEGV $$");
	assert_non_null(strstr(offered("compute.matmul"), "killed by signal 11"));
}

static void test_list_that_never_ends_printing(void **state)
{
	(void)state;
	use_list("exec yes nothing of interest");
	assert_non_null(strstr(offered("compute.matmul"), "too much"));
}

static void test_devices_that_are_not_meant(void **state)
{
	(void)state;
	snprintf(conf.devices, sizeof(conf.devices), "7");
	use_list("echo "
		 "'{\"index\":0,\"name\":\"S\",\"type\":\"gpu\",\"platform\":\"P\",\"driver\":"
		 "\"1\",\"uuid\":\"\","
		 "\"pci\":\"\",\"memory_bytes\":1,\"units\":1,\"same_as\":-1}'");
	assert_non_null(strstr(offered("compute.matmul"), "devices = 7"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_jobs_run),
		T(test_queue_is_bounded),
		T(test_deadline_stops_a_job),
		T(test_killed_child_fails_its_jobs_and_comes_back),
		T(test_silent_child_is_killed),
		T(test_close_ends_jobs),
		T(test_child_that_exits),
		T(test_child_that_crashes),
		T(test_child_that_closes_its_socket),
		T(test_child_that_talks_nonsense),
		T(test_child_that_greets_wrongly),
		T(test_child_that_greets_twice),
		T(test_child_that_reports_what_it_was_not_given),
		T(test_child_that_sends_an_order),
		T(test_program_that_is_missing),
		T(test_kind_that_failed_its_test),
		T(test_no_device),
		T(test_list_that_crashes),
		T(test_list_that_never_ends_printing),
		T(test_devices_that_are_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
