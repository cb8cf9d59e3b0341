/* SPDX-License-Identifier: Apache-2.0
 *
 * address: the special-purpose registries of IANA (RFC 6890 and later) as rows.
 */
#include "run/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

#include "base/check.h"

struct range4 {
	uint32_t first;
	unsigned bits;
};

static const struct range4 special4[] = {
	{ 0x00000000, 8 },  /* 0.0.0.0/8: this network */
	{ 0x0A000000, 8 },  /* 10/8: private */
	{ 0x64400000, 10 }, /* 100.64/10: shared by a provider's customers */
	{ 0x7F000000, 8 },  /* 127/8: loopback */
	{ 0xA9FE0000, 16 }, /* 169.254/16: link-local, and the metadata service of clouds */
	{ 0xAC100000, 12 }, /* 172.16/12: private */
	{ 0xC0000000, 24 }, /* 192.0.0/24: protocol assignments */
	{ 0xC0000200, 24 }, /* 192.0.2/24: documentation */
	{ 0xC0A80000, 16 }, /* 192.168/16: private */
	{ 0xC6120000, 15 }, /* 198.18/15: measurements */
	{ 0xC6336400, 24 }, /* 198.51.100/24: documentation */
	{ 0xCB007100, 24 }, /* 203.0.113/24: documentation */
	{ 0xE0000000, 3 },  /* 224/4: multicast; 240/4: reserved, broadcast */
};

static uint32_t read32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_public4(uint32_t a)
{
	for (size_t i = 0; i < ARRAY_LEN(special4); i++) {
		if ((a ^ special4[i].first) >> (32 - special4[i].bits) == 0)
			return false;
	}
	return true;
}

static bool begins(const unsigned char *at, struct span with)
{
	return memcmp(at, with.at, with.len) == 0;
}

/* What is allocated is 2000::/3; an address that carries an IPv4 address is as public as that one. */
static bool is_public6(const unsigned char *at)
{
	static const unsigned char nat64[12] = { 0x00, 0x64, 0xFF, 0x9B };

	if (begins(at, span_of(nat64, sizeof(nat64))))
		return is_public4(read32(at + 12));
	if ((at[0] & 0xE0) != 0x20)
		return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)at) &&
		       is_public4(read32(at + 12));
	if (begins(at, SPAN_LIT("\x20\x02"))) /* 6to4 */
		return is_public4(read32(at + 2));
	/* 2001::/23: Teredo, measurements, ORCHID; 2001:db8::/32: documentation */
	if (begins(at, SPAN_LIT("\x20\x01")))
		return at[2] >= 2 && !(at[2] == 0x0D && at[3] == 0xB8);
	return !(begins(at, SPAN_LIT("\x3F\xFF")) && at[2] < 0x10); /* 3fff::/20: documentation */
}

bool address_is_public(const struct sockaddr *a)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	switch (a->sa_family) {
	case AF_INET:
		memcpy(&in4, a, sizeof(in4));
		return is_public4(ntohl(in4.sin_addr.s_addr));
	case AF_INET6:
		memcpy(&in6, a, sizeof(in6));
		return is_public6(in6.sin6_addr.s6_addr);
	default:
		return false;
	}
}

bool address_text_is_public(struct span text)
{
	char host[INET6_ADDRSTRLEN];
	unsigned char to[16];

	if (text.len >= 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		text = span_part(text, 1, text.len - 2);
	if (text.len >= sizeof(host))
		return true;
	span_copy(text, host, sizeof(host));
	if (inet_pton(AF_INET, host, to) == 1)
		return is_public4(read32(to));
	return inet_pton(AF_INET6, host, to) != 1 || is_public6(to);
}
