/* SPDX-License-Identifier: Apache-2.0
 *
 * body: codec of Body.
 */
#include "wire/body.h"

#include "base/fmt.h"
#include "base/limits.h"
#include "base/pure.h"
#include "spu/v1/task.pb-c.h"
#include "wire/blob.h"
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

static void param_check(struct pb_in *in, const struct param *p)
{
	if (!is_key(p->key))
		pb_refuse(in, ERR_INVALID, "key", LIMIT_TOKEN_BYTES,
			"must be tokens of [A-Za-z0-9_-] joined by dots");
	if (p->value.len > LIMIT_PARAM_BYTES)
		pb_refuse_size(in, "value", p->value.len, LIMIT_PARAM_BYTES);
}

static void item_check(struct pb_in *in, const struct item *i)
{
	if (!item_is_blob(i))
		return;
	if (i->blob.len != BLOB_HASH)
		pb_refuse(in, ERR_INVALID, "blob", BLOB_HASH, "a hash has 32 bytes");
	if (i->data.len > 0)
		pb_refuse(in, ERR_INVALID, "blob", 0, "an item has data or is a blob, not both");
	if (i->size > BLOB_BYTES_MAX)
		pb_refuse(in, ERR_TOO_BIG, "size", (int64_t)BLOB_BYTES_MAX,
			"larger than a blob can be");
}

static void param_read(struct pb_in *in, const Spu__V1__Param *m, struct param *p)
{
	p->key = span_str(m->key);
	p->value = span_str(m->value);
	param_check(in, p);
}

static void item_read(struct pb_in *in, const Spu__V1__Item *m, struct item *i)
{
	i->name = pb_take_text(in, "name", m->name);
	i->media = pb_take_text(in, "media", m->media);
	i->data = span_of(m->data.data, m->data.len);
	i->blob = span_of(m->blob.data, m->blob.len);
	i->size = m->size;
	item_check(in, i);
}

/* Room for what the body holds. */
static bool make_room(struct pb_in *in, size_t params_n, size_t items_n, struct body *ret)
{
	ret->params = pb_alloc(in, params_n, sizeof(*ret->params));
	ret->items = pb_alloc(in, items_n, sizeof(*ret->items));
	ret->params_n = params_n;
	ret->items_n = items_n;
	return !in->starved;
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
	if (m == NULL || !make_room(&in, m->n_param, m->n_item, &body))
		return in.err;
	for (size_t i = 0; i < m->n_param; i++)
		param_read(&in, m->param[i], &body.params[i]);
	for (size_t i = 0; i < m->n_item; i++)
		item_read(&in, m->item[i], &body.items[i]);
	if (in.err == 0)
		*ret = body;
	return in.err;
}

/* --- in place ----------------------------------------------------------------------------------------- */

enum { BODY_PARAM = 1, BODY_ITEM = 2 };

/* Point to[number] at each field of bytes and *ret_size at the number of field 5; false: not whole, or of
 * another type. */
static bool view_fields(struct span s, struct span *const to[5], uint64_t *ret_size)
{
	struct pb_field f;

	while (s.len > 0) {
		if (!pb_next(&s, &f))
			return false;
		if (f.number < 5 && to[f.number] != NULL) {
			if (f.wire != WIRE_BYTES)
				return false;
			*to[f.number] = f.data;
		} else if (f.number == 5 && f.wire == WIRE_VARINT && ret_size != NULL) {
			*ret_size = f.value;
		}
	}
	return true;
}

static void view_text(struct pb_in *in, const char *field, struct span s, size_t max)
{
	if (!fmt_is_text(s))
		pb_refuse(in, ERR_INVALID, field, 0, "not UTF-8 text, or with a zero in it");
	if (s.len > max)
		pb_refuse_size(in, field, s.len, max);
}

static bool param_view(struct pb_in *in, struct span s, struct param *p)
{
	struct span *const to[5] = { NULL, &p->key, &p->value };

	if (!view_fields(s, to, NULL))
		return false;
	view_text(in, "value", p->value, LIMIT_PARAM_BYTES);
	param_check(in, p);
	return true;
}

static bool item_view(struct pb_in *in, struct span s, struct item *i)
{
	struct span *const to[5] = { NULL, &i->name, &i->media, &i->data, &i->blob };

	if (!view_fields(s, to, &i->size))
		return false;
	view_text(in, "name", i->name, LIMIT_TEXT_BYTES);
	view_text(in, "media", i->media, LIMIT_TEXT_BYTES);
	item_check(in, i);
	return true;
}

static bool view_count(struct span s, size_t *ret_params, size_t *ret_items)
{
	struct pb_field f;

	*ret_params = *ret_items = 0;
	while (s.len > 0) {
		if (!pb_next(&s, &f) ||
			((f.number == BODY_PARAM || f.number == BODY_ITEM) && f.wire != WIRE_BYTES))
			return false;
		*ret_params += f.number == BODY_PARAM;
		*ret_items += f.number == BODY_ITEM;
	}
	return true;
}

/* The fields were counted: they are whole. */
static bool view_all(struct pb_in *in, struct span s, struct body *body)
{
	struct param *p = body->params;
	struct item *i = body->items;
	struct pb_field f;
	bool good = true;

	while (good && s.len > 0 && pb_next(&s, &f)) {
		if (f.number == BODY_PARAM)
			good = param_view(in, f.data, p++);
		else if (f.number == BODY_ITEM)
			good = item_view(in, f.data, i++);
	}
	return good;
}

int body_view(struct arena *a, struct span bytes, struct body *ret, struct fail *why)
{
	struct body body = { 0 };
	size_t params_n, items_n;
	struct pb_in in;
	bool good;

	pb_in_init(&in, a, why);
	good = view_count(bytes, &params_n, &items_n);
	if (good && params_n > LIMIT_PARAMS)
		return pb_refuse(&in, ERR_TOO_BIG, "param", LIMIT_PARAMS, "too many of these");
	if (good && items_n > LIMIT_ITEMS)
		return pb_refuse(&in, ERR_TOO_BIG, "item", LIMIT_ITEMS, "too many of these");
	if (good && !make_room(&in, params_n, items_n, &body))
		return in.err;
	if (!good || !view_all(&in, bytes, &body))
		return pb_refuse(&in, ERR_MALFORMED, "Body", 0, "the bytes are not such a message");
	if (in.err == 0)
		*ret = body;
	return in.err;
}

/* --- writing ------------------------------------------------------------------------------------------ */

void body_encode(struct buf *b, const struct body *body)
{
	for (size_t i = 0; i < body->params_n; i++)
		body_put_param(b, body->params[i].key, body->params[i].value);
	for (size_t i = 0; i < body->items_n; i++)
		body_put(b, &body->items[i]);
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

void body_put(struct buf *b, const struct item *item)
{
	struct pb_mark m;

	if (!item_is_blob(item)) {
		body_put_item(b, item->name, item->media, item->data);
		return;
	}
	m = pb_open(b, 2, item->name.len + item->media.len + BLOB_HASH + 20);
	pb_text(b, 1, item->name);
	pb_text(b, 2, item->media);
	pb_bytes(b, 4, item->blob);
	pb_int(b, 5, item->size);
	pb_close(b, m);
}

const struct param *body_param(const struct body *body, const char *key)
{
	for (size_t i = body->params_n; i > 0; i--)
		if (span_is(body->params[i - 1].key, key))
			return &body->params[i - 1];
	return NULL;
}
