/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/journal_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/test.h"

static int64_t rig_now(void *ctx)
{
	return ((struct rig *)ctx)->now_ns;
}

void rig_clear(struct rig *r)
{
	char command[192];

	snprintf(command, sizeof command, "rm -rf '%s'/*", r->dir);
	assert_int_equal(system(command), 0);
}

int rig_set_up(void **state)
{
	static struct rig r;

	memset(&r, 0, sizeof r);
	assert_int_equal(loop_open(&r.loop), 0);
	/* In memory, if it can be: what fails here fails by our hand, and flushes take their time. */
	snprintf(r.dir, sizeof r.dir, "/dev/shm/spu-journal.XXXXXX");
	if (mkdtemp(r.dir) == NULL) {
		snprintf(r.dir, sizeof r.dir, "/tmp/spu-journal.XXXXXX");
		assert_non_null(mkdtemp(r.dir));
	}
	snprintf(r.path, sizeof r.path, "%s/journal.db", r.dir);
	r.conf = (struct journal_sqlite_conf){ .path = r.path,
		.vfs = FAULT_VFS,
		.log_pages = 64,
		.now = rig_now,
		.now_ctx = &r };
	r.now_ns = 1;
	fault_vfs_reset();
	*state = &r;
	return 0;
}

int rig_tear_down(void **state)
{
	struct rig *r = *state;

	fault_vfs_reset();
	loop_close(&r->loop);
	rig_clear(r);
	return rmdir(r->dir);
}

struct journal *rig_try(struct rig *r)
{
	r->why = (struct fail){ 0 };
	return journal_sqlite_open(&r->loop, &r->conf, &r->why);
}

struct journal *rig_open(struct rig *r)
{
	struct journal *j = rig_try(r);

	if (j == NULL)
		fail_msg("%s", r->why.detail);
	return j;
}
