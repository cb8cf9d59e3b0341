/* SPDX-License-Identifier: Apache-2.0
 *
 * store: one function for each op. The index follows the files: what could not be written is not there.
 */
#include "services/store/store.h"

#include "base/fmt.h"
#include "base/mem.h"

#define NS_PER_MS INT64_C(1000000)
#define YIELD_NS                                                                                   \
	INT64_C(60000000000) /* an upload that nothing came for so long gives way to a new one */
#define WINDOWS_BYTES ((uint64_t)4 * LIMIT_BLOB_WINDOW_BYTES) /* of all uploads together */

/* One ask. */
struct request {
	struct store *s;
	struct tenant *tenant;
	int64_t now_ns;
	const struct blob_ask *ask;
	struct blob_reply *reply;
};

static struct upload *upload_of(const struct list *l)
{
	return CONTAINER(l, struct upload, link);
}

static struct upload *find_upload(const struct store *s, const struct tenant *t, struct span token)
{
	for (struct list *l = s->uploads.next; l != &s->uploads; l = l->next)
		if (upload_of(l)->tenant == t && span_is(token, upload_of(l)->token))
			return upload_of(l);
	return NULL;
}

/* What is not to become a blob. */
static void drop_upload(struct store *s, struct upload *u)
{
	index_release(&s->index, u->tenant, u->size);
	upload_free(&s->disk, u, true);
	s->uploads_n--;
}

static struct blob *find_blob(const struct request *r)
{
	struct blob *b = index_find(&r->s->index, r->tenant, &r->ask->hash);

	if (b == NULL)
		fail_set(&r->reply->fail, ERR_UNKNOWN, "hash", 0, "no such blob is here");
	else if (b->is_damaged)
		fail_set(&r->reply->fail, ERR_IO, "hash", 0,
			"the blob is damaged on disk; put it again");
	return b == NULL || b->is_damaged ? NULL : b;
}

/* The smaller the more uploads share it. */
static uint64_t window_of(const struct store *s)
{
	uint64_t share = WINDOWS_BYTES / (s->uploads_n + 1);

	if (share > LIMIT_BLOB_WINDOW_BYTES)
		return LIMIT_BLOB_WINDOW_BYTES;
	return share < LIMIT_BLOB_CHUNK_BYTES ? LIMIT_BLOB_CHUNK_BYTES : share;
}

static void show_blob(struct request *r, const struct blob *b)
{
	r->reply->has_hash = true;
	r->reply->hash = b->hash;
	r->reply->size = b->size;
	r->reply->window = window_of(r->s);
	r->reply->stored_ms = b->touched_ns / NS_PER_MS;
	r->reply->references = b->references_n;
}

static void do_stat(struct request *r)
{
	const struct blob *b = find_blob(r);

	if (b != NULL)
		show_blob(r, b);
}

/* --- in ----------------------------------------------------------------------------------------------- */

static uint32_t uploads_of(const struct store *s, const struct tenant *t)
{
	uint32_t n = 0;

	for (struct list *l = s->uploads.next; l != &s->uploads; l = l->next)
		n += upload_of(l)->tenant == t;
	return n;
}

/* Who sent it may be dead: a new upload needs the place more than one that nothing came for lately. only: of these;
 * NULL: of all. */
static void drop_idlest(struct store *s, const struct tenant *only, const struct tenant *for_whom,
	int64_t now_ns)
{
	struct upload *idlest = NULL;
	struct tenant *whose;

	for (struct list *l = s->uploads.next; l != &s->uploads; l = l->next)
		if ((only == NULL || upload_of(l)->tenant == only) &&
			(idlest == NULL || upload_of(l)->touched_ns < idlest->touched_ns))
			idlest = upload_of(l);
	if (idlest == NULL || now_ns - idlest->touched_ns < YIELD_NS)
		return;
	whose = idlest->tenant;
	drop_upload(s, idlest);
	if (whose != for_whom)
		index_rest(&s->index, whose);
	s->metrics.dropped++;
}

/* Of one tenant, and then of all. */
static int make_place(struct store *s, struct tenant *t, int64_t now_ns, struct fail *why)
{
	const struct store_conf *c = &s->conf;

	if (uploads_of(s, t) >= c->tenant_uploads_max)
		drop_idlest(s, t, t, now_ns);
	if (uploads_of(s, t) >= c->tenant_uploads_max)
		return fail_set(why, ERR_BUSY, "tenant_uploads_max", c->tenant_uploads_max,
			"%s has as many uploads open as it may", t->name);
	if (s->uploads_n == c->uploads_max)
		drop_idlest(s, NULL, t, now_ns);
	if (s->uploads_n == c->uploads_max)
		return fail_set(why, ERR_BUSY, "uploads_max", c->uploads_max,
			"as many uploads as go are open");
	return 0;
}

static struct upload *add_upload(struct store *s, struct tenant *t, struct span token,
	uint64_t size, uint64_t have, int64_t now_ns, struct fail *why)
{
	struct upload *u;

	if (make_place(s, t, now_ns, why) < 0)
		return NULL;
	if (index_reserve(&s->index, t, size, why) < 0)
		return NULL;
	u = upload_new(&s->disk, t, token, size, have, why);
	if (u == NULL) {
		index_release(&s->index, t, size);
		return NULL;
	}
	list_push(&s->uploads, &u->link);
	s->uploads_n++;
	return u;
}

static void show_upload(struct request *r, const struct upload *u)
{
	r->reply->size = u->size;
	r->reply->offset = u->have;
	r->reply->window = window_of(r->s);
}

static void do_open(struct request *r)
{
	struct upload *u = find_upload(r->s, r->tenant, r->ask->upload);

	if (u != NULL && u->size != r->ask->size) {
		fail_set(&r->reply->fail, ERR_CONFLICT, "size", (int64_t)u->size,
			"this upload was opened with another size");
		return;
	}
	if (u == NULL)
		u = add_upload(r->s, r->tenant, r->ask->upload, r->ask->size, 0, r->now_ns,
			&r->reply->fail);
	if (u == NULL)
		return;
	u->touched_ns = r->now_ns;
	show_upload(r, u);
}

static void do_chunk(struct request *r)
{
	struct upload *u = find_upload(r->s, r->tenant, r->ask->upload);

	if (u == NULL) {
		fail_set(&r->reply->fail, ERR_UNKNOWN, "upload", 0, "no such upload is open");
		return;
	}
	u->touched_ns = r->now_ns;
	if (upload_add(&r->s->disk, u, r->ask->offset, r->ask->data, r->s->reader->room,
		    &r->reply->fail) == 0)
		r->s->metrics.put_bytes += r->ask->data.len;
	show_upload(r, u);
}

static int link_blob(struct request *r, struct blob *b)
{
	const struct blob_ask *q = r->ask;
	int64_t expire_ns =
		q->expire_ms < INT64_MAX / NS_PER_MS ? q->expire_ms * NS_PER_MS : INT64_MAX;
	int err = index_may_link(&r->s->index, b, q->by, &r->reply->fail);

	if (err < 0) /* before there is a file, which the next start would find */
		return err;
	err = disk_link(&r->s->disk, b, q->by, expire_ns / NS_PER_MS, &r->reply->fail);
	return err < 0 ? err : index_link(&r->s->index, b, q->by, expire_ns, &r->reply->fail);
}

/* The upload is whole. If its bytes are here already they stay; a damaged file is replaced. After a fault of the
 * disk nobody knows what it holds: the upload is gone. */
static struct blob *keep(struct request *r, struct upload *u)
{
	struct store *s = r->s;
	struct blob *b = index_find(&s->index, u->tenant, &r->ask->hash);
	bool is_new = b == NULL;

	if (!is_new && !b->is_damaged) {
		b->touched_ns = r->now_ns;
		drop_upload(s, u);
		return b;
	}
	if (is_new && index_put(&s->index, u->tenant, &r->ask->hash, u->size, r->now_ns, &b,
			      &r->reply->fail) < 0)
		return NULL;
	if (disk_keep(&s->disk, u->fd, u->tenant, u->token, u->size, &r->ask->hash, u->sums,
		    &r->reply->fail) < 0) {
		/* The bytes were reserved once, for both. */
		if (is_new)
			index_drop(&s->index, b);
		else
			index_release(&s->index, u->tenant, u->size);
		upload_free(&s->disk, u, true);
		s->uploads_n--;
		return NULL;
	}
	if (!is_new)
		index_release(&s->index, u->tenant, u->size);
	reader_forget(s->reader, b);
	b->is_damaged = false;
	b->touched_ns = r->now_ns;
	upload_free(&s->disk, u, false);
	s->uploads_n--;
	s->metrics.kept++;
	return b;
}

/* A commit that is repeated finds the blob instead of the upload. */
static void do_commit(struct request *r)
{
	struct upload *u = find_upload(r->s, r->tenant, r->ask->upload);
	struct blob *b = NULL;
	int err = 0;

	if (u == NULL) {
		b = index_find(&r->s->index, r->tenant, &r->ask->hash);
		if (b == NULL || b->size != r->ask->size)
			fail_set(&r->reply->fail, ERR_UNKNOWN, "upload", 0,
				"no such upload is open");
	} else {
		u->touched_ns = r->now_ns;
		err = upload_check(&r->s->disk, u, &r->ask->hash, r->s->reader->room,
			&r->reply->fail);
		if (err == 0)
			b = keep(r, u);
		else if (span_is(span_str(r->reply->fail.field), "hash"))
			drop_upload(r->s, u);
	}
	if (b != NULL && r->ask->by.len > 0 && link_blob(r, b) < 0)
		return;
	if (b != NULL && r->reply->fail.code == 0)
		show_blob(r, b);
}

/* --- out ---------------------------------------------------------------------------------------------- */

static void do_read(struct request *r)
{
	struct blob *b = find_blob(r);
	int err;

	if (b == NULL)
		return;
	err = reader_read(r->s->reader, b, r->ask->offset, r->ask->size, &r->reply->data,
		&r->reply->fail);
	if (err == ERR_MALFORMED) {
		b->is_damaged = true;
		r->s->metrics.damaged++;
		reader_forget(r->s->reader, b);
		find_blob(r);
	}
	r->reply->size = b->size;
	r->reply->offset = r->ask->offset;
	r->s->metrics.got_bytes += r->reply->data.len;
}

static void do_link(struct request *r)
{
	struct blob *b = find_blob(r);

	if (b != NULL && link_blob(r, b) == 0)
		show_blob(r, b);
}

static void do_unlink(struct request *r)
{
	struct blob *b = find_blob(r);
	struct reference *ref = b == NULL ? NULL : index_reference(b, r->ask->by);

	if (b == NULL)
		return;
	if (ref != NULL) {
		if (disk_unlink(&r->s->disk, b, ref, &r->reply->fail) < 0)
			return;
		index_unlink(&r->s->index, b, ref, r->now_ns);
	}
	show_blob(r, b);
}

void store_do(struct store *s, struct span tenant, int64_t now_ns, const struct blob_ask *ask,
	struct blob_reply *reply)
{
	static void (*const handlers[BLOB_OPS])(struct request * r) = {
		[BLOB_STAT] = do_stat,
		[BLOB_OPEN] = do_open,
		[BLOB_CHUNK] = do_chunk,
		[BLOB_COMMIT] = do_commit,
		[BLOB_READ] = do_read,
		[BLOB_LINK] = do_link,
		[BLOB_UNLINK] = do_unlink,
	};
	struct request r = { .s = s, .now_ns = now_ns, .ask = ask, .reply = reply };

	*reply = (struct blob_reply){ .fail = ask->fail };
	s->metrics.asks++;
	if (ask->fail.code == 0) {
		r.tenant = index_tenant(&s->index, tenant);
		if (r.tenant == NULL)
			fail_set(&reply->fail, ERR_BUSY, "tenants_max", s->conf.index.tenants_max,
				"the store serves as many tenants as it may");
		else
			handlers[ask->op](&r);
		index_rest(&s->index, r.tenant);
	}
	s->metrics.refused += reply->fail.code != 0;
	s->metrics.faults += reply->fail.code == ERR_IO;
	if (reply->fail.code == ERR_BUSY && reply->fail.retry_after_ms == 0)
		reply->fail.retry_after_ms = 1000;
}

/* --- what is due -------------------------------------------------------------------------------------- */

static void sweep_blob(struct store *s, struct blob *b, int64_t now_ns)
{
	struct tenant *whose = b->tenant;
	struct reference *r;
	struct fail why = { 0 };

	while ((r = index_expired(b, now_ns)) != NULL) {
		if (disk_unlink(&s->disk, b, r, &why) < 0) {
			s->metrics.faults++;
			return;
		}
		index_unlink(&s->index, b, r, now_ns);
	}
	if (!index_is_garbage(&s->index, b, now_ns))
		return;
	if (disk_blob_drop(&s->disk, b, &why) < 0) {
		s->metrics.faults++;
		return;
	}
	reader_forget(s->reader, b);
	index_drop(&s->index, b);
	index_rest(&s->index, whose);
	s->metrics.dropped++;
}

void store_sweep(struct store *s, int64_t now_ns, unsigned blobs)
{
	struct list *next;
	struct blob *b;

	for (; blobs > 0; blobs--) {
		b = index_next(&s->index, &s->sweep_at);
		if (b == NULL) {
			s->sweep_at = 0;
			break;
		}
		sweep_blob(s, b, now_ns);
	}
	for (struct list *l = s->uploads.next; l != &s->uploads; l = next) {
		struct tenant *whose = upload_of(l)->tenant;

		next = l->next;
		if (now_ns - upload_of(l)->touched_ns < s->conf.upload_idle_ns)
			continue;
		drop_upload(s, upload_of(l));
		index_rest(&s->index, whose);
		s->metrics.dropped++;
	}
}

/* --- start and end ------------------------------------------------------------------------------------ */

/* What is found at the start, and why it cannot be taken in. */
struct found {
	struct store *s;
	struct fail *why;
};

static int on_blob(void *ctx, struct span tenant, const struct blob_hash *hash, uint64_t size,
	int64_t mtime_ns)
{
	const struct found *f = ctx;
	struct store *s = f->s;
	struct tenant *t = index_tenant(&s->index, tenant);
	struct blob *b;

	if (t == NULL)
		return ERR_NO_MEMORY;
	/* A smaller quota than before: what is there stays, and nothing more goes. */
	index_found(&s->index, t, size);
	return index_put(&s->index, t, hash, size, mtime_ns, &b, f->why);
}

static int on_reference(void *ctx, struct span tenant, const struct blob_hash *hash, struct span by,
	int64_t expire_ms)
{
	const struct found *f = ctx;
	struct store *s = f->s;
	struct tenant *t = index_tenant(&s->index, tenant);
	struct blob *b = t == NULL ? NULL : index_find(&s->index, t, hash);
	const struct reference *old = b == NULL ? NULL : index_reference(b, by);

	if (b == NULL) /* it outlived its blob */
		index_rest(&s->index, t);
	if (b == NULL || (old != NULL && old->expire_ns >= expire_ms * NS_PER_MS))
		return 0;
	return index_link(&s->index, b, by, expire_ms * NS_PER_MS, f->why);
}

static int on_upload(void *ctx, struct span tenant, struct span token, uint64_t size, uint64_t have)
{
	struct store *s = ((const struct found *)ctx)->s;
	struct tenant *t = index_tenant(&s->index, tenant);
	struct fail why = { 0 };
	struct upload *u;
	char name[LIMIT_TOKEN_BYTES + 1];

	if (t == NULL)
		return ERR_NO_MEMORY;
	span_copy(token, name, sizeof(name));
	u = add_upload(s, t, token, size, have, 0, &why);
	if (u == NULL && why.code == ERR_BUSY) {
		disk_upload_drop(&s->disk, t, name, size);
		index_rest(&s->index, t);
	} else if (u == NULL)
		return why.code;
	return 0;
}

static int read_all(struct store *s, struct fail *why)
{
	struct found found = { s, why };
	const struct disk_seen seen = { on_blob, on_reference, on_upload, &found };
	int r = disk_scan(&s->disk, &seen, why);

	return r < 0 && why->code == 0 ? fail_set(why, r, "dir", 0, NULL) : r;
}

struct store *store_open(const struct store_conf *conf, struct fail *why)
{
	struct store *s = mem_alloc(sizeof(*s));

	if (s == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
		return NULL;
	}
	s->conf = *conf;
	list_init(&s->uploads);
	index_init(&s->index, &conf->index);
	s->reader = mem_alloc(sizeof(*s->reader));
	if (s->reader == NULL) {
		fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	} else {
		s->reader->disk = &s->disk;
		if (disk_open(&s->disk, conf->io, conf->dir, why) == 0 && read_all(s, why) == 0)
			return s;
	}
	store_close(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	while (!list_is_empty(&s->uploads))
		upload_free(&s->disk, upload_of(s->uploads.next), false);
	if (s->reader != NULL)
		reader_done(s->reader);
	mem_free(s->reader);
	disk_close(&s->disk);
	index_done(&s->index);
	mem_free(s);
}
