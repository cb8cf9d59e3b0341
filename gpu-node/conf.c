/* SPDX-License-Identifier: Apache-2.0
 *
 * conf: the settings of spu-gpu-node.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fmt.h"
#include "gpu-node/gpu.h"

#define AT(field) offsetof(struct gpu_conf, field)
#define SECONDS(n) ((n)*NS_PER_S)

const struct conf_row gpu_rows[] = {
	CONF_INCLUDE(struct gpu_conf, node, node_rows),
	{ "devices", CONF_TEXT, AT(devices), "all", 1, 128, NULL,
		"which OpenCL devices: all, gpu, cpu, or indices as --probe shows them, such as "
		"0,2" },
	{ "device_program", CONF_TEXT, AT(device_program), "", 0, 512, NULL,
		"path of spu-gpu-device; empty: beside this program" },
	{ "cache_dir", CONF_TEXT, AT(cache_dir), "", 0, 400, NULL,
		"folder for compiled kernels; empty: spu-gpu in the user's cache" },
	{ "watchdog", CONF_TIME, AT(watchdog_ns), "30s", SECONDS(1), SECONDS(3600), NULL,
		"a device's process that is silent for this long with a job is killed" },
	{ "price_ucr", CONF_INT, AT(price_ucr), "0", 0, INT64_C(1000000000000), NULL,
		"price of one task in micro-credits" },
	{ "threads", CONF_INT, AT(threads), "0", 0, 1024, NULL,
		"threads of a CPU used as an OpenCL device; 0: one for each core" },
	{ "probe", CONF_BOOL, AT(probe), "no", 0, 0, NULL,
		"print the devices and their self-tests, then exit" },
	{ 0 },
};

static int program_beside(char *to, size_t room, struct fail *why)
{
	ssize_t n = readlink("/proc/self/exe", to, room - 1);
	char *slash;

	if (n < 0)
		return fail_set(why, ERR_IO, "device_program", 0, "/proc/self/exe: %s",
			strerror(errno));
	to[n] = '\0';
	slash = strrchr(to, '/');
	if (slash == NULL || (size_t)(slash + 1 - to) + sizeof("spu-gpu-device") > room)
		return fail_set(why, ERR_INVALID, "device_program", 0,
			"this program's path is too long: set it");
	snprintf(slash + 1, room - (size_t)(slash + 1 - to), "spu-gpu-device");
	return 0;
}

/* systemd's CacheDirectory=, or the place of the XDG base directories. */
static int cache_of_user(char *to, size_t room, struct fail *why)
{
	const char *service = getenv("CACHE_DIRECTORY"), *xdg = getenv("XDG_CACHE_HOME"),
		   *home = getenv("HOME");
	int n = -1;

	if (service != NULL && service[0] == '/')
		n = snprintf(to, room, "%s", service);
	else if (xdg != NULL && xdg[0] == '/')
		n = snprintf(to, room, "%s/spu-gpu", xdg);
	else if (home != NULL && home[0] == '/')
		n = snprintf(to, room, "%s/.cache/spu-gpu", home);
	if (n >= 0 && (size_t)n < room)
		return 0;
	return fail_set(why, ERR_INVALID, "cache_dir", 0,
		"there is no usable home directory: set it");
}

/* The folder and those above it. Compiled kernels are run, so only we may write there. */
static int make_folders(char *path, struct fail *why)
{
	struct stat st;

	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755); /* the last one tells */
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_set(why, ERR_IO, "cache_dir", 0, "%s: %s", path, strerror(errno));
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
		(st.st_mode & 0022) != 0)
		return fail_set(why, ERR_DENIED, "cache_dir", 0, "%s is not ours alone to write to",
			path);
	return 0;
}

int gpu_conf_complete(struct gpu_conf *conf, struct fail *why)
{
	int r = 0;

	if (listing_check(conf->devices) < 0)
		return fail_set(why, ERR_INVALID, "devices", LISTING_MAX,
			"'%s' is not all, gpu, cpu, or a list of indices below %d", conf->devices,
			LISTING_MAX);
	if (conf->device_program[0] == '\0')
		r = program_beside(conf->device_program, sizeof(conf->device_program), why);
	if (r == 0 && access(conf->device_program, X_OK) < 0)
		r = fail_set(why, ERR_IO, "device_program", 0, "%s: %s", conf->device_program,
			strerror(errno));
	if (r == 0 && conf->cache_dir[0] == '\0')
		r = cache_of_user(conf->cache_dir, sizeof(conf->cache_dir), why);
	return r < 0 ? r : make_folders(conf->cache_dir, why);
}
