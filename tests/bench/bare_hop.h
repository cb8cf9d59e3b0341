/* SPDX-License-Identifier: Apache-2.0
 *
 * bare_hop: what the mesh is measured against: a task as three processes that only forward its bytes.
 *
 *	client -> router -> node -> client      256 bytes each time
 *	                    node -> router      "done", 16 bytes
 *
 * One NATS message for each task and leg. It is done twice, with libnats' own threads and callbacks, and with
 * our bus; the faster counts.
 */
#pragma once

struct bare_hop_result {
	double per_s;  /* tasks a second */
	double p50_us; /* round trip of one task; only with in_flight = 1, else 0 */
	/* Both ways: */
	double callbacks_per_s, callbacks_p50_us;
	double bus_per_s, bus_p50_us;
};

/* Keep in_flight tasks under way for `seconds` each way (and a little before). Forks, so call it before there
 * are threads. 0, or ERR_* if it did not work. */
int bare_hop_run(const char *url, unsigned in_flight, double seconds, struct bare_hop_result *ret);
