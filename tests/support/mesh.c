/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mesh.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/proc.h"

bool mesh_is_possible(void)
{
	return getenv("SPU_BIN") != NULL;
}

/* Run spu with arguments; its exit status, or -1. */
static int run_spu(const char *const *args)
{
	char path[PROC_PATH];
	int status = 0;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		execv(proc_path("spu", path), (char *const *)(uintptr_t)args);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : -1;
}

static int read_url(struct mesh *m)
{
	char path[PATH_MAX];
	FILE *f;
	bool ok;

	(void)snprintf(path, sizeof(path), "%s/url", m->dir);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	ok = fgets(m->url, sizeof(m->url), f) != NULL;
	fclose(f);
	m->url[strcspn(m->url, "\n")] = '\0';
	return ok ? 0 : -1;
}

int mesh_up(struct mesh *m, unsigned cpu_nodes)
{
	const char *tmp = getenv("TMPDIR");
	char nodes[16];
	const char *const args[] = { "spu", "up", "--detach", "--quiet", "--no-gpu", "--dir",
		m->dir, "--cpu-nodes", nodes, NULL };

	*m = (struct mesh){ 0 };
	if (snprintf(m->dir, sizeof(m->dir), "%s/mesh-XXXXXX", tmp == NULL ? "/tmp" : tmp) >=
			(int)sizeof(m->dir) ||
		mkdtemp(m->dir) == NULL)
		return -1;
	(void)snprintf(nodes, sizeof(nodes), "%u", cpu_nodes);
	m->is_up = run_spu(args) == 0;
	if (m->is_up && read_url(m) == 0)
		return 0;
	fprintf(stderr, "the mesh in %s does not start\n", m->dir);
	mesh_down(m);
	return -1;
}

void mesh_down(struct mesh *m)
{
	const char *const args[] = { "spu", "down", "--quiet", "--dir", m->dir, NULL };

	if (m->is_up)
		(void)run_spu(args);
	m->is_up = false;
}
