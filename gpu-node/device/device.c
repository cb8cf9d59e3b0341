/* SPDX-License-Identifier: Apache-2.0
 *
 * device: see device.h.
 */
#include "gpu-node/device/device.h"

#include "kernels/filter.cl.h"
#include "kernels/matmul.cl.h"
#include "kernels/montecarlo.cl.h"
#include "run/clocks.h"

static const char *program_source(enum device_program p)
{
	return p == PROGRAM_MATMUL       ? kernel_matmul_source
	       : p == PROGRAM_MONTECARLO ? kernel_montecarlo_source
					 : kernel_filter_source;
}

struct kernel_row {
	const char *name;
	enum device_program program;
	size_t local[2]; /* as in the kernel's reqd_work_group_size */
};

static const struct kernel_row kernel_rows[KERNELS] = {
	[KERNEL_MATMUL_TILED] = { "matmul_tiled", PROGRAM_MATMUL, { 16, 16 } },
	[KERNEL_MATMUL_VECTOR] = { "matmul_vector", PROGRAM_MATMUL, { 4, 1 } },
	[KERNEL_MONTECARLO] = { "montecarlo_count", PROGRAM_MONTECARLO, { 64, 1 } },
	[KERNEL_GREY] = { "filter_grey", PROGRAM_FILTER, { 64, 1 } },
	[KERNEL_LUMA] = { "filter_luma", PROGRAM_FILTER, { 64, 1 } },
	[KERNEL_GAUSS] = { "filter_gauss", PROGRAM_FILTER, { 64, 1 } },
	[KERNEL_SOBEL] = { "filter_sobel", PROGRAM_FILTER, { 64, 1 } },
};

const char *device_kernel_name(enum device_kernel k)
{
	return kernel_rows[k].name;
}

/* The first line of the compiler's log that says something, for the fail. */
static void build_fail(const struct device *d, cl_program program, cl_int code, struct fail *why)
{
	char log[2048] = "";
	struct span rest, line = { 0 };

	if (clGetProgramBuildInfo(program, d->id, CL_PROGRAM_BUILD_LOG, sizeof(log) - 1, log,
		    NULL) != CL_SUCCESS)
		log[0] = '\0';
	rest = span_str(log);
	while (rest.len > 0 && line.len == 0)
		line = span_trim(span_cut(&rest, '\n'));
	fail_set(why, ERR_DEVICE, NULL, 0, "the kernels do not compile: %s: %.*s",
		opencl_name(code), (int)line.len, (const char *)line.at);
}

static cl_program build(const struct device *d, enum device_program p, struct fail *why)
{
	const char *source = program_source(p);
	cl_int code;
	cl_program program = clCreateProgramWithSource(d->context, 1, &source, NULL, &code);

	if (program == NULL) {
		opencl_fail(why, code, "clCreateProgramWithSource");
		return NULL;
	}
	code = clBuildProgram(program, 1, &d->id, "-cl-std=CL1.2", NULL, NULL);
	if (code == CL_SUCCESS)
		return program;
	build_fail(d, program, code, why);
	clReleaseProgram(program);
	return NULL;
}

static void build_all(struct device *d)
{
	for (unsigned p = 0; p < PROGRAMS; p++)
		d->programs[p] = build(d, p, &d->unbuilt[p]);
	for (unsigned k = 0; k < KERNELS; k++) {
		const enum device_program p = kernel_rows[k].program;
		cl_int code;

		if (d->programs[p] == NULL)
			continue;
		d->kernels[k] = clCreateKernel(d->programs[p], kernel_rows[k].name, &code);
		if (d->kernels[k] == NULL)
			opencl_fail(&d->unbuilt[p], code, kernel_rows[k].name);
	}
}

int device_open(struct device *ret, const struct facts *facts, cl_device_id id, struct fail *why)
{
	struct device d = { .facts = *facts, .id = id, .matmul = KERNEL_MATMUL_TILED };
	cl_int code;

	d.context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
	if (d.context == NULL)
		return opencl_fail(why, code, "clCreateContext");
	d.queue = clCreateCommandQueue(d.context, id, 0, &code);
	if (d.queue == NULL) {
		clReleaseContext(d.context);
		return opencl_fail(why, code, "clCreateCommandQueue");
	}
	build_all(&d);
	*ret = d;
	return 0;
}

void device_close(struct device *d)
{
	for (unsigned k = 0; k < KERNELS; k++)
		if (d->kernels[k] != NULL)
			clReleaseKernel(d->kernels[k]);
	for (unsigned p = 0; p < PROGRAMS; p++)
		if (d->programs[p] != NULL)
			clReleaseProgram(d->programs[p]);
	if (d->queue != NULL)
		clReleaseCommandQueue(d->queue);
	if (d->context != NULL)
		clReleaseContext(d->context);
	*d = (struct device){ 0 };
}

/* Zero a whole buffer; whole words only where its size allows, as some drivers are slow on bytes. */
static cl_int wipe(struct device *d, cl_mem buffer, size_t bytes)
{
	const cl_uint zero = 0;
	const size_t unit = bytes % sizeof(zero) == 0 ? sizeof(zero) : 1;
	cl_int code = clEnqueueFillBuffer(d->queue, buffer, &zero, unit, 0, bytes, 0, NULL, NULL);

	return code != CL_SUCCESS ? code : clFinish(d->queue);
}

int device_take(struct device *d, size_t bytes, cl_mem *ret, struct fail *why)
{
	cl_int code;
	cl_mem buffer;

	CHECK(bytes > 0);
	if (bytes > d->facts.allocation_bytes ||
		d->held_bytes + bytes > d->facts.memory_bytes / 10 * 9)
		return fail_set(why, ERR_NO_MEMORY, NULL, (int64_t)d->facts.allocation_bytes,
			"the device cannot hold %zu bytes more", bytes);
	buffer = clCreateBuffer(d->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
	if (buffer == NULL)
		return opencl_fail(why, code, "clCreateBuffer");
	code = wipe(d, buffer, bytes); /* drivers take the memory at the first touch */
	if (code != CL_SUCCESS) {
		clReleaseMemObject(buffer);
		return opencl_fail(why, code, "clEnqueueFillBuffer");
	}
	d->held_bytes += bytes;
	*ret = buffer;
	return 0;
}

void device_drop(struct device *d, cl_mem *buffer)
{
	size_t bytes = 0;

	if (*buffer == NULL)
		return;
	if (clGetMemObjectInfo(*buffer, CL_MEM_SIZE, sizeof(bytes), &bytes, NULL) == CL_SUCCESS) {
		(void)wipe(d, *buffer,
			bytes); /* if it fails, the device is lost, and its memory with it */
		d->held_bytes -= bytes;
	}
	clReleaseMemObject(*buffer);
	*buffer = NULL;
}

int device_write(struct device *d, cl_mem to, struct device_rows shape, const void *from,
	struct fail *why)
{
	const size_t zero[3] = { 0 }, region[3] = { shape.row_bytes, shape.rows, 1 };
	cl_int code = clEnqueueWriteBufferRect(d->queue, to, CL_TRUE, zero, zero, region,
		shape.pitch, 0, shape.row_bytes, 0, from, 0, NULL, NULL);

	return code == CL_SUCCESS ? 0 : opencl_fail(why, code, "clEnqueueWriteBufferRect");
}

int device_read(struct device *d, cl_mem from, struct device_rows shape, void *to, struct fail *why)
{
	const size_t zero[3] = { 0 }, region[3] = { shape.row_bytes, shape.rows, 1 };
	cl_int code = clEnqueueReadBufferRect(d->queue, from, CL_TRUE, zero, zero, region,
		shape.pitch, 0, shape.row_bytes, 0, to, 0, NULL, NULL);

	return code == CL_SUCCESS ? 0 : opencl_fail(why, code, "clEnqueueReadBufferRect");
}

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static cl_int enqueue(struct device *d, const struct device_launch *launch)
{
	const size_t *local = kernel_rows[launch->kernel].local;
	const size_t global[2] = { round_up(launch->x, local[0]), round_up(launch->y, local[1]) };
	cl_kernel kernel = d->kernels[launch->kernel];
	cl_int code = CL_SUCCESS;

	for (unsigned i = 0; i < launch->args_n && code == CL_SUCCESS; i++)
		code = clSetKernelArg(kernel, i, launch->args[i].bytes, launch->args[i].at);
	if (code == CL_SUCCESS)
		code = clEnqueueNDRangeKernel(d->queue, kernel, 2, NULL, global, local, 0, NULL,
			NULL);
	return code == CL_SUCCESS ? clFinish(d->queue) : code;
}

int device_run(struct device *d, const struct device_launch *launch, int64_t *ret_ns,
	struct fail *why)
{
	const struct kernel_row *row = &kernel_rows[launch->kernel];
	const int64_t started_ns = clocks_mono();
	cl_int code;

	CHECK(launch->x > 0 && launch->y > 0);
	if (d->kernels[launch->kernel] == NULL) {
		if (why != NULL)
			*why = d->unbuilt[row->program];
		return ERR_DEVICE;
	}
	code = enqueue(d, launch);
	if (code != CL_SUCCESS)
		return opencl_fail(why, code, row->name);
	d->runs[launch->kernel]++;
	*ret_ns = clocks_mono() - started_ns;
	return 0;
}
