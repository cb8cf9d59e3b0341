/* SPDX-License-Identifier: Apache-2.0
 *
 * frame: see frame.h. On the socket: struct head in this machine's byte order, then the body.
 */
#include "node/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

#define READ_BYTES 65536u

struct head {
	uint32_t bytes; /* of the body */
	uint32_t type;
	uint32_t arg;
	uint32_t zero;
	uint64_t id;
};

void frames_init(struct frames *f, size_t body_max)
{
	buf_init(&f->bytes, 2 * (body_max + sizeof(struct head)));
	f->taken = 0;
}

void frames_done(struct frames *f)
{
	buf_done(&f->bytes);
	f->taken = 0;
}

void frames_reset(struct frames *f)
{
	buf_reset(&f->bytes);
	f->taken = 0;
}

static size_t body_max(const struct frames *f)
{
	return f->bytes.max / 2 - sizeof(struct head);
}

int frames_put(struct frames *f, const struct frame *frame)
{
	const struct head head = { (uint32_t)frame->body.len, frame->type, frame->arg, 0,
		frame->id };
	unsigned char *room;

	CHECK(frame->type >= 1 && frame->type <= FRAME_TYPE_MAX);
	if (frame->body.len > body_max(f))
		return ERR_TOO_BIG;
	if (sizeof(head) + frame->body.len > f->bytes.max - f->bytes.len)
		return ERR_BUSY;
	room = buf_room(&f->bytes, sizeof(head) + frame->body.len);
	if (room == NULL) {
		f->bytes.err = 0; /* what waits is whole: nothing of this frame was added */
		return ERR_NO_MEMORY;
	}
	memcpy(room, &head, sizeof(head));
	if (frame->body.len > 0)
		memcpy(room + sizeof(head), frame->body.at, frame->body.len);
	buf_took(&f->bytes, sizeof(head) + frame->body.len);
	return 0;
}

static int socket_err(void)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
}

int frames_send(struct frames *f, int fd)
{
	while (f->bytes.len > 0) {
		ssize_t n = send(fd, f->bytes.at, f->bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return socket_err();
		buf_eat(&f->bytes, (size_t)n);
	}
	return 0;
}

/* Give up the frame that frames_take gave out. */
static void drop_taken(struct frames *f)
{
	buf_eat(&f->bytes, f->taken);
	f->taken = 0;
}

int frames_read(struct frames *f, int fd)
{
	drop_taken(f);
	while (f->bytes.len < f->bytes.max) {
		size_t want = f->bytes.max - f->bytes.len;
		unsigned char *room;
		ssize_t n;

		if (want > READ_BYTES)
			want = READ_BYTES;
		room = buf_room(&f->bytes, want);
		if (room == NULL) {
			f->bytes.err = 0;
			return ERR_NO_MEMORY;
		}
		n = recv(fd, room, want, MSG_DONTWAIT);
		if (n < 0)
			return socket_err();
		if (n == 0)
			return ERR_CLOSED;
		buf_took(&f->bytes, (size_t)n);
	}
	return 0;
}

int frames_take(struct frames *f, struct frame *ret)
{
	struct head head;

	drop_taken(f);
	if (f->bytes.len < sizeof(head))
		return 0;
	memcpy(&head, f->bytes.at, sizeof(head));
	if (head.bytes > body_max(f) || head.type < 1 || head.type > FRAME_TYPE_MAX ||
		head.zero != 0)
		return ERR_MALFORMED;
	if (f->bytes.len - sizeof(head) < head.bytes)
		return 0;
	*ret = (struct frame){ head.type, head.arg, head.id,
		span_of(f->bytes.at + sizeof(head), head.bytes) };
	f->taken = sizeof(head) + head.bytes;
	return 1;
}
