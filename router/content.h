/* SPDX-License-Identifier: Apache-2.0
 *
 * content: what the router has to know of what it otherwise only passes on.
 */
#pragma once
#include "base/arena.h"
#include "run/keys.h"
#include "wire/task.h"

/* What makes two submits with one key the same: all that decides about the work, not when it is wanted. */
void content_hash(const struct submit *s, unsigned char ret[KEYS_HASH]);
/* The model that the body asks for, if the kind knows models, or empty: placement needs it. */
struct span content_model(struct arena *a, const struct submit *s);
