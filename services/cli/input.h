/* SPDX-License-Identifier: Apache-2.0
 *
 * input: the body of a task from the command line: key=value words and files.
 */
#pragma once
#include "base/buf.h"
#include "services/cli/blobs.h"
#include "services/cli/opts.h"
#include "wire/body.h"
#include "wire/kinds.h"

/* Append the file's bytes ("-": standard input) to b, whose ceiling is the limit. ERR_IO, ERR_TOO_BIG. */
int input_read(struct buf *b, const char *path, struct fail *why) MUST_USE;

/* What is to become of inputs that do not fit into a message. */
struct input_store {
	/* Put a file into the store. 0 or an error with *why. */
	int (*put)(void *ctx, const struct blobs_source *s, struct blob_hash *ret,
		struct fail *why);
	void *ctx;
	size_t room; /* bytes that still go with the body itself */
};

/* Append one item: the file's name without folders, its media type, its bytes or, if there is no more room, a
 * reference. store NULL: what does not fit is ERR_TOO_BIG. */
int input_item(struct buf *body, const char *path, struct input_store *store,
	struct fail *why) MUST_USE;
/* Are all words from there on key=value? 0, or an exit status after a message. */
int input_check_words(const struct opts_list *args, unsigned from) MUST_USE;
/* Append parameters from such words. */
int input_params(struct buf *body, const struct opts_list *args, unsigned from,
	struct fail *why) MUST_USE;
/* The kind that was perhaps meant: one with a name like it, or with such a last part; or NULL. */
const char *input_near_kind(const char *name);
/* Check an encoded body by the table of kinds; kinds outside of it pass. */
int input_check(struct span kind, struct span body, struct fail *why) MUST_USE;
