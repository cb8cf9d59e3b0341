/* SPDX-License-Identifier: Apache-2.0 */
#include "services/cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fmt.h"
#include "services/cli/table.h"

void progress_init(struct progress *p, bool is_on)
{
	*p = (struct progress){ .is_on = is_on, .is_terminal = isatty(STDERR_FILENO) };
}

static size_t columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u
									       : 79;
}

void progress_say(struct progress *p, const char *format, ...)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char text[sizeof(p->last)];
	struct span safe;
	va_list args;

	if (!p->is_on)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(text, p->last) == 0)
		return;
	memcpy(p->last, text, sizeof(text));
	buf_init(&b, 4 * sizeof(text));
	text_safe(&b, span_str(text));
	safe = buf_span(&b);
	if (p->is_terminal) {
		safe = fmt_clip(safe, columns());
		fprintf(stderr, "\r\033[K%.*s", (int)safe.len, (const char *)safe.at);
	} else {
		fprintf(stderr, "%.*s\n", (int)safe.len, (const char *)safe.at);
	}
	p->is_shown = p->is_terminal;
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	p->is_shown = false;
}
