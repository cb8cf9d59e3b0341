/* SPDX-License-Identifier: Apache-2.0
 *
 * spu-cpu-node: the shared node with the kinds of kinds.c.
 */
#include "cpu-node/backend_cpu.h"

int main(int argc, char **argv)
{
	struct cpu_conf conf = { 0 };
	struct cpu_backend backend;
	int r = conf_load(&conf, cpu_rows, "cpu-node",
		"A node of SPU Mesh that computes on the processor.", argc, argv);

	if (r != 0)
		return r < 0 ? 2 : 0;
	cpu_backend_init(&backend, &conf);
	return node_main("cpu-node", &conf.node, &cpu_backend_ops, &backend);
}
