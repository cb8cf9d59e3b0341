/* SPDX-License-Identifier: Apache-2.0 */
#include "run/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fmt.h"
#include "run/clocks.h"
#include "tests/support/test.h"

static char text[65536];
static int saved = -1;

/* What is logged from here on goes into a file, ... */
static void catch_lines(void)
{
	int fd = open("lines", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	saved = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* ... which is read here. Returns the lines. */
static unsigned caught(void)
{
	ssize_t n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);
	unsigned lines = 0;

	dup2(saved, STDERR_FILENO);
	close(saved);
	saved = -1;
	assert_true(n >= 0);
	text[n] = '\0';
	for (const char *at = text; *at != '\0'; at++)
		lines += *at == '\n';
	return lines;
}

static int give_back(void **state)
{
	(void)state;
	if (saved >= 0)
		caught();
	return 0;
}

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "

static void is_line(const char *after_stamp)
{
	regex_t stamp;
	regmatch_t m;

	assert_int_equal(regcomp(&stamp, STAMP, REG_EXTENDED), 0);
	assert_int_equal(regexec(&stamp, text, 1, &m, 0), 0);
	regfree(&stamp);
	assert_string_equal(text + m.rm_eo, after_stamp);
}

static json_t *as_json(void)
{
	json_error_t error;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (j == NULL)
		fail_msg("%s in %s", error.text, text);
	return j;
}

static void writes_text_for_people(void **state)
{
	(void)state;
	log_open("cpu-node", LOG_INFO, false);
	catch_lines();
	log_info("node is up", "name", LOG_STR("cpu-1"), "slots", LOG_INT(4));
	assert_int_equal(caught(), 1);
	is_line("info  cpu-node: node is up  name=cpu-1 slots=4\n");
	catch_lines();
	log_error("no fields");
	assert_int_equal(caught(), 1);
	is_line("error cpu-node: no fields\n");
	catch_lines();
	log_warn("odd", "a", LOG_STR("two words"), "b", LOG_STR(""), "c", LOG_STR("x=\"y\\"), "d",
		LOG_INT(INT64_MIN), "e", LOG_ERR(ERR_NO_NODE), "f", LOG_SPAN(span_of("abc", 2)));
	assert_int_equal(caught(), 1);
	is_line("warn  cpu-node: odd  a=\"two words\" b=\"\" c=\"x=\\\"y\\\\\" "
		"d=-9223372036854775808 e=NO_NODE f=ab\n");
}

static void leaves_out_lesser_levels(void **state)
{
	(void)state;
	log_open("x", LOG_WARN, false);
	catch_lines();
	log_debug("d");
	log_info("i");
	log_warn("w");
	log_error("e");
	assert_int_equal(caught(), 2);
	log_open("x", LOG_DEBUG, false);
	catch_lines();
	log_debug("d");
	assert_int_equal(caught(), 1);
}

static void no_control_character_comes_through(void **state)
{
	/* ESC, newline, C1 (CSI), DEL, right-to-left override, line separator, no UTF-8; and text that may stay. */
	static const char evil[] =
		"\x1b[31m\n\xC2\x9B\x7F\xE2\x80\xAE\xE2\x80\xA8\xFF\xC3\xA4\xF0\x9F\x98\x80";
	json_t *j;

	(void)state;
	log_open("x", LOG_INFO, false);
	catch_lines();
	log_info("m", "evil", LOG_STR(evil));
	assert_int_equal(caught(), 1);
	is_line("info  x: m  "
		"evil=\"\\u001b["
		"31m\\n\\u009b\\u007f\\u202e\\u2028\xEF\xBF\xBD\xC3\xA4\xF0\x9F\x98\x80\"\n");
	log_open("x", LOG_INFO, true);
	catch_lines();
	log_info("m", "evil", LOG_STR(evil));
	assert_int_equal(caught(), 1);
	j = as_json();
	assert_string_equal(json_string_value(json_object_get(j, "evil")),
		"\x1b["
		"31m\n\xC2\x9B\x7F\xE2\x80\xAE\xE2\x80\xA8\xEF\xBF\xBD\xC3\xA4\xF0\x9F\x98\x80");
	json_decref(j);
}

static void every_byte_is_met(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		for (int c = 1; c < 256; c++) {
			log_open("x", LOG_INFO, json);
			catch_lines();
			/* Past the ten lines a second of one place. */
			log_write(LOG_INFO, &(uint64_t){ 0 }, "m", "k",
				LOG_SPAN(span_of(&(char){ (char)c }, 1)), NULL);
			assert_int_equal(caught(), 1);
			for (const char *at = text; at[1] != '\0'; at++)
				assert_true((unsigned char)*at >= ' ' && *at != 0x7F);
			if (json)
				json_decref(as_json());
		}
	}
}

static void writes_json(void **state)
{
	json_t *j;

	(void)state;
	log_open("router", LOG_INFO, true);
	catch_lines();
	log_info("task placed", "price_ucr", LOG_INT(5), "why", LOG_STR("a \"b\""));
	assert_int_equal(caught(), 1);
	j = as_json();
	assert_int_equal(json_object_size(j), 6);
	assert_string_equal(json_string_value(json_object_get(j, "level")), "info");
	assert_string_equal(json_string_value(json_object_get(j, "program")), "router");
	assert_string_equal(json_string_value(json_object_get(j, "message")), "task placed");
	assert_int_equal(json_integer_value(json_object_get(j, "price_ucr")), 5);
	assert_string_equal(json_string_value(json_object_get(j, "why")), "a \"b\"");
	assert_int_equal(strlen(json_string_value(json_object_get(j, "time"))), 24);
	json_decref(j);
}

static void long_lines_are_cut_and_stay_whole(void **state)
{
	static char big[20000];
	json_t *j;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[1000] = '\n';
	for (int json = 0; json < 2; json++) {
		log_open("x", LOG_INFO, json);
		catch_lines();
		log_info(big, "a", LOG_STR(big), "b", LOG_STR(big), "c", LOG_STR(big), "d",
			LOG_INT(7), "e", LOG_STR(big));
		assert_int_equal(caught(), 1);
		assert_true(strlen(text) <= PIPE_BUF);
		if (!json)
			assert_non_null(strstr(text, " d=7 cut=true\n"));
	}
	j = as_json();
	assert_non_null(json_object_get(j, "b"));
	assert_null(json_object_get(j, "c"));
	assert_int_equal(json_integer_value(json_object_get(j, "d")), 7);
	assert_true(json_is_true(json_object_get(j, "cut")));
	json_decref(j);
}

/* At the start of a second of the clock that counts, so that none ends in between. */
static void wait_for_a_second_to_begin(void)
{
	while (clocks_mono() % NS_PER_S > 300 * NS_PER_MS)
		usleep(5000);
}

static void one_place_writes_ten_lines_a_second(void **state)
{
	(void)state;
	log_open("x", LOG_INFO, false);
	wait_for_a_second_to_begin();
	catch_lines();
	for (int i = 0; i < 25; i++)
		log_info("often");
	log_info("elsewhere");
	assert_int_equal(caught(), 11);
	assert_non_null(strstr(text, "elsewhere"));
}

static void tells_how_many_were_dropped(void **state)
{
	uint64_t site = 0;
	int64_t second;

	(void)state;
	log_open("x", LOG_INFO, false);
	wait_for_a_second_to_begin();
	second = clocks_mono() / NS_PER_S;
	catch_lines();
	for (int i = 0; i < 25; i++)
		log_write(LOG_INFO, &site, "often", NULL);
	assert_int_equal(caught(), 10);
	while (clocks_mono() / NS_PER_S == second)
		usleep(5000);
	catch_lines();
	log_write(LOG_INFO, &site, "often", NULL);
	log_write(LOG_INFO, &site, "often", NULL);
	assert_int_equal(caught(), 2);
	assert_non_null(strstr(text, "often  dropped=15\n"));
	assert_non_null(strstr(text, "often\n"));
}

#define TEST(f) cmocka_unit_test_teardown(f, give_back)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_text_for_people),
		TEST(leaves_out_lesser_levels),
		TEST(no_control_character_comes_through),
		TEST(every_byte_is_met),
		TEST(writes_json),
		TEST(long_lines_are_cut_and_stay_whole),
		TEST(one_place_writes_ten_lines_a_second),
		TEST(tells_how_many_were_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
