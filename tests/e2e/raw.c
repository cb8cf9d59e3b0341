/* SPDX-License-Identifier: Apache-2.0
 *
 * raw: what the command line would never send: any bytes on any subject, and what comes back.
 *
 *   raw URL pub SUBJECT [HEX]           publish
 *   raw URL req SUBJECT [HEX [REPLY]]   ask and print the answer; with REPLY as the reply subject wait for
 *                                       half a second only, for silence may be right
 *   raw URL sub PATTERN                 print `listening`, then the subject of each message, for ever
 *   raw URL flood SUBJECT N SEED [HEX]  publish N messages of random bytes, some of them after HEX
 *
 * Without HEX the payload is standard input. Answers are printed as lines: of a submit `accepted TASK` or the
 * error, of a query or a question `ok` or the error, of the store numbers or the error, of anything else as they are;
 * `silence` if none came.
 */
#include <ctype.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "wire/blob.h"
#include "wire/query.h"
#include "wire/task.h"

#define PAYLOAD_MAX (4u << 20)
#define ANSWER_MS 10000
#define SILENCE_MS 500
#define FLOOD_BYTES 512u

struct raw {
	natsConnection *nc;
	unsigned char *bytes; /* the payload, PAYLOAD_MAX */
	size_t len;
};

static void must(natsStatus s, const char *what)
{
	if (s == NATS_OK)
		return;
	printf("raw: %s: %s\n", what, natsStatus_GetText(s));
	exit(1);
}

static unsigned nibble(char c)
{
	return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower(c) - 'a') + 10;
}

static void take_payload(struct raw *r, const char *hex)
{
	if (hex == NULL) {
		r->len = fread(r->bytes, 1, PAYLOAD_MAX, stdin);
		return;
	}
	for (size_t i = 0; hex[i] != '\0' && hex[i + 1] != '\0' && r->len < PAYLOAD_MAX; i += 2)
		r->bytes[r->len++] = (unsigned char)(nibble(hex[i]) << 4 | nibble(hex[i + 1]));
}

static void print_fail(const struct fail *f)
{
	printf("%s field=%s limit=%lld %s\n", err_row(f->code)->name, f->field, (long long)f->limit,
		f->detail);
}

static void print_submit_replies(struct arena *a, struct span bytes)
{
	struct submit_reply *replies;
	struct fail why = { 0 };
	char id[ULID_TEXT + 1];
	size_t n;

	if (submit_replies_decode(a, bytes, &replies, &n, &why) < 0) {
		print_fail(&why);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		ulid_text(replies[i].task, id);
		if (replies[i].fail.code != 0)
			print_fail(&replies[i].fail);
		else
			printf("accepted %s\n", id);
	}
}

static void print_blob_replies(struct arena *a, struct span bytes)
{
	struct blob_reply *replies;
	struct fail why = { 0 };
	size_t n = 0;

	if (blob_replies_decode(a, bytes, &replies, &n, &why) < 0)
		print_fail(&why);
	for (size_t i = 0; i < n; i++)
		if (replies[i].fail.code != 0)
			print_fail(&replies[i].fail);
		else
			printf("size=%" PRIu64 " offset=%" PRIu64 " references=%" PRIu32 "\n",
				replies[i].size, replies[i].offset, replies[i].references);
}

static void print_answer(const char *subject, struct span bytes)
{
	struct arena a;
	struct fail fail = { 0 };
	struct query_reply query = { 0 };
	struct ask_reply ask = { 0 };

	arena_init(&a, 16u << 20);
	if (strncmp(subject, "spu.submit.", 11) == 0) {
		print_submit_replies(&a, bytes);
	} else if (strncmp(subject, "spu.query.", 10) == 0) {
		if (query_reply_decode(&a, bytes, &query, &fail) == 0)
			fail = query.fail;
		fail.code != 0 ? print_fail(&fail) : (void)puts("ok");
	} else if (strncmp(subject, "spu.question.", 13) == 0) {
		if (ask_reply_decode(&a, bytes, &ask, &fail) == 0)
			fail = ask.fail;
		fail.code != 0 ? print_fail(&fail) : (void)puts("ok");
	} else if (strncmp(subject, "spu.blob.", 9) == 0) {
		print_blob_replies(&a, bytes);
	} else {
		fwrite(bytes.at, 1, bytes.len, stdout);
	}
	arena_done(&a);
}

static void request(struct raw *r, const char *subject, const char *reply)
{
	natsSubscription *sub = NULL;
	natsInbox *inbox = NULL;
	natsMsg *msg = NULL;
	natsStatus s;

	must(natsInbox_Create(&inbox), "inbox");
	must(natsConnection_SubscribeSync(&sub, r->nc, reply != NULL ? reply : inbox), "subscribe");
	must(natsConnection_PublishRequest(r->nc, subject, reply != NULL ? reply : inbox, r->bytes,
		     (int)r->len),
		"publish");
	s = natsSubscription_NextMsg(&msg, sub, reply != NULL ? SILENCE_MS : ANSWER_MS);
	if (s == NATS_OK && natsMsg_GetDataLength(msg) > 0)
		print_answer(subject,
			span_of(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)));
	else
		puts(s == NATS_OK ? "no responders" : "silence");
	natsMsg_Destroy(msg);
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
}

static void listen(struct raw *r, const char *pattern)
{
	natsSubscription *sub = NULL;
	natsMsg *msg = NULL;

	must(natsConnection_SubscribeSync(&sub, r->nc, pattern), "subscribe");
	must(natsConnection_Flush(r->nc), "flush");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("listening");
	while (natsSubscription_NextMsg(&msg, sub, 3600000) == NATS_OK) {
		puts(natsMsg_GetSubject(msg));
		natsMsg_Destroy(msg);
	}
	natsSubscription_Destroy(sub);
}

static void flood(struct raw *r, const char *subject, long n, unsigned seed)
{
	size_t head = r->len;

	srandom(seed);
	for (long i = 0; i < n; i++) {
		size_t len = (size_t)random() % FLOOD_BYTES, from = random() % 2 == 0 ? 0 : head;
		unsigned char message[2 * FLOOD_BYTES];

		memcpy(message, r->bytes, from);
		for (size_t k = 0; k < len; k++)
			message[from + k] = (unsigned char)random();
		must(natsConnection_PublishRequest(r->nc, subject, "_INBOX.flood", message,
			     (int)(from + len)),
			"publish");
	}
	must(natsConnection_FlushTimeout(r->nc, ANSWER_MS), "flush");
}

int main(int argc, char **argv)
{
	const char *verb = argc > 3 ? argv[2] : "", *subject = argc > 3 ? argv[3] : "";
	struct raw r = { .bytes = mem_alloc(PAYLOAD_MAX) };
	bool is_flood = strcmp(verb, "flood") == 0;

	if (argc < (is_flood ? 6 : 4) || r.bytes == NULL) {
		fputs("usage: raw URL pub|req|sub|flood SUBJECT ...\n", stderr);
		return 2;
	}
	if (strcmp(verb, "sub") != 0)
		take_payload(&r, is_flood ? (argc > 6 ? argv[6] : "") : argc > 4 ? argv[4] : NULL);
	CHECK(!is_flood || r.len <= FLOOD_BYTES);
	must(natsConnection_ConnectTo(&r.nc, argv[1]), "connect");
	if (is_flood)
		flood(&r, subject, strtol(argv[4], NULL, 10), (unsigned)strtoul(argv[5], NULL, 10));
	else if (strcmp(verb, "sub") == 0)
		listen(&r, subject);
	else if (strcmp(verb, "req") == 0)
		request(&r, subject, argc > 5 ? argv[5] : NULL);
	else {
		must(natsConnection_Publish(r.nc, subject, r.bytes, (int)r.len), "publish");
		must(natsConnection_FlushTimeout(r.nc, ANSWER_MS), "flush");
	}
	natsConnection_Destroy(r.nc);
	mem_free(r.bytes);
	nats_Close();
	return 0;
}
