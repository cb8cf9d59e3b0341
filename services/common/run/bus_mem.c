/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_mem: subscriptions without wildcards are found by their hash, the others are few and are all tried.
 * Who gets a message is decided when it is published; each copy to each subscription then travels alone, in a
 * heap by (arrival, order of publishing). A copy names its subscription by slot id, so what is on its way to
 * an ended one finds nothing.
 */
#include "run/bus_mem.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/slots.h"

#define SUBS_MAX 65536u
#define ON_THE_WAY_MAX (1u << 20)
#define NAME_BYTES 64u

struct bus_sub {
	struct slot_id id;
	struct peer *peer;
	struct list of_peer;
	struct list wild; /* in net->wild; in no list without wildcards */
	uint64_t hash;    /* of a pattern without wildcards */
	void (*on_msg)(void *ctx, const struct bus_msg *m);
	void *ctx;
	char *pattern;
	char *group; /* or NULL */
};

/* One copy on its way to one subscription. */
struct copy {
	int64_t due_ns;
	uint64_t order;
	struct slot_id to;
	bool no_responders;
	size_t reply_at; /* offsets into bytes: the subject is at 0 */
	size_t trace_at;
	size_t data_at;
	size_t end;
	char bytes[];
};

struct bus_net {
	bus_fate_fn *fate;
	void *ctx;
	struct prng prng;
	int64_t now_ns;
	uint64_t order;
	unsigned peers;
	struct slots subs;
	struct map exact;
	struct list wild;
	struct copy **heap;
	uint32_t heap_n, heap_cap;
	struct bus_sub **found; /* of the message that is being published */
	uint32_t found_n, found_cap;
};

struct peer {
	struct bus bus;
	struct bus_net *net;
	struct list subs;
	char name[NAME_BYTES];
};

static struct peer *peer_of(struct bus *b)
{
	return CONTAINER(b, struct peer, bus);
}

/* The heap of copies */

static bool is_before(const struct copy *a, const struct copy *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static int heap_push(struct bus_net *net, struct copy *c)
{
	uint32_t at = net->heap_n;

	if (net->heap_n == ON_THE_WAY_MAX)
		return ERR_BUSY;
	if (net->heap_n == net->heap_cap) {
		uint32_t cap = net->heap_cap == 0 ? 64 : net->heap_cap * 2;
		struct copy **heap = mem_grow(net->heap, cap * sizeof(struct copy *));

		if (heap == NULL)
			return ERR_NO_MEMORY;
		net->heap = heap;
		net->heap_cap = cap;
	}
	for (; at > 0 && is_before(c, net->heap[(at - 1) / 2]); at = (at - 1) / 2)
		net->heap[at] = net->heap[(at - 1) / 2];
	net->heap[at] = c;
	net->heap_n++;
	return 0;
}

static struct copy *heap_pop(struct bus_net *net)
{
	struct copy *first = net->heap[0];
	struct copy *c = net->heap[--net->heap_n];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < net->heap_n && is_before(net->heap[child + 1], net->heap[child]))
			child++;
		if (child >= net->heap_n || !is_before(net->heap[child], c))
			break;
		net->heap[at] = net->heap[child];
		at = child;
	}
	net->heap[at] = c;
	return first;
}

/* Who gets it */

static int note(struct bus_net *net, struct bus_sub *sub)
{
	if (net->found_n == net->found_cap) {
		uint32_t cap = net->found_cap == 0 ? 16 : net->found_cap * 2;
		struct bus_sub **found = mem_grow(net->found, cap * sizeof(struct bus_sub *));

		if (found == NULL)
			return ERR_NO_MEMORY;
		net->found = found;
		net->found_cap = cap;
	}
	net->found[net->found_n++] = sub;
	return 0;
}

static int find_subs(struct bus_net *net, const char *subject)
{
	uint64_t hash = span_hash(span_str(subject), 0);
	uint32_t at = 0, index;

	net->found_n = 0;
	while (map_next(&net->exact, hash, &at, &index)) {
		struct bus_sub **sub = slots_at(&net->subs, index);

		if (strcmp((*sub)->pattern, subject) == 0 && note(net, *sub) < 0)
			return ERR_NO_MEMORY;
	}
	for (struct list *l = net->wild.next; l != &net->wild; l = l->next) {
		struct bus_sub *sub = CONTAINER(l, struct bus_sub, wild);

		if (bus_matches(sub->pattern, subject) && note(net, sub) < 0)
			return ERR_NO_MEMORY;
	}
	return 0;
}

static bool is_same_group(const struct bus_sub *a, const struct bus_sub *b)
{
	return a->group != NULL && b->group != NULL && strcmp(a->group, b->group) == 0;
}

/* Leave one random member of each group in net->found. */
static void choose_members(struct bus_net *net)
{
	for (uint32_t i = 0; i < net->found_n; i++) {
		uint32_t members = 1, kept = i + 1;

		if (net->found[i]->group == NULL)
			continue;
		/* The k-th member replaces the chosen one with chance 1/k: each is as likely as any other. */
		for (uint32_t k = i + 1; k < net->found_n; k++) {
			struct bus_sub *other = net->found[k];

			if (!is_same_group(net->found[i], other))
				net->found[kept++] = other;
			else if (prng_below(&net->prng, ++members) == 0)
				net->found[i] = other;
		}
		net->found_n = kept;
	}
}

/* Sending */

static struct copy *copy_new(const char *subject, const char *reply, struct span trace,
	struct span data)
{
	size_t subject_len = strlen(subject);
	size_t reply_len = reply == NULL ? 0 : strlen(reply);
	size_t head = subject_len + 1 + reply_len + 1;
	struct copy *c = mem_alloc(sizeof(*c) + head + trace.len + data.len);

	if (c == NULL)
		return NULL;
	c->reply_at = subject_len + 1;
	c->trace_at = head;
	c->data_at = head + trace.len;
	c->end = c->data_at + data.len;
	memcpy(c->bytes, subject, subject_len);
	if (reply_len > 0)
		memcpy(c->bytes + c->reply_at, reply, reply_len);
	if (trace.len > 0)
		memcpy(c->bytes + c->trace_at, trace.at, trace.len);
	if (data.len > 0)
		memcpy(c->bytes + c->data_at, data.at, data.len);
	return c;
}

static int send_copy(struct bus_net *net, struct bus_sub *sub, struct copy *c, int64_t delay_ns)
{
	int r;

	if (c == NULL)
		return ERR_NO_MEMORY;
	c->to = sub->id;
	c->order = net->order++;
	c->due_ns = net->now_ns + delay_ns;
	r = heap_push(net, c);
	if (r < 0)
		mem_free(c);
	return r;
}

static struct bus_fate fate_of(struct bus_net *net, const struct peer *from,
	const struct bus_sub *to)
{
	if (net->fate == NULL)
		return (struct bus_fate){ .copies = 1 };
	return net->fate(net->ctx, net->now_ns, from->name, to->peer->name);
}

/* Of the subscriptions found, leave one of the peer's, or none. */
static void keep_one_of(struct bus_net *net, const struct peer *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; n == 0 && i < net->found_n; i++) {
		if (net->found[i]->peer == p)
			net->found[n++] = net->found[i];
	}
	net->found_n = n;
}

static int mem_publish(struct bus *b, const char *subject, const char *reply, struct span trace,
	struct span data)
{
	struct peer *p = peer_of(b);
	struct bus_net *net = p->net;
	bool nobody;
	int r = find_subs(net, subject);

	if (r < 0)
		return r;
	nobody = net->found_n == 0;
	if (nobody && reply != NULL) {
		/* As a server does: an empty message with that status to the sender's own reply subject. */
		subject = reply;
		reply = NULL;
		trace = data = span_of(NULL, 0);
		r = find_subs(net, subject);
		if (r < 0)
			return r;
		keep_one_of(net, p);
		subject = "";
	}
	choose_members(net);
	for (uint32_t i = 0; i < net->found_n; i++) {
		struct bus_sub *sub = net->found[i];
		struct bus_fate fate;

		fate = fate_of(net, p, sub);
		CHECK(fate.copies <= 2);
		for (unsigned k = 0; k < fate.copies; k++) {
			struct copy *c = copy_new(subject, reply, trace, data);

			if (c != NULL)
				c->no_responders = nobody;
			r = send_copy(net, sub, c, fate.delay_ns[k]);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Subscriptions */

static void sub_free(struct bus_net *net, struct bus_sub *sub)
{
	list_drop(&sub->of_peer);
	if (list_is_empty(&sub->wild))
		(void)map_drop(&net->exact, sub->hash, sub->id.index);
	list_drop(&sub->wild);
	slots_drop(&net->subs, sub->id.index);
	mem_free(sub->pattern);
	mem_free(sub->group);
	mem_free(sub);
}

static void mem_unsubscribe(struct bus *b, struct bus_sub *sub)
{
	CHECK(sub->peer == peer_of(b));
	sub_free(sub->peer->net, sub);
}

/* A record with its strings and a slot, or NULL. */
static struct bus_sub *sub_new(struct bus_net *net, const char *pattern, const char *group)
{
	struct bus_sub *sub = mem_alloc(sizeof(*sub));
	uint32_t index = SLOT_NONE;

	if (sub == NULL)
		return NULL;
	sub->pattern = mem_str(span_str(pattern));
	sub->group = group == NULL ? NULL : mem_str(span_str(group));
	if (sub->pattern != NULL && (group == NULL || sub->group != NULL) &&
		map_reserve(&net->exact) == 0)
		index = slots_take(&net->subs);
	if (index == SLOT_NONE) {
		mem_free(sub->pattern);
		mem_free(sub->group);
		mem_free(sub);
		return NULL;
	}
	*(struct bus_sub **)slots_at(&net->subs, index) = sub;
	sub->id = slots_id(&net->subs, index);
	return sub;
}

static struct bus_sub *mem_subscribe(struct bus *b, const char *pattern, const char *group,
	void (*on_msg)(void *ctx, const struct bus_msg *m), void *ctx)
{
	struct peer *p = peer_of(b);
	struct bus_sub *sub = sub_new(p->net, pattern, group);

	if (sub == NULL)
		return NULL;
	sub->peer = p;
	sub->on_msg = on_msg;
	sub->ctx = ctx;
	list_init(&sub->wild);
	list_init(&sub->of_peer);
	list_push(&p->subs, &sub->of_peer);
	if (bus_is_subject(pattern)) {
		sub->hash = span_hash(span_str(pattern), 0);
		map_put(&p->net->exact, sub->hash, sub->id.index);
	} else {
		list_push(&p->net->wild, &sub->wild);
	}
	return sub;
}

static void mem_flush(struct bus *b)
{
	(void)b; /* messages are on their way at once */
}

static void mem_close(struct bus *b)
{
	struct peer *p = peer_of(b);

	while (!list_is_empty(&p->subs))
		sub_free(p->net, CONTAINER(p->subs.next, struct bus_sub, of_peer));
	p->net->peers--;
	mem_free(p);
}

static const struct bus_ops mem_ops = {
	.publish = mem_publish,
	.subscribe = mem_subscribe,
	.unsubscribe = mem_unsubscribe,
	.flush = mem_flush,
	.close = mem_close,
};

struct bus *bus_mem_open(struct bus_net *net, const char *name)
{
	struct peer *p = mem_alloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->bus.ops = &mem_ops;
	p->bus.state = BUS_UP;
	p->net = net;
	list_init(&p->subs);
	(void)span_copy(span_str(name), p->name, sizeof(p->name));
	net->peers++;
	return &p->bus;
}

/* The net */

struct bus_net *bus_net_new(bus_fate_fn *fate, void *ctx, uint64_t seed)
{
	struct bus_net *net = mem_alloc(sizeof(*net));

	if (net == NULL)
		return NULL;
	net->fate = fate;
	net->ctx = ctx;
	prng_seed(&net->prng, seed);
	slots_init(&net->subs, sizeof(struct bus_sub *), SUBS_MAX);
	map_init(&net->exact);
	list_init(&net->wild);
	return net;
}

void bus_net_free(struct bus_net *net)
{
	if (net == NULL)
		return;
	CHECK(net->peers == 0);
	for (uint32_t i = 0; i < net->heap_n; i++)
		mem_free(net->heap[i]);
	mem_free(net->heap);
	mem_free(net->found);
	map_done(&net->exact);
	slots_done(&net->subs);
	mem_free(net);
}

int64_t bus_net_next(const struct bus_net *net)
{
	return net->heap_n == 0 ? INT64_MAX : net->heap[0]->due_ns;
}

void bus_net_now(struct bus_net *net, int64_t now_ns)
{
	net->now_ns = now_ns;
}

bool bus_net_step(struct bus_net *net, int64_t now_ns)
{
	struct bus_sub **sub;
	struct copy *c;

	if (net->heap_n == 0 || net->heap[0]->due_ns > now_ns)
		return false;
	c = heap_pop(net);
	net->now_ns = now_ns;
	sub = slots_find(&net->subs, c->to);
	if (sub != NULL) {
		struct bus_msg m = {
			.subject = span_of(c->bytes, c->reply_at - 1),
			.reply = span_of(c->bytes + c->reply_at, c->trace_at - 1 - c->reply_at),
			.trace = span_of(c->bytes + c->trace_at, c->data_at - c->trace_at),
			.data = span_of(c->bytes + c->data_at, c->end - c->data_at),
			.no_responders = c->no_responders,
		};

		(*sub)->peer->bus.received++;
		(*sub)->peer->bus.received_bytes += m.data.len;
		(*sub)->on_msg((*sub)->ctx, &m);
	}
	mem_free(c);
	return true;
}
