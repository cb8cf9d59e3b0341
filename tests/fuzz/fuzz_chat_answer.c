/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_chat_answer: whatever an API says, the result is a valid Body, or an error with a short text of visible
 * characters. The first byte chooses between an answer and a refusal.
 */
#include "base/fmt.h"
#include "services/delegate/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fail(const struct fail *why, int code)
{
	size_t n = strlen(why->detail);

	CHECK(why->code == code && n > 0 && fmt_is_text(span_str(why->detail)));
	for (size_t i = 0; i < n; i++)
		CHECK((unsigned char)why->detail[i] >= ' ');
}

static void answer(struct span bytes)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(arena_done) struct arena a = { 0 };
	struct fail why = { 0 };
	struct usage usage;
	struct body body;
	int r;

	buf_init(&b, 1 << 16);
	arena_init(&a, 1 << 20);
	r = provider_openai.read(bytes, &b, &usage, &why);
	if (r < 0) {
		CHECK(r == ERR_UPSTREAM);
		check_fail(&why, r);
		return;
	}
	CHECK(usage.tokens_in <= USAGE_TOKENS_MAX && usage.tokens_out <= USAGE_TOKENS_MAX);
	CHECK(body_decode(&a, buf_span(&b), &body, NULL) == 0);
	CHECK(body.items_n == 1 && body.items[0].data.len > 0 && body.params_n <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of(data, size);
	struct fail why = { 0 };
	int r;

	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		answer(span_part(bytes, 1, size));
		return 0;
	}
	r = provider_openai.refused(300 + data[0], span_part(bytes, 1, size), &why);
	CHECK(r < 0);
	check_fail(&why, r);
	return 0;
}
