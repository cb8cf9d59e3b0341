/* SPDX-License-Identifier: Apache-2.0 */
#include "router/content.h"

#include <stdio.h>
#include <string.h>

#include "wire/body.h"
#include "wire/kinds.h"

void content_hash(const struct submit *s, unsigned char ret[KEYS_HASH])
{
	char limits[64];
	int n = snprintf(limits, sizeof limits, "%u %lld %d", s->priority,
		(long long)s->max_price_ucr, s->fast);
	const struct span parts[] = { s->kind, s->body, span_of(s->allow.rung, s->allow.n),
		span_of(limits, (size_t)n) };

	keys_hash(parts, ARRAY_LEN(parts), ret);
}

struct span content_model(struct arena *a, const struct submit *s)
{
	const struct kind_row *row = kind_find(s->kind);
	struct body body;

	for (unsigned i = 0; row != NULL && i < row->params_n; i++) {
		if (strcmp(row->params[i].key, "model") != 0)
			continue;
		if (body_decode(a, s->body, &body, NULL) < 0)
			break; /* the node that gets it says what is wrong */
		const struct param *p = body_param(&body, "model");

		return p == NULL ? (struct span){ NULL, 0 } : p->value;
	}
	return (struct span){ NULL, 0 };
}
