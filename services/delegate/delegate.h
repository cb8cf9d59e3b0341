/* SPDX-License-Identifier: Apache-2.0
 *
 * delegate: a node of class api: a backend whose jobs are calls to an external API. The only process that
 * holds its key.
 */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "node/node.h"
#include "run/http_client.h"
#include "services/delegate/breaker.h"
#include "services/delegate/endpoint.h"
#include "services/delegate/prepare.h"

#define MODELS_BYTES 1024u
#define KEY_PATH_BYTES 1024u

/* Which addresses besides public ones may be connected to. */
enum delegate_private {
	PRIVATE_NAMED, /* if the URL itself names one, or localhost */
	PRIVATE_YES,   /* also if a name in it resolves to one */
	PRIVATE_NO,
};

struct delegate_conf {
	struct node_conf node;
	char llm_url[URL_BYTES + 1];
	char llm_key[KEY_PATH_BYTES + 1]; /* path */
	char llm_model[MODEL_BYTES + 1];
	char llm_models[MODELS_BYTES + 1]; /* separated by commas; empty: any */
	int64_t price_ucr;
	int64_t calls_max;
	int64_t timeout_ns;
	int64_t answer_max;  /* bytes */
	int64_t context_max; /* tokens; 0: not known */
	struct tokenizers_conf tokenizers;
	int allow_private; /* enum delegate_private */
};
/* Rows of delegate_conf, the node's included. */
extern const struct conf_row delegate_rows[];

struct delegate {
	struct delegate_conf conf;
	const struct provider_ops *provider;
	struct loop *loop; /* NULL: the daemon's; tests give their own */
	struct node *node;
	struct endpoint endpoint;
	char key[KEY_BYTES + 1];
	struct http_client *http;
	struct breaker breaker;
	struct loop_timer wake; /* when the breaker lets a call through again */
	struct list calls;      /* struct call */
	unsigned calls_n;
	bool is_closing;
	struct work_pool *pool; /* one thread that prepares what takes long */
	struct token_rates rates;
	struct tokenizers tokenizers;
	struct buf result; /* of one answer */
	char device[300];  /* as offered */
};

/* self is a struct delegate with conf and provider set, the rest zero. */
extern const struct backend_ops delegate_ops;
