/* SPDX-License-Identifier: Apache-2.0
 *
 * main: spu-inbox.
 */
#include "services/inbox/service.h"

int main(int argc, char **argv)
{
	struct service s = { 0 };
	int r = conf_load(&s.conf, service_rows, "inbox",
		"keeps questions for people until they are answered", argc, argv);

	if (r != 0)
		return r < 0 ? 2 : 0;
	return node_main("inbox", &s.conf.node, &service_ops, &s);
}
