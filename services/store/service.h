/* SPDX-License-Identifier: Apache-2.0
 *
 * service: the store as a daemon on its subject.
 */
#pragma once
#include "run/daemon.h"
#include "services/store/store.h"

struct service_conf {
	struct conf_base base;
	char dir[512];
	int64_t bytes_max;
	int64_t tenant_bytes_max;
	int64_t blobs_max;
	int64_t tenant_blobs_max;
	int64_t uploads_max;
	int64_t tenant_uploads_max;
	int64_t grace_ns;
	int64_t upload_idle_ns;
};
extern const struct conf_row service_rows[];

/* Serve until told to stop. Returns the exit status. */
int service_main(const struct service_conf *conf);
