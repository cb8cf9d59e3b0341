/* SPDX-License-Identifier: Apache-2.0
 *
 * messages: short records of one sort, as programs send them: much is the same in all, some is random.
 */
#pragma once
#include "base/buf.h"
#include "base/prng.h"

/* Append one, without an end of line: 120 to 220 bytes. */
static inline void message_put(struct buf *b, struct prng *p)
{
	static const char *const states[] = { "delivered", "pending", "returned", "in transit" };
	static const char *const towns[] = { "Utrecht", "Bergen", "Porto", "Gdansk", "Lyon",
		"Malmo" };

	buf_fmt(b,
		"{\"order\":%u,\"customer\":{\"name\":\"customer-%u\",\"town\":\"%s\"},"
		"\"state\":\"%s\",\"lines\":[",
		(unsigned)prng_below(p, 1000000), (unsigned)prng_below(p, 5000),
		towns[prng_below(p, 6)], states[prng_below(p, 4)]);
	for (size_t i = 0, n = 1 + prng_below(p, 3); i < n; i++)
		buf_fmt(b, "%s{\"article\":%u,\"pieces\":%u}", i == 0 ? "" : ",",
			(unsigned)prng_below(p, 300), (unsigned)prng_below(p, 9));
	buf_str(b, "]}");
}
