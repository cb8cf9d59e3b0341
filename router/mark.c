/* SPDX-License-Identifier: Apache-2.0
 *
 * mark: one line, `1 BOOT-ID SINCE-BOOT-NS SKEW-NS`. It is not flushed: what a machine that died leaves of it belongs
 * to another boot.
 */
#include "router/mark.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "router/clock.h"

#define LINE 128
#define NS_MAX (INT64_MAX / 4) /* what two of are added or subtracted */

static bool is_sane(int64_t ns)
{
	return ns > -NS_MAX && ns < NS_MAX;
}

/* The line's numbers and whose boot they are of. */
static bool read_line(const struct mark *m, char boot[CLOCKS_BOOT_ID], int64_t *since_boot_ns,
	int64_t *skew_ns)
{
	char line[LINE] = "", end = '\0';
	int fd = open(m->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 &&
	       sscanf(line, "1 %36s %" SCNd64 " %" SCNd64 "%c", boot, since_boot_ns, skew_ns,
		       &end) == 4 &&
	       end == '\n' && is_sane(*since_boot_ns) && is_sane(*skew_ns);
}

int64_t mark_open(struct mark *m, const char *journal)
{
	char boot[CLOCKS_BOOT_ID];
	int64_t since_boot_ns, skew_ns, own_ns;

	*m = (struct mark){ 0 };
	clocks_boot_id(m->boot);
	if (snprintf(m->path, sizeof m->path, "%s.clock", journal) >= (int)sizeof m->path - 8)
		m->path[0] = '\0'; /* no name is left for it */
	if (!read_line(m, boot, &since_boot_ns, &skew_ns))
		return 0;
	if (m->boot[0] != '\0' && strcmp(boot, m->boot) == 0)
		own_ns = clocks_boot() + since_boot_ns;
	else
		own_ns = clocks_wall() - skew_ns;
	return own_ns > 0 ? own_ns : 0;
}

/* Another file takes its place, so that none is read half written. */
static int write_line(const struct mark *m)
{
	char line[LINE], new[PATH_MAX + 8];
	int n = snprintf(line, sizeof line, "1 %s %" PRId64 " %" PRId64 "\n",
		m->boot[0] == '\0' ? "-" : m->boot, m->since_boot_ns, m->skew_ns);
	int fd, err = 0;

	snprintf(new, sizeof new, "%s.new", m->path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR_IO;
	if (write(fd, line, (size_t)n) != n)
		err = ERR_IO;
	if (close(fd) != 0 || err < 0 || rename(new, m->path) != 0) {
		unlink(new);
		return ERR_IO;
	}
	return 0;
}

int mark_keep(struct mark *m, int64_t own_ns)
{
	int64_t since_boot_ns = own_ns - clocks_boot(), skew_ns = clocks_wall() - own_ns;

	if (m->path[0] == '\0' ||
		(m->is_kept && llabs(since_boot_ns - m->since_boot_ns) < CLOCK_STEP_NS &&
			llabs(skew_ns - m->skew_ns) < CLOCK_STEP_NS))
		return 0;
	m->since_boot_ns = since_boot_ns;
	m->skew_ns = skew_ns;
	m->is_kept = true; /* or tried: again when it is another one */
	if (write_line(m) == 0 || m->is_told)
		return 0;
	m->is_told = true;
	return ERR_IO;
}
