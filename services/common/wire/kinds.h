/* SPDX-License-Identifier: Apache-2.0
 *
 * kinds: the table of proto/kinds.def, and the check of a body's parameters against it.
 */
#pragma once
#include <stdint.h>

#include "wire/body.h"
#include "wire/task.h"

enum param_type { PARAM_TEXT, PARAM_INT, PARAM_CHOICE };

struct kind_param {
	const char *key;
	enum param_type type;
	const char *value; /* default; for CHOICE the values, the first is the default */
	int64_t low;
	int64_t high;
	const char *text;
};

/* Is the result of a request that of an equal one? */
enum kind_result {
	RESULT_SAME,
	RESULT_CHEAP,  /* and computing it costs no more than finding it */
	RESULT_VARIES, /* not always */
};

struct kind_row {
	const char *name;
	struct ladder ladder;
	enum kind_result result;
	const char *ladder_text; /* as in kinds.def */
	const char *text;
	const struct kind_param *params;
	unsigned params_n;
};

/* The row of a kind, or NULL. */
const struct kind_row *kind_find(struct span name);
/* The i-th row in the table's order, or NULL past the end. */
const struct kind_row *kind_at(unsigned i);

/* Every parameter of body against the row: unknown key, wrong type, out of range give ERR_INVALID with
 * field and limit. Parameters with a dot in the key that the row lacks are facts of the mesh and pass. */
int kind_check(const struct kind_row *row, const struct body *body, struct fail *why) MUST_USE;
/* A parameter of a body that passed kind_check; its default where it is absent. CHECKs that the row has it. */
int64_t kind_int(const struct kind_row *row, const struct body *body, const char *key);
struct span kind_text(const struct kind_row *row, const struct body *body, const char *key);
/* Does the kind have this parameter? */
bool kind_has(const struct kind_row *row, const char *key);
/* The index of a CHOICE's value in its list. */
unsigned kind_choice(const struct kind_row *row, const struct body *body, const char *key);
