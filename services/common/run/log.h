/* SPDX-License-Identifier: Apache-2.0
 *
 * log: one line per event on stderr: a constant message and typed fields, as text for people or as JSON.
 * error: someone must act; warn: degraded; info: a state changed; debug: for the developer.
 *
 *	log_info("node is up", "node", LOG_SPAN(name), "slots", LOG_INT(n));
 *
 * Foreign text is escaped: no control character reaches the terminal.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_value {
	enum { LOG_V_END, LOG_V_INT, LOG_V_TEXT } type;
	int64_t number;
	struct span text;
};

#define LOG_INT(n) ((struct log_value){ LOG_V_INT, (int64_t)(n), { NULL, 0 } })
#define LOG_SPAN(s) ((struct log_value){ LOG_V_TEXT, 0, (s) })
#define LOG_STR(s) ((struct log_value){ LOG_V_TEXT, 0, span_str(s) })
#define LOG_ERR(code) LOG_STR(err_row(code)->name)

/* Once at the start, before other threads. json: one JSON object a line. */
void log_open(const char *program, enum log_level least, bool json);
/* Fields are pairs (const char *key, struct log_value); the last pair's key is NULL (the macros add it). At
 * most 10 lines a second from one call site; the rest is counted and told with the next line. */
void log_write(enum log_level level, uint64_t *site, const char *message, ...);

#define LOG_AT(level, ...)                                                                         \
	do {                                                                                       \
		static _Thread_local uint64_t log_site;                                            \
		log_write((level), &log_site, __VA_ARGS__, (const char *)NULL);                    \
	} while (0)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
