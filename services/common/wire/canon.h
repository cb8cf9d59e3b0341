/* SPDX-License-Identifier: Apache-2.0
 *
 * canon: the canonical form of a request: equal bytes if and only if it asks the same of the same kind. The order of
 * parameters, parameters given twice (the last counts), defaults written out and numbers written otherwise make
 * no difference; a different byte of an item does.
 */
#pragma once
#include "base/buf.h"
#include "wire/kinds.h"

/* Parameters that begin so are for the mesh alone and do not change a result. */
#define CANON_CACHE "cache."
/* No body that body_decode accepts has a longer canonical form. */
#define CANON_BYTES_MAX ((size_t)LIMIT_BODY_BYTES + (128u << 10))

/* Append the canonical form of a body that passed kind_check; look at buf_err(). */
void canon_request(struct buf *b, const struct kind_row *row, const struct body *body);
