/* SPDX-License-Identifier: Apache-2.0
 *
 * Host functions for parameters and the log. */
#include <stdio.h>

#include "wasm/host.h"
#include "wasm/instance.h"
#include "wasm/program_impl.h"

/* Each message costs so much of the log's limit beside its own bytes. */
#define MESSAGE_OVERHEAD_BYTES 16

#define LOG_ERROR 3 /* the highest level */

void qd_host_log(qd_instance *i, int level, qd_str message)
{
    if (!i->call->log || i->host->has_log_note)
        return;
    uint32_t limit = i->program->limits.log_bytes;
    uint64_t used = (uint64_t)i->host->log_used + message.n + MESSAGE_OVERHEAD_BYTES;
    if (used <= limit) {
        i->host->log_used = (uint32_t)used;
        i->call->log(i->call->log_arg, level, message);
        return;
    }
    char note[96];
    snprintf(note, sizeof note, "log limit of %u bytes reached: the rest is dropped", limit);
    i->host->has_log_note = true;
    i->call->log(i->call->log_arg, 2, qd_str_of(note));
}

static void remember_error(qd_instance *i, qd_str message)
{
    qd_logged_error *e = &i->host->logged_error;
    e->run = i->runs;
    e->row = qd_instance_row(i);
    e->n = (uint32_t)message.n;
    memcpy(e->bytes, message.p, message.n < sizeof e->bytes ? message.n : sizeof e->bytes);
}

static wasm_trap_t *log_message(qd_instance *i, wasmtime_val_raw_t *v)
{
    int level = v[0].i32 < 0 ? 0 : v[0].i32 > LOG_ERROR ? LOG_ERROR : v[0].i32;
    uint32_t n = (uint32_t)v[2].i32;
    const char *p = (const char *)qd_instance_memory(i, (uint32_t)v[1].i32, n);
    v[0].i32 = p ? QD_HOST_OK : QD_HOST_BAD_BUFFER;
    if (p && level == LOG_ERROR)
        remember_error(i, (qd_str){p, n});
    if (p)
        qd_host_log(i, level, (qd_str){p, n});
    return NULL;
}

/* The parameter named (v[0], v[1]). */
static int32_t read_param(qd_instance *i, const wasmtime_val_raw_t *v, qd_value *out)
{
    uint32_t n = (uint32_t)v[1].i32;
    const char *name = (const char *)qd_instance_memory(i, (uint32_t)v[0].i32, n);
    if (!name)
        return QD_HOST_BAD_BUFFER;
    /* In a start function there are none yet; in a call beside rows, constants. */
    if (!(i->has_rows || (i->calling && i->was_call)) || !i->call->param)
        return QD_HOST_MISSING;
    *out = (qd_value){.type = QD_NULL};
    int rc = i->call->param(i->call->param_arg, (qd_str){name, n}, qd_instance_row(i), out);
    return rc == 0 && out->type != QD_NULL ? QD_HOST_OK : QD_HOST_MISSING;
}

static wasm_trap_t *get_param_string(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_param(i, v, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_text(i, (uint32_t)v[2].i32, (uint32_t)v[3].i32, value);
    v[0].i32 = rc;
    return NULL;
}

static wasm_trap_t *get_param_i64(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_param(i, v, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_i64(i, (uint32_t)v[2].i32, value);
    v[0].i32 = rc;
    return NULL;
}

static wasm_trap_t *get_param_f64(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_param(i, v, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_f64(i, (uint32_t)v[2].i32, value);
    v[0].i32 = rc;
    return NULL;
}

static wasm_trap_t *get_param_bool(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_param(i, v, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_bool(i, (uint32_t)v[2].i32, value);
    v[0].i32 = rc;
    return NULL;
}

const qd_host_function qd_host_params[] = {
    {"env", "get_param_string", "iiii:i", 0, get_param_string,
     "copies a string; *len is the capacity before and the length after"},
    {"env", "get_param_i64", "iii:i", 0, get_param_i64, "a number as i64; a fraction is cut"},
    {"env", "get_param_f64", "iii:i", 0, get_param_f64, "a number as f64"},
    {"env", "get_param_bool", "iii:i", 0, get_param_bool, "a boolean as an i32, 0 or 1"},
    {"env", "log", "iii:i", QD_PERM_LOG, log_message, "logs a message at level 0 debug, 1 info, 2 warning, 3 error"},
    /* Declared without a result as often as with one. */
    {"env", "log", "iii:", QD_PERM_LOG, log_message, "the same, without an answer"},
    {0},
};
