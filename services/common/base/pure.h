/* SPDX-License-Identifier: Apache-2.0
 *
 * pure: included by every file of base, policy, wire and the machines; a call to one of these is then a
 * compile error. What they do badly is done by span, buf, fmt and mem.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#undef sprintf /* clang: macros under _FORTIFY_SOURCE */
#undef vsprintf
#pragma GCC poison alloca strcpy strcat sprintf vsprintf strtok atoi atol atof rand srand gets
