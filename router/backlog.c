/* SPDX-License-Identifier: Apache-2.0 */
#include "router/backlog.h"

#include "base/fmt.h"

#include "base/pure.h"

#define AFTER_LEAST_MS 20
#define AFTER_MOST_MS 30000
#define AFTER_UNKNOWN_MS 1000 /* before the first group was measured */
#define AFTER_ROOM_MS 5000    /* somebody has to make room */
#define FADE 8                /* a group counts for about so many */

void backlog_init(struct backlog *b, const struct backlog_conf *conf)
{
	*b = (struct backlog){ .conf = *conf, .begun_ns = INT64_MIN };
}

void backlog_begin(struct backlog *b, int64_t now_ns, uint64_t rows)
{
	b->begun_ns = now_ns;
	b->group_rows = rows;
}

void backlog_end(struct backlog *b, int64_t now_ns)
{
	if (b->begun_ns == INT64_MIN)
		return;
	b->took_ns += now_ns - b->begun_ns - b->took_ns / FADE;
	b->rows += b->group_rows - b->rows / FADE;
	b->begun_ns = INT64_MIN;
}

/* When what waits now will be safe. A group that hangs will go on to hang for as long as it did. */
static int64_t after_ms(const struct backlog *b, int64_t now_ns, uint64_t rows)
{
	int64_t hangs_ms = b->begun_ns == INT64_MIN ? 0 : (now_ns - b->begun_ns) / NS_PER_MS;
	int64_t row_ns = b->rows == 0 ? 0 : b->took_ns / (int64_t)b->rows;
	int64_t ms = b->rows == 0 ? AFTER_UNKNOWN_MS : AFTER_MOST_MS;

	if (row_ns > 0 && rows < (uint64_t)(AFTER_MOST_MS * NS_PER_MS / row_ns))
		ms = (int64_t)rows * row_ns / NS_PER_MS;
	if (ms < hangs_ms)
		ms = hangs_ms;
	return ms < AFTER_LEAST_MS ? AFTER_LEAST_MS : ms > AFTER_MOST_MS ? AFTER_MOST_MS : ms;
}

int backlog_admit(const struct backlog *b, int64_t now_ns, uint64_t rows, uint64_t bytes,
	struct fail *why)
{
	bool many = b->conf.rows_max > 0 && rows >= b->conf.rows_max;
	int r;

	if (!many && (b->conf.bytes_max == 0 || bytes < b->conf.bytes_max))
		return 0;
	r = fail_set(why, ERR_BUSY, many ? "journal_wait_rows" : "journal_wait_bytes",
		(int64_t)(many ? b->conf.rows_max : b->conf.bytes_max),
		"the journal is behind: %llu rows with %llu bytes wait to be flushed",
		(unsigned long long)rows, (unsigned long long)bytes);
	if (why != NULL)
		why->retry_after_ms = after_ms(b, now_ns, rows);
	return r;
}

int backlog_room(const struct backlog *b, int64_t room_bytes, struct fail *why)
{
	char left[24], least[24];
	int r;

	if (room_bytes >= b->conf.room_bytes)
		return 0;
	r = fail_set(why, ERR_BUSY, "journal_room", b->conf.room_bytes,
		"the journal's disk is nearly full: %s are free; tasks are taken again from %s on",
		fmt_bytes_text(room_bytes, left), fmt_bytes_text(b->conf.room_bytes, least));
	if (why != NULL)
		why->retry_after_ms = AFTER_ROOM_MS;
	return r;
}
