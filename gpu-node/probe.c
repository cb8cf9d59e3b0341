/* SPDX-License-Identifier: Apache-2.0
 *
 * probe: what `spu-gpu-node --probe` prints: a table of the devices, then what each one's child says of it.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fmt.h"
#include "gpu-node/gpu.h"

#define TRY_MAX_MS 120000

struct probe {
	const struct gpu_conf *conf;
	struct loop *loop;
	unsigned chosen;
	unsigned failed;
};

/* By hand, the device program prints its findings itself. */
static int try_device(const struct gpu_conf *conf, uint32_t index)
{
	char device[16], threads[24], cache[512], how[PROCESS_END_BYTES];
	const char *const argv[] = { conf->device_program, "--device", device, "--threads", threads,
		"--cache", cache, NULL };
	struct process process = PROCESS_NONE;
	struct pollfd ended;
	struct fail why;
	bool reaped;

	snprintf(device, sizeof(device), "%" PRIu32, index);
	snprintf(threads, sizeof(threads), "%" PRId64, conf->threads);
	snprintf(cache, sizeof(cache), "%s/device-%" PRIu32, conf->cache_dir, index);
	if (process_start(argv, STDOUT_FILENO, STDOUT_FILENO, &process, &why) < 0) {
		fprintf(stderr, "spu-gpu-node: %s\n", why.detail);
		return -1;
	}
	ended = (struct pollfd){ .fd = process.fd, .events = POLLIN };
	(void)poll(&ended, 1, TRY_MAX_MS);
	reaped = process_reap(&process, how);
	if (reaped && strcmp(how, "exit status 0") == 0)
		return 0;
	printf("device %" PRIu32 ": failed: %s\n", index, reaped ? how : "it did not end in time");
	process_end(&process);
	return -1;
}

static void print_row(const struct gpu_conf *conf, const struct listing_row *row)
{
	char memory[24], use[40] = "used";

	if (row->same_as >= 0)
		snprintf(use, sizeof(use), "same as %" PRId64, row->same_as);
	else if (!listing_wants(conf->devices, row))
		snprintf(use, sizeof(use), "not used");
	printf("%5" PRIu32 "  %-5s  %-10s  %5" PRId64 "  %-12s  %-10s  %s (%s, driver %s)\n",
		row->index, row->type, fmt_bytes_text(row->memory_bytes, memory), row->units,
		row->place[0] != '\0' ? row->place : "-", use, row->name, row->platform,
		row->driver);
}

static void on_list(void *ctx, const struct listing_row *rows, unsigned n, const struct fail *why)
{
	struct probe *p = ctx;

	if (why->code != 0)
		fprintf(stderr, "spu-gpu-node: %s\n", why->detail);
	if (n > 0)
		printf("index  type   memory      units  place         use         name\n");
	else
		printf("no OpenCL device\n");
	for (unsigned i = 0; i < n; i++)
		print_row(p->conf, &rows[i]);
	fflush(stdout);
	for (unsigned i = 0; i < n; i++) {
		if (!listing_wants(p->conf->devices, &rows[i]))
			continue;
		p->chosen++;
		p->failed += try_device(p->conf, rows[i].index) < 0;
	}
	loop_stop(p->loop);
}

int gpu_probe(const struct gpu_conf *conf)
{
	struct loop loop;
	struct listing listing;
	struct probe p = { .conf = conf, .loop = &loop };
	struct fail why;
	int r = loop_open(&loop);

	if (r < 0) {
		fprintf(stderr, "spu-gpu-node: %s\n", err_row(r)->text);
		return err_row(r)->exit;
	}
	listing_init(&listing, &loop);
	listing.on_end = on_list;
	listing.ctx = &p;
	r = listing_start(&listing, conf->device_program, conf->cache_dir, &why);
	if (r < 0)
		fprintf(stderr, "spu-gpu-node: %s\n", why.detail);
	else
		r = loop_run(&loop);
	listing_done(&listing);
	loop_close(&loop);
	return r == 0 && p.chosen > 0 && p.failed == 0 ? 0 : err_row(ERR_DEVICE)->exit;
}
