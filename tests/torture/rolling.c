/* SPDX-License-Identifier: Apache-2.0
 *
 * rolling: what an operator does who brings a new version out: each process in turn is told to end, and is started
 * again when it has. Nodes first, nats-server last, round after round.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/fmt.h"
#include "tests/torture/torture.h"

#define SETTLED_NS (1500 * NS_PER_MS) /* after a start, until the next one is told to end */
#define PATIENCE_NS (20 * NS_PER_S)   /* a drain takes 5 s at most */

static void complain(struct rolling *r, const char *what, int status)
{
	fprintf(stderr, "rolling: process %u %s (status %x)\n", r->who, what, (unsigned)status);
	r->bad++;
}

static void tell(struct rolling *r, struct chaos *c, int64_t now_ns)
{
	kill(c->member[r->who].pid, SIGTERM);
	r->is_ending = true;
	r->due_ns = now_ns + PATIENCE_NS;
}

static void start_next(struct rolling *r, struct chaos *c, int64_t now_ns)
{
	chaos_start(c, r->who);
	r->restarts++;
	r->rounds += r->who == 0;
	r->who = r->who == 0 ? VICTIMS - 1 : r->who - 1;
	r->is_ending = false;
	r->due_ns = now_ns + SETTLED_NS;
}

/* nats-server says 1 for SIGTERM, in some versions. */
static bool is_clean(unsigned who, int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) <= (who == VICTIM_NATS);
}

void rolling_open(struct rolling *r)
{
	*r = (struct rolling){ .who = VICTIMS - 1 };
}

void rolling_turn(struct rolling *r, struct chaos *c, int64_t now_ns)
{
	struct member *m = &c->member[r->who];
	int status;

	if (r->due_ns == 0)
		r->due_ns = now_ns + SETTLED_NS;
	if (m->pid != 0 && waitpid(m->pid, &status, WNOHANG) == m->pid) {
		if (!r->is_ending)
			complain(r, "ended by itself", status);
		else if (!is_clean(r->who, status))
			complain(r, "did not end cleanly", status);
		start_next(r, c, now_ns);
	} else if (now_ns >= r->due_ns && !r->is_ending) {
		tell(r, c, now_ns);
	} else if (now_ns >= r->due_ns) {
		complain(r, "does not end", 0);
		kill(m->pid, SIGKILL);
		r->due_ns = now_ns + PATIENCE_NS;
	}
}

bool rolling_is_between(const struct rolling *r)
{
	return r->who == VICTIMS - 1 && !r->is_ending;
}
