/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_hop [SECONDS [URL]]: the bare hop (bare_hop.h) with many tasks in flight and with one. Without a URL
 * it starts a nats-server of its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bare_hop.h"
#include "tests/support/nats.h"

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
	struct bare_hop_result many, alone;
	struct broker broker = { 0 };
	const char *url = argv[argc > 2 ? 2 : 0];
	int r;

	if (argc <= 2) {
		broker_init(&broker);
		broker_start(&broker, NULL);
		url = broker.url;
	}
	r = bare_hop_run(url, 4096, seconds, &many);
	if (r == 0)
		r = bare_hop_run(url, 1, seconds, &alone);
	broker_done(&broker);
	if (r < 0)
		return 1;
	printf("figure bare_hop_callbacks_per_s %.0f 1/s\n", many.callbacks_per_s);
	printf("figure bare_hop_bus_per_s %.0f 1/s\n", many.bus_per_s);
	printf("figure bare_hop_per_s %.0f 1/s\n", many.per_s);
	printf("figure bare_hop_callbacks_alone_us %.1f us\n", alone.callbacks_p50_us);
	printf("figure bare_hop_bus_alone_us %.1f us\n", alone.bus_p50_us);
	printf("figure bare_hop_alone_us %.1f us\n", alone.p50_us);
	return 0;
}
