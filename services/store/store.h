/* SPDX-License-Identifier: Apache-2.0
 *
 * store: the store without its process: asks in, replies out, files changed in between. Time is handed in.
 */
#pragma once
#include "services/store/reader.h"
#include "services/store/upload.h"

struct store_conf {
	const struct disk_io *io;
	const char *dir;
	struct index_conf index;
	uint32_t uploads_max;
	uint32_t tenant_uploads_max; /* of one tenant */
	int64_t upload_idle_ns;      /* an upload that nothing came for so long is dropped */
};

struct store_metrics {
	uint64_t asks;
	uint64_t refused;
	uint64_t put_bytes; /* that arrived, as chunks */
	uint64_t got_bytes; /* that were read and sent */
	uint64_t kept;      /* uploads that became blobs */
	uint64_t dropped;   /* blobs and uploads that nobody wanted any more */
	uint64_t damaged;   /* reads that met a damaged file */
	uint64_t faults;    /* calls of the disk that failed */
};

struct store {
	struct store_conf conf;
	struct disk disk;
	struct index index;
	struct reader *reader;
	struct list uploads;
	uint32_t uploads_n;
	uint32_t sweep_at; /* slot of the blob to look at next */
	struct store_metrics metrics;
};

/* Read what is there. NULL and *why: disk_open's errors, ERR_IO, ERR_NO_MEMORY. */
struct store *store_open(const struct store_conf *conf, struct fail *why) MUST_USE;
/* NULL is allowed. */
void store_close(struct store *s);
/* Do what is asked and say what came of it; reply->data lives until the next call. */
void store_do(struct store *s, struct span tenant, int64_t now_ns, const struct blob_ask *ask,
	struct blob_reply *reply);
/* Look at some blobs and uploads, drop those that are due. */
void store_sweep(struct store *s, int64_t now_ns, unsigned blobs);
