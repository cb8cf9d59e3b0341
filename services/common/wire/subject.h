/* SPDX-License-Identifier: Apache-2.0
 *
 * subject: the one place that builds and takes apart subjects. libnats checks nothing: a subject with a
 * blank or line end in it would inject protocol lines, so no foreign token enters one unchecked.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"

enum subject {
#define SUBJECT(name, prefix, tail, request, reply, group, text) SUBJECT_##name,
#include "proto/subjects.def"
#undef SUBJECT
	SUBJECTS
};

#define SUBJECT_BYTES 160 /* room for any subject of ours, with its zero */

struct subject_row {
	const char *name;   /* "SUBMIT" */
	const char *prefix; /* "spu.submit" */
	const char *tail;   /* "<tenant>" */
	const char *request;
	const char *reply;
	const char *group; /* queue group of those who answer, or "" */
	const char *text;
	unsigned tokens; /* in the tail: 1 or 2 */
};

const struct subject_row *subject_row(enum subject s);

/* Build "<prefix>.<a>[.<b>]" into to. ERR_INVALID if a token is wrong (field "subject"); b is ignored where
 * the tail has one token. */
int subject_build(enum subject s, struct span a, struct span b, char to[SUBJECT_BYTES]) MUST_USE;
/* The pattern that matches all of them: "<prefix>.*" or "<prefix>.*.*". */
void subject_pattern(enum subject s, char to[SUBJECT_BYTES]);
/* Take a subject apart; ERR_INVALID if it is not one of s with right tokens. b may be NULL. */
int subject_parse(enum subject s, struct span subject, struct span *ret_a,
	struct span *ret_b) MUST_USE;
/* True if a reply may be sent to this subject on behalf of `who`: "_INBOX." or "spu.inbox.<who>." and
 * tokens. A request's reply-to is the sender's choice; without this a peer could make us publish orders. */
bool subject_may_reply(struct span reply_to, struct span who);
