/* SPDX-License-Identifier: Apache-2.0
 *
 * pack: bodies on their way between processes, packed where that pays and the other side reads it. Which side may send
 * what is agreed on in the protocol (proto/README.md, Packed bodies); here is only how.
 */
#pragma once
#include "run/zip.h"

#define PACK_BYTES 4096u /* smaller bodies are sent as they are: scripts/bench zip */

struct packer {
	struct zip zip;
	struct buf packed, plain; /* of the last one each */
};

void packer_init(struct packer *p);
void packer_done(struct packer *p);
/* The body packed, until the next one is. Empty if it is to go as it is: it is smaller than PACK_BYTES, an eighth of it
 * would not be saved, or there is no memory. */
struct span packer_pack(struct packer *p, struct span body);
/* The body as it was, until the next one is unpacked. ERR_MALFORMED, ERR_TOO_BIG (limit: bytes_max) or ERR_NO_MEMORY, all with
 * field "body". */
int packer_unpack(struct packer *p, struct span packed, size_t bytes_max, struct span *ret,
	struct fail *why) MUST_USE;
/* Is the NATS server at all of these URLs (commas between) on this machine? Then packing costs more than it saves. */
bool pack_is_near(const char *urls);
