/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan: JSON (RFC 8259) as it stands, without a tree: where values end. Numbers and strings stay the bytes that
 * they are. It takes no memory and does not recurse; what is nested deeper than JSON_DEPTH is no JSON to it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define JSON_DEPTH 512u

/* Bytes of the value at the start of s (no white space before it), or 0 if there is none. *ret_looked, unless NULL: how
 * far it was looked. */
size_t json_scan_value(struct span s, size_t *ret_looked);

/* The members of an object or the elements of an array, given as json_scan_value found it: it is not checked again. */
struct json_scan {
	struct span rest;
	bool is_object;
};
struct json_scan_member {
	struct span key; /* with its quotes; empty in an array */
	struct span value;
};
struct json_scan json_scan_open(struct span value);
bool json_scan_next(struct json_scan *r, struct json_scan_member *ret);
/* If what comes next is an object: its members, without a look for its end; when all were read, leave it. */
bool json_scan_enter(const struct json_scan *r, struct json_scan *ret);
void json_scan_leave(struct json_scan *r, const struct json_scan *inside);

/* Append a value without the white space between its parts. */
void json_scan_minify(struct buf *b, struct span value);
