/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_store [MIB]: a blob into the store, flushed, and out again, checked; beside it the same bytes in pieces of
 * the same size from one libnats to another, in the same run. Each three times by turns, medians.
 */
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "run/blob.h"
#include "run/bus_nats.h"
#include "run/keys.h"
#include "tests/support/nats.h"
#include "tests/support/proc.h"

#define ROUNDS 3
#define START_NS (10 * NS_PER_S)

struct bench {
	struct loop loop;
	struct bus *bus;
	unsigned char *bytes;
	uint64_t size;
	struct blob_end end;
	bool done;
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "bench_store: %s\n", what);
	exit(1);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_size);
	return v[ROUNDS / 2];
}

/* --- bare --------------------------------------------------------------------------------------------- */

static void on_bare(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx)
{
	atomic_uint_fast64_t *got = ctx;

	(void)nc;
	(void)sub;
	atomic_fetch_add(got, (uint64_t)natsMsg_GetDataLength(msg));
	natsMsg_Destroy(msg);
}

/* The sender, in a process of its own; what it sends waits for nothing but the connection. */
static _Noreturn void bare_send(const struct bench *b, const char *url)
{
	natsConnection *nc = NULL;

	if (natsConnection_ConnectTo(&nc, url) != NATS_OK)
		_exit(1);
	for (uint64_t at = 0; at < b->size; at += LIMIT_BLOB_CHUNK_BYTES)
		if (natsConnection_Publish(nc, "bare.blob", b->bytes + at,
			    LIMIT_BLOB_CHUNK_BYTES) != NATS_OK)
			_exit(1);
	_exit(natsConnection_Flush(nc) == NATS_OK ? 0 : 1);
}

static double bare_s(const struct bench *b, const char *url)
{
	atomic_uint_fast64_t got = 0;
	natsConnection *nc = NULL;
	natsSubscription *sub = NULL;
	int64_t begun;
	pid_t pid;

	if (natsConnection_ConnectTo(&nc, url) != NATS_OK ||
		natsConnection_Subscribe(&sub, nc, "bare.blob", on_bare, &got) != NATS_OK ||
		natsSubscription_SetPendingLimits(sub, -1, -1) != NATS_OK ||
		natsConnection_Flush(nc) != NATS_OK)
		give_up("no connection");
	begun = clocks_mono();
	pid = fork();
	if (pid == 0)
		bare_send(b, url);
	while (atomic_load(&got) < b->size) {
		if (clocks_mono() - begun > 60 * NS_PER_S)
			give_up("the bare bytes do not arrive");
		usleep(500);
	}
	begun = clocks_mono() - begun;
	waitpid(pid, NULL, 0);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
	return (double)begun / 1e9;
}

/* --- the store ---------------------------------------------------------------------------------------- */

static int read_bytes(void *ctx, uint64_t offset, unsigned char *to, size_t n)
{
	const struct bench *b = ctx;

	memcpy(to, b->bytes + offset, n);
	return 0;
}

/* Compares: to write them would copy pages that were shared with the bare sender, which users have not. */
static int write_bytes(void *ctx, uint64_t offset, struct span data)
{
	const struct bench *b = ctx;

	return memcmp(b->bytes + offset, data.at, data.len) == 0 ? 0 : ERR_IO;
}

static void on_end(void *ctx, const struct blob_end *e)
{
	struct bench *b = ctx;

	b->end = *e;
	b->done = true;
}

static double store_s(struct bench *b, bool is_put, int i)
{
	char upload[16];
	struct blob_conf conf = {
		.loop = &b->loop,
		.bus = b->bus,
		.tenant = SPAN_LIT("bench"),
		.read = read_bytes,
		.write = write_bytes,
		.on_end = on_end,
		.ctx = b,
		.size = b->size,
		.hash = b->end.hash,
	};
	struct blob_transfer *t;
	int64_t begun = clocks_mono();

	snprintf(upload, sizeof upload, "bench-%d", i);
	conf.upload = span_str(upload);
	b->done = false;
	t = is_put ? blob_put(&conf) : blob_get(&conf);
	while (t != NULL && !b->done)
		if (loop_turn(&b->loop, -1) < 0)
			give_up("the loop failed");
	begun = clocks_mono() - begun;
	blob_transfer_free(t);
	if (t == NULL || b->end.fail.code != 0)
		give_up(t == NULL ? "no transfer" : b->end.fail.detail);
	return (double)begun / 1e9;
}

static void open_bus(struct bench *b, const char *url)
{
	const struct bus_nats_conf conf = { .url = url };
	int64_t end_ns = clocks_mono() + START_NS;

	if (keys_open() < 0 || loop_open(&b->loop) < 0)
		give_up("no loop");
	b->bus = bus_nats_open(&b->loop, &conf, NULL);
	while (b->bus != NULL && b->bus->state != BUS_UP && clocks_mono() < end_ns)
		if (loop_turn(&b->loop, NS_PER_S) < 0)
			give_up("the loop failed");
	if (b->bus == NULL || b->bus->state != BUS_UP)
		give_up("no connection");
}

static void measure(struct bench *b, const char *url)
{
	double bare[ROUNDS], put[ROUNDS], get[ROUNDS], put_to[ROUNDS], get_to[ROUNDS];
	const double mb = (double)b->size / 1e6;

	for (int i = 0; i < ROUNDS; i++) {
		b->bytes[0] = (unsigned char)i; /* another blob each time */
		bare[i] = mb / bare_s(b, url);
		put[i] = mb / store_s(b, true, i);
		get[i] = mb / store_s(b, false, i);
		put_to[i] = put[i] / bare[i];
		get_to[i] = get[i] / bare[i];
	}
	printf("figure put_mb_s %.0f MB/s\n", median(put));
	printf("figure get_mb_s %.0f MB/s\n", median(get));
	printf("figure bare_nats_mb_s %.0f MB/s\n", median(bare));
	printf("figure put_to_bare %.2f ratio\n", median(put_to));
	printf("figure get_to_bare %.2f ratio\n", median(get_to));
}

int main(int argc, char **argv)
{
	struct bench b = { .size = (uint64_t)(argc > 1 ? atoi(argv[1]) : 256) << 20 };
	struct broker broker = { 0 };
	struct proc store = { 0 };
	char dir[64] = "build/bench-store.XXXXXX", command[96];

	blob_keep_memory();
	b.bytes = mem_alloc(b.size);
	if (b.bytes == NULL || mkdtemp(dir) == NULL)
		give_up("no memory or folder");
	for (uint64_t i = 0; i < b.size; i++)
		b.bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	broker_init(&broker);
	broker_start(&broker, NULL);
	const char *const args[] = { "--url", broker.url, "--dir", dir, "--log-level", "warn",
		NULL };
	if (proc_start(&store, "spu-store", args) < 0)
		give_up("no store");
	open_bus(&b, broker.url);
	measure(&b, broker.url);
	fprintf(stderr, "the store holds %ld KB\n", proc_rss_kb(&store));
	bus_close(b.bus);
	loop_close(&b.loop);
	proc_stop(&store);
	broker_done(&broker);
	mem_free(b.bytes);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}
