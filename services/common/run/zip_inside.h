/* SPDX-License-Identifier: Apache-2.0
 *
 * zip_inside: what zip.c and zip_dict.c share; nobody else includes it.
 */
#pragma once
#include <zstd.h>

#include "base/list.h"
#include "run/zip_dict.h"

struct zip_dict {
	struct list link; /* of what is kept */
	unsigned char hash[KEYS_HASH];
	uint32_t number;
	int level;           /* 0: to unpack */
	unsigned users;      /* guarded by the lock of its zip_dicts */
	bool is_kept;        /* in a zip_dicts, whose it is */
	size_t bytes;        /* of memory */
	ZSTD_CDict *packing; /* one of the two */
	ZSTD_DDict *unpacking;
};
