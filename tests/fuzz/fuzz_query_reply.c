/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/query.h"

#include "tests/fuzz/wire.h"

FUZZ_MESSAGE(query_reply, query_reply_decode, query_reply_encode)
