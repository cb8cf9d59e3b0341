/* SPDX-License-Identifier: Apache-2.0
 *
 * service: messages in, store, replies out; ten times a second a look at what is due.
 */
#include "services/store/service.h"

#include "run/blob.h"
#include "run/keys.h"
#include "run/log.h"
#include "services/store/lane.h"

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
	{ "tenant_blobs_max", CONF_INT, AT(tenant_blobs_max), "50000", 1, 10000000, NULL,
		"the same of one tenant" },
	{ "uploads_max", CONF_INT, AT(uploads_max), "32", 1, 256, NULL, "uploads open at once" },
	{ "tenant_uploads_max", CONF_INT, AT(tenant_uploads_max), "16", 1, 256, NULL,
		"the same of one tenant" },
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
	struct lane lane;
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

static void on_blob(void *ctx, const struct bus_msg *m)
{
	struct service *s = ctx;

	lane_take(&s->lane, m);
}

static void on_control(void *ctx, int64_t now_ns)
{
	struct service *s = ctx;

	if (s->lane.jobs != NULL)
		lane_sweep(&s->lane, now_ns);
}

static struct store_conf store_conf_of(const struct service_conf *conf)
{
	return (struct store_conf){
		.io = &disk_io_real,
		.dir = conf->dir,
		.index = {
			.bytes_max = (uint64_t)conf->bytes_max,
			.tenant_bytes_max = (uint64_t)conf->tenant_bytes_max,
			.blobs_max = (uint32_t)conf->blobs_max,
			.tenant_blobs_max = (uint32_t)conf->tenant_blobs_max,
			.tenants_max = TENANTS_MAX,
			.grace_ns = conf->grace_ns,
		},
		.uploads_max = (uint32_t)conf->uploads_max,
		.tenant_uploads_max = (uint32_t)conf->tenant_uploads_max,
		.upload_idle_ns = conf->upload_idle_ns,
	};
}

/* 0 or an error, after a message. */
static int open_store(struct service *s, const struct service_conf *conf)
{
	const struct store_conf store = store_conf_of(conf);
	struct fail why = { 0 };
	int r;

	s->store = store_open(&store, &why);
	if (s->store == NULL) {
		log_error("the store cannot be opened", "dir", LOG_STR(conf->dir), "error",
			LOG_ERR(why.code), "detail", LOG_STR(why.detail));
		return why.code;
	}
	log_info("the store is open", "dir", LOG_STR(conf->dir), "blobs",
		LOG_INT(s->store->index.blobs.used), "bytes",
		LOG_INT((int64_t)s->store->index.bytes));
	for (struct list *l = s->store->uploads.next; l != &s->store->uploads; l = l->next)
		CONTAINER(l, struct upload, link)->touched_ns = s->daemon.loop.now_ns;
	r = lane_open(&s->lane, &s->daemon.loop, s->daemon.bus, s->store);
	if (r < 0)
		log_error("the store has no thread", "error", LOG_ERR(r));
	return r;
}

static int serve(struct service *s)
{
	const struct daemon_endpoint endpoints[] = {
		{ "blob", "spu.blob.*", "spu-store", &s->lane.messages, &s->lane.unanswered },
		{ 0 },
	};
	struct bus_sub *sub;
	int status;

	s->daemon.metrics = (struct metric_set){ s->daemon.program, metric_rows, &s->lane.metrics };
	s->daemon.endpoints = endpoints;
	sub = bus_subscribe(s->daemon.bus, "spu.blob.*", "spu-store", on_blob, s);
	status = sub == NULL ? err_row(ERR_NO_MEMORY)->exit : daemon_run(&s->daemon);
	bus_unsubscribe(s->daemon.bus, sub);
	s->daemon.metrics = (struct metric_set){ 0 };
	s->daemon.endpoints = NULL;
	return status;
}

int service_main(const struct service_conf *conf)
{
	struct service s = { 0 };
	const struct daemon_hooks hooks = { .on_control = on_control, .ctx = &s };
	int status, r;

	blob_keep_memory();
	r = keys_open();
	if (r == 0)
		r = daemon_open(&s.daemon, "store", &conf->base, &hooks);
	if (r < 0)
		return err_row(r)->exit;
	r = open_store(&s, conf);
	status = r < 0 ? err_row(r)->exit : serve(&s);
	lane_close(&s.lane);
	store_close(s.store);
	daemon_close(&s.daemon);
	return status;
}
