/* SPDX-License-Identifier: Apache-2.0
 *
 * nth: prove that a function survives any failing allocation and leaks nothing.
 */
#pragma once

/* Call run(arg) with the n-th request for memory failing, n = 1, 2, ..., and each n twice: that request
 * alone, and all from it on. Ends with the first n that run no longer reaches, where it must return 0.
 * Otherwise it returns 0 (if it can do without) or a negative ERR_*; each time it gives back all that it
 * took. Returns how many requests run makes when none fails. */
unsigned nth_alloc(int (*run)(void *arg), void *arg);
