/* SPDX-License-Identifier: Apache-2.0
 *
 * spu-gpu-node: a node of class `gpu`.
 */
#include <stdio.h>

#include "gpu-node/gpu.h"

int main(int argc, char **argv)
{
	struct gpu_conf conf = { 0 };
	struct gpu gpu;
	struct fail why;
	int r = conf_load(&conf, gpu_rows, "gpu-node", "Runs tasks on OpenCL devices.", argc, argv);

	if (r != 0)
		return r < 0 ? 2 : 0;
	r = gpu_conf_complete(&conf, &why);
	if (r < 0) {
		fprintf(stderr, "spu-gpu-node: %s: %s\n", why.field, why.detail);
		return 2;
	}
	if (conf.probe)
		return gpu_probe(&conf);
	gpu_init(&gpu, &conf);
	return node_main("gpu-node", &conf.node, &gpu_ops, &gpu);
}
