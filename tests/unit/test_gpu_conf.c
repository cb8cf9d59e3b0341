/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gpu_conf: settings of spu-gpu-node that are completed and checked, and the list of devices read.
 */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpu-node/gpu.h"

static void test_settings_are_checked(void **state)
{
	struct gpu_conf c = { .devices = "all" };
	struct fail why;

	(void)state;
	snprintf(c.device_program, sizeof(c.device_program), "/bin/sh");
	snprintf(c.cache_dir, sizeof(c.cache_dir), "a/b/c");
	assert_int_equal(gpu_conf_complete(&c, &why), 0);
	assert_int_equal(access("a/b/c", W_OK), 0);
	assert_int_equal(chmod("a/b/c", 0777), 0);
	assert_int_equal(gpu_conf_complete(&c, &why), ERR_DENIED);
	assert_string_equal(why.field, "cache_dir");
	snprintf(c.devices, sizeof(c.devices), "many");
	assert_int_equal(gpu_conf_complete(&c, &why), ERR_INVALID);
	assert_string_equal(why.field, "devices");
	snprintf(c.devices, sizeof(c.devices), "all");
	snprintf(c.device_program, sizeof(c.device_program), "/no/such");
	assert_int_equal(gpu_conf_complete(&c, &why), ERR_IO);
	assert_string_equal(why.field, "device_program");
}

/* The cache is where systemd or the user's environment says. */
static void test_cache_has_a_place(void **state)
{
	char here[200];
	struct gpu_conf c = { .devices = "0,1", .device_program = "/bin/sh" };
	struct fail why;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	unsetenv("CACHE_DIRECTORY");
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", here, 1);
	assert_int_equal(gpu_conf_complete(&c, &why), 0);
	assert_int_equal(access(".cache/spu-gpu", W_OK), 0);
	c.cache_dir[0] = '\0';
	unsetenv("HOME");
	assert_int_equal(gpu_conf_complete(&c, &why), ERR_INVALID);
	assert_string_equal(why.field, "cache_dir");
}

/* Without one, the device program is looked for beside this one: there is none beside a test. */
static void test_device_program_is_beside_this_one(void **state)
{
	struct gpu_conf c = { .devices = "gpu", .cache_dir = "cache" };
	struct fail why;

	(void)state;
	assert_int_equal(gpu_conf_complete(&c, &why), ERR_IO);
	assert_string_equal(why.field, "device_program");
	assert_non_null(strstr(c.device_program, "/spu-gpu-device"));
}

static void test_listing_parse(void **state)
{
	static const char good[] =
		"{\"index\":3,\"name\":\"N\",\"type\":\"gpu\",\"platform\":\"P\",\"driver\":\"D\","
		"\"uuid\":\"u\",\"pci\":\"0000:01:00\",\"memory_bytes\":5,\"units\":6,\"same_as\":"
		"1}";
	static const char *const bad[] = { "", "{", "[]", "3", "{}", "{\"index\":-1}",
		"{\"index\":64}", "{\"index\":1,\"name\":5}", "{\"index\":1,\"index\":1}",
		"nonsense" };
	struct listing_row row;

	(void)state;
	assert_int_equal(listing_parse(span_str(good), &row), 0);
	assert_int_equal(row.index, 3);
	assert_string_equal(row.name, "N");
	assert_string_equal(row.place, "0000:01:00");
	assert_int_equal(row.same_as, 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(listing_parse(span_str(bad[i]), &row), ERR_MALFORMED);
}

static void test_devices_setting(void **state)
{
	static const char *const good[] = { "all", "gpu", "cpu", "0", "0,2", " 3 , 63" };
	static const char *const bad[] = { "", "none", "64", "-1", "0,,1", "0;1", "gpu,cpu" };
	const struct listing_row cpu = { .index = 0, .type = "cpu", .same_as = -1 };
	const struct listing_row gpu_row = { .index = 2, .type = "gpu", .same_as = -1 };
	const struct listing_row again = { .index = 3, .type = "gpu", .same_as = 2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(listing_check(good[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(listing_check(bad[i]), ERR_INVALID);
	assert_true(listing_wants("all", &cpu) && listing_wants("all", &gpu_row));
	assert_true(listing_wants("cpu", &cpu) && !listing_wants("cpu", &gpu_row));
	assert_true(listing_wants("0,2", &gpu_row) && listing_wants("0,2", &cpu));
	assert_false(listing_wants("1", &cpu));
	assert_false(listing_wants("all", &again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_are_checked),
		cmocka_unit_test(test_cache_has_a_place),
		cmocka_unit_test(test_listing_parse),
		cmocka_unit_test(test_devices_setting),
		cmocka_unit_test(test_device_program_is_beside_this_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
