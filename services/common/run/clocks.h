/* SPDX-License-Identifier: Apache-2.0
 *
 * clocks: the only place that asks what time it is. Everything else is handed `now`.
 */
#pragma once
#include <stdint.h>

struct clocks {
	int64_t offset_ns; /* wall clock minus monotonic clock, when opened */
};

void clocks_open(struct clocks *c);
/* Unix time in ns, carried forward by the monotonic clock: never jumps, whatever is done to the machine's
 * clock afterwards, so leases and deadlines keep their length. */
int64_t clocks_now(const struct clocks *c);
/* For tests: SPU_TEST_CLOCK names a file with this struct, which clocks_open maps and which is added to the machine's
 * clocks from then on, in the whole process, so that a test can set them while it runs. */
struct clocks_test {
	int64_t wall_ns, mono_ns; /* atomic; mono only grows */
};

/* CLOCK_MONOTONIC in ns, for measuring. */
int64_t clocks_mono(void);
/* The machine's uptime in ns, sleep included: of use only while its boot has one id. */
int64_t clocks_boot(void);
#define CLOCKS_BOOT_ID 37
/* Which boot of the machine this is, or "" if it does not say. */
void clocks_boot_id(char ret[CLOCKS_BOOT_ID]);
/* The machine's wall clock, Unix time in ns: only for stamps that people read. */
int64_t clocks_wall(void);

#define CLOCKS_TEXT_BYTES 32
/* Unix time as "2026-11-20T10:11:12.345Z". Returns to. */
char *clocks_text(int64_t unix_ns, char to[CLOCKS_TEXT_BYTES]);
