/* SPDX-License-Identifier: Apache-2.0
 *
 * CHECK: for faults of the program itself, on in release builds too; never for what a peer sent.
 */
#pragma once
#include <stddef.h>

/* Prints the expression and its place, then aborts. Tests link their own, which fails the test. */
_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
/* Runs done(&variable) when the variable leaves its scope. */
#define CLEANUP(done) __attribute__((cleanup(done)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
