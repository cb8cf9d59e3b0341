/* SPDX-License-Identifier: Apache-2.0
 *
 * load: a tenant that keeps a number of util.echo tasks of 256 bytes under way, through the client library.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct load_result {
	double per_s;  /* tasks that succeeded, a second */
	double p50_us; /* from submit to end */
	double p99_us;
	double ack_p50_us; /* from submit to the reply that accepts it */
	double ack_p99_us;
	uint64_t failed;  /* refused for good, or ended otherwise */
	uint64_t refused; /* and submitted again after the time that the refusal named */
};

/* fast: in memory only; else each task is flushed to the router's journal. Run in a process of its own (fork), so that libraries' threads do not mix. 0, or ERR_*. */
int load_run(const char *url, unsigned in_flight, double seconds, bool fast,
	struct load_result *ret);
