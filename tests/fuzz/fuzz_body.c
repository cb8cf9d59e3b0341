/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/body.h"

#include "tests/fuzz/wire.h"

FUZZ_MESSAGE(body, body_decode, body_encode)
