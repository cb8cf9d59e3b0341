/* SPDX-License-Identifier: Apache-2.0
 *
 * serve: see serve.h. One thread: while a job runs, the socket is looked at between its steps.
 */
#include "gpu-node/device/serve.h"

#include <errno.h>
#include <poll.h>

#include "gpu-node/device/job.h"
#include "node/frame.h"
#include "run/clocks.h"
#include "wire/body.h"

struct serve {
	struct device *device;
	int fd;
	struct frames in;
	struct frames out;
	struct buf result;
	uint64_t job;      /* what runs now */
	bool is_cancelled; /* it should end */
	int err;           /* the socket's end: ERR_CLOSED and so on */
	int64_t told_ns;   /* when progress was told last */
};

/* Wait until the socket can take or give something. */
static void wait_for(struct serve *s, short events)
{
	struct pollfd p = { .fd = s->fd, .events = events };

	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		s->err = ERR_IO;
}

static void send_all(struct serve *s)
{
	while (s->err == 0 && frames_waiting(&s->out) > 0) {
		s->err = frames_send(&s->out, s->fd);
		if (s->err == 0 && frames_waiting(&s->out) > 0)
			wait_for(s, POLLOUT);
	}
}

static void tell(struct serve *s, const struct frame *frame)
{
	int r = frames_put(&s->out, frame);

	if (r < 0 && s->err == 0)
		s->err = r;
	send_all(s);
}

static void tell_failed(struct serve *s, uint64_t job, const struct fail *why)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	buf_init(&body, 4096);
	body_put_param(&body, SPAN_LIT("field"), span_str(why->field));
	body_put_int(&body, "limit", why->limit);
	body_put_param(&body, SPAN_LIT("detail"), span_str(why->detail));
	if (buf_err(&body) != 0)
		buf_reset(&body); /* the code alone says the most */
	tell(s, &(struct frame){ GPU_FAILED, (uint32_t)-why->code, job, buf_span(&body) });
}

/* What may come while a job runs: its cancel; another job is one too many. */
static void on_frame_meanwhile(struct serve *s, const struct frame *frame)
{
	struct fail why;

	if (frame->type == GPU_CANCEL) {
		if (frame->id == s->job)
			s->is_cancelled = true;
	} else if (frame->type == GPU_JOB) {
		fail_set(&why, ERR_BUSY, NULL, 1, "the device runs one job at a time");
		tell_failed(s, frame->id, &why);
	} else {
		s->err = ERR_MALFORMED;
	}
}

static bool on_step(void *ctx, uint32_t permille)
{
	struct serve *s = ctx;
	const int64_t now_ns = clocks_mono();
	struct frame frame;
	int r = 0;

	s->err = frames_read(&s->in, s->fd);
	while (s->err == 0 && (r = frames_take(&s->in, &frame)) == 1)
		on_frame_meanwhile(s, &frame);
	if (r < 0 && s->err == 0)
		s->err = r;
	if (now_ns - s->told_ns >= GPU_PROGRESS_NS) {
		s->told_ns = now_ns;
		tell(s, &(struct frame){ .type = GPU_PROGRESS, .arg = permille, .id = s->job });
	}
	return !s->is_cancelled && s->err == 0;
}

static void run_job(struct serve *s, const struct frame *frame)
{
	const struct pace pace = { on_step, s };
	struct fail why = { 0 };
	int r;

	s->job = frame->id;
	s->is_cancelled = false;
	s->told_ns = clocks_mono();
	buf_reset(&s->result);
	if (frame->arg >= GPU_KINDS)
		r = fail_set(&why, ERR_UNKNOWN, "kind", GPU_KINDS, NULL);
	else
		r = job_run(s->device, frame->arg, frame->body, &pace, &s->result, &why);
	if (r < 0)
		tell_failed(s, s->job, &why);
	else
		tell(s, &(struct frame){ GPU_DONE, 0, s->job, buf_span(&s->result) });
}

static void say_hello(struct serve *s, const struct probe *p)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct facts *f = &s->device->facts;

	buf_init(&b, 16384);
	body_put_param(&b, SPAN_LIT("name"), span_str(f->name));
	body_put_param(&b, SPAN_LIT("platform"), span_str(f->platform));
	body_put_param(&b, SPAN_LIT("driver"), span_str(f->driver));
	body_put_int(&b, "memory_bytes", (int64_t)f->memory_bytes);
	body_put_int(&b, "units", f->units);
	body_put_int(&b, "launch_us", (p->launch_ns + 999) / 1000);
	body_put_int(&b, "matmul_mflops", p->matmul_mflops);
	body_put_int(&b, "montecarlo_per_s", p->montecarlo_per_s);
	for (unsigned k = 0; k < GPU_KINDS; k++)
		body_put_param(&b, span_str(gpu_kind_name(k)),
			span_str(p->kinds[k].code == 0 ? "" : p->kinds[k].detail));
	if (buf_err(&b) != 0)
		s->err = buf_err(&b);
	else
		tell(s, &(struct frame){ .type = GPU_HELLO, .body = buf_span(&b) });
}

/* Everything that has come. */
static void take_all(struct serve *s)
{
	struct frame frame;
	int r = 1;

	while (s->err == 0 && r == 1) {
		r = frames_take(&s->in, &frame);
		if (r < 0 || (r == 1 && frame.type != GPU_JOB && frame.type != GPU_CANCEL))
			s->err = ERR_MALFORMED;
		else if (r == 1 && frame.type == GPU_JOB)
			run_job(s, &frame);
	}
}

int serve_run(struct device *d, const struct probe *probe, int fd)
{
	struct serve s = { .device = d, .fd = fd };

	frames_init(&s.in, GPU_FRAME_BYTES);
	frames_init(&s.out, GPU_FRAME_BYTES);
	buf_init(&s.result, GPU_FRAME_BYTES);
	say_hello(&s, probe);
	while (s.err == 0) {
		wait_for(&s, POLLIN);
		if (s.err == 0)
			s.err = frames_read(&s.in, fd);
		take_all(&s);
	}
	frames_done(&s.in);
	frames_done(&s.out);
	buf_done(&s.result);
	return s.err == ERR_CLOSED ? 0 : s.err;
}
