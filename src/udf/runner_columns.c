/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns across instances, and strings on their way into the guest's memory. */
#include <stdlib.h>

#include "udf/runner_impl.h"

/* Of the strings of one run: a block with more is cut. */
#define MAX_TEXT_BYTES (1u << 20)

/* ---- the stash ---- */

static size_t width_of(const qd_runner *r, size_t arg)
{
    return qd_wasm_valtype_bytes(r->args[arg].type);
}

/* Strings are in `texts`, which no guest reaches. */
static bool is_stashable(const qd_runner *r, size_t arg)
{
    return qd_runner_varies(r, arg) && r->args[arg].type != QD_WASM_OTHER;
}

bool qd_runner_stash(qd_runner *r)
{
    bool is_batch = r->abi == QD_ABI_BATCH;
    if (r->is_stashed || r->b->varying == 0)
        return true;
    if (!r->stash)
        r->stash = malloc(r->b->n_args * QD_STASH_BYTES);
    if (!r->stash)
        return false;
    for (size_t i = 0; i < r->b->n_args; i++) {
        uint8_t *to = r->stash + i * QD_STASH_BYTES;
        if (is_stashable(r, i))
            memcpy(to, qd_instance_column(r->instance, r->args[i].place), r->n_positions * width_of(r, i));
        if (is_batch && qd_runner_varies(r, i))
            memcpy(to + QD_BLOCK_DOCS * sizeof(uint64_t), qd_instance_column_valid(r->instance, r->args[i].place),
                   r->n_positions);
    }
    r->is_stashed = true;
    return true;
}

void qd_runner_restore(qd_runner *r, uint32_t first, uint32_t end)
{
    bool is_batch = r->abi == QD_ABI_BATCH;
    for (size_t i = 0; r->is_stashed && i < r->b->n_args; i++) {
        const uint8_t *from = r->stash + i * QD_STASH_BYTES;
        size_t bytes = width_of(r, i);
        if (is_stashable(r, i))
            memcpy((uint8_t *)qd_instance_column(r->instance, r->args[i].place) + first * bytes, from + first * bytes,
                   (end - first) * bytes);
        if (is_batch && qd_runner_varies(r, i))
            memcpy(qd_instance_column_valid(r->instance, r->args[i].place) + first,
                   from + QD_BLOCK_DOCS * sizeof(uint64_t) + first, end - first);
    }
}

/* ---- strings ---- */

static qd_str text_at(const qd_runner *r, size_t arg, uint32_t position)
{
    const qd_runner_arg *a = &r->args[arg];
    return a->texts ? a->texts[position] : r->b->args[arg].value.constant.as.s;
}

/* What the strings of a position take, those that are constants aside. */
static size_t varying_bytes(const qd_runner *r, uint32_t position)
{
    size_t n = 0;
    for (size_t i = 0; i < r->b->n_args; i++)
        n += r->args[i].texts ? r->args[i].texts[position].n : 0;
    return n;
}

static size_t constant_bytes(const qd_runner *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->b->n_args; i++)
        if (r->args[i].type == QD_WASM_OTHER && !r->args[i].texts)
            n += text_at(r, i, 0).n;
    return n;
}

/* Copies a string to the area. */
static qd_batch_string copy(qd_str s, uint32_t area, uint8_t *host, size_t *used)
{
    qd_batch_string at = {area + (uint32_t)*used, (uint32_t)s.n};
    if (s.n > 0)
        memcpy(host + *used, s.p, s.n);
    *used += s.n;
    return at;
}

static void set_constant(qd_runner *r, size_t arg, uint32_t first, uint32_t end, qd_batch_string s)
{
    uint32_t place = r->args[arg].place;
    if (r->abi != QD_ABI_BATCH) {
        qd_instance_constant(r->instance, place, (qd_value){.type = QD_I64, .as.i = (int32_t)s.at});
        qd_instance_constant(r->instance, place + 1, (qd_value){.type = QD_I64, .as.i = (int32_t)s.n});
        return;
    }
    qd_batch_string *column = qd_instance_column(r->instance, place);
    for (uint32_t p = first; p < end; p++)
        column[p] = s;
}

static void set_varying(qd_runner *r, size_t arg, uint32_t position, qd_batch_string s)
{
    uint32_t place = r->args[arg].place;
    if (r->abi == QD_ABI_BATCH) {
        ((qd_batch_string *)qd_instance_column(r->instance, place))[position] = s;
        return;
    }
    ((uint32_t *)qd_instance_column(r->instance, place))[position] = s.at;
    ((uint32_t *)qd_instance_column(r->instance, place + 1))[position] = s.n;
}

qd_status qd_runner_stage_texts(qd_runner *r, uint32_t first, uint32_t *end, qd_error *err)
{
    size_t bytes = constant_bytes(r), used = 0;
    uint32_t stop = first, at;
    uint8_t *host;
    for (; stop < *end; stop++) {
        size_t more = varying_bytes(r, stop);
        if (bytes + more > MAX_TEXT_BYTES && stop > first)
            break;
        bytes += more;
        if (bytes > MAX_TEXT_BYTES)
            return qd_fail(err, QD_EUDF_FAILED, "its strings for one document take %zu bytes; at most %u", bytes,
                           MAX_TEXT_BYTES);
    }
    qd_status st = qd_instance_area(r->instance, (uint32_t)bytes, &at, &host, err);
    if (st != QD_OK)
        return st;
    for (size_t i = 0; i < r->b->n_args; i++) {
        if (r->args[i].type != QD_WASM_OTHER)
            continue;
        if (!r->args[i].texts)
            set_constant(r, i, first, stop, copy(text_at(r, i, 0), at, host, &used));
        for (uint32_t p = first; r->args[i].texts && p < stop; p++)
            set_varying(r, i, p, copy(r->args[i].texts[p], at, host, &used));
    }
    *end = stop;
    return QD_OK;
}
