/* SPDX-License-Identifier: Apache-2.0
 *
 * canon: who may have the result of a task in place of computing it anew, and the canonical form of a request: equal bytes if and only if it asks the same of the same kind. The order of
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

#define CANON_MODE CANON_CACHE "mode" /* own, shared, off */
#define CANON_NEAR CANON_CACHE "near" /* yes, no */

enum canon_share {
	CANON_NOBODY,
	CANON_OWN,    /* equal tasks of the same tenant */
	CANON_SHARED, /* of all tenants whose task says so, too */
};

/* Who shares the result of a task, by its kind and what the body says. ERR_INVALID (field "cache.mode" or
 * "cache.near") for a word that is none. Its other parameters may be wrong: see kind_check. */
int canon_share(const struct kind_row *row, const struct body *body, enum canon_share *ret,
	struct fail *why) MUST_USE;
/* Does the task take the result of one that says nearly the same, too? Of a body that canon_share took. */
bool canon_near(const struct body *body);

/* Append the canonical form of a body that passed kind_check; look at buf_err(). */
void canon_request(struct buf *b, const struct kind_row *row, const struct body *body);
