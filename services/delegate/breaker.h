/* SPDX-License-Identifier: Apache-2.0
 *
 * breaker: whether an API is worth a call. Pure: time comes in.
 *
 *	HEALTHY -- several faults in a row, or one refusal --> COOLING
 *	COOLING -- its time is over, a call begins          --> PROBING
 *	PROBING -- the call ends well --> HEALTHY; badly --> COOLING, twice as long
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAULTS 3u                           /* in a row */
#define BREAKER_COOL_NS INT64_C(2000000000)         /* the first time; doubles */
#define BREAKER_COOL_NS_MAX INT64_C(300000000000)   /* no longer by itself */
#define BREAKER_REFUSED_NS INT64_C(300000000000)    /* a key does not become good by waiting */
#define BREAKER_ASKED_NS_MAX INT64_C(3600000000000) /* an API may ask for this much */

enum breaker_state { BREAKER_HEALTHY, BREAKER_COOLING, BREAKER_PROBING };

/* How a call ended, for the API. */
enum breaker_end {
	BREAKER_WELL,    /* it answered, and if only that it does not take this request */
	BREAKER_UNKNOWN, /* cancelled, or no fault of it */
	BREAKER_FAULT,   /* failed, garbage, too slow, not there */
	BREAKER_BUSY,    /* asks to wait */
	BREAKER_REFUSED, /* key or account */
};

struct breaker {
	enum breaker_state state;
	enum breaker_end cause; /* COOLING, PROBING: what for */
	unsigned faults;        /* in a row */
	int64_t until_ns;       /* COOLING */
	int64_t cool_ns;        /* the last time; 0: none since it was well */
};

/* A zeroed breaker is healthy. */

/* True if a call may begin now. */
bool breaker_is_ready(const struct breaker *b, int64_t now_ns);
/* A call begins; true if all others wait for its end: tell breaker_ended. CHECKs that it may. */
bool breaker_begin(struct breaker *b, int64_t now_ns);
/* A call ended; asked_ns: how long the API asks to wait, or 0. */
void breaker_ended(struct breaker *b, int64_t now_ns, bool probe, enum breaker_end end,
	int64_t asked_ns);
/* When breaker_is_ready changes by itself; INT64_MAX: not. */
int64_t breaker_wake(const struct breaker *b, int64_t now_ns);
