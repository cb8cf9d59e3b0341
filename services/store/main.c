/* SPDX-License-Identifier: Apache-2.0
 *
 * main: spu-store: settings in, daemon around the service.
 */
#include "services/store/service.h"

int main(int argc, char **argv)
{
	struct service_conf conf = { 0 };
	int r = conf_load(&conf, service_rows, "store",
		"keeps payloads that are larger than a message", argc, argv);

	if (r != 0)
		return r > 0 ? 0 : 2;
	return service_main(&conf);
}
