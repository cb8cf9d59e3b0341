/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery: every process answers $SRV.PING, $SRV.INFO and $SRV.STATS as NATS' service interface defines
 * them (ADR-32), so that its ordinary tools list the mesh. The service's name is spu-<program>, its id the
 * process's name. Endpoints and the object `data` with the metrics are taken from the daemon at each answer.
 */
#pragma once
#include "run/daemon.h"

/* Subscribe; the bus drops the subscriptions when it is closed. 0, or an error if it refuses. */
int discovery_open(struct daemon *d) MUST_USE;
