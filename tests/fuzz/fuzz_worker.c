/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_worker: bytes as events to a worker machine; what must hold after each is in worker_model.h.
 */
#include "tests/support/worker_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= 4096)
		worker_model_run(span_of(data, size));
	return 0;
}
