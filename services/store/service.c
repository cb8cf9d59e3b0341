/* SPDX-License-Identifier: Apache-2.0
 *
 * service: messages in, store, replies out; ten times a second a look at what is due.
 */
#include "services/store/service.h"

#include "run/keys.h"
#include "run/log.h"
#include "wire/subject.h"

#define ARENA_BYTES ((size_t)4 << 20)
#define SWEEP_BLOBS 256u
#define TENANTS_MAX 10000u

#define AT(member) offsetof(struct service_conf, member)
#define TIB ((int64_t)1 << 40)
#define YEAR_NS (INT64_C(366) * 86400 * NS_PER_S)

const struct conf_row service_rows[] = {
	{ "dir", CONF_TEXT, AT(dir), "/var/lib/spu-store", 1, 511, NULL,
		"folder of the blobs; made if it is not there" },
	{ "bytes_max", CONF_BYTES, AT(bytes_max), "16G", 1 << 20, 1024 * TIB, NULL,
		"bytes of all blobs and uploads" },
	{ "tenant_bytes_max", CONF_BYTES, AT(tenant_bytes_max), "8G", 1 << 20, 1024 * TIB, NULL,
		"bytes of one tenant's" },
	{ "blobs_max", CONF_INT, AT(blobs_max), "100000", 1, 10000000, NULL,
		"blobs of all, and references to them" },
	{ "uploads_max", CONF_INT, AT(uploads_max), "32", 1, 256, NULL, "uploads open at once" },
	{ "grace", CONF_TIME, AT(grace_ns), "1h", 0, YEAR_NS, NULL,
		"how long a blob stays that nobody refers to" },
	{ "upload_idle", CONF_TIME, AT(upload_idle_ns), "1h", NS_PER_S, YEAR_NS, NULL,
		"how long an upload stays that nothing comes for" },
	CONF_INCLUDE(struct service_conf, base, conf_base_rows),
	{ 0 },
};

struct service {
	struct daemon daemon;
	struct store *store;
	struct arena arena; /* one message */
	struct buf reply;
	uint64_t messages;
	uint64_t unanswered; /* messages that named no place to answer to */
};

static const struct metric_row metric_rows[] = {
#define ROW(name_, type_, unit_, help_)                                                            \
	{                                                                                          \
#name_, type_, offsetof(struct store_metrics, name_), unit_, help_                 \
	}
	ROW(asks, METRIC_COUNTER, "", "asks that came"),
	ROW(refused, METRIC_COUNTER, "", "asks that were answered with an error"),
	ROW(put_bytes, METRIC_COUNTER, "bytes", "that arrived in chunks"),
	ROW(got_bytes, METRIC_COUNTER, "bytes", "that were read and sent"),
	ROW(kept, METRIC_COUNTER, "", "uploads that became blobs"),
	ROW(dropped, METRIC_COUNTER, "", "blobs and uploads that nobody wanted any more"),
	ROW(damaged, METRIC_COUNTER, "", "reads that met a damaged file"),
	ROW(faults, METRIC_COUNTER, "", "calls of the disk that failed"),
#undef ROW
	{ 0 },
};

static void log_trouble(const struct blob_ask *ask, const struct blob_reply *r, struct span tenant)
{
	if (r->fail.code == ERR_IO)
		log_error("an ask failed", "op", LOG_INT(ask->op), "tenant", LOG_SPAN(tenant),
			"field", LOG_STR(r->fail.field), "detail", LOG_STR(r->fail.detail));
}

/* What does not fit beside the others is told so. */
static void put_reply(struct buf *b, const struct blob_reply *r)
{
	size_t before = b->len;
	struct blob_reply sorry = { 0 };
	int err;

	blob_replies_put(b, r);
	err = buf_err(b);
	if (err == 0)
		return;
	b->len = before;
	b->err = 0;
	fail_set(&sorry.fail, err, "ask", LIMIT_MESSAGE_BYTES,
		"the replies do not fit into a message");
	blob_replies_put(b, &sorry);
}

static void answer(struct service *s, struct span tenant, struct span data)
{
	struct blob_reply reply = { 0 };
	struct blob_ask *asks = NULL;
	size_t asks_n = 0;

	if (blob_asks_decode(&s->arena, data, &asks, &asks_n, &reply.fail) < 0) {
		put_reply(&s->reply, &reply);
		return;
	}
	for (size_t i = 0; i < asks_n; i++) {
		store_do(s->store, tenant, s->daemon.loop.now_ns, &asks[i], &reply);
		log_trouble(&asks[i], &reply, tenant);
		put_reply(&s->reply, &reply);
	}
}

static void on_blob(void *ctx, const struct bus_msg *m)
{
	struct service *s = ctx;
	struct span tenant = { 0 };
	const char *to = NULL;

	s->messages++;
	arena_reset(&s->arena);
	buf_reset(&s->reply);
	if (subject_parse(SUBJECT_BLOB, m->subject, &tenant, NULL) == 0 &&
		subject_may_reply(m->reply, tenant))
		to = arena_str(&s->arena, m->reply);
	if (to != NULL)
		answer(s, tenant, m->data);
	if (to == NULL || buf_err(&s->reply) < 0 ||
		bus_publish(s->daemon.bus, to, NULL, (struct span){ 0 }, buf_span(&s->reply)) < 0)
		s->unanswered++;
}

static void on_control(void *ctx, int64_t now_ns)
{
	struct service *s = ctx;

	if (s->store != NULL)
		store_sweep(s->store, now_ns, SWEEP_BLOBS);
}

static int serve(struct service *s, const struct service_conf *conf)
{
	const struct store_conf store = {
		.io = &disk_io_real,
		.dir = conf->dir,
		.index = {
			.bytes_max = (uint64_t)conf->bytes_max,
			.tenant_bytes_max = (uint64_t)conf->tenant_bytes_max,
			.blobs_max = (uint32_t)conf->blobs_max,
			.tenants_max = TENANTS_MAX,
			.grace_ns = conf->grace_ns,
		},
		.uploads_max = (uint32_t)conf->uploads_max,
		.upload_idle_ns = conf->upload_idle_ns,
	};
	const struct daemon_endpoint endpoints[] = {
		{ "blob", "spu.blob.*", "spu-store", &s->messages, &s->unanswered },
		{ 0 },
	};
	struct fail why = { 0 };
	struct bus_sub *sub;
	int status;

	s->store = store_open(&store, &why);
	if (s->store == NULL) {
		log_error("the store cannot be opened", "error", LOG_ERR(why.code), "field",
			LOG_STR(why.field), "detail", LOG_STR(why.detail));
		return err_row(why.code)->exit;
	}
	log_info("the store is open", "dir", LOG_STR(conf->dir), "blobs",
		LOG_INT(s->store->index.blobs.used), "bytes",
		LOG_INT((int64_t)s->store->index.bytes));
	for (struct list *l = s->store->uploads.next; l != &s->store->uploads; l = l->next)
		CONTAINER(l, struct upload, link)->touched_ns = s->daemon.loop.now_ns;
	s->daemon.metrics =
		(struct metric_set){ s->daemon.program, metric_rows, &s->store->metrics };
	s->daemon.endpoints = endpoints;
	sub = bus_subscribe(s->daemon.bus, "spu.blob.*", "spu-store", on_blob, s);
	status = sub == NULL ? err_row(ERR_NO_MEMORY)->exit : daemon_run(&s->daemon);
	bus_unsubscribe(s->daemon.bus, sub);
	s->daemon.metrics = (struct metric_set){ 0 };
	s->daemon.endpoints = NULL;
	store_close(s->store);
	s->store = NULL;
	return status;
}

int service_main(const struct service_conf *conf)
{
	struct service s = { 0 };
	const struct daemon_hooks hooks = { .on_control = on_control, .ctx = &s };
	int status, r;

	arena_init(&s.arena, ARENA_BYTES);
	buf_init(&s.reply, LIMIT_MESSAGE_BYTES);
	r = keys_open();
	if (r == 0)
		r = daemon_open(&s.daemon, "store", &conf->base, &hooks);
	if (r < 0)
		return err_row(r)->exit;
	status = serve(&s, conf);
	daemon_close(&s.daemon);
	arena_done(&s.arena);
	buf_done(&s.reply);
	return status;
}
