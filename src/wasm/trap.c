/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a call ended, as a status and a sentence: the reason, the functions that were active, innermost first, and what
 * the guest itself logged about it. */
#include <stdio.h>

#include "wasm/frames.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

static const char *const reasons[] = {
    [WASMTIME_TRAP_CODE_STACK_OVERFLOW] = "call stack exhausted",
    [WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS] = "memory access out of bounds",
    [WASMTIME_TRAP_CODE_HEAP_MISALIGNED] = "misaligned memory access",
    [WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS] = "table access out of bounds",
    [WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL] = "indirect call to null",
    [WASMTIME_TRAP_CODE_BAD_SIGNATURE] = "indirect call to a function of another type",
    [WASMTIME_TRAP_CODE_INTEGER_OVERFLOW] = "integer overflow",
    [WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO] = "integer divide by zero",
    [WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER] = "conversion of a number that does not fit an integer",
    [WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED] = "unreachable executed",
    [WASMTIME_TRAP_CODE_INTERRUPT] = "interrupted",
    [WASMTIME_TRAP_CODE_OUT_OF_FUEL] = "out of fuel",
};
#define N_REASONS (sizeof reasons / sizeof *reasons)

static const char *reason_of(wasmtime_trap_code_t code)
{
    return code < N_REASONS && reasons[code] ? reasons[code] : "unknown reason";
}

/* A guest that was refused more and then gives up does so for that, most likely; the message gives both. */
static bool ran_out(uint64_t refused, wasmtime_trap_code_t code)
{
    return refused > 0 &&
           (code == WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED || code == WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS ||
            code == WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS || code == WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL);
}

static qd_status describe_stop(const qd_instance *i, const char *frames, qd_error *err)
{
    switch (i->stop) {
    case QD_STOP_QUERY_DEADLINE:
        return qd_fail(err, QD_EUDF_TIMEOUT, "the query's deadline passed while the function ran%s", frames);
    case QD_STOP_CALL_LIMIT:
        return qd_fail(err, QD_EUDF_TIMEOUT, "ran longer than its limit of %u ms for one document (limits.call_ms)%s",
                       i->program->limits.call_ms, frames);
    case QD_STOP_CANCELED:
        return qd_fail(err, QD_ECANCELED, "the query was canceled while the function ran");
    case QD_STOP_NO_MEMORY:
        return qd_fail_nomem(err);
    default:
        return qd_fail(err, QD_EUDF_FAILED, "%s%s", i->stop_text, frames);
    }
}

static qd_status describe_trap(const qd_instance *i, wasmtime_trap_code_t code, const char *frames, qd_error *err)
{
    const qe_store_budget *b = &i->budget;
    const char *whose = i->program->module->links.n > 0 ? " by the function and its dependencies" : "";
    if (code == WASMTIME_TRAP_CODE_STACK_OVERFLOW)
        return qd_fail(err, QD_EUDF_MEMORY, "trap: call stack of %zu KiB exhausted%s",
                       i->engine->options.max_stack_bytes / 1024, frames);
    if (ran_out(b->refused_bytes, code))
        return qd_fail(err, QD_EUDF_MEMORY,
                       "trap: %s with %llu KiB of linear memory in use%s, of %llu KiB allowed (limits.memory_bytes)%s",
                       reason_of(code), (unsigned long long)b->used_bytes / 1024, whose,
                       (unsigned long long)b->memory_bytes / 1024, frames);
    if (ran_out(b->refused_elements, code))
        return qd_fail(err, QD_EUDF_MEMORY,
                       "trap: %s with %llu table elements in use%s, of %llu allowed (limits.table_elements)%s",
                       reason_of(code), (unsigned long long)b->used_elements, whose,
                       (unsigned long long)b->table_elements, frames);
    return qd_fail(err, QD_EUDF_FAILED, "trap: %s%s", reason_of(code), frames);
}

/* ---- what the guest logged -------------------------------------------------------------------------------------- */

/* The error that it logged at this document; NULL: none. */
static const qd_logged_error *logged_error(const qd_instance *i)
{
    const qd_logged_error *e = i->host ? &i->host->logged_error : NULL;
    return e && e->n > 0 && e->run == i->runs && e->row == qd_instance_row(i) ? e : NULL;
}

static bool is_control(const char *p, size_t n)
{
    unsigned char first = (unsigned char)p[0];
    return n == 1 ? first < 0x20 || first == 0x7f : n == 2 && first == 0xc2 && (unsigned char)p[1] < 0xa0;
}

/* A guest logs any bytes: only text that prints goes into a message, on one line. */
static void copy_logged(const qd_logged_error *e, char out[QD_ERROR_LOG_BYTES + 4])
{
    size_t n = e->n < sizeof e->bytes ? e->n : sizeof e->bytes, used = 0;
    for (size_t at = 0, length; at < n; at += length) {
        length = qd_str_utf8_length(e->bytes + at, n - at);
        if (length == 0 && e->n > n && n - at < 4)
            break; /* the cut went through a character */
        bool is_text = length > 0 && !is_control(e->bytes + at, length);
        if (length == 0)
            length = 1;
        if (is_text)
            memcpy(out + used, e->bytes + at, length);
        else
            out[used] = length == 1 && e->bytes[at] == '\n' ? ' ' : '?';
        used += is_text ? length : 1;
    }
    strcpy(out + used, e->n > n ? "…" : "");
}

static void add_logged(const qd_logged_error *e, qd_error *err)
{
    char text[QD_ERROR_LOG_BYTES + 4];
    if (!err)
        return;
    copy_logged(e, text);
    qd_error_append(err, "; it logged: '%s'", text);
}

static void read_stack(const qd_instance *i, const wasm_trap_t *trap, const wasmtime_error_t *error,
                       char stack[QD_ERROR_STACK_BYTES])
{
    wasm_frame_vec_t frames;
    if (trap)
        wasm_trap_trace(trap, &frames);
    else
        wasmtime_error_wasm_trace(error, &frames);
    qd_frames_write(i, &frames, stack);
    wasm_frame_vec_delete(&frames);
}

qd_status qd_trap_describe(qd_instance *i, wasm_trap_t *trap, wasmtime_error_t *error, qd_error *err)
{
    wasmtime_trap_code_t code;
    char stack[QD_ERROR_STACK_BYTES], where[320], text[256];
    const qd_logged_error *logged = logged_error(i);
    qd_status rc;
    read_stack(i, trap, error, stack);
    qd_frames_sentence(stack, where, logged ? sizeof where / 2 : sizeof where);

    if (i->stop != QD_STOP_NONE)
        rc = describe_stop(i, where, err);
    else if (trap && wasmtime_trap_code(trap, &code))
        rc = describe_trap(i, code, where, err);
    else if (trap)
        rc = qd_fail(err, QD_EUDF_FAILED, "trap: unknown reason%s", where);
    else
        rc = qd_fail(err, QD_EUDF_FAILED, "%s%s", qd_wasm_error_text(QD_TAKE(error), text, sizeof text), where);
    if (logged && rc != QD_ECANCELED && rc != QD_ENOMEM)
        add_logged(logged, err);
    if (err)
        memcpy(err->stack, stack, strlen(stack) + 1);
    if (trap)
        wasm_trap_delete(trap);
    if (error)
        wasmtime_error_delete(error);
    return rc;
}
