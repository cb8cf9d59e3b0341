/* SPDX-License-Identifier: Apache-2.0
 *
 * zip_dict: training, and the ready ones: a list, the latest used last. One that nobody uses is dropped when there are
 * too many; one that somebody uses beyond that is his own, and not kept.
 */
#include "run/zip_dict.h"

#include <pthread.h>
#include <zdict.h>

#include "base/mem.h"
#include "run/zip_inside.h"

int zip_dict_train(struct buf *b, struct span all, const size_t *sizes, size_t sizes_n,
	size_t max_bytes, struct fail *why)
{
	unsigned char *room;
	size_t n;

	if (sizes_n < ZIP_SAMPLES_MIN)
		return fail_set(why, ERR_INVALID, "items", ZIP_SAMPLES_MIN,
			"%zu samples are too few for a dictionary, at least %u are needed", sizes_n,
			ZIP_SAMPLES_MIN);
	room = buf_room(b, max_bytes);
	if (room == NULL)
		return fail_set(why, buf_err(b), "max_bytes", (int64_t)b->max, NULL);
	n = ZDICT_trainFromBuffer(room, max_bytes, all.at, sizes, (unsigned)sizes_n);
	if (ZDICT_isError(n))
		return fail_set(why, ERR_INVALID, "items", ZIP_SAMPLES_MIN,
			"these samples give no dictionary, for they are too short or too few: %s",
			ZDICT_getErrorName(n));
	buf_took(b, n);
	return 0;
}

uint32_t zip_dict_number(struct span bytes)
{
	return bytes.len == 0 ? 0 : ZDICT_getDictID(bytes.at, bytes.len);
}

const unsigned char *zip_dict_hash(const struct zip_dict *d)
{
	return d->hash;
}

uint32_t zip_dict_of_frame(struct span packed)
{
	return packed.len == 0 ? 0 : ZSTD_getDictID_fromFrame(packed.at, packed.len);
}

/* Ready dictionaries. */

struct zip_dicts {
	pthread_mutex_t lock;
	struct list kept; /* the latest used last */
	unsigned kept_n;
	size_t bytes; /* of all in the list */
	size_t bytes_max;
};

static void dict_free(struct zip_dict *d)
{
	ZSTD_freeCDict(d->packing);
	ZSTD_freeDDict(d->unpacking);
	mem_free(d);
}

static struct zip_dict *dict_of(struct list *l)
{
	return CONTAINER(l, struct zip_dict, link);
}

struct zip_dicts *zip_dicts_new(size_t bytes_max)
{
	struct zip_dicts *ds = mem_alloc(sizeof(*ds));

	if (ds == NULL)
		return NULL;
	CHECK(pthread_mutex_init(&ds->lock, NULL) == 0);
	list_init(&ds->kept);
	ds->bytes_max = bytes_max;
	return ds;
}

static void drop(struct zip_dicts *ds, struct zip_dict *d)
{
	list_drop(&d->link);
	ds->kept_n--;
	ds->bytes -= d->bytes;
	dict_free(d);
}

void zip_dicts_free(struct zip_dicts *ds)
{
	if (ds == NULL)
		return;
	while (!list_is_empty(&ds->kept)) {
		struct zip_dict *d = dict_of(ds->kept.next);

		CHECK(d->users == 0);
		drop(ds, d);
	}
	pthread_mutex_destroy(&ds->lock);
	mem_free(ds);
}

/* A new one, for one user. */
static int dict_new(struct span bytes, int level, struct zip_dict **ret, struct fail *why)
{
	uint32_t number = zip_dict_number(bytes);
	struct zip_dict *d;

	if (number == 0)
		return fail_set(why, ERR_INVALID, "dictionary", 0, "this is no zstd dictionary");
	if (bytes.len > ZIP_DICT_BYTES_MAX)
		return fail_set(why, ERR_TOO_BIG, "dictionary", ZIP_DICT_BYTES_MAX,
			"the dictionary has %zu bytes", bytes.len);
	d = mem_alloc(sizeof(*d));
	if (d == NULL)
		return fail_set(why, ERR_NO_MEMORY, NULL, 0, NULL);
	list_init(&d->link);
	d->number = number;
	d->level = level;
	d->users = 1;
	if (level == 0)
		d->unpacking = ZSTD_createDDict(bytes.at, bytes.len);
	else
		d->packing = ZSTD_createCDict(bytes.at, bytes.len, level);
	if (d->unpacking == NULL && d->packing == NULL) { /* zstd does not say which it was */
		dict_free(d);
		return fail_set(why, ERR_INVALID, "dictionary", 0,
			"the zstd dictionary is damaged, or there is no memory for it");
	}
	d->bytes = sizeof(*d) + ZSTD_sizeof_CDict(d->packing) + ZSTD_sizeof_DDict(d->unpacking);
	*ret = d;
	return 0;
}

static struct zip_dict *find(struct zip_dicts *ds, const unsigned char hash[KEYS_HASH], int level)
{
	for (struct list *l = ds->kept.next; l != &ds->kept; l = l->next) {
		struct zip_dict *d = dict_of(l);

		if (d->level == level && memcmp(d->hash, hash, KEYS_HASH) == 0) {
			d->users++;
			list_drop(&d->link);
			list_push(&ds->kept, &d->link);
			return d;
		}
	}
	return NULL;
}

/* Room for one more: the longest unused make it. */
static bool make_room(struct zip_dicts *ds, size_t bytes)
{
	struct list *l = ds->kept.next;

	while (l != &ds->kept &&
		(ds->kept_n == ZIP_DICTS_MAX || bytes > ds->bytes_max - ds->bytes)) {
		struct zip_dict *d = dict_of(l);

		l = l->next;
		if (d->users == 0)
			drop(ds, d);
	}
	return ds->kept_n < ZIP_DICTS_MAX && bytes <= ds->bytes_max - ds->bytes;
}

static void keep(struct zip_dicts *ds, struct zip_dict *d)
{
	CHECK(pthread_mutex_lock(&ds->lock) == 0);
	if (d->bytes <= ds->bytes_max && make_room(ds, d->bytes)) {
		d->is_kept = true;
		ds->kept_n++;
		ds->bytes += d->bytes;
		list_push(&ds->kept, &d->link);
	}
	CHECK(pthread_mutex_unlock(&ds->lock) == 0);
}

int zip_dicts_take(struct zip_dicts *ds, struct span bytes, int level, const struct zip_dict **ret,
	struct fail *why)
{
	unsigned char hash[KEYS_HASH];
	struct zip_dict *d = NULL;
	struct keys_stream s;
	int r = 0;

	CHECK(level >= 0 && level <= ZIP_LEVEL_MAX);
	keys_stream_start(&s);
	keys_stream_add(&s, bytes);
	keys_stream_end(&s, hash);
	if (ds != NULL) {
		CHECK(pthread_mutex_lock(&ds->lock) == 0);
		d = find(ds, hash, level);
		CHECK(pthread_mutex_unlock(&ds->lock) == 0);
	}
	if (d == NULL) {
		r = dict_new(bytes, level, &d, why);
		if (r < 0)
			return r;
		memcpy(d->hash, hash, sizeof(hash));
		if (ds !=
			NULL) /* two that made the same one at once keep both: the older goes first */
			keep(ds, d);
	}
	*ret = d;
	return 0;
}

void zip_dicts_give(struct zip_dicts *ds, const struct zip_dict *taken)
{
	struct zip_dict *d = (struct zip_dict *)(uintptr_t)taken;

	if (!d->is_kept) {
		dict_free(d);
		return;
	}
	CHECK(pthread_mutex_lock(&ds->lock) == 0);
	d->users--;
	CHECK(pthread_mutex_unlock(&ds->lock) == 0);
}

unsigned zip_dicts_count(struct zip_dicts *ds)
{
	unsigned n;

	CHECK(pthread_mutex_lock(&ds->lock) == 0);
	n = ds->kept_n;
	CHECK(pthread_mutex_unlock(&ds->lock) == 0);
	return n;
}
