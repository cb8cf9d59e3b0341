/* SPDX-License-Identifier: Apache-2.0
 *
 * answers_kit: a router_kit whose machine keeps results, and tasks with parameters for it.
 */
#pragma once
#include "tests/support/router_kit.h"
#include "tests/support/test.h"
#include "wire/body.h"

#define BODIES 8 /* that live at once */

static inline void keep_results(struct router_conf *conf)
{
	conf->answers.bytes_max = 1 << 20;
	conf->answers.ttl_ns = 600 * SEC;
	conf->answers.near = true;
}

static inline int answers_set_up(void **state)
{
	*state = kit_new(keep_results);
	return 0;
}

/* A body of parameters: "KEY=VALUE;KEY=VALUE". It lives until the next but some. */
static inline struct span body_of(const char *params)
{
	static unsigned char bodies[BODIES][512];
	static unsigned next;
	unsigned char *to = bodies[next++ % BODIES];
	struct span rest = span_str(params);
	struct buf b;
	size_t len;

	buf_init(&b, sizeof bodies[0]);
	while (rest.len > 0) {
		struct span value = span_cut(&rest, ';'), key = span_cut(&value, '=');

		body_put_param(&b, key, value);
	}
	assert_int_equal(buf_err(&b), 0);
	len = b.len;
	if (len > 0)
		memcpy(to, b.at, len);
	buf_done(&b);
	return span_of(to, len);
}

static inline struct submit task_of(const char *kind, const char *params)
{
	struct submit s = kit_task(kind);

	s.body = body_of(params);
	return s;
}

static inline struct task *ask(struct kit *k, const char *tenant, const char *kind,
	const char *params)
{
	struct submit s = task_of(kind, params);
	struct task *t = kit_submit_as(k, tenant, &s);

	assert_int_equal(k->reply.fail.code, 0);
	return t;
}

static inline bool is_hit(const struct task *t)
{
	return t->state == STATE_SUCCEEDED && t->cache_hit && t->attempts == 0;
}

static inline void cancel(struct kit *k, const struct task *t)
{
	assert_int_equal(kit_step(k,
				 &(struct router_event){
					 .kind = ROUTER_CANCEL,
					 .who = router_tenant(k->r, t->tenant),
					 .task = t->id,
				 }),
		0);
}

static inline void tell(struct kit *k, enum router_event_kind kind, const struct task *t)
{
	assert_int_equal(kit_step(k,
				 &(struct router_event){
					 .kind = kind,
					 .who = router_tenant(k->r, t->tenant),
					 .task = t->id,
				 }),
		0);
}

static inline void purge(struct kit *k, const char *tenant)
{
	kit_look_away(k);
	assert_int_equal(kit_step(k,
				 &(struct router_event){
					 .kind = ROUTER_PURGE,
					 .who = span_str(tenant),
				 }),
		0);
	assert_string_equal(kit_next(k, SAID_DOWN, DOWN_PURGE)->to, "all");
}
