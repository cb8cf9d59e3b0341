/* SPDX-License-Identifier: Apache-2.0
 *
 * opencl: the OpenCL headers, and its errors as ours.
 */
#pragma once
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include "base/err.h"

/* ERR_NO_MEMORY for what more free memory would cure, ERR_DEVICE for all else. */
int opencl_err(cl_int code) MUST_USE;
/* "CL_OUT_OF_RESOURCES", or "CL error" for codes without a name here. */
const char *opencl_name(cl_int code);
/* Fill *why with the error of `call` and return it. */
int opencl_fail(struct fail *why, cl_int code, const char *call);
