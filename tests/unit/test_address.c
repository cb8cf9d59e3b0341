/* SPDX-License-Identifier: Apache-2.0 */
#include "run/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/support/test.h"

static bool is_public(const char *text)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool public;

	if (inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
		public = address_is_public((struct sockaddr *)&in4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		public = address_is_public((struct sockaddr *)&in6);
	}
	assert_int_equal(public, address_text_is_public(span_str(text)));
	return public;
}

static void test_special_addresses(void **state)
{
	/* The first and the last address of each range, and the ways to write an IPv4 address in IPv6. */
	static const char *const special[] = { "0.0.0.0", "0.255.255.255", "10.0.0.0",
		"10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1",
		"192.0.2.255", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
		"198.51.100.1", "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.0",
		"255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fdff::1", "ff02::1",
		"2001:db8::1", "2001:db8:ffff::1", "2001::1", "2001:1ff::1",
		"2002:7f00:1::", "2002:c0a8:101::", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
		"64:ff9b::7f00:1", "64:ff9b:1::1", "::127.0.0.1", "100::1", "4000::1", "3fff::1",
		"3fff:fff::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		if (is_public(special[i]))
			fail_msg("%s", special[i]);
	}
}

static void test_public_addresses(void **state)
{
	static const char *const open[] = { "1.0.0.0", "9.255.255.255", "11.0.0.0",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.1",
		"223.255.255.255", "2001:200::1", "2606:4700::1111",
		"2002:101:101::", "::ffff:1.1.1.1", "64:ff9b::101:101", "3fff:1000::1", "3ffe::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		if (!is_public(open[i]))
			fail_msg("%s", open[i]);
	}
}

static void test_other_families_and_texts(void **state)
{
	struct sockaddr other = { .sa_family = AF_UNIX };

	(void)state;
	assert_false(address_is_public(&other));
	assert_false(address_text_is_public(SPAN_LIT("[::1]")));
	assert_true(address_text_is_public(SPAN_LIT("[2606:4700::1111]")));
	assert_true(address_text_is_public(SPAN_LIT("localhost")));
	assert_true(address_text_is_public(SPAN_LIT("127.0.0.1.example")));
	assert_true(address_text_is_public((struct span){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_special_addresses),
		cmocka_unit_test(test_public_addresses),
		cmocka_unit_test(test_other_families_and_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
