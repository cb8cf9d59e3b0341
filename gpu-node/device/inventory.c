/* SPDX-License-Identifier: Apache-2.0
 *
 * inventory: see inventory.h. What a driver does not tell stays empty.
 */
#include "gpu-node/device/inventory.h"

#include <inttypes.h>
#include <stdio.h>

#define PLATFORMS_MAX 16

/* Attributes of extensions that the headers of Debian 12 lack, or keep in vendors' headers. */
#define DEVICE_UUID_KHR 0x106A         /* cl_khr_device_uuid: 16 bytes */
#define DEVICE_PCI_BUS_INFO_KHR 0x410F /* cl_khr_pci_bus_info: four words */
#define DEVICE_PCI_BUS_ID_NV 0x4008    /* cl_nv_device_attribute_query */
#define DEVICE_PCI_SLOT_ID_NV 0x4009
#define DEVICE_PCI_DOMAIN_ID_NV 0x400A

static void device_text(cl_device_id id, cl_device_info what, char *to, size_t room)
{
	if (clGetDeviceInfo(id, what, room, to, NULL) != CL_SUCCESS)
		to[0] = '\0';
	to[room - 1] = '\0';
}

static void take_uuid(cl_device_id id, struct facts *f)
{
	unsigned char uuid[16];

	if (clGetDeviceInfo(id, DEVICE_UUID_KHR, sizeof(uuid), uuid, NULL) != CL_SUCCESS)
		return;
	for (unsigned i = 0; i < sizeof(uuid); i++)
		snprintf(f->uuid + 2 * i, 3, "%02x", uuid[i]);
}

static void take_pci(cl_device_id id, struct facts *f)
{
	cl_uint khr[4] = { 0 }, bus = 0, slot = 0, domain = 0;

	if (clGetDeviceInfo(id, DEVICE_PCI_BUS_INFO_KHR, sizeof(khr), khr, NULL) == CL_SUCCESS) {
		domain = khr[0];
		bus = khr[1];
		slot = khr[2];
	} else if (clGetDeviceInfo(id, DEVICE_PCI_BUS_ID_NV, sizeof(bus), &bus, NULL) ==
			   CL_SUCCESS &&
		   clGetDeviceInfo(id, DEVICE_PCI_SLOT_ID_NV, sizeof(slot), &slot, NULL) ==
			   CL_SUCCESS) {
		if (clGetDeviceInfo(id, DEVICE_PCI_DOMAIN_ID_NV, sizeof(domain), &domain, NULL) !=
			CL_SUCCESS)
			domain = 0;
		slot >>= 3; /* the low bits are the function */
	} else {
		return;
	}
	snprintf(f->pci, sizeof(f->pci), "%04x:%02x:%02x", domain & 0xffff, bus & 0xff,
		slot & 0xff);
}

static const char *type_name(cl_device_id id)
{
	cl_device_type type = 0;

	if (clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof(type), &type, NULL) != CL_SUCCESS)
		return "other";
	return type & CL_DEVICE_TYPE_CPU ? "cpu" : type & CL_DEVICE_TYPE_GPU ? "gpu" : "other";
}

static void take_facts(cl_platform_id platform, cl_device_id id, struct facts *f)
{
	cl_ulong memory = 0, allocation = 0;
	cl_uint units = 0;

	if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(f->platform), f->platform, NULL) !=
		CL_SUCCESS)
		f->platform[0] = '\0';
	device_text(id, CL_DEVICE_NAME, f->name, sizeof(f->name));
	device_text(id, CL_DRIVER_VERSION, f->driver, sizeof(f->driver));
	if (clGetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(memory), &memory, NULL) ==
		CL_SUCCESS)
		f->memory_bytes = memory;
	if (clGetDeviceInfo(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(allocation), &allocation,
		    NULL) == CL_SUCCESS)
		f->allocation_bytes = allocation;
	if (clGetDeviceInfo(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL) ==
		CL_SUCCESS)
		f->units = units;
	f->type = type_name(id);
	take_uuid(id, f);
	take_pci(id, f);
}

/* A card's identity is its UUID or its place on the bus. Without either, the same name and memory on another
 * platform is taken for the same device; on one platform they are two. */
static bool is_same(const struct facts *a, const struct facts *b)
{
	if (a->uuid[0] != '\0' && b->uuid[0] != '\0')
		return strcmp(a->uuid, b->uuid) == 0;
	if (a->pci[0] != '\0' && b->pci[0] != '\0')
		return strcmp(a->pci, b->pci) == 0;
	return strcmp(a->name, b->name) == 0 && a->memory_bytes == b->memory_bytes &&
	       strcmp(a->platform, b->platform) != 0;
}

void inventory_mark(struct facts *facts, unsigned i)
{
	facts[i].same_as = -1;
	for (unsigned j = 0; j < i && facts[i].same_as < 0; j++)
		if (facts[j].same_as < 0 && is_same(&facts[j], &facts[i]))
			facts[i].same_as = (int32_t)j;
}

static void take_platform(cl_platform_id platform, struct inventory *inv)
{
	cl_device_id ids[INVENTORY_MAX];
	cl_uint n = 0;

	if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, INVENTORY_MAX, ids, &n) != CL_SUCCESS)
		return;
	for (cl_uint i = 0; i < n && i < INVENTORY_MAX && inv->n < INVENTORY_MAX; i++) {
		inv->id[inv->n] = ids[i];
		inv->facts[inv->n].index = inv->n;
		take_facts(platform, ids[i], &inv->facts[inv->n]);
		inventory_mark(inv->facts, inv->n);
		inv->n++;
	}
}

void inventory_take(struct inventory *ret)
{
	cl_platform_id platforms[PLATFORMS_MAX];
	cl_uint n = 0;

	*ret = (struct inventory){ 0 };
	if (clGetPlatformIDs(PLATFORMS_MAX, platforms, &n) != CL_SUCCESS)
		return;
	for (cl_uint i = 0; i < n && i < PLATFORMS_MAX; i++)
		take_platform(platforms[i], ret);
}

static void text_field(struct buf *b, const char *key, const char *text)
{
	buf_fmt(b, ",\"%s\":", key);
	buf_json(b, span_str(text));
}

void inventory_json(struct buf *b, const struct facts *f)
{
	buf_fmt(b, "{\"index\":%" PRIu32, f->index);
	text_field(b, "name", f->name);
	text_field(b, "type", f->type);
	text_field(b, "platform", f->platform);
	text_field(b, "driver", f->driver);
	text_field(b, "uuid", f->uuid);
	text_field(b, "pci", f->pci);
	buf_fmt(b,
		",\"memory_bytes\":%" PRIu64 ",\"allocation_bytes\":%" PRIu64 ",\"units\":%" PRIu32,
		f->memory_bytes, f->allocation_bytes, f->units);
	buf_fmt(b, ",\"same_as\":%" PRId32 "}\n", f->same_as);
}
