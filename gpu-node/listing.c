/* SPDX-License-Identifier: Apache-2.0
 *
 * listing: see listing.h. What the program prints is foreign: its drivers may have written there too, so
 * lines that are no JSON objects of ours are passed over.
 */
#include "gpu-node/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fmt.h"

#define BYTES_MAX (1u << 18)
#define TIME_MAX_NS (60 * NS_PER_S) /* some drivers initialise every card first */

static int copy_text(json_t *object, const char *key, char *to, size_t room)
{
	json_t *text = json_object_get(object, key);

	if (!json_is_string(text))
		return ERR_MALFORMED;
	span_copy(fmt_clip(span_of(json_string_value(text), json_string_length(text)), room - 1),
		to, room);
	return 0;
}

static int64_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int parse_object(json_t *object, struct listing_row *row)
{
	int64_t index = number(object, "index");
	int r = index < 0 || index >= LISTING_MAX ? ERR_MALFORMED : 0;

	row->index = (uint32_t)index;
	row->memory_bytes = number(object, "memory_bytes");
	row->units = number(object, "units");
	row->same_as = number(object, "same_as");
	if (r == 0)
		r = copy_text(object, "name", row->name, sizeof(row->name));
	if (r == 0)
		r = copy_text(object, "platform", row->platform, sizeof(row->platform));
	if (r == 0)
		r = copy_text(object, "driver", row->driver, sizeof(row->driver));
	if (r == 0)
		r = copy_text(object, "type", row->type, sizeof(row->type));
	if (r == 0)
		r = copy_text(object, "pci", row->place, sizeof(row->place));
	if (r == 0 && row->place[0] == '\0')
		r = copy_text(object, "uuid", row->place, sizeof(row->place));
	return r;
}

int listing_parse(struct span line, struct listing_row *ret)
{
	struct listing_row row = { 0 };
	json_t *object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
	int r;

	if (object == NULL)
		return ERR_MALFORMED;
	r = parse_object(object, &row);
	json_decref(object);
	if (r == 0)
		*ret = row;
	return r;
}

/* Does the list of indices have this one? Or, with index -1: is it such a list? */
static bool in_indices(const char *devices, int64_t index)
{
	struct span rest = span_str(devices);

	while (rest.len > 0) {
		int64_t n;

		if (fmt_int(span_trim(span_cut(&rest, ',')), &n) < 0 || n < 0 || n >= LISTING_MAX)
			return false;
		if (n == index)
			return true;
	}
	return index == -1;
}

int listing_check(const char *devices)
{
	if (strcmp(devices, "all") == 0 || strcmp(devices, "cpu") == 0 ||
		strcmp(devices, "gpu") == 0)
		return 0;
	return devices[0] != '\0' && in_indices(devices, -1) ? 0 : ERR_INVALID;
}

bool listing_wants(const char *devices, const struct listing_row *row)
{
	if (row->same_as >= 0)
		return false;
	if (strcmp(devices, "all") == 0)
		return true;
	return strcmp(devices, row->type) == 0 || in_indices(devices, row->index);
}

void listing_init(struct listing *l, struct loop *loop)
{
	*l = (struct listing){ .loop = loop, .process = PROCESS_NONE, .out = { .fd = -1 } };
	buf_init(&l->bytes, BYTES_MAX);
}

static void close_output(struct listing *l)
{
	if (l->out.fd < 0)
		return;
	loop_fd_drop(l->loop, &l->out);
	close(l->out.fd);
	l->out.fd = -1;
}

static void stop(struct listing *l)
{
	close_output(l);
	if (l->process.fd >= 0)
		loop_fd_drop(l->loop, &l->exited);
	loop_timer_stop(l->loop, &l->timer);
}

void listing_done(struct listing *l)
{
	stop(l);
	process_end(&l->process);
	buf_done(&l->bytes);
}

/* Tell what the program printed before it ended. */
static void finish(struct listing *l, const struct fail *why)
{
	struct listing_row rows[LISTING_MAX];
	struct span rest = buf_span(&l->bytes);
	unsigned n = 0;

	while (rest.len > 0 && n < LISTING_MAX)
		if (listing_parse(span_cut(&rest, '\n'), &rows[n]) == 0)
			n++;
	l->on_end(l->ctx, rows, n, why);
}

/* It is over; trouble is NULL if the program did what it should. */
static void end(struct listing *l, const char *trouble)
{
	struct fail why = { 0 };

	stop(l);
	process_end(&l->process);
	if (trouble != NULL)
		fail_set(&why, ERR_DEVICE, NULL, 0,
			"the device program could not list the devices: %s", trouble);
	finish(l, &why);
}

static void on_exit_of(void *ctx, uint32_t events)
{
	struct listing *l = ctx;
	char how[PROCESS_END_BYTES];

	(void)events;
	loop_fd_drop(l->loop, &l->exited);
	if (!process_reap(&l->process, how))
		end(l, "its end cannot be told");
	else
		end(l, strcmp(how, "exit status 0") == 0 ? NULL : how);
}

/* Its output has ended; how it ends itself comes next. */
static void await_exit(struct listing *l)
{
	close_output(l);
	l->exited = (struct loop_fd){
		.fd = l->process.fd,
		.events = EPOLLIN,
		.on_ready = on_exit_of,
		.ctx = l,
	};
	if (loop_fd_add(l->loop, &l->exited) < 0)
		end(l, "it cannot be watched");
}

static void on_output(void *ctx, uint32_t events)
{
	struct listing *l = ctx;
	unsigned char *room = buf_room(&l->bytes, 4096);
	ssize_t n;

	(void)events;
	if (room == NULL) {
		end(l, "it printed too much");
		return;
	}
	n = read(l->out.fd, room, 4096);
	if (n > 0)
		buf_took(&l->bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		await_exit(l);
}

static void on_late(void *ctx, int64_t now_ns)
{
	(void)now_ns;
	end(ctx, "it did not end in time");
}

static int watch(struct listing *l, int fd)
{
	int r;

	l->out = (struct loop_fd){ .fd = fd, .events = EPOLLIN, .on_ready = on_output, .ctx = l };
	l->timer.on_due = on_late;
	l->timer.ctx = l;
	r = loop_fd_add(l->loop, &l->out);
	if (r == 0)
		r = loop_timer_set(l->loop, &l->timer, l->loop->now_ns + TIME_MAX_NS);
	return r;
}

int listing_start(struct listing *l, const char *program, const char *cache_dir, struct fail *why)
{
	const char *const argv[] = { program, "--list", "--cache", cache_dir, NULL };
	int pipe_fd[2], r;

	CHECK(l->out.fd < 0 && l->process.pid == 0);
	buf_reset(&l->bytes);
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return fail_set(why, ERR_IO, NULL, 0, "pipe: %s", strerror(errno));
	r = process_start(argv, pipe_fd[1], STDOUT_FILENO, &l->process, why);
	close(pipe_fd[1]);
	if (r < 0) {
		close(pipe_fd[0]);
		return r;
	}
	r = watch(l, pipe_fd[0]);
	if (r < 0) {
		stop(l);
		process_end(&l->process);
		fail_set(why, r, NULL, 0, NULL);
	}
	return r;
}
