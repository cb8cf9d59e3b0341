/* SPDX-License-Identifier: Apache-2.0
 *
 * opencl: see opencl.h.
 */
#include "gpu-node/device/opencl.h"

/* What PoCL and LLVM leave behind when they compile is not ours to free; in builds with AddressSanitizer only. */
#if defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#else
#define HAS_ASAN 0
#endif
#if HAS_ASAN
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpocl\nleak:libLLVM\nleak:libclang\n";
}
#endif

struct row {
	cl_int code;
	int err;
	const char *name;
};

#define ROW(code, err)                                                                             \
	{                                                                                          \
		code, err, #code                                                                   \
	}
static const struct row rows[] = {
	ROW(CL_DEVICE_NOT_FOUND, ERR_DEVICE),
	ROW(CL_DEVICE_NOT_AVAILABLE, ERR_DEVICE),
	ROW(CL_COMPILER_NOT_AVAILABLE, ERR_DEVICE),
	ROW(CL_MEM_OBJECT_ALLOCATION_FAILURE, ERR_NO_MEMORY),
	ROW(CL_OUT_OF_RESOURCES, ERR_DEVICE), /* also how NVIDIA reports a kernel that crashed */
	ROW(CL_OUT_OF_HOST_MEMORY, ERR_NO_MEMORY),
	ROW(CL_BUILD_PROGRAM_FAILURE, ERR_DEVICE),
	ROW(CL_INVALID_VALUE, ERR_DEVICE),
	ROW(CL_INVALID_DEVICE, ERR_DEVICE),
	ROW(CL_INVALID_CONTEXT, ERR_DEVICE),
	ROW(CL_INVALID_COMMAND_QUEUE, ERR_DEVICE),
	ROW(CL_INVALID_PROGRAM_EXECUTABLE, ERR_DEVICE),
	ROW(CL_INVALID_KERNEL_NAME, ERR_DEVICE),
	ROW(CL_INVALID_KERNEL_ARGS, ERR_DEVICE),
	ROW(CL_INVALID_WORK_GROUP_SIZE, ERR_DEVICE),
	ROW(CL_INVALID_WORK_ITEM_SIZE, ERR_DEVICE),
	ROW(CL_INVALID_BUFFER_SIZE, ERR_NO_MEMORY),
	ROW(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, ERR_DEVICE),
	{ CL_PLATFORM_NOT_FOUND_KHR, ERR_DEVICE, "CL_PLATFORM_NOT_FOUND_KHR" },
};

static const struct row *find(cl_int code)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

int opencl_err(cl_int code)
{
	const struct row *row = find(code);

	return row == NULL ? ERR_DEVICE : row->err;
}

const char *opencl_name(cl_int code)
{
	const struct row *row = find(code);

	return row == NULL ? "CL error" : row->name;
}

int opencl_fail(struct fail *why, cl_int code, const char *call)
{
	return fail_set(why, opencl_err(code), NULL, 0, "%s: %s (%d)", call, opencl_name(code),
		(int)code);
}
