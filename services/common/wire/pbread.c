/* SPDX-License-Identifier: Apache-2.0
 *
 * pbread: the walk over a message before it is unpacked, and the rules that fields share. See pbread.h.
 */
#include "wire/pbread.h"

#include <stdio.h>

#include "base/fmt.h"
#include "base/pure.h"
#include "spu/v1/node.pb-c.h"
#include "spu/v1/query.pb-c.h"
#include "spu/v1/task.pb-c.h"
#include "wire/task.h"

enum {
	/* What protobuf-c keeps of fields that this version does not know, in each message. A newer peer
	 * may well have a few. */
	UNKNOWN_MAX = 64,
	/* Honest messages have 4 bytes a field and 16 bytes a message inside, or not many of them. */
	FIELD_BYTES = 4,
	FIELDS_FREE = 8192,
	MESSAGE_BYTES = 16,
	MESSAGES_FREE = 2048,
	FIELDS_PER_MESSAGE = 32, /* more than any message declares */
};

/* How often a repeated field may stand in one message; LIMIT_ITEMS_PER_MESSAGE where it has no row. */
static const struct {
	const ProtobufCMessageDescriptor *message;
	uint32_t field;
	uint32_t max;
} caps[] = {
	{ &spu__v1__body__descriptor, 1, LIMIT_PARAMS },
	{ &spu__v1__body__descriptor, 2, LIMIT_ITEMS },
	{ &spu__v1__submit__descriptor, 7, RUNGS - 1 },
	{ &spu__v1__offer__descriptor, 4, LIMIT_OFFER_KINDS },
	{ &spu__v1__offer__descriptor, 8, LIMIT_OFFER_SLOTS },
	{ &spu__v1__split_plan__descriptor, 1, LIMIT_PARTS },
	{ &spu__v1__task_list__descriptor, 1, LIMIT_LIST_ROWS },
	{ &spu__v1__node_list__descriptor, 1, LIMIT_LIST_ROWS },
	{ &spu__v1__ask_reply__descriptor, 2, LIMIT_LIST_ROWS },
	{ &spu__v1__explain__descriptor, 2, RUNGS - 1 },
	{ &spu__v1__explain__descriptor, 5, LIMIT_PARTS },
};

/* What is left of a message's allowance. */
struct budget {
	size_t fields;
	size_t messages;
};

static inline bool skip(struct span *s, size_t n)
{
	if (n > s->len)
		return false;
	s->at += n;
	s->len -= n;
	return true;
}

static bool read_long_varint(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s->len && i < 10; i++) {
		v |= (uint64_t)(s->at[i] & 0x7f) << (7 * i);
		if (s->at[i] < 0x80) {
			*ret = v;
			return skip(s, i + 1);
		}
	}
	return false;
}

static inline bool read_varint(struct span *s, uint64_t *ret)
{
	if (s->len == 0 || s->at[0] >= 0x80)
		return read_long_varint(s, ret);
	*ret = s->at[0];
	return skip(s, 1);
}

/* Take the next field off *s; false if it is not whole. */
static inline bool read_field(struct span *s, struct pb_field *ret)
{
	uint64_t tag = 0;
	uint64_t v = 0;

	ret->value = 0;
	if (!read_varint(s, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
		return false;
	ret->number = (uint32_t)(tag >> 3);
	ret->wire = (unsigned)(tag & 7);
	ret->data = (struct span){ 0 };
	switch (ret->wire) {
	case WIRE_VARINT:
		return read_varint(s, &ret->value);
	case WIRE_64:
		return skip(s, 8);
	case WIRE_32:
		return skip(s, 4);
	case WIRE_BYTES:
		if (!read_varint(s, &v) || v > s->len)
			return false;
		ret->data = span_of(s->at, (size_t)v);
		return skip(s, (size_t)v);
	default:
		return false;
	}
}

bool pb_next(struct span *s, struct pb_field *ret)
{
	return read_field(s, ret);
}

static uint32_t cap_of(const ProtobufCMessageDescriptor *d, uint32_t field)
{
	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		if (caps[i].message == d && caps[i].field == field)
			return caps[i].max;
	return LIMIT_ITEMS_PER_MESSAGE;
}

/* How many values a field brings: more than one if it is packed. */
static size_t values_in(const ProtobufCFieldDescriptor *f, const struct pb_field *field)
{
	size_t n = 0;

	if (field->wire != WIRE_BYTES || f->type == PROTOBUF_C_TYPE_STRING ||
		f->type == PROTOBUF_C_TYPE_BYTES || f->type == PROTOBUF_C_TYPE_MESSAGE)
		return 1;
	for (size_t i = 0; i < field->data.len; i++)
		n += field->data.at[i] < 0x80;
	return n;
}

static int malformed(struct pb_in *in, const char *message)
{
	return pb_refuse(in, ERR_MALFORMED, message, 0, "the bytes are not such a message");
}

static int walk(struct pb_in *in, const ProtobufCMessageDescriptor *d, struct span s,
	struct budget *left);

/* The description of a field, or NULL. Most messages number theirs from 1 without gaps. */
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *d,
	uint32_t number)
{
	if (number <= d->n_fields && d->fields[number - 1].id == number)
		return &d->fields[number - 1];
	return protobuf_c_message_descriptor_get_field(d, number);
}

/* One field that the message declares; *count is how many of it have been seen. */
static int walk_known(struct pb_in *in, const ProtobufCMessageDescriptor *d,
	const ProtobufCFieldDescriptor *f, const struct pb_field *field, size_t *count,
	struct budget *left)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		*count += values_in(f, field);
		if (*count > RUNGS - 1 && *count > cap_of(d, f->id))
			return pb_refuse(in, ERR_TOO_BIG, f->name, cap_of(d, f->id),
				"too many of these");
	}
	if (field->wire != WIRE_BYTES)
		return 0;
	if (f->type == PROTOBUF_C_TYPE_STRING && !fmt_is_text(field->data))
		return pb_refuse(in, ERR_INVALID, f->name, 0,
			"not UTF-8 text, or with a zero in it");
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return 0;
	if (left->messages-- == 0)
		return pb_refuse(in, ERR_TOO_BIG, f->name, 0,
			"too many messages inside for this size");
	return walk(in, f->descriptor, field->data, left);
}

static int walk(struct pb_in *in, const ProtobufCMessageDescriptor *d, struct span s,
	struct budget *left)
{
	size_t count[FIELDS_PER_MESSAGE] = { 0 };
	size_t unknown = 0;

	CHECK(d->n_fields <= FIELDS_PER_MESSAGE);
	while (s.len > 0) {
		const ProtobufCFieldDescriptor *f;
		struct pb_field field;
		int r = 0;

		if (!read_field(&s, &field))
			return malformed(in, d->short_name);
		if (left->fields-- == 0)
			return pb_refuse(in, ERR_TOO_BIG, d->short_name, 0,
				"too many fields for this size");
		f = field_of(d, field.number);
		if (f != NULL)
			r = walk_known(in, d, f, &field, &count[f - d->fields], left);
		else if (++unknown > UNKNOWN_MAX)
			r = pb_refuse(in, ERR_TOO_BIG, d->short_name, UNKNOWN_MAX,
				"too many unknown fields");
		if (r < 0)
			return r;
	}
	return 0;
}

static void *take(void *allocator_data, size_t size)
{
	struct pb_in *in = allocator_data;
	void *at = arena_raw(in->arena, size);

	in->starved |= at == NULL;
	return at;
}

static void give(void *allocator_data, void *at)
{
	(void)allocator_data;
	(void)at;
}

/* Plain messages: each field at most once, of a sort that our own encoders write, nothing repeated. Those are
 * most of all messages and take one pass instead of the walk's and protobuf-c's two. At the first thing that is
 * not plain the pass gives up (NULL) and the message goes the long way, which also finds the words for what is
 * wrong with it. */

static void *plain_unpack(struct pb_in *in, const ProtobufCMessageDescriptor *d, struct span s);

/* Keep the value of a field at its place in the struct. */
static bool plain_value(struct pb_in *in, const ProtobufCFieldDescriptor *f,
	const struct pb_field *field, void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
		*(uint32_t *)at = (uint32_t)field->value;
		return field->wire == WIRE_VARINT;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = field->value != 0;
		return field->wire == WIRE_VARINT;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		*(uint64_t *)at = field->value;
		return field->wire == WIRE_VARINT;
	case PROTOBUF_C_TYPE_STRING:
		if (field->wire != WIRE_BYTES || !fmt_is_text(field->data))
			return false;
		*(char **)at = arena_str(in->arena, field->data);
		return *(char **)at != NULL;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (field->wire != WIRE_BYTES)
			return false;
		*(void **)at = plain_unpack(in, f->descriptor, field->data);
		return *(void **)at != NULL;
	default:
		return false;
	}
}

static bool plain_bytes(struct pb_in *in, const struct pb_field *field, ProtobufCBinaryData *at)
{
	if (field->wire != WIRE_BYTES)
		return false;
	at->len = field->data.len;
	at->data = arena_raw(in->arena, at->len);
	if (at->data == NULL)
		return false;
	memcpy(at->data, field->data.at, at->len);
	return true;
}

static bool plain_field(struct pb_in *in, const ProtobufCFieldDescriptor *f,
	const struct pb_field *field, void *m)
{
	unsigned char *at = m;

	if (f->label == PROTOBUF_C_LABEL_REPEATED || f->label == PROTOBUF_C_LABEL_REQUIRED)
		return false;
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		uint32_t *which = (uint32_t *)(void *)(at + f->quantifier_offset);

		if (*which != 0)
			return false;
		*which = f->id;
	}
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return plain_bytes(in, field, (ProtobufCBinaryData *)(void *)(at + f->offset));
	return plain_value(in, f, field, at + f->offset);
}

static void *plain_unpack(struct pb_in *in, const ProtobufCMessageDescriptor *d, struct span s)
{
	ProtobufCMessage *m = arena_raw(in->arena, d->sizeof_message);
	uint32_t seen = 0;

	CHECK(d->n_fields <= FIELDS_PER_MESSAGE);
	if (m == NULL)
		return NULL;
	d->message_init(m);
	while (s.len > 0) {
		const ProtobufCFieldDescriptor *f;
		struct pb_field field;
		uint32_t bit;

		if (!read_field(&s, &field))
			return NULL;
		f = field_of(d, field.number);
		if (f == NULL)
			return NULL;
		bit = UINT32_C(1) << (f - d->fields);
		if ((seen & bit) != 0 || !plain_field(in, f, &field, m))
			return NULL;
		seen |= bit;
	}
	return m;
}

void pb_in_init(struct pb_in *in, struct arena *a, struct fail *why)
{
	*in = (struct pb_in){ .arena = a, .why = why };
	in->allocator = (ProtobufCAllocator){ .alloc = take, .free = give, .allocator_data = in };
}

int pb_refuse(struct pb_in *in, int code, const char *field, int64_t limit, const char *detail)
{
	if (in->err == 0)
		in->err = fail_set(in->why, code, field, limit, "%s", detail);
	return in->err;
}

int pb_refuse_size(struct pb_in *in, const char *field, size_t bytes, size_t max)
{
	char detail[64];

	snprintf(detail, sizeof detail, "%zu bytes, at most %zu go", bytes, max);
	return pb_refuse(in, ERR_TOO_BIG, field, (int64_t)max, detail);
}

void *pb_alloc(struct pb_in *in, size_t count, size_t size)
{
	void *at = arena_alloc(in->arena, count * size);

	if (at == NULL) {
		in->starved = true;
		pb_refuse(in, ERR_NO_MEMORY, NULL, 0,
			"the message needs more memory than it may take");
	}
	return at;
}

void *pb_unpack(struct pb_in *in, const ProtobufCMessageDescriptor *d, struct span bytes)
{
	struct budget left = { FIELDS_FREE + bytes.len / FIELD_BYTES,
		MESSAGES_FREE + bytes.len / MESSAGE_BYTES };
	void *m = NULL;

	if (bytes.len > LIMIT_MESSAGE_BYTES) {
		pb_refuse_size(in, d->short_name, bytes.len, LIMIT_MESSAGE_BYTES);
		return NULL;
	}
	m = plain_unpack(in, d, bytes);
	if (m != NULL)
		return m;
	if (walk(in, d, bytes, &left) < 0)
		return NULL;
	m = protobuf_c_message_unpack(d, &in->allocator, bytes.len, bytes.at);
	if (m == NULL && in->starved)
		pb_refuse(in, ERR_NO_MEMORY, NULL, 0,
			"the message needs more memory than it may take");
	else if (m == NULL)
		malformed(in, d->short_name);
	return m;
}

/* The next item off *s: 1, 0 at the end, or ERR_MALFORMED. Other fields are passed over. */
static int next_item(struct span *s, struct span *ret)
{
	struct pb_field field;

	while (s->len > 0) {
		if (!read_field(s, &field) || (field.number == 1 && field.wire != WIRE_BYTES))
			return ERR_MALFORMED;
		*ret = field.data;
		if (field.number == 1)
			return 1;
	}
	return 0;
}

static int count_items(struct pb_in *in, struct span s, const char *field, size_t *ret_n)
{
	struct span item;
	size_t n = 0;
	int r;

	if (s.len > LIMIT_MESSAGE_BYTES)
		return pb_refuse_size(in, field, s.len, LIMIT_MESSAGE_BYTES);
	for (r = next_item(&s, &item); r > 0; r = next_item(&s, &item))
		if (++n > LIMIT_ITEMS_PER_MESSAGE)
			return pb_refuse(in, ERR_TOO_BIG, field, LIMIT_ITEMS_PER_MESSAGE,
				"too many items");
	if (r < 0)
		return malformed(in, field);
	*ret_n = n;
	return 0;
}

int pb_batch(struct arena *a, struct span bytes, const char *field, size_t row_bytes,
	pb_read_row *read, void **ret_rows, size_t *ret_n, struct fail *why)
{
	struct pb_in in;
	struct span item;
	unsigned char *rows;
	size_t n = 0;

	pb_in_init(&in, a, why);
	if (count_items(&in, bytes, field, &n) < 0)
		return in.err;
	rows = pb_alloc(&in, n, row_bytes);
	if (rows == NULL)
		return in.err;
	for (size_t i = 0; i < n && next_item(&bytes, &item) > 0; i++) {
		in.err = 0;
		in.why = NULL;
		read(&in, item, rows + i * row_bytes);
		if (in.starved)
			return fail_set(why, ERR_NO_MEMORY, field, 0,
				"the message needs more memory than it may take");
	}
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}

struct span pb_take_token(struct pb_in *in, const char *field, const char *s)
{
	struct span token = span_str(s);

	if (fmt_is_token(token))
		return token;
	pb_refuse(in, ERR_INVALID, field, LIMIT_TOKEN_BYTES, "must match [A-Za-z0-9_-]{1,64}");
	return (struct span){ 0 };
}

struct span pb_take_token_or_none(struct pb_in *in, const char *field, const char *s)
{
	return s[0] == 0 ? (struct span){ 0 } : pb_take_token(in, field, s);
}

struct span pb_take_kind(struct pb_in *in, const char *field, const char *s)
{
	struct span kind = span_str(s);

	if (fmt_is_kind(kind))
		return kind;
	pb_refuse(in, ERR_INVALID, field, LIMIT_KIND_BYTES,
		"must be tokens of [a-z0-9_-] joined by dots");
	return (struct span){ 0 };
}

struct span pb_take_text(struct pb_in *in, const char *field, const char *s)
{
	struct span text = span_str(s); /* UTF-8: the walk has seen to that */

	if (text.len <= LIMIT_TEXT_BYTES)
		return text;
	pb_refuse_size(in, field, text.len, LIMIT_TEXT_BYTES);
	return (struct span){ 0 };
}

struct ulid pb_take_ulid(struct pb_in *in, const char *field, const char *s)
{
	struct ulid id = { 0 };

	if (ulid_parse(span_str(s), &id) < 0 || ulid_is_zero(id))
		pb_refuse(in, ERR_INVALID, field, 0,
			"not an id: 26 characters of Crockford's base 32");
	return id;
}

struct ulid pb_take_ulid_or_none(struct pb_in *in, const char *field, const char *s)
{
	return s[0] == 0 ? (struct ulid){ 0 } : pb_take_ulid(in, field, s);
}

struct span pb_take_bytes(struct pb_in *in, const char *field, ProtobufCBinaryData d, size_t max)
{
	if (d.len <= max)
		return span_of(d.data, d.len);
	pb_refuse_size(in, field, d.len, max);
	return (struct span){ 0 };
}

int64_t pb_take_count(struct pb_in *in, const char *field, int64_t v)
{
	if (v >= 0)
		return v;
	pb_refuse(in, ERR_INVALID, field, 0, "must not be negative");
	return 0;
}

uint32_t pb_take_max(struct pb_in *in, const char *field, uint32_t v, uint32_t max)
{
	if (v <= max)
		return v;
	pb_refuse(in, ERR_INVALID, field, max, "above the limit");
	return 0;
}

int pb_take_enum(struct pb_in *in, const char *field, int v, int low, int end)
{
	if (v >= low && v < end)
		return v;
	pb_refuse(in, ERR_INVALID, field, 0, "not a value that this field may have");
	return 0;
}
