/* SPDX-License-Identifier: Apache-2.0
 *
 * address: what an IP address is for, so that a process that calls out can be kept from calling in.
 */
#pragma once
#include <stdbool.h>

#include <sys/socket.h>

#include "base/span.h"

/* True if it is an IPv4 or IPv6 address of the open Internet; false for loopback, private, link-local,
 * shared, multicast, reserved and documentation ranges, also inside IPv6 (mapped, 6to4, NAT64), and for all
 * other families. */
bool address_is_public(const struct sockaddr *a);
/* The same of a text such as "127.0.0.1", "::1" or "[::1]". True for a text that is no address. */
bool address_text_is_public(struct span text);
