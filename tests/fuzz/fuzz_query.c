/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/query.h"

#include "tests/fuzz/wire.h"

FUZZ_MESSAGE(query, query_decode, query_encode)
