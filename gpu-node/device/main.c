/* SPDX-License-Identifier: Apache-2.0
 *
 * spu-gpu-device: the child that spu-gpu-node starts for each OpenCL device; by hand, it lists and probes
 * them. Only here does a driver run, so only this process dies of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fmt.h"
#include "gpu-node/device/serve.h"

/* Processes that may use the same device at a time, each with a cache of its own. */
#define CACHES_MAX 16u

struct options {
	int64_t device;    /* -1: none given */
	int64_t fd;        /* -1: none given */
	int64_t threads;   /* of a CPU device; 0: the driver's choice */
	const char *cache; /* or NULL */
	bool list;
};

static const char usage[] =
	"usage: spu-gpu-device --list [--cache DIR]\n"
	"       spu-gpu-device --device N [--fd FD] [--cache DIR] [--threads N]\n"
	"\n"
	"  --list       print every OpenCL device of this machine, one JSON object a line\n"
	"  --device N   open the device with this index; without --fd, try its kernels and print "
	"what came of it\n"
	"  --fd FD      serve the supervisor at this socket\n"
	"  --cache DIR  where the driver keeps compiled kernels\n"
	"  --threads N  of a CPU device; 0: the driver's choice\n";

static int parse_int(const char *text, int64_t *ret)
{
	if (fmt_int(span_str(text), ret) == 0 && *ret >= 0 && *ret <= 65535)
		return 0;
	fprintf(stderr, "spu-gpu-device: '%s' is not a number from 0 to 65535\n", text);
	return ERR_INVALID;
}

/* 0 to go on, 1 after --help, ERR_INVALID after a message. */
static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option rows[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "device", required_argument, NULL, 'd' },
		{ "fd", required_argument, NULL, 'f' },
		{ "cache", required_argument, NULL, 'c' },
		{ "threads", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option, r = 0;

	for (option = getopt_long(argc, argv, "", rows, NULL); option != -1 && r == 0;
		option = getopt_long(argc, argv, "", rows, NULL)) {
		switch (option) {
		case 'l':
			o->list = true;
			break;
		case 'd':
			r = parse_int(optarg, &o->device);
			break;
		case 'f':
			r = parse_int(optarg, &o->fd);
			break;
		case 'c':
			o->cache = optarg;
			break;
		case 't':
			r = parse_int(optarg, &o->threads);
			break;
		case 'h':
			r = 1;
			break;
		default:
			r = ERR_INVALID;
			break;
		}
	}
	if (r == 0 && (optind < argc || o->list == (o->device >= 0)))
		r = ERR_INVALID;
	if (r != 0)
		fputs(usage, r > 0 ? stdout : stderr);
	return r;
}

static void set(const char *key, const char *value)
{
	(void)setenv(key, value, 1); /* without memory, the driver's default holds */
}

/* A folder that no other process uses now: DIR, DIR.1 ... The lock stays until the process ends. */
static int cache_take(const char *dir, char *path, size_t room)
{
	for (unsigned i = 0; i < CACHES_MAX; i++) {
		int fd;

		if (i == 0)
			snprintf(path, room, "%s", dir);
		else
			snprintf(path, room, "%s.%u", dir, i);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return ERR_IO;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return ERR_IO;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		close(fd);
	}
	return ERR_BUSY;
}

static void cache_set_up(const char *dir)
{
	char path[1024];

	if (cache_take(dir, path, sizeof(path)) < 0) {
		fprintf(stderr, "spu-gpu-device: no folder for compiled kernels at %s: %s\n", dir,
			strerror(errno));
		return;
	}
	set("POCL_CACHE_DIR", path);
	set("CUDA_CACHE_PATH", path);
}

/* Before the first call of OpenCL, which reads these. PoCL's processes must not share a cache (its versions
 * before 6 crash), and its handler of SIGFPE would hide our faults. */
static void drivers_set_up(const struct options *o)
{
	char threads[24];

	set("POCL_SIGFPE_HANDLER", "0");
	if (o->threads > 0) {
		snprintf(threads, sizeof(threads), "%" PRId64, o->threads);
		set("POCL_MAX_PTHREAD_COUNT", threads); /* up to PoCL 3 */
		set("POCL_CPU_MAX_CU_COUNT", threads);  /* from 4 on */
	}
	if (o->cache != NULL)
		cache_set_up(o->cache);
}

/* Ends with its supervisor, dumps no core (which would hold tenants' data), gains no rights. */
static void process_set_up(void)
{
	const struct rlimit none = { 0, 0 };
	const pid_t parent = getppid();

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		setrlimit(RLIMIT_CORE, &none) < 0)
		perror("spu-gpu-device: prctl");
	if (getppid() != parent) /* it ended before the first line above */
		_exit(0);
}

static void print_probe(const struct device *d, const struct probe *p)
{
	printf("device %" PRIu32 ": %s (%s, driver %s)\n", d->facts.index, d->facts.name,
		d->facts.platform, d->facts.driver);
	for (unsigned k = 0; k < GPU_KINDS; k++)
		printf("  %-20s %s\n", gpu_kind_name(k),
			p->kinds[k].code == 0 ? "right" : p->kinds[k].detail);
	printf("  launch %.1f us, matmul (%s) %.2f GFLOP/s, montecarlo %.1f million samples/s\n",
		(double)p->launch_ns / 1e3, device_kernel_name(d->matmul),
		(double)p->matmul_mflops / 1e3, (double)p->montecarlo_per_s / 1e6);
}

static int list(const struct inventory *inventory)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, 1u << 20);
	for (unsigned i = 0; i < inventory->n; i++)
		inventory_json(&b, &inventory->facts[i]);
	if (buf_err(&b) != 0 || fwrite(b.at, 1, b.len, stdout) != b.len || fflush(stdout) != 0) {
		fputs("spu-gpu-device: cannot write the list\n", stderr);
		return 1;
	}
	return 0;
}

static int open_and_serve(const struct options *o, const struct inventory *inventory)
{
	struct device device;
	struct probe probe;
	struct fail why;
	int r;

	if ((uint64_t)o->device >= inventory->n) {
		fprintf(stderr, "spu-gpu-device: there is no device %" PRId64 ", only %u\n",
			o->device, inventory->n);
		return 1;
	}
	r = device_open(&device, &inventory->facts[o->device], inventory->id[o->device], &why);
	if (r < 0) {
		fprintf(stderr, "spu-gpu-device: device %" PRId64 ": %s\n", o->device, why.detail);
		return 1;
	}
	probe_run(&device, &probe);
	if (o->fd < 0)
		print_probe(&device, &probe);
	else
		r = serve_run(&device, &probe, (int)o->fd);
	device_close(&device);
	if (r < 0)
		fprintf(stderr, "spu-gpu-device: device %" PRId64 ": the supervisor's socket: %s\n",
			o->device, err_row(r)->name);
	return r < 0;
}

int main(int argc, char **argv)
{
	struct options o = { .device = -1, .fd = -1 };
	struct inventory inventory;
	int r = options_parse(argc, argv, &o);

	if (r != 0)
		return r < 0 ? 2 : 0;
	if (o.fd >= 0)
		process_set_up();
	drivers_set_up(&o);
	inventory_take(&inventory);
	return o.list ? list(&inventory) : open_and_serve(&o, &inventory);
}
