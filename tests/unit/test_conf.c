/* SPDX-License-Identifier: Apache-2.0 */
#include "run/conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fmt.h"
#include "run/log.h"
#include "tests/support/test.h"

struct inner_conf {
	int64_t port;
};

struct test_conf {
	bool durable;
	struct conf_base base;
	struct inner_conf inner;
	int64_t lease_ns;
	int64_t cache_bytes;
	int policy;
	char note[11];
	char token[65];
	char secret[256];
};

static const struct conf_row inner_rows[] = {
	{ "port", CONF_INT, offsetof(struct inner_conf, port), "-1", -1, 65535, NULL,
		"port to use" },
	{ 0 },
};

#define AT(member) offsetof(struct test_conf, member)
static const struct conf_row rows[] = {
	{ "lease_time", CONF_TIME, AT(lease_ns), "30s", NS_PER_S, 600 * NS_PER_S, NULL,
		"how long a lease is" },
	{ "cache", CONF_BYTES, AT(cache_bytes), "64M", 0, INT64_MAX, NULL, "memory of the cache" },
	{ "durable", CONF_BOOL, AT(durable), "no", 0, 0, NULL, "flush first" },
	{ "policy", CONF_CHOICE, AT(policy), "p2c", 0, 0, "p2c,cost,least-loaded",
		"how a node is chosen" },
	{ "note", CONF_TEXT, AT(note), "", 0, 10, NULL, "a note" },
	{ "token", CONF_TOKEN, AT(token), "t-1", 1, 0, NULL, "a token" },
	{ "secret", CONF_SECRET, AT(secret), "", 0, 255, NULL, "file with a secret" },
	CONF_INCLUDE(struct test_conf, inner, inner_rows),
	CONF_INCLUDE(struct test_conf, base, conf_base_rows),
	{ 0 },
};

static struct test_conf conf;
static char out[32768], err[32768];

static void read_back(int fd, int saved, int standard, char *to)
{
	ssize_t n = pread(fd, to, sizeof(out) - 1, 0);

	dup2(saved, standard);
	close(saved);
	close(fd);
	assert_true(n >= 0);
	to[n] = '\0';
}

/* conf_load with these arguments, separated by '|'; what it prints is in out and err. */
static int load_rows(const struct conf_row *table, const char *args)
{
	char text[1024], *argv[16] = { (char[]){ "test" } }, *rest = text, *arg;
	int out_fd = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int err_fd = open("err", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	int argc = 1, r;

	snprintf(text, sizeof(text), "%s", args);
	while (*args != '\0' && (arg = strsep(&rest, "|")) != NULL)
		argv[argc++] = arg;
	fflush(stdout);
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	memset(&conf, 0, sizeof(conf));
	r = conf_load(&conf, table, "test", "A test.", argc, argv);
	fflush(stdout);
	read_back(out_fd, saved_out, STDOUT_FILENO, out);
	read_back(err_fd, saved_err, STDERR_FILENO, err);
	return r;
}

static int load(const char *args)
{
	return load_rows(rows, args);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The arguments are refused with this message. */
static void refused(const char *args, const char *message)
{
	assert_int_equal(load(args), ERR_INVALID);
	assert_string_equal(err, message);
	assert_string_equal(out, "");
}

static void refused_file(const char *text, const char *message)
{
	write_file("t.conf", text);
	refused("--config=t.conf", message);
}

static int clear_env(void **state)
{
	(void)state;
	unsetenv("SPU_LEASE_TIME");
	unsetenv("SPU_PORT");
	unsetenv("SPU_NOTE");
	unsetenv("SPU_CONFIG");
	unsetenv("SPU_DURABLE");
	unsetenv("SPU_URL");
	unsetenv("SPU_LOG_LEVEL");
	return 0;
}

static void defaults_fill_the_struct_and_what_is_inside(void **state)
{
	(void)state;
	assert_int_equal(load(""), 0);
	assert_true(conf.lease_ns == 30 * NS_PER_S);
	assert_int_equal(conf.cache_bytes, 64 << 20);
	assert_int_equal(conf.policy, 0);
	assert_string_equal(conf.token, "t-1");
	assert_int_equal(conf.inner.port, -1);
	assert_string_equal(conf.base.url, "nats://127.0.0.1:4222");
	assert_int_equal(conf.base.log_level, LOG_INFO);
	assert_int_equal(conf.base.ready_fd, -1);
	assert_string_equal(err, "");
	assert_string_equal(out, "");
}

static void flag_beats_environment_beats_file_beats_default(void **state)
{
	(void)state;
	write_file("t.conf", "lease_time = 1m\nport=5\nnote = file\npolicy = cost\n");
	setenv("SPU_PORT", "6", 1);
	setenv("SPU_NOTE", "env", 1);
	assert_int_equal(load("--config|t.conf|--note=flag"), 0);
	assert_true(conf.lease_ns == 60 * NS_PER_S);
	assert_int_equal(conf.policy, 1);
	assert_int_equal(conf.inner.port, 6);
	assert_string_equal(conf.note, "flag");
	/* An empty variable is none; the file may be named by one. */
	setenv("SPU_PORT", "", 1);
	setenv("SPU_CONFIG", "t.conf", 1);
	assert_int_equal(load(""), 0);
	assert_int_equal(conf.inner.port, 5);
}

static void flags_have_their_forms(void **state)
{
	(void)state;
	assert_int_equal(load("--lease-time|2m|--cache=1G|--durable|--port|-1"), 0);
	assert_true(conf.lease_ns == 120 * NS_PER_S && conf.cache_bytes == 1 << 30 && conf.durable);
	assert_int_equal(load("--durable|--no-durable|--note="), 0);
	assert_false(conf.durable);
	assert_int_equal(load("--durable=on|--note=a=b"), 0);
	assert_true(conf.durable);
	assert_string_equal(conf.note, "a=b");
	refused("--lese-time=1", "spu-test: --lese-time=1: unknown option; did you mean "
				 "--lease-time? (--help lists the "
				 "options)\n");
	refused("--lease_time=1", "spu-test: --lease_time=1: unknown option; did you mean "
				  "--lease-time? (--help lists "
				  "the options)\n");
	refused("--zzzzzzzzzz",
		"spu-test: --zzzzzzzzzz: unknown option (--help lists the options)\n");
	refused("--no-port", "spu-test: --no-port: unknown option; did you mean --port? (--help "
			     "lists the options)\n");
	refused("--durable|yes", "spu-test: yes: unexpected argument (--help lists the options)\n");
	refused("-x", "spu-test: -x: unexpected argument (--help lists the options)\n");
	refused("--", "spu-test: --: unexpected argument (--help lists the options)\n");
	refused("--note", "spu-test: --note: needs a value (--help lists the options)\n");
}

static void bad_values_are_refused_where_they_stand(void **state)
{
	(void)state;
	refused("--port=x", "spu-test: --port: 'x' is not a whole number\n");
	refused("--port=65536", "spu-test: --port: 65536 is outside -1 to 65535\n");
	refused("--lease-time=0", "spu-test: --lease-time: 0 is outside 1s to 10m\n");
	refused("--lease-time=5x",
		"spu-test: --lease-time: '5x' is not a duration such as 250ms, 5s or 2m\n");
	refused("--cache=-1", "spu-test: --cache: '-1' is not a size such as 512K, 64M or 2G\n");
	refused("--durable=maybe", "spu-test: --durable: 'maybe' is neither yes nor no\n");
	refused("--policy=best",
		"spu-test: --policy: 'best' is none of: p2c, cost, least-loaded\n");
	refused("--policy=", "spu-test: --policy: '' is none of: p2c, cost, least-loaded\n");
	refused("--note=12345678901", "spu-test: --note: it has 11 bytes; 0 to 10 are allowed\n");
	refused("--note=\xFF", "spu-test: --note: it is not plain UTF-8 text\n");
	refused("--note=a\nb", "spu-test: --note: it is not plain UTF-8 text\n");
	refused("--token=a.b",
		"spu-test: --token: 'a.b' is not 1 to 64 letters, digits, '-' and '_'\n");
	refused("--token=", "spu-test: --token: '' is not 1 to 64 letters, digits, '-' and '_'\n");
	refused("--url=", "spu-test: --url: it must not be empty\n");
	refused("--secret=none",
		"spu-test: --secret: cannot read 'none': No such file or directory\n");
	setenv("SPU_PORT", "many", 1);
	refused("--port=1",
		"spu-test: SPU_PORT: 'many' is not a whole number\n"); /* though a flag hides it */
}

static void the_file_has_comments_and_quotes(void **state)
{
	(void)state;
	write_file("t.conf",
		"# head\n\n  lease_time\t= 5s\t# why\r\nnote = \"a # \\\"b\\\\\" # c\n token=x\n"
		"url = nats://h#1:2\nname =\nport = 9");
	assert_int_equal(load("--config=t.conf"), 0);
	assert_true(conf.lease_ns == 5 * NS_PER_S);
	assert_string_equal(conf.note, "a # \"b\\");
	assert_string_equal(conf.token, "x");
	assert_string_equal(conf.base.url, "nats://h#1:2");
	assert_string_equal(conf.base.name, "");
	assert_int_equal(conf.inner.port, 9);
}

static void bad_files_are_refused_with_their_line(void **state)
{
	static char big[70000];

	(void)state;
	refused_file("\n\nports = 1\n", "t.conf:3: unknown key 'ports'; did you mean 'port'?\n");
	refused_file("qqqqqqqqq = 1\n", "t.conf:1: unknown key 'qqqqqqqqq'\n");
	refused_file("config = x\n", "t.conf:1: unknown key 'config'\n");
	refused_file("port\n", "t.conf:1: expected: key = value\n");
	refused_file("[section]\n", "t.conf:1: expected: key = value\n");
	refused_file("= 4\n", "t.conf:1: unknown key ''\n");
	refused_file("port = 1\nport = 2\n", "t.conf:2: port: already set in line 1\n");
	refused_file("port = 1 2\n", "t.conf:1: port: '1 2' is not a whole number\n");
	refused_file("note = \"a\n", "t.conf:1: the quotes do not end well\n");
	refused_file("note = \"a\" b\n", "t.conf:1: the quotes do not end well\n");
	refused_file("note = \"a\\\n", "t.conf:1: the quotes do not end well\n");
	refused_file("\x1b[2J = 1\n",
		"t.conf:1: unknown key '?[2J'\n"); /* nothing reaches the terminal */
	assert_int_equal(load("--config=no.conf"), ERR_IO);
	assert_string_equal(err, "spu-test: cannot read no.conf: No such file or directory\n");
	assert_int_equal(load("--config=."), ERR_IO);
	memset(big, '\n', sizeof(big) - 1);
	write_file("t.conf", big);
	assert_int_equal(load("--config=t.conf"), ERR_TOO_BIG);
}

static void a_file_with_zero_bytes_is_refused(void **state)
{
	int fd = open("t.conf", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	(void)state;
	assert_int_equal(write(fd, "port = 1\n\0port = x\n", 19), 19);
	close(fd);
	refused("--config=t.conf", "t.conf:1: the file holds a zero byte: it is not text\n");
}

static void prints_what_is_used_and_can_read_it_again(void **state)
{
	struct test_conf first;

	(void)state;
	write_file("key", "s3cret");
	write_file("t.conf", "port = 5\n\nnote = \" a#\\\\\"\n");
	setenv("SPU_LEASE_TIME", "90", 1);
	assert_int_equal(load("--config=t.conf|--print-config|--durable|--secret=key"), 1);
	assert_string_equal(err, "");
	assert_non_null(strstr(out, "lease_time = 90   # SPU_LEASE_TIME\n"));
	assert_non_null(strstr(out, "port = 5   # t.conf:1\n"));
	assert_non_null(strstr(out, "note = \" a#\\\\\"   # t.conf:3\n"));
	assert_non_null(strstr(out, "durable = yes   # --durable\n"));
	assert_non_null(strstr(out, "cache = 64M   # default\n"));
	assert_non_null(strstr(out, "# secret = (set)   # --secret\n"));
	assert_non_null(strstr(out, "# nkey = (none)   # default\n"));
	assert_null(strstr(out, "s3cret"));
	first = conf;
	memset(first.secret, 0, sizeof(first.secret));
	unsetenv("SPU_LEASE_TIME");
	assert_int_equal(rename("out", "again.conf"), 0);
	assert_int_equal(load("--config=again.conf"), 0);
	assert_memory_equal(&first, &conf, sizeof(conf));
}

static void the_sample_can_be_read_with_every_line_in_effect(void **state)
{
	char text[sizeof(out)], *to = text;
	struct test_conf first;

	(void)state;
	assert_int_equal(load("--sample-config"), 1);
	assert_non_null(strstr(out, "# how long a lease is\n# SPU_LEASE_TIME; 1s to 10m; default "
				    "30s\n#lease_time = 30s\n"));
	for (const char *at = out; *at != '\0'; at++)
		if (*at != '#' || at[1] == ' ')
			*to++ = *at;
	*to = '\0';
	assert_int_equal(load(""), 0);
	first = conf;
	write_file("t.conf", text);
	assert_int_equal(load("--config=t.conf"), 0);
	assert_memory_equal(&first, &conf, sizeof(conf));
}

static void help_lists_everything(void **state)
{
	(void)state;
	/* Even beside what would be refused. */
	assert_int_equal(load("--zzz|--help"), 1);
	assert_int_equal(strncmp(out, "Usage: spu-test [OPTION]...\nA test.\n", 36), 0);
	assert_non_null(
		strstr(out, "  --lease-time TIME       how long a lease is\n"
			    "                          SPU_LEASE_TIME; 1s to 10m; default 30s\n"));
	assert_non_null(
		strstr(out, "  --durable, --no-durable\n                          flush first\n"));
	assert_non_null(strstr(out, "SPU_POLICY; p2c, cost, least-loaded; default p2c\n"));
	assert_non_null(strstr(out, "SPU_CACHE; 0 or more; default 64M\n"));
	assert_non_null(strstr(out, "  --port N "));
	assert_non_null(strstr(out, "  --url TEXT "));
	assert_non_null(strstr(out, "  --print-config "));
	assert_int_equal(load("-h"), 1);
	assert_int_equal(load("--version"), 1);
	assert_int_equal(strncmp(out, "spu-test 0.", 11), 0);
}

static void a_setting_without_default_must_be_set(void **state)
{
	static const struct conf_row needy[] = {
		{ "note", CONF_TEXT, AT(note), NULL, 1, 10, NULL, "a note" },
		{ 0 },
	};

	(void)state;
	assert_int_equal(load_rows(needy, ""), ERR_INVALID);
	assert_string_equal(err,
		"spu-test: --note: must be set, here, as SPU_NOTE or in the file\n");
	assert_int_equal(load_rows(needy, "--note=x"), 0);
	assert_int_equal(load_rows(needy, "--help"), 1);
	assert_non_null(strstr(out, "SPU_NOTE; must be set\n"));
}

static int load_again(void *arg)
{
	int r = load("--config=t.conf");

	(void)arg;
	return r;
}

static void survives_a_lack_of_memory(void **state)
{
	(void)state;
	write_file("t.conf", "port = 1\n");
	assert_int_equal(nth_alloc(load_again, NULL), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, clear_env, clear_env)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_fill_the_struct_and_what_is_inside),
		TEST(flag_beats_environment_beats_file_beats_default),
		TEST(flags_have_their_forms),
		TEST(bad_values_are_refused_where_they_stand),
		TEST(the_file_has_comments_and_quotes),
		TEST(bad_files_are_refused_with_their_line),
		TEST(a_file_with_zero_bytes_is_refused),
		TEST(prints_what_is_used_and_can_read_it_again),
		TEST(the_sample_can_be_read_with_every_line_in_effect),
		TEST(help_lists_everything),
		TEST(a_setting_without_default_must_be_set),
		TEST(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
