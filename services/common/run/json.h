/* SPDX-License-Identifier: Apache-2.0
 *
 * json: reading JSON of strangers. Text is refused before it is parsed if it is too large, too deep or has too
 * many values; then if a key stands twice in an object, or if it is no JSON. What is read is taken with
 * getters that check type and range. Writing is buf_json() and the rest of base/buf.h. Names that jansson has
 * are left to jansson.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct json_t; /* jansson's; an object, array, text, number ... */

#define JSON_DEPTH_MAX 32u
#define JSON_VALUES_MAX 65536u /* each takes up to 100 bytes of memory */

/* The object or array in `text`, for json_drop. ERR_TOO_BIG (bytes_max, JSON_DEPTH_MAX, JSON_VALUES_MAX; with
 * the limit), ERR_MALFORMED (with the place), ERR_NO_MEMORY; some wants of memory jansson calls a mistake
 * in the text. */
int json_read(struct span text, size_t bytes_max, struct json_t **ret, struct fail *why) MUST_USE;
void json_drop(struct json_t *j);
/* For CLEANUP. */
void json_dropp(struct json_t **j);

/* A member of an object: 1, or 0 if there is none or it is null; then *ret is untouched. ERR_INVALID with
 * the key as field if it has another type or is out of range, or if `object` is none. What is returned lives
 * as long as the root. */
int json_get_text(const struct json_t *object, const char *key, size_t bytes_max, struct span *ret,
	struct fail *why) MUST_USE;
int json_get_int(const struct json_t *object, const char *key, int64_t low, int64_t high,
	int64_t *ret, struct fail *why) MUST_USE;
int json_get_bool(const struct json_t *object, const char *key, bool *ret,
	struct fail *why) MUST_USE;
int json_get_object(const struct json_t *object, const char *key, const struct json_t **ret,
	struct fail *why) MUST_USE;
int json_get_array(const struct json_t *object, const char *key, size_t values_max,
	const struct json_t **ret, struct fail *why) MUST_USE;
/* Values in an array, and the i-th, or NULL past the end. */
size_t json_count(const struct json_t *array);
const struct json_t *json_item(const struct json_t *array, size_t i);
