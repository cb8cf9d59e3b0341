/* SPDX-License-Identifier: Apache-2.0
 *
 * machine: what the kernel tells about this machine.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Processors that this process may use, at least 1. */
unsigned machine_processors(void);
/* The processor's name, or "cpu"; always terminated. */
void machine_device(char *to, size_t room);
/* Load of the last minute, 1000: every processor is busy; 0 if unknown. */
uint32_t machine_load(unsigned processors);
