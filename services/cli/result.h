/* SPDX-License-Identifier: Apache-2.0
 *
 * result: gives the result of a task to the user: items to files or stdout, facts and where it was served to
 * stderr, or all as JSON.
 */
#pragma once
#include "services/cli/cli.h"
#include "services/cli/json.h"
#include "wire/blob.h"
#include "wire/body.h"

/* Can --out be written? So that nobody waits for a result and then has no place for it. 0, or an exit status after
 * a message. */
int result_check_out(const struct cli *c) MUST_USE;
/* The exit status: of the task if it failed, of writing if that failed. */
int result_show(struct cli *c, struct ulid task, const struct result *r);
/* The members of a result; with_data: items with their bytes. */
void result_json(struct json *j, const struct result *r, const struct body *body, bool with_data);
/* One item as an object; with_data: its bytes, if they are not in the store. */
void result_item_json(struct json *j, const struct item *item, bool with_data);
/* The hash of an item that is in the store. */
void result_blob_text(const struct item *item, char to[BLOB_HASH_TEXT + 1]);
