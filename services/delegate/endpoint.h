/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint: where the API is and with which key, from the settings. What is wrong is said at the start.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

#define URL_BYTES 1024u
#define KEY_BYTES 4096u

struct endpoint {
	char url[URL_BYTES + 64]; /* with the path of the call; empty: none is configured */
	char host[256];           /* with the port if the URL has one */
	bool is_secure;           /* https */
	bool is_private; /* names a loopback, private or other special address, or localhost */
};

/* base: "https://api.example/v1", with or without `path` or a slash at its end. ERR_INVALID with field
 * "llm_url": not http or https, without host, with user, query, fragment or characters that no URL has. */
int endpoint_parse(struct endpoint *e, struct span base, const char *path,
	struct fail *why) MUST_USE;
/* The key in a file, without white space around it, as a C string. ERR_IO, or ERR_INVALID for what no header can
 * hold; with field "llm_key". *ret_is_open: others than the owner and its group may read the file. */
int key_read(const char *file, char to[KEY_BYTES + 1], bool *ret_is_open,
	struct fail *why) MUST_USE;
