/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_graph: the Body of a task.graph. What is accepted runs to its end, whichever part ends first.
 */
#include "router/graph_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_all(struct graph *g)
{
	uint32_t node;

	while ((node = graph_next(g)) != GRAPH_NONE) {
		CHECK(g->nodes[node].same == node && g->nodes[node].waits == 0);
		graph_end(g, node);
	}
	CHECK(g->ended_n == g->runs_n && g->outputs_n <= g->parts_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct graph_order order;
	struct fail why = { 0 };
	struct arena a;

	arena_init(&a, (size_t)16 << 20);
	if (graph_body_read(&a, span_of(data, size), &order, &why) == 0)
		run_all(&order.plan);
	else
		CHECK(why.code < 0);
	arena_done(&a);
	return 0;
}
