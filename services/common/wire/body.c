/* SPDX-License-Identifier: Apache-2.0
 *
 * body: codec of Body.
 */
#include "wire/body.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/pure.h"
#include "spu/v1/task.pb-c.h"
#include "wire/pbread.h"
#include "wire/pbwrite.h"

/* Tokens joined by dots, together no longer than one token may be. */
static bool is_key(struct span key)
{
	if (key.len == 0 || key.len > LIMIT_TOKEN_BYTES || key.at[key.len - 1] == '.')
		return false;
	while (key.len > 0)
		if (!fmt_is_token(span_cut(&key, '.')))
			return false;
	return true;
}

static void param_read(struct pb_in *in, const Spu__V1__Param *m, struct param *p)
{
	p->key = span_str(m->key);
	p->value = span_str(m->value);
	if (!is_key(p->key))
		pb_refuse(in, ERR_INVALID, "key", LIMIT_TOKEN_BYTES,
			"must be tokens of [A-Za-z0-9_-] joined by dots");
	if (p->value.len > LIMIT_PARAM_BYTES)
		pb_refuse_size(in, "value", p->value.len, LIMIT_PARAM_BYTES);
}

static void item_read(struct pb_in *in, const Spu__V1__Item *m, struct item *i)
{
	i->name = pb_take_text(in, "name", m->name);
	i->media = pb_take_text(in, "media", m->media);
	i->data = span_of(m->data.data, m->data.len);
}

int body_decode(struct arena *a, struct span bytes, struct body *ret, struct fail *why)
{
	struct body body = { 0 };
	struct pb_in in;
	const Spu__V1__Body *m;

	pb_in_init(&in, a, why);
	if (bytes.len > LIMIT_BODY_BYTES)
		return pb_refuse_size(&in, "body", bytes.len, LIMIT_BODY_BYTES);
	m = pb_unpack(&in, &spu__v1__body__descriptor, bytes);
	if (m == NULL)
		return in.err;
	body.params = pb_alloc(&in, m->n_param, sizeof(*body.params));
	body.items = pb_alloc(&in, m->n_item, sizeof(*body.items));
	if (in.starved)
		return in.err;
	body.params_n = m->n_param;
	body.items_n = m->n_item;
	for (size_t i = 0; i < m->n_param; i++)
		param_read(&in, m->param[i], &body.params[i]);
	for (size_t i = 0; i < m->n_item; i++)
		item_read(&in, m->item[i], &body.items[i]);
	if (in.err == 0)
		*ret = body;
	return in.err;
}

void body_encode(struct buf *b, const struct body *body)
{
	for (size_t i = 0; i < body->params_n; i++)
		body_put_param(b, body->params[i].key, body->params[i].value);
	for (size_t i = 0; i < body->items_n; i++)
		body_put_item(b, body->items[i].name, body->items[i].media, body->items[i].data);
}

void body_put_param(struct buf *b, struct span key, struct span value)
{
	struct pb_mark m = pb_open(b, 1, key.len + value.len + 4);

	pb_bytes(b, 1, key);
	pb_bytes(b, 2, value);
	pb_close(b, m);
}

void body_put_int(struct buf *b, const char *key, int64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)value);

	body_put_param(b, span_str(key), span_of(text, (size_t)n));
}

void body_put_item(struct buf *b, struct span name, struct span media, struct span data)
{
	struct pb_mark m = pb_open(b, 2, name.len + media.len + data.len + 8);

	pb_text(b, 1, name);
	pb_text(b, 2, media);
	pb_bytes(b, 3, data);
	pb_close(b, m);
}

const struct param *body_param(const struct body *body, const char *key)
{
	for (size_t i = body->params_n; i > 0; i--)
		if (span_is(body->params[i - 1].key, key))
			return &body->params[i - 1];
	return NULL;
}
