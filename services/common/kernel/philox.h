/* SPDX-License-Identifier: Apache-2.0
 *
 * philox: the counter-based generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011). The same counter and key give the same words on every device.
 */
#pragma once
#include <stdint.h>

void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t ret[4]);
