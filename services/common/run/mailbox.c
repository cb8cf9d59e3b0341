/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: a ring under a mutex. The descriptor is readable exactly while the ring holds something: it is
 * written when the ring fills from empty and read when it gets empty, both under the lock, so a burst of
 * posts costs one system call.
 */
#include "run/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

int mailbox_open(struct mailbox *m, uint32_t cap)
{
	CHECK(cap > 0);
	*m = (struct mailbox){ .cap = cap, .fd = -1 };
	m->ring = mem_alloc(cap * sizeof(*m->ring));
	if (m->ring == NULL)
		return ERR_NO_MEMORY;
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0) {
		mem_free(m->ring);
		m->ring = NULL;
		return ERR_IO;
	}
	CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
	return 0;
}

void mailbox_close(struct mailbox *m)
{
	if (m->ring == NULL)
		return;
	close(m->fd);
	pthread_mutex_destroy(&m->lock);
	mem_free(m->ring);
	*m = (struct mailbox){ .fd = -1 };
}

bool mailbox_post(struct mailbox *m, void *what)
{
	uint64_t one = 1;
	bool fits;

	CHECK(what != NULL);
	CHECK(pthread_mutex_lock(&m->lock) == 0);
	fits = m->len < m->cap;
	if (fits) {
		m->ring[(m->head + m->len) % m->cap] = what;
		if (m->len++ == 0)
			CHECK(write(m->fd, &one, sizeof(one)) == sizeof(one));
	}
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
	return fits;
}

void *mailbox_take(struct mailbox *m)
{
	void *what = NULL;
	uint64_t posts;

	CHECK(pthread_mutex_lock(&m->lock) == 0);
	if (m->len > 0) {
		what = m->ring[m->head];
		m->head = (m->head + 1) % m->cap;
		if (--m->len == 0)
			CHECK(read(m->fd, &posts, sizeof(posts)) == sizeof(posts));
	}
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
	return what;
}
