/* SPDX-License-Identifier: Apache-2.0
 *
 * nkey: the public key of a NATS user's seed. libnats signs with the seed, but wants to be told the key.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"

#define NKEY_TEXT 56 /* characters of a public key */

/* Read the first user seed ("SU...") in a file and write its public key ("U...") to ret. ERR_IO if the file
 * cannot be read, ERR_INVALID if it holds no seed; *why says which. */
int nkey_public(const char *seed_file, char ret[NKEY_TEXT + 1], struct fail *why) MUST_USE;
