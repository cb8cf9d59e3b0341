/* SPDX-License-Identifier: Apache-2.0 */
#include "services/store/index.h"

#include "base/pure.h"

void index_init(struct index *ix, const struct index_conf *conf)
{
	*ix = (struct index){ .conf = *conf };
	slots_init(&ix->tenants, sizeof(struct tenant), conf->tenants_max);
	slots_init(&ix->blobs, sizeof(struct blob), conf->blobs_max);
	slots_init(&ix->references, sizeof(struct reference), conf->blobs_max);
	map_init(&ix->tenant_by_name);
	map_init(&ix->blob_by_hash);
}

void index_done(struct index *ix)
{
	slots_done(&ix->tenants);
	slots_done(&ix->blobs);
	slots_done(&ix->references);
	map_done(&ix->tenant_by_name);
	map_done(&ix->blob_by_hash);
}

static struct tenant *find_tenant(struct index *ix, struct span name, uint64_t hash)
{
	uint32_t at = 0, slot;

	while (map_next(&ix->tenant_by_name, hash, &at, &slot)) {
		struct tenant *t = slots_at(&ix->tenants, slot);

		if (span_is(name, t->name))
			return t;
	}
	return NULL;
}

struct tenant *index_tenant(struct index *ix, struct span name)
{
	uint64_t hash = span_hash(name, 0);
	struct tenant *t = find_tenant(ix, name, hash);
	uint32_t slot;

	if (t != NULL || map_reserve(&ix->tenant_by_name) < 0)
		return t;
	slot = slots_take(&ix->tenants);
	if (slot == SLOT_NONE)
		return NULL;
	t = slots_at(&ix->tenants, slot);
	t->slot = slot;
	span_copy(name, t->name, sizeof(t->name));
	map_put(&ix->tenant_by_name, hash, slot);
	return t;
}

void index_rest(struct index *ix, struct tenant *t)
{
	if (t == NULL || t->stakes > 0)
		return;
	map_drop(&ix->tenant_by_name, span_hash(span_str(t->name), 0), t->slot);
	slots_drop(&ix->tenants, t->slot);
}

void index_found(struct index *ix, struct tenant *t, uint64_t bytes)
{
	ix->bytes += bytes;
	t->bytes += bytes;
	t->stakes++;
}

int index_reserve(struct index *ix, struct tenant *t, uint64_t bytes, struct fail *why)
{
	const struct index_conf *c = &ix->conf;

	if (ix->bytes > c->bytes_max || bytes > c->bytes_max - ix->bytes)
		return fail_set(why, ERR_BUSY, "bytes_max", (int64_t)c->bytes_max,
			"the store is full");
	if (t->bytes > c->tenant_bytes_max || bytes > c->tenant_bytes_max - t->bytes)
		return fail_set(why, ERR_BUSY, "tenant_bytes_max", (int64_t)c->tenant_bytes_max,
			"%s holds %llu bytes, no more go", t->name, (unsigned long long)t->bytes);
	if (t->stakes >= c->tenant_blobs_max)
		return fail_set(why, ERR_BUSY, "tenant_blobs_max", c->tenant_blobs_max,
			"%s holds as many blobs as it may", t->name);
	index_found(ix, t, bytes);
	return 0;
}

void index_release(struct index *ix, struct tenant *t, uint64_t bytes)
{
	CHECK(bytes <= t->bytes && bytes <= ix->bytes && t->stakes > 0);
	t->stakes--;
	t->bytes -= bytes;
	ix->bytes -= bytes;
}

static uint64_t key_of(const struct tenant *t, const struct blob_hash *hash)
{
	return span_hash(span_of(hash->at, BLOB_HASH), t->slot);
}

struct blob *index_find(const struct index *ix, const struct tenant *t,
	const struct blob_hash *hash)
{
	uint32_t at = 0, slot;

	while (map_next(&ix->blob_by_hash, key_of(t, hash), &at, &slot)) {
		struct blob *b = slots_at(&ix->blobs, slot);

		if (b->tenant == t && blob_hash_eq(&b->hash, hash))
			return b;
	}
	return NULL;
}

int index_put(struct index *ix, struct tenant *t, const struct blob_hash *hash, uint64_t size,
	int64_t now_ns, struct blob **ret, struct fail *why)
{
	struct blob *b;
	uint32_t slot;

	CHECK(index_find(ix, t, hash) == NULL);
	if (ix->blobs.used == ix->conf.blobs_max)
		return fail_set(why, ERR_BUSY, "blobs_max", ix->conf.blobs_max,
			"the store holds as many blobs as it may");
	if (map_reserve(&ix->blob_by_hash) < 0)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	slot = slots_take(&ix->blobs);
	if (slot == SLOT_NONE)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	b = slots_at(&ix->blobs, slot);
	b->hash = *hash;
	b->tenant = t;
	b->slot = slot;
	b->size = size;
	b->touched_ns = now_ns;
	list_init(&b->references);
	map_put(&ix->blob_by_hash, key_of(t, hash), slot);
	*ret = b;
	return 0;
}

static struct reference *reference_of(const struct list *l)
{
	return CONTAINER(l, struct reference, link);
}

static void drop_reference(struct index *ix, struct blob *b, struct reference *r)
{
	list_drop(&r->link);
	b->references_n--;
	b->tenant->references_n--;
	slots_drop(&ix->references, r->slot);
}

void index_drop(struct index *ix, struct blob *b)
{
	while (!list_is_empty(&b->references))
		drop_reference(ix, b, reference_of(b->references.next));
	index_release(ix, b->tenant, b->size);
	map_drop(&ix->blob_by_hash, key_of(b->tenant, &b->hash), b->slot);
	slots_drop(&ix->blobs, b->slot);
}

struct reference *index_reference(const struct blob *b, struct span by)
{
	for (struct list *l = b->references.next; l != &b->references; l = l->next)
		if (span_is(by, reference_of(l)->by))
			return reference_of(l);
	return NULL;
}

static int has_room(const struct index *ix, const struct blob *b, struct fail *why)
{
	if (b->references_n == LIMIT_BLOB_REFERENCES)
		return fail_set(why, ERR_BUSY, "by", LIMIT_BLOB_REFERENCES,
			"a blob has no more references than that");
	if (ix->references.used == ix->conf.blobs_max)
		return fail_set(why, ERR_BUSY, "blobs_max", ix->conf.blobs_max,
			"the store holds as many references as it may");
	return 0;
}

int index_may_link(const struct index *ix, const struct blob *b, struct span by, struct fail *why)
{
	if (index_reference(b, by) != NULL)
		return 0;
	if (b->tenant->references_n >= ix->conf.tenant_blobs_max)
		return fail_set(why, ERR_BUSY, "tenant_blobs_max", ix->conf.tenant_blobs_max,
			"%s holds as many references as it may", b->tenant->name);
	return has_room(ix, b, why);
}

int index_link(struct index *ix, struct blob *b, struct span by, int64_t expire_ns,
	struct fail *why)
{
	struct reference *r = index_reference(b, by);
	uint32_t slot;
	int err;

	if (r != NULL) {
		r->expire_ns = expire_ns;
		return 0;
	}
	err = has_room(ix, b, why);
	if (err < 0)
		return err;
	slot = slots_take(&ix->references);
	if (slot == SLOT_NONE)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	r = slots_at(&ix->references, slot);
	r->slot = slot;
	r->expire_ns = expire_ns;
	span_copy(by, r->by, sizeof(r->by));
	list_push(&b->references, &r->link);
	b->references_n++;
	b->tenant->references_n++;
	return 0;
}

void index_unlink(struct index *ix, struct blob *b, struct reference *r, int64_t now_ns)
{
	drop_reference(ix, b, r);
	if (b->references_n == 0)
		b->touched_ns = now_ns;
}

struct blob *index_next(const struct index *ix, uint32_t *at)
{
	while (*at < ix->blobs.cap) {
		uint32_t slot = (*at)++;

		if (slots_is_taken(&ix->blobs, slot))
			return slots_at(&ix->blobs, slot);
	}
	return NULL;
}

struct reference *index_expired(const struct blob *b, int64_t now_ns)
{
	for (struct list *l = b->references.next; l != &b->references; l = l->next)
		if (reference_of(l)->expire_ns <= now_ns)
			return reference_of(l);
	return NULL;
}

bool index_is_garbage(const struct index *ix, const struct blob *b, int64_t now_ns)
{
	return b->references_n == 0 && now_ns - b->touched_ns >= ix->conf.grace_ns;
}
