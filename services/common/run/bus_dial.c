/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_dial: libnats' own reconnection is off. It would block whoever publishes while it connects (it holds the
 * connection's lock meanwhile), it gives up after two equal refusals, and it has a path of its own for the
 * first connection; here each attempt is a fresh connection, and first, lost and refused ones are the same.
 *
 * What libnats' event-loop interface does, read in 3.4.1 (Debian 12); with 3.10.1 (Debian 13) and 3.14 the tests of
 * the bus pass under the address and thread checkers too: attach is the last step of a connect that succeeds; read,
 * write and detach are called with or without the connection's lock by whoever reads, writes, closes or notices
 * a missing pong (the timer thread). So they only set flags and poke the owner's eventfd.
 */
#include "run/bus_dial.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "base/prng.h"
#include "run/clocks.h"
#include "run/nkey.h"

#define SERVERS_MAX 16
#define URL_BYTES 255u
#define CONNECT_MS 2000
#define PING_MS 10000 /* a peer that answers neither of two is gone: found within 30 s */
#define PINGS_OUT 2
#define IO_BYTES (64 * 1024) /* 256 KiB measured no faster */
#define FIRST_DELAY_MS 50u
#define LAST_DELAY_MS 2000u
#define STEADY_NS (2 * NS_PER_S) /* a connection that lived longer was a good one */
#define GOODBYE_MS 1000

/* From 3.8 on the event loop closes the socket itself, through this call; before, it does not exist. */
extern void natsConnection_ProcessCloseEvent(natsSock *socket) __attribute__((weak));
/* From 3.12 on libnats keeps the connection for the event loop until it is told so (nats.c pull request 918). */
extern void natsConnection_ProcessDetachedEvent(natsConnection *nc) __attribute__((weak));

struct bus_dial {
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* of what follows down to has_why */
	pthread_cond_t changed;
	bool wanted;
	bool stop;
	struct bus_link *fresh;
	struct fail why;
	bool has_why;
	/* The thread's own: */
	natsOptions *options;
	struct prng prng;
	unsigned tries; /* since the last good connection */
	int64_t up_ns;  /* when the last connection was made; 0: none so far */
	/* Constant: */
	int wake_fd;
	pthread_t owner;
};

static void poke(int wake_fd)
{
	uint64_t one = 1;

	/* It fails only if the counter is full, and then the owner is awake. */
	if (write(wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* Links */

static void link_release(struct bus_link *link)
{
	if (atomic_fetch_sub(&link->holders, 1) != 1)
		return;
	if (link->fd >= 0)
		close(link->fd);
	if (link->wake_fd >= 0)
		close(link->wake_fd);
	pthread_mutex_destroy(&link->lock);
	mem_free(link);
}

static struct bus_link *link_new(const struct bus_dial *d)
{
	struct bus_link *link = mem_alloc(sizeof(*link));

	if (link == NULL)
		return NULL;
	atomic_init(&link->holders, 1);
	pthread_mutex_init(&link->lock, NULL);
	link->owner = d->owner;
	link->fd = -1;
	link->socket = -1;
	link->wake_fd = fcntl(d->wake_fd, F_DUPFD_CLOEXEC, 0);
	if (link->wake_fd >= 0)
		return link;
	link_release(link);
	return NULL;
}

static natsStatus on_attach(void **user, void *loop, natsConnection *nc, natsSock socket)
{
	struct bus_link *link = loop;

	link->fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (link->fd < 0)
		return NATS_SYS_ERROR;
	link->socket = socket;
	link->attached = nc;
	atomic_fetch_add(&link->holders, 1);
	*user = link;
	return NATS_OK;
}

static natsStatus on_read(void *user, bool add)
{
	(void)user;
	(void)add; /* the owner polls a duplicate until it hears of the end */
	return NATS_OK;
}

static natsStatus on_write(void *user, bool add)
{
	struct bus_link *link = user;

	atomic_store(&link->want_write, add);
	/* The owner sends at the end of its turn; a ping of the timer thread must wake it. */
	if (add && !pthread_equal(pthread_self(), link->owner))
		poke(link->wake_fd);
	return NATS_OK;
}

static natsStatus on_detach(void *user)
{
	struct bus_link *link = user;

	if (natsConnection_ProcessCloseEvent != NULL)
		natsConnection_ProcessCloseEvent(&link->socket);
	if (natsConnection_ProcessDetachedEvent != NULL)
		natsConnection_ProcessDetachedEvent(link->attached);
	atomic_store(&link->gone, true);
	poke(link->wake_fd);
	link_release(link);
	return NATS_OK;
}

/* The last callback of a connection. */
static void on_closed(natsConnection *nc, void *user)
{
	(void)nc;
	link_release(user);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *user)
{
	struct bus_link *link = user;
	const char *text = NULL;

	(void)sub; /* may be freed by now */
	if (s == NATS_SLOW_CONSUMER) {
		atomic_fetch_add(&link->slow, 1);
		return;
	}
	(void)natsConnection_GetLastError(nc, &text);
	pthread_mutex_lock(&link->lock);
	(void)fail_set(&link->why, s == NATS_NOT_PERMITTED ? ERR_DENIED : ERR_IO, "nats", 0,
		"%s: %.200s", natsStatus_GetText(s), text == NULL ? "" : text);
	link->has_why = true;
	pthread_mutex_unlock(&link->lock);
	poke(link->wake_fd);
}

bool bus_link_why(struct bus_link *link, struct fail *ret)
{
	bool has;

	pthread_mutex_lock(&link->lock);
	has = link->has_why;
	if (has)
		*ret = link->why;
	link->has_why = false;
	pthread_mutex_unlock(&link->lock);
	return has;
}

void bus_link_drop(struct bus_link *link, bool wait)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS / 5 };
	int64_t end_ns = clocks_mono() + GOODBYE_MS * NS_PER_MS;

	natsConnection_Destroy(link->nc);
	while (wait && atomic_load(&link->holders) > 1 && clocks_mono() < end_ns)
		(void)nanosleep(&pause, NULL);
	link_release(link);
}

/* One attempt */

static int err_from_status(natsStatus s)
{
	switch (s) {
	case NATS_NO_MEMORY:
		return ERR_NO_MEMORY;
	case NATS_TIMEOUT:
		return ERR_TIMEOUT;
	case NATS_CONNECTION_AUTH_FAILED:
	case NATS_NOT_PERMITTED:
		return ERR_DENIED;
	default:
		return ERR_IO;
	}
}

static struct bus_link *dial_once(struct bus_dial *d, struct fail *why)
{
	struct bus_link *link = link_new(d);
	natsStatus s = NATS_NO_MEMORY;

	if (link != NULL) {
		/* For on_closed, which may come before Connect returns. */
		atomic_fetch_add(&link->holders, 1);
		s = natsOptions_SetEventLoop(d->options, link, on_attach, on_read, on_write,
			on_detach);
		if (s == NATS_OK)
			s = natsOptions_SetErrorHandler(d->options, on_error, link);
		if (s == NATS_OK)
			s = natsOptions_SetClosedCB(d->options, on_closed, link);
		if (s == NATS_OK)
			s = natsConnection_Connect(&link->nc, d->options);
		if (s == NATS_OK)
			return link;
		link_release(link);
		link_release(link);
	}
	(void)fail_set(why, err_from_status(s), "nats", 0, "%s", natsStatus_GetText(s));
	return NULL;
}

/* Before the first connection at once; after a loss a little scattered, so that a server that comes back is
 * not met by all at once; then doubling up to two seconds, the half of it random. */
static uint64_t delay_ms(struct bus_dial *d)
{
	uint64_t ms = FIRST_DELAY_MS;

	if (d->tries == 0)
		return d->up_ns == 0 ? 0 : prng_below(&d->prng, 2 * FIRST_DELAY_MS);
	for (unsigned i = 1; i < d->tries && ms < LAST_DELAY_MS; i++)
		ms *= 2;
	if (ms > LAST_DELAY_MS)
		ms = LAST_DELAY_MS;
	return ms / 2 + prng_below(&d->prng, ms / 2 + 1);
}

/* Holding the lock: wait, or until told to stop. */
static void wait_ms(struct bus_dial *d, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!d->stop && pthread_cond_timedwait(&d->changed, &d->lock, &until) == 0)
		;
}

/* Holding the lock, which is given up meanwhile. */
static void serve_one(struct bus_dial *d)
{
	struct fail why = { 0 };
	struct bus_link *link;

	wait_ms(d, delay_ms(d));
	if (d->stop)
		return;
	pthread_mutex_unlock(&d->lock);
	link = dial_once(d, &why);
	pthread_mutex_lock(&d->lock);
	d->tries++;
	if (link != NULL) {
		d->fresh = link;
		d->wanted = false;
		d->up_ns = clocks_mono();
	} else {
		d->why = why;
		d->has_why = true;
	}
	poke(d->wake_fd);
}

static void *run(void *arg)
{
	struct bus_dial *d = arg;

	pthread_mutex_lock(&d->lock);
	while (!d->stop) {
		if (!d->wanted)
			pthread_cond_wait(&d->changed, &d->lock);
		else
			serve_one(d);
	}
	pthread_mutex_unlock(&d->lock);
	nats_ReleaseThreadMemory();
	return NULL;
}

void bus_dial_start(struct bus_dial *d)
{
	pthread_mutex_lock(&d->lock);
	if (d->up_ns != 0 && clocks_mono() - d->up_ns > STEADY_NS)
		d->tries = 0;
	d->wanted = true;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

struct bus_link *bus_dial_take(struct bus_dial *d)
{
	struct bus_link *link;

	pthread_mutex_lock(&d->lock);
	link = d->fresh;
	d->fresh = NULL;
	pthread_mutex_unlock(&d->lock);
	return link;
}

bool bus_dial_why(struct bus_dial *d, struct fail *ret)
{
	bool has;

	pthread_mutex_lock(&d->lock);
	has = d->has_why;
	if (has)
		*ret = d->why;
	d->has_why = false;
	pthread_mutex_unlock(&d->lock);
	return has;
}

/* Settings */

/* Split "a,b,c" and hand it to the options. TLS is refused: libnats before 3.11 uses one SSL object from two
 * threads without a lock. */
static int set_servers(natsOptions *options, const char *urls, struct fail *why)
{
	char text[SERVERS_MAX][URL_BYTES + 1];
	const char *list[SERVERS_MAX];
	struct span left = span_str(urls);
	int n = 0;

	while (left.len > 0) {
		struct span url = span_trim(span_cut(&left, ','));

		if (n == SERVERS_MAX)
			return fail_set(why, ERR_TOO_BIG, "nats", SERVERS_MAX,
				"more servers than that");
		if (span_is(span_part(url, 0, 6), "tls://"))
			return fail_set(why, ERR_INVALID, "url", 0,
				"%.*s: TLS is not supported; take nats:// through a private link",
				(int)url.len, (const char *)url.at);
		if (url.len <= 7 || url.len > URL_BYTES ||
			!span_is(span_part(url, 0, 7), "nats://"))
			return fail_set(why, ERR_INVALID, "url", 0,
				"%.*s: each server is nats://host:port", (int)url.len,
				(const char *)url.at);
		(void)span_copy(url, text[n], sizeof(text[n]));
		list[n] = text[n];
		n++;
	}
	if (n == 0)
		return fail_set(why, ERR_INVALID, "nats", 0, "no server is named");
	return natsOptions_SetServers(options, list, n) == NATS_OK
		       ? 0
		       : fail_set(why, ERR_NO_MEMORY, "nats", 0, NULL);
}

static int set_options(natsOptions *o, const struct bus_nats_conf *conf, struct fail *why)
{
	char public[NKEY_TEXT + 1];
	int r = set_servers(o, conf->url, why);
	bool ok;

	if (r < 0)
		return r;
	ok = natsOptions_SetAllowReconnect(o, false) == NATS_OK &&
	     natsOptions_SetSendAsap(o, true) == NATS_OK &&
	     natsOptions_SetTimeout(o, CONNECT_MS) == NATS_OK &&
	     natsOptions_SetPingInterval(o, PING_MS) == NATS_OK &&
	     natsOptions_SetMaxPingsOut(o, PINGS_OUT) == NATS_OK &&
	     natsOptions_SetIOBufSize(o, IO_BYTES) == NATS_OK &&
	     (conf->name == NULL || natsOptions_SetName(o, conf->name) == NATS_OK);
	if (!ok)
		return fail_set(why, ERR_NO_MEMORY, "nats", 0, NULL);
	if (conf->nkey == NULL)
		return 0;
	r = nkey_public(conf->nkey, public, why);
	if (r == 0 && natsOptions_SetNKeyFromSeed(o, public, conf->nkey) != NATS_OK)
		r = fail_set(why, ERR_NO_MEMORY, "nkey", 0, NULL);
	return r;
}

/* No signal is for this thread or for those that libnats starts meanwhile. */
static int start_thread(struct bus_dial *d)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = nats_Open(-1) == NATS_OK ? pthread_create(&d->thread, NULL, run, d) : -1;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	d->has_thread = r == 0;
	return r == 0 ? 0 : ERR_NO_MEMORY;
}

static void init_lock(struct bus_dial *d)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
}

struct bus_dial *bus_dial_new(const struct bus_nats_conf *conf, int wake_fd, struct fail *why)
{
	struct bus_dial *d = mem_alloc(sizeof(*d));
	uint64_t seed = 0;
	int r;

	if (d == NULL) {
		(void)fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	init_lock(d);
	d->wake_fd = wake_fd;
	d->owner = pthread_self();
	/* Only for jitter: without it all are seeded alike. */
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = (uint64_t)clocks_mono();
	prng_seed(&d->prng, seed);
	r = start_thread(d);
	if (r == 0 && natsOptions_Create(&d->options) != NATS_OK)
		r = ERR_NO_MEMORY;
	if (r < 0)
		(void)fail_set(why, r, "nats", 0, NULL);
	else
		r = set_options(d->options, conf, why);
	if (r == 0)
		return d;
	bus_dial_free(d);
	return NULL;
}

void bus_dial_free(struct bus_dial *d)
{
	if (d == NULL)
		return;
	if (d->has_thread) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_cond_signal(&d->changed);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
	}
	if (d->fresh != NULL)
		bus_link_drop(d->fresh, true);
	natsOptions_Destroy(d->options);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	mem_free(d);
}
