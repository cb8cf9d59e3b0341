/* SPDX-License-Identifier: Apache-2.0
 *
 * cli: what the commands share: the options, a connection to the mesh, waiting for its answers, and how
 * errors are told. Exit statuses: 0, 2 for a wrong command line, 130 after Ctrl-C, else the column of err.def.
 */
#pragma once
#include "run/client.h"
#include "run/loop.h"
#include "services/cli/opts.h"

#define EXIT_USAGE 2
#define EXIT_INTERRUPTED 130

#define CLI_URL_BYTES 512
#define CLI_TIMEOUT_NS (10 * NS_PER_S)
#define CLI_SUBMITS 4                 /* so often a submit is sent before its time is over */
#define CLI_CONNECT_NS (3 * NS_PER_S) /* for a connection to NATS */

struct cli {
	struct opts opts;
	struct loop loop;
	struct bus *bus;
	struct client *client;
	struct loop_fd signals;
	bool is_looping;     /* loop is open */
	bool interrupted;    /* Ctrl-C, while waiting */
	struct fail bus_why; /* the latest error of the connection */
	int64_t patience_ns; /* for an answer */
	const char *
		about; /* what the question is about, where one command asks about several; or NULL */
	char url[CLI_URL_BYTES];
	char servers[CLI_URL_BYTES]; /* the same as it may be shown */
	char tenant[65];
};

/* Open the loop and connect as the options say. 0, or an exit status after a message. */
int cli_open(struct cli *c) MUST_USE;
/* What was opened. */
void cli_close(struct cli *c);
/* Turns until *done is not 0 or Ctrl-C. 0, or an exit status. */
int cli_wait(struct cli *c, const int *done) MUST_USE;

/* Say on stderr what failed, with field, limit and when to try again. Returns the exit status. */
int cli_fail(const struct fail *why);
/* The same of a text and an error code. */
int cli_fail_text(int code, const char *format, ...) PRINTF_LIKE(2, 3);
/* Say what is wrong with the command line; main says where help is. Returns EXIT_USAGE. */
int cli_usage(const char *format, ...) PRINTF_LIKE(1, 2);

/* Ask, and show the answer within `show`, whose exit status is returned; a refusal is told. */
typedef int cli_show_query(struct cli *c, const struct query_reply *r);
typedef int cli_show_ask(struct cli *c, const struct ask_reply *r);
int cli_query(struct cli *c, const struct query *q, cli_show_query *show);
int cli_ask(struct cli *c, const struct ask *q, cli_show_ask *show);

/* The i-th argument as a task's id. 0, or an exit status after a message. */
int cli_task_arg(const struct cli *c, unsigned i, struct ulid *ret) MUST_USE;

/* The commands: each returns the exit status. */
#define COMMAND(name, args, low, high, words, text) int cmd_##name(struct cli *c);
#define OPTION(command, name, type, member, low, high, noun, text)
#include "services/cli/commands.def"
#undef COMMAND
#undef OPTION
