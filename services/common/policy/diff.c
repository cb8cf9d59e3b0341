/* SPDX-License-Identifier: Apache-2.0
 *
 * diff: lines get numbers, equal lines the same; then the middle of a shortest way is looked for from both ends,
 * and each half is done the same way.
 */
#include "policy/diff.h"

#include "policy/scatter.h"
#include "policy/text.h"

#include "base/pure.h"

/* A stretch of both sides: lines [left, left_end) and [right, right_end). */
struct box {
	uint32_t left, left_end;
	uint32_t right, right_end;
};

struct work {
	const uint32_t *left;
	const uint32_t *right;
	struct diff *diff;
	int64_t *
		down; /* how far each diagonal was followed from the start; [reach] is diagonal 0 */
	int64_t *up;  /* from the end */
	int64_t reach;  /* diagonals that are looked at, to each side */
	uint64_t steps; /* comparisons so far */
};

static uint32_t count_lines(struct span s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == '\n';
	return n + (s.len > 0 && s.at[s.len - 1] != '\n');
}

static int read_lines(struct arena *a, struct span s, struct diff_side *ret)
{
	uint32_t n = count_lines(s);

	*ret = (struct diff_side){ .lines_n = n };
	ret->lines = arena_raw(a, ((size_t)n + 1) * sizeof(*ret->lines));
	ret->is_edited = arena_alloc(a, (size_t)n + 1);
	if (ret->lines == NULL || ret->is_edited == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		const unsigned char *end = memchr(s.at, '\n', s.len);
		size_t len = end == NULL ? s.len : (size_t)(end - s.at) + 1;

		ret->lines[i] = span_of(s.at, len);
		s = span_of(s.at + len, s.len - len);
	}
	return 0;
}

/* Numbers for the lines of both sides. */
struct numbers {
	struct span *lines; /* by number */
	uint32_t n;
	uint32_t *table; /* number + 1 */
	uint32_t mask;
};

static uint32_t number_of(struct numbers *t, struct span line)
{
	uint32_t at = (uint32_t)scatter(t->table, span_hash(line, 0)) & t->mask;

	while (t->table[at] != 0 && !span_eq(t->lines[t->table[at] - 1], line))
		at = (at + 1) & t->mask;
	if (t->table[at] == 0) {
		t->lines[t->n++] = line;
		t->table[at] = t->n;
	}
	return t->table[at] - 1;
}

static uint32_t *number_lines(struct arena *a, struct numbers *t, const struct diff_side *side)
{
	uint32_t *numbers = arena_raw(a, ((size_t)side->lines_n + 1) * sizeof(*numbers));

	for (uint32_t i = 0; numbers != NULL && i < side->lines_n; i++)
		numbers[i] = number_of(t, side->lines[i]);
	return numbers;
}

static int number_both(struct arena *a, struct work *w)
{
	size_t n = (size_t)w->diff->left.lines_n + w->diff->right.lines_n + 1, rows = 2;
	struct numbers t = { .n = 0 };

	while (rows < 2 * n)
		rows *= 2;
	t.mask = (uint32_t)(rows - 1);
	t.lines = arena_raw(a, n * sizeof(*t.lines));
	t.table = arena_alloc(a, rows * sizeof(*t.table));
	if (t.lines == NULL || t.table == NULL)
		return ERR_NO_MEMORY;
	w->left = number_lines(a, &t, &w->diff->left);
	w->right = number_lines(a, &t, &w->diff->right);
	return w->left == NULL || w->right == NULL ? ERR_NO_MEMORY : 0;
}

static void mark(struct work *w, const struct box *b)
{
	for (uint32_t i = b->left; i < b->left_end; i++)
		w->diff->left.is_edited[i] = true;
	for (uint32_t i = b->right; i < b->right_end; i++)
		w->diff->right.is_edited[i] = true;
	w->diff->left.edited_n += b->left_end - b->left;
	w->diff->right.edited_n += b->right_end - b->right;
}

/* The search for the middle, after `h` edits from each end. */
struct search {
	const struct box *box;
	int64_t n, m; /* lines of the box */
	int64_t h;
	bool from_end;
	struct box *snake; /* found: equal lines in the middle of the way */
};

static bool is_equal(const struct work *w, const struct search *s, int64_t x, int64_t y)
{
	const struct box *b = s->box;

	return s->from_end ? w->left[b->left_end - 1 - x] == w->right[b->right_end - 1 - y]
			   : w->left[b->left + x] == w->right[b->right + y];
}

static void found(const struct search *s, int64_t x, int64_t y, int64_t to_x, int64_t to_y)
{
	const struct box *b = s->box;

	if (s->from_end)
		*s->snake = (struct box){ b->left_end - (uint32_t)to_x, b->left_end - (uint32_t)x,
			b->right_end - (uint32_t)to_y, b->right_end - (uint32_t)y };
	else
		*s->snake = (struct box){ b->left + (uint32_t)x, b->left + (uint32_t)to_x,
			b->right + (uint32_t)y, b->right + (uint32_t)to_y };
}

/* Follow every diagonal one edit further from one end. True if one of them meets the other end's. */
static bool follow(struct work *w, const struct search *s)
{
	int64_t *mine = (s->from_end ? w->up : w->down) + w->reach;
	const int64_t *theirs = (s->from_end ? w->down : w->up) + w->reach;
	int64_t delta = s->n - s->m, h = s->h, theirs_h = s->from_end ? h : h - 1;
	int64_t low = -(h - 2 * (h > s->m ? h - s->m : 0)),
		high = h - 2 * (h > s->n ? h - s->n : 0);
	bool meets = ((s->n + s->m) % 2 != 0) == !s->from_end;

	for (int64_t k = low; k <= high; k += 2) {
		int64_t x = k == -h || (k != h && mine[k - 1] < mine[k + 1]) ? mine[k + 1]
									     : mine[k - 1] + 1;
		int64_t from_x = x, z = delta - k;

		while (x < s->n && x - k < s->m && is_equal(w, s, x, x - k))
			x++;
		mine[k] = x;
		w->steps += 1 + (uint64_t)(x - from_x);
		if (meets && z >= -theirs_h && z <= theirs_h && x + theirs[z] >= s->n) {
			found(s, from_x, from_x - k, x, x - k);
			return true;
		}
	}
	return false;
}

/* How many edits the box takes, and a snake in the middle of the way; ERR_TOO_BIG beyond the reach. */
static int64_t middle(struct work *w, const struct box *b, struct box *ret)
{
	struct search s = { .box = b, .snake = ret };
	int64_t reach;

	s.n = b->left_end - b->left;
	s.m = b->right_end - b->right;
	reach = (s.n + s.m + 1) / 2 + 1;
	if (reach > w->reach)
		reach = w->reach;
	memset(w->down + w->reach - reach, 0, (size_t)(2 * reach + 1) * sizeof(*w->down));
	memset(w->up + w->reach - reach, 0, (size_t)(2 * reach + 1) * sizeof(*w->up));
	for (s.h = 0; s.h < reach && w->steps < DIFF_STEPS_MAX; s.h++) {
		s.from_end = false;
		if (follow(w, &s))
			return 2 * s.h - 1;
		s.from_end = true;
		if (follow(w, &s))
			return 2 * s.h;
	}
	return ERR_TOO_BIG;
}

static void trim(const struct work *w, struct box *b)
{
	while (b->left < b->left_end && b->right < b->right_end &&
		w->left[b->left] == w->right[b->right]) {
		b->left++;
		b->right++;
	}
	while (b->left < b->left_end && b->right < b->right_end &&
		w->left[b->left_end - 1] == w->right[b->right_end - 1]) {
		b->left_end--;
		b->right_end--;
	}
}

/* Each half takes half of the edits, so this goes about 16 deep. */
static int solve(struct work *w, struct box b)
{
	struct box snake;
	int64_t edits;
	int r;

	trim(w, &b);
	if (b.left == b.left_end || b.right == b.right_end) {
		mark(w, &b);
		return 0;
	}
	edits = middle(w, &b, &snake);
	if (edits < 0)
		return ERR_TOO_BIG;
	r = solve(w, (struct box){ b.left, snake.left, b.right, snake.right });
	return r < 0 ? r
		     : solve(w, (struct box){ snake.left_end, b.left_end, snake.right_end,
					b.right_end });
}

int diff_texts(struct arena *a, struct span left, struct span right, uint32_t edits_max,
	struct diff *ret)
{
	struct work w = { .diff = ret, .reach = (int64_t)edits_max / 2 + 2 };
	int r = read_lines(a, left, &ret->left);

	if (r == 0)
		r = read_lines(a, right, &ret->right);
	if (r == 0)
		r = number_both(a, &w);
	if (r < 0)
		return r;
	w.down = arena_raw(a, (size_t)(2 * w.reach + 1) * sizeof(*w.down));
	w.up = arena_raw(a, (size_t)(2 * w.reach + 1) * sizeof(*w.up));
	if (w.down == NULL || w.up == NULL)
		return ERR_NO_MEMORY;
	r = solve(&w, (struct box){ 0, ret->left.lines_n, 0, ret->right.lines_n });
	if (r == 0 && (uint64_t)ret->left.edited_n + ret->right.edited_n > edits_max)
		return ERR_TOO_BIG;
	return r;
}

/* --- text --------------------------------------------------------------------------------------------- */

static void emit_line(struct buf *b, char sign, struct span line)
{
	buf_byte(b, (unsigned char)sign);
	buf_add(b, line);
	if (line.at[line.len - 1] != '\n')
		buf_str(b, "\n\\ No newline at end of file\n");
}

/* Where a walk along both sides is. */
struct place {
	uint32_t left, right;
};

static bool at_change(const struct diff *d, struct place p)
{
	return (p.left < d->left.lines_n && d->left.is_edited[p.left]) ||
	       (p.right < d->right.lines_n && d->right.is_edited[p.right]);
}

static bool at_end(const struct diff *d, struct place p)
{
	return p.left == d->left.lines_n && p.right == d->right.lines_n;
}

/* Behind the change that begins at p. */
static struct place change_end(const struct diff *d, struct place p)
{
	while (p.left < d->left.lines_n && d->left.is_edited[p.left])
		p.left++;
	while (p.right < d->right.lines_n && d->right.is_edited[p.right])
		p.right++;
	return p;
}

/* Behind the last change of a hunk: the next one is further off than twice the context. */
static struct place hunk_end(const struct diff *d, struct place p, uint32_t context)
{
	for (;;) {
		struct place next = change_end(d, p);
		uint64_t same = 0;

		p = next;
		while (!at_end(d, next) && !at_change(d, next)) {
			next.left++;
			next.right++;
			same++;
		}
		if (at_end(d, next) || same > 2 * (uint64_t)context)
			return p;
		p = next;
	}
}

static void emit_range(struct buf *b, char sign, uint32_t from, uint32_t n)
{
	/* an empty range names the line before it */
	buf_fmt(b, "%c%u", sign, n == 0 ? from : from + 1);
	if (n != 1)
		buf_fmt(b, ",%u", n);
}

static void emit_hunk(struct buf *b, const struct diff *d, struct place from, struct place to)
{
	struct place p = from;

	buf_str(b, "@@ ");
	emit_range(b, '-', from.left, to.left - from.left);
	buf_byte(b, ' ');
	emit_range(b, '+', from.right, to.right - from.right);
	buf_str(b, " @@\n");
	while (p.left < to.left || p.right < to.right) {
		if (p.left < to.left && d->left.is_edited[p.left]) {
			emit_line(b, '-', d->left.lines[p.left++]);
		} else if (p.right < to.right && d->right.is_edited[p.right]) {
			emit_line(b, '+', d->right.lines[p.right++]);
		} else {
			emit_line(b, ' ', d->left.lines[p.left++]);
			p.right++;
		}
	}
}

void diff_emit(struct buf *b, const struct diff *d, struct span left_name, struct span right_name,
	uint32_t context)
{
	struct place p = { 0 }, printed = { 0 };

	if (d->left.edited_n + d->right.edited_n == 0)
		return;
	buf_str(b, "--- ");
	buf_add(b, left_name);
	buf_str(b, "\n+++ ");
	buf_add(b, right_name);
	buf_byte(b, '\n');
	while (!at_end(d, p)) {
		uint32_t before, after;
		struct place end;

		if (!at_change(d, p)) {
			p.left++;
			p.right++;
			continue;
		}
		before = p.left - printed.left < context ? p.left - printed.left : context;
		end = hunk_end(d, p, context);
		after = d->left.lines_n - end.left < context ? d->left.lines_n - end.left : context;
		p = (struct place){ p.left - before, p.right - before };
		printed = (struct place){ end.left + after, end.right + after };
		emit_hunk(b, d, p, printed);
		p = printed;
	}
}
