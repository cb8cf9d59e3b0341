/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8: one character at a time, by RFC 3629: no surrogates, no over-long forms, nothing above U+10FFFF.
 */
#pragma once
#include "base/span.h"

/* What stands at the start of s: n > 0: a character of n bytes; n < 0: -n bytes that are none (the
 * longest start of a character, or one byte: together one U+FFFD, as Unicode advises); 0: s is empty. */
int utf8_step(struct span s);
