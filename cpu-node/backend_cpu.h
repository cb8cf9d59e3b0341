/* SPDX-License-Identifier: Apache-2.0
 *
 * backend_cpu: runs the kinds of kinds.h for the shared node: small jobs at once on the owner thread, the
 * others on a pool of threads, with copies of their input.
 */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "cpu-node/results.h"
#include "cpu-node/told.h"
#include "node/node.h"
#include "node/turns.h"
#include "run/tokenizer.h"
#include "run/work.h"
#include "run/zip_dict.h"

struct cpu_conf {
	struct node_conf node; /* first */
	int64_t threads;       /* of the pool; 0: as many as processors */
	int64_t slots;         /* attempts held at once: running, waiting for a thread, asleep */
	int64_t queue_bytes;   /* of their inputs */
	int64_t price_ucr;     /* of one attempt */
	int64_t cache_bytes;   /* of results kept; 0: none */
	int64_t cache_ttl_ns;
	struct tokenizers_conf tokenizers;
};
/* Rows of cpu_conf, the node's included. */
extern const struct conf_row cpu_rows[];

struct cpu_backend {
	const struct cpu_conf *conf;
	struct node *node;
	struct loop *loop;
	struct work_pool *pool;
	struct list runs; /* struct cpu_run: everything held */
	uint32_t runs_n;
	struct turns turns;     /* of them: who waits for a thread */
	uint32_t pooled_n;      /* of them in the pool: on a thread, and one that is next */
	unsigned threads;       /* of the pool */
	int64_t held_bytes;     /* of the inputs of runs */
	struct loop_timer beat; /* progress reports, while something runs */
	struct told_box told;   /* pieces of results, before those are whole */
	struct arena arena;     /* of calls on the owner thread */
	struct buf out;         /* the same */
	struct results results;
	struct tokenizers tokenizers;
	struct zip_dicts *dicts; /* of all calls */
	char device[128];
	unsigned processors;
};

void cpu_backend_init(struct cpu_backend *b, const struct cpu_conf *conf);
extern const struct backend_ops cpu_backend_ops; /* self is a struct cpu_backend */
