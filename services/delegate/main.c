/* SPDX-License-Identifier: Apache-2.0
 *
 * spu-delegate: a node of class `api`.
 */
#include "services/delegate/delegate.h"

int main(int argc, char **argv)
{
	struct delegate delegate = { .provider = &provider_openai };
	int r = conf_load(&delegate.conf, delegate_rows, "delegate",
		"asks external language models", argc, argv);

	if (r != 0)
		return r < 0 ? 2 : 0;
	return node_main("delegate", &delegate.conf.node, &delegate_ops, &delegate);
}
