/* SPDX-License-Identifier: Apache-2.0
 *
 * child: see child.h. Each way in which a child can fail ends in child_break: the process is killed, its jobs
 * are reported, and it is started again.
 */
#include "gpu-node/child.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "gpu-node/hello.h"
#include "run/log.h"

#define START_MAX_NS (120 * NS_PER_S) /* drivers compile every kernel at the first start */
#define STOP_MAX_NS (5 * NS_PER_S)    /* for a job that was told to end */
#define REST_NS NS_PER_S              /* after the first death; doubles */
#define REST_DOUBLINGS 6

const char *child_state_name(enum child_state s)
{
	static const char *const names[] = { "STARTING", "READY", "FAILED", "FAILED" };

	return names[s];
}

static void set_state(struct child *c, enum child_state state)
{
	c->state = state;
	c->hooks.on_state(c->hooks.ctx, c);
}

static void set_timer(struct child *c, int64_t due_ns)
{
	if (loop_timer_set(c->loop, &c->timer, due_ns) < 0)
		log_error("a device's timer cannot be set", "device", LOG_INT(c->row.index));
}

/* Take a job out of the row and report it. */
static void end_job(struct child *c, unsigned i, struct span body, const struct fail *why)
{
	struct child_job job = c->jobs[i];

	c->jobs_n--;
	memmove(&c->jobs[i], &c->jobs[i + 1], (c->jobs_n - i) * sizeof(c->jobs[0]));
	if (why == NULL)
		c->hooks.on_done(c->hooks.ctx, &job, body);
	else
		c->hooks.on_failed(c->hooks.ctx, &job, why);
	mem_free(job.body);
}

static void fail_job(struct child *c, unsigned i, int code, const char *detail)
{
	struct fail why;
	int stop = c->jobs[i].stop;

	fail_set(&why, stop != 0 ? stop : code, NULL, 0, stop != 0 || detail == NULL ? NULL : "%s",
		detail);
	end_job(c, i, (struct span){ 0 }, &why);
}

static void close_socket(struct child *c)
{
	if (c->socket.fd < 0)
		return;
	loop_fd_drop(c->loop, &c->socket);
	close(c->socket.fd);
	c->socket.fd = -1;
}

/* After a death: begin to wait for the next start. */
static void rest(struct child *c)
{
	const unsigned doublings = c->deaths < REST_DOUBLINGS ? c->deaths : REST_DOUBLINGS;

	c->deaths++;
	set_timer(c, c->loop->now_ns + (REST_NS << doublings));
	set_state(c, CHILD_RESTING);
}

/* The child is of no use any more. */
static void child_break(struct child *c, const char *why)
{
	char detail[sizeof(c->why) + 32];

	if (c->state == CHILD_ENDING || c->state == CHILD_RESTING)
		return;
	snprintf(c->why, sizeof(c->why), "%s", why);
	log_warn("a device's process is ended", "device", LOG_INT(c->row.index), "why",
		LOG_STR(c->why));
	close_socket(c);
	process_kill(&c->process);
	loop_timer_stop(c->loop, &c->timer);
	snprintf(detail, sizeof(detail), "the device's process: %s", c->why);
	c->state = CHILD_ENDING; /* so that no new job comes in from the reports */
	while (c->jobs_n > 0)
		fail_job(c, 0, ERR_DEVICE, detail);
	if (c->process.pid > 0)
		set_state(c, CHILD_ENDING);
	else
		rest(c);
}

/* The watchdog's next look: the earliest moment at which something would be wrong. */
static void set_watchdog(struct child *c)
{
	const struct child_job *job = &c->jobs[0];
	int64_t due_ns;

	if (c->jobs_n == 0) {
		loop_timer_stop(c->loop, &c->timer);
		return;
	}
	due_ns = c->heard_ns + c->conf->watchdog_ns;
	if (job->stop != 0 && c->stop_ns + STOP_MAX_NS < due_ns)
		due_ns = c->stop_ns + STOP_MAX_NS;
	if (job->stop == 0 && job->deadline_ns < due_ns)
		due_ns = job->deadline_ns;
	set_timer(c, due_ns);
}

/* Send what waits; what the socket does not take goes when it is writable. */
static void send_frames(struct child *c)
{
	const uint32_t was = c->socket.events;
	uint32_t events;

	if (frames_send(&c->out, c->socket.fd) < 0) {
		child_break(c, "it closed its socket");
		return;
	}
	events = EPOLLIN | (frames_waiting(&c->out) > 0 ? EPOLLOUT : 0);
	if (events != was && loop_fd_set(c->loop, &c->socket, events) < 0)
		child_break(c, "its socket cannot be watched");
}

static void put_frame(struct child *c, const struct frame *frame)
{
	if (frames_put(&c->out, frame) < 0)
		child_break(c, "it does not read its socket");
	else
		send_frames(c);
}

/* Send the first job, if it was not sent so far. */
static void start_job(struct child *c)
{
	struct child_job *job = &c->jobs[0];

	if (c->state != CHILD_READY)
		return;
	if (c->jobs_n > 0 && job->id == 0) {
		job->id = ++c->last_id;
		c->heard_ns = c->loop->now_ns;
		put_frame(c, &(struct frame){ GPU_JOB, job->kind, job->id,
				     span_of(job->body, job->body_len) });
	}
	if (c->state == CHILD_READY)
		set_watchdog(c);
}

int child_put(struct child *c, const struct child_job *job)
{
	if (!child_has_room(c))
		return ERR_BUSY;
	c->jobs[c->jobs_n] = *job;
	c->jobs[c->jobs_n].id = 0;
	c->jobs[c->jobs_n].stop = 0;
	c->jobs_n++;
	start_job(c);
	return 0;
}

static void stop_running(struct child *c, int code)
{
	c->jobs[0].stop = code;
	c->stop_ns = c->loop->now_ns;
	put_frame(c, &(struct frame){ .type = GPU_CANCEL, .id = c->jobs[0].id });
	if (c->state == CHILD_READY)
		set_watchdog(c);
}

bool child_cancel(struct child *c, struct ulid task, uint32_t attempt)
{
	unsigned i;

	for (i = 0; i < c->jobs_n; i++)
		if (ulid_eq(c->jobs[i].task, task) && c->jobs[i].attempt == attempt)
			break;
	if (i == c->jobs_n)
		return false;
	if (c->jobs[i].id == 0)
		fail_job(c, i, ERR_CANCELLED, NULL);
	else if (c->jobs[i].stop == 0)
		stop_running(c, ERR_CANCELLED);
	return true;
}

static void on_hello(struct child *c, const struct frame *frame)
{
	if (c->state != CHILD_STARTING || hello_read(frame->body, &c->facts) < 0) {
		child_break(c, "it greeted wrongly");
		return;
	}
	loop_timer_stop(c->loop, &c->timer);
	log_info("a device is ready", "device", LOG_INT(c->row.index), "name",
		LOG_STR(c->facts.name), "launch_us", LOG_INT(c->facts.launch_us), "matmul_mflops",
		LOG_INT(c->facts.matmul_mflops), "montecarlo_per_s",
		LOG_INT(c->facts.montecarlo_per_s));
	set_state(c, CHILD_READY);
}

static void on_failed(struct child *c, const struct frame *frame)
{
	struct fail why;

	hello_read_fail(frame, &why);
	if (c->jobs[0].stop != 0)
		fail_job(c, 0, c->jobs[0].stop, NULL);
	else
		end_job(c, 0, (struct span){ 0 }, &why);
}

/* About the running job. */
static void on_report(struct child *c, const struct frame *frame)
{
	if (c->jobs_n == 0 || c->jobs[0].id == 0 || frame->id != c->jobs[0].id) {
		child_break(c, "it reported a job that it does not have");
		return;
	}
	c->heard_ns = c->loop->now_ns;
	if (frame->type == GPU_PROGRESS) {
		c->hooks.on_progress(c->hooks.ctx, &c->jobs[0],
			frame->arg > 1000 ? 1000 : frame->arg);
		return; /* the watchdog looks at heard_ns when it is due */
	}
	if (frame->type == GPU_DONE) {
		c->deaths = 0;
		end_job(c, 0, frame->body, NULL);
	} else {
		on_failed(c, frame);
	}
	start_job(c);
}

static void on_frame(struct child *c, const struct frame *frame)
{
	if (frame->type == GPU_HELLO)
		on_hello(c, frame);
	else if (frame->type == GPU_PROGRESS || frame->type == GPU_DONE ||
		 frame->type == GPU_FAILED)
		on_report(c, frame);
	else
		child_break(c, "it sent a frame of an unknown type");
}

static void on_socket(void *ctx, uint32_t events)
{
	struct child *c = ctx;
	struct frame frame;
	int got = 1, r;

	if (events & EPOLLOUT)
		send_frames(c);
	if (c->socket.fd < 0)
		return;
	r = frames_read(&c->in, c->socket.fd);
	while (c->socket.fd >= 0 && got == 1) {
		got = frames_take(&c->in, &frame);
		if (got == 1)
			on_frame(c, &frame);
		else if (got < 0)
			child_break(c, "it sent a malformed frame");
	}
	if (r == ERR_CLOSED && c->socket.fd >= 0) {
		close_socket(c);
		process_kill(&c->process); /* no effect if it is ending; its end tells why */
	} else if (r < 0) {
		child_break(c, "its socket cannot be read");
	}
}

static void on_exited(void *ctx, uint32_t events)
{
	struct child *c = ctx;
	char how[PROCESS_END_BYTES];

	(void)events;
	loop_fd_drop(c->loop, &c->exited);
	if (!process_reap(&c->process, how)) {
		process_end(&c->process);
		snprintf(how, sizeof(how), "its end cannot be told");
	}
	if (c->state == CHILD_ENDING)
		rest(c);
	else
		child_break(c, how);
}

static int open_socket(struct child *c, int fd)
{
	c->socket =
		(struct loop_fd){ .fd = fd, .events = EPOLLIN, .on_ready = on_socket, .ctx = c };
	frames_reset(&c->in);
	frames_reset(&c->out);
	if (loop_fd_add(c->loop, &c->socket) == 0)
		return 0;
	close(fd);
	c->socket.fd = -1;
	return ERR_IO;
}

static int spawn(struct child *c, int fd, struct fail *why)
{
	char device[16], number[16], threads[24], cache[512];
	const char *const argv[] = { c->conf->program, "--device", device, "--fd", number,
		"--threads", threads, "--cache", cache, NULL };

	snprintf(device, sizeof(device), "%" PRIu32, c->row.index);
	snprintf(number, sizeof(number), "%d", GPU_CHILD_FD);
	snprintf(threads, sizeof(threads), "%" PRId64, c->conf->threads);
	snprintf(cache, sizeof(cache), "%s/device-%" PRIu32, c->conf->cache_dir, c->row.index);
	return process_start(argv, fd, GPU_CHILD_FD, &c->process, why);
}

static int start(struct child *c, struct fail *why)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(why, ERR_IO, NULL, 0, "socketpair: %s", strerror(errno));
	r = open_socket(c, pair[0]);
	if (r == 0)
		r = spawn(c, pair[1], why);
	else
		fail_set(why, r, NULL, 0, NULL);
	close(pair[1]);
	if (r < 0)
		return r;
	c->exited = (struct loop_fd){
		.fd = c->process.fd,
		.events = EPOLLIN,
		.on_ready = on_exited,
		.ctx = c,
	};
	if (loop_fd_add(c->loop, &c->exited) == 0)
		return 0;
	process_end(&c->process);
	return fail_set(why, ERR_IO, NULL, 0, "the process cannot be watched");
}

static void begin(struct child *c)
{
	struct fail why;

	set_state(c, CHILD_STARTING);
	if (start(c, &why) < 0)
		child_break(c, why.detail);
	else
		set_timer(c, c->loop->now_ns + START_MAX_NS);
}

/* In READY: is something wrong by now? */
static void watch(struct child *c, int64_t now_ns)
{
	const struct child_job *job = &c->jobs[0];
	char why[64];

	if (now_ns - c->heard_ns >= c->conf->watchdog_ns) {
		snprintf(why, sizeof(why), "it was silent for %" PRId64 " ms",
			c->conf->watchdog_ns / NS_PER_MS);
		child_break(c, why);
	} else if (job->stop != 0 && now_ns - c->stop_ns >= STOP_MAX_NS) {
		child_break(c, "it did not stop a job");
	} else if (job->stop == 0 && now_ns >= job->deadline_ns) {
		stop_running(c, ERR_EXPIRED);
	} else {
		set_watchdog(c);
	}
}

static void on_due(void *ctx, int64_t now_ns)
{
	struct child *c = ctx;

	if (c->state == CHILD_RESTING)
		begin(c);
	else if (c->state == CHILD_STARTING)
		child_break(c, "it did not start in time");
	else if (c->state == CHILD_READY && c->jobs_n > 0)
		watch(c, now_ns);
}

void child_open(struct child *c, struct loop *loop, const struct child_conf *conf,
	const struct child_hooks *hooks, const struct listing_row *row)
{
	*c = (struct child){
		.loop = loop,
		.conf = conf,
		.hooks = *hooks,
		.row = *row,
		.process = PROCESS_NONE,
		.socket = { .fd = -1 },
	};
	c->timer.on_due = on_due;
	c->timer.ctx = c;
	frames_init(&c->in, GPU_FRAME_BYTES);
	frames_init(&c->out, GPU_FRAME_BYTES);
	begin(c);
}

void child_close(struct child *c)
{
	c->state = CHILD_ENDING;
	close_socket(c);
	if (c->process.pid > 0)
		loop_fd_drop(c->loop, &c->exited);
	process_end(&c->process);
	loop_timer_stop(c->loop, &c->timer);
	while (c->jobs_n > 0)
		fail_job(c, 0, ERR_CLOSED, NULL);
	frames_done(&c->in);
	frames_done(&c->out);
}
