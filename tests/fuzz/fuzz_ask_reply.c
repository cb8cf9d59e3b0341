/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/query.h"

#include "tests/fuzz/wire.h"

FUZZ_MESSAGE(ask_reply, ask_reply_decode, ask_reply_encode)
