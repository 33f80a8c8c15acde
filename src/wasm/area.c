/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest memory that the host lays things in: the columns of a batch, strings, states of aggregates. A module whose
 * allocator owns all of its memory, new pages too, exports quidditch_alloc and gives the place itself. */
#include "wasm/code.h"
#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

#define ALIGNMENT        16u
#define MAX_PAGES        65536u
#define MIN_STRING_BYTES QD_WASM_PAGE_BYTES

static qd_status fail_no_room(const qd_instance *i, uint32_t bytes, const char *why, qd_error *err)
{
    return qd_fail(err, QD_EUDF_MEMORY,
                   "%u KiB of its memory are needed for what it is given: %s; it has %llu KiB of %zu KiB allowed "
                   "(limits.memory_bytes)",
                   (bytes + 1023) / 1024, why, (unsigned long long)i->budget.used_bytes / 1024,
                   i->program->limits.memory_bytes / 1024);
}

/* The guest may answer anything: what is not inside its memory is refused, and what is hurts itself only. */
static qd_status ask_guest(qd_instance *i, uint32_t bytes, qd_area *area, qd_error *err)
{
    qd_wasm_value n = {.i32 = (int32_t)(bytes + ALIGNMENT)}, at = {.i32 = 0};
    qd_status rc = qd_instance_call(i, QD_STR(QD_ALLOC_EXPORT), QD_ALLOC_SIGNATURE, &n, &at, err);
    if (rc)
        return rc;
    if (at.i32 == 0)
        return fail_no_room(i, bytes, QD_ALLOC_EXPORT " gave 0", err);
    uint64_t start = ((uint64_t)(uint32_t)at.i32 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (start > UINT32_MAX || !qd_instance_bytes(i, (uint32_t)start, bytes))
        return fail_no_room(i, bytes, QD_ALLOC_EXPORT " gave an address outside of it", err);
    *area = (qd_area){(uint32_t)start, bytes};
    return QD_OK;
}

static qd_status grow(qd_instance *i, uint32_t bytes, qd_area *area, qd_error *err)
{
    uint64_t had = wasmtime_memory_data_size(i->context, &i->memory), before;
    bool is_at_end = area->bytes > 0 && (uint64_t)area->at + area->bytes == had;
    uint64_t missing = is_at_end ? bytes - area->bytes : bytes;
    uint64_t pages = (missing + QD_WASM_PAGE_BYTES - 1) / QD_WASM_PAGE_BYTES;
    char text[256];
    if (had / QD_WASM_PAGE_BYTES + pages > MAX_PAGES)
        return fail_no_room(i, bytes, "it cannot grow so far", err);
    wasmtime_error_t *error = wasmtime_memory_grow(i->context, &i->memory, pages, &before);
    if (error)
        return fail_no_room(i, bytes, qd_wasm_error_text(error, text, sizeof text), err);
    i->memory_data = wasmtime_memory_data(i->context, &i->memory);
    i->memory_bytes = wasmtime_memory_data_size(i->context, &i->memory);
    uint32_t at = is_at_end ? area->at : (uint32_t)had;
    *area = (qd_area){at, (uint32_t)(i->memory_bytes - at)};
    return QD_OK;
}

qd_status qd_area_reserve(qd_instance *i, uint32_t bytes, qd_area *area, qd_error *err)
{
    qd_wasm_signature alloc;
    if (bytes <= area->bytes)
        return QD_OK;
    if (!i->has_memory)
        return qd_fail(err, QD_EUDF_WASM, "the module exports no memory named 'memory'");
    if (bytes > i->program->limits.memory_bytes)
        return fail_no_room(i, bytes, "that is more than all", err);
    return qd_wasm_module_export(i->program->module, QD_STR(QD_ALLOC_EXPORT), &alloc) ? ask_guest(i, bytes, area, err)
                                                                                      : grow(i, bytes, area, err);
}

/* Sizes double, so that blocks with ever longer strings do not leave many areas behind. */
qd_status qd_instance_area(qd_instance *i, uint32_t bytes, uint32_t *at, uint8_t **host, qd_error *err)
{
    uint32_t size = MIN_STRING_BYTES;
    while (size < bytes && size <= UINT32_MAX / 2)
        size *= 2;
    qd_status rc = qd_area_reserve(i, size < bytes ? bytes : size, &i->area, err);
    if (rc)
        return rc;
    *at = i->area.at;
    *host = i->memory_data + i->area.at;
    return QD_OK;
}

const uint8_t *qd_instance_bytes(qd_instance *i, uint32_t at, uint32_t n)
{
    return i->has_memory ? qd_instance_memory(i, at, n) : NULL;
}
