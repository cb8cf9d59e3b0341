/* SPDX-License-Identifier: Apache-2.0
 *
 * machine: reads /proc; what cannot be read has a default, since nothing depends on it.
 */
#include "cpu-node/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"

#define LINE_BYTES 512

unsigned machine_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set) < 1 ? 1 : (unsigned)CPU_COUNT(&set);
}

/* The value of "model name : X"; other architectures have no such line. */
static struct span model_of(FILE *f, char line[LINE_BYTES])
{
	while (fgets(line, LINE_BYTES, f) != NULL) {
		struct span value = span_str(line), key = span_cut(&value, ':');

		if (span_is(span_trim(key), "model name") && span_trim(value).len > 0)
			return span_trim(value);
	}
	return SPAN_LIT("cpu");
}

void machine_device(char *to, size_t room)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[LINE_BYTES];
	struct span name = SPAN_LIT("cpu");

	if (f != NULL)
		name = model_of(f, line);
	span_copy(fmt_is_text(name) ? name : SPAN_LIT("cpu"), to, room);
	if (f != NULL)
		fclose(f);
}

uint32_t machine_load(unsigned processors)
{
	double minute[1];
	double load = getloadavg(minute, 1) == 1 ? minute[0] * 1000 / processors : 0;

	return load > 1000 ? 1000 : (uint32_t)load;
}
