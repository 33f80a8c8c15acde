/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/host.h"

#include <stdarg.h>
#include <stdio.h>

#include "wasm/code.h"
#include "wasm/instance.h"

static const qd_host_function *const tables[] = {qd_host_fields, qd_host_handles, qd_host_params, qd_host_results,
                                                 qd_host_wasi};
#define N_TABLES (sizeof tables / sizeof *tables)

const qd_host_function *qd_host_function_at(size_t i)
{
    for (size_t t = 0; t < N_TABLES; t++)
        for (const qd_host_function *f = tables[t]; f->name; f++)
            if (i-- == 0)
                return f;
    return NULL;
}

/* ---- signatures ------------------------------------------------------------------------------------------------- */

void qd_wasm_signature_parse(const char *text, qd_wasm_signature *out)
{
    static const char letters[] = "iIfF"; /* in the order of qd_wasm_valtype */
    *out = (qd_wasm_signature){.result = QD_WASM_OTHER};
    for (; *text && *text != ':'; text++)
        out->params[out->n_params++] = (qd_wasm_valtype)(strchr(letters, *text) - letters);
    if (*text == ':' && text[1]) {
        out->n_results = 1;
        out->result = (qd_wasm_valtype)(strchr(letters, text[1]) - letters);
    }
}

static const char *type_name(qd_wasm_valtype t)
{
    return t < QD_WASM_OTHER ? qd_wasm_numbers[t].name : "another type";
}

char *qd_wasm_signature_text(const qd_wasm_signature *s, char out[QD_SIGNATURE_TEXT_SIZE])
{
    qd_buf b;
    qd_buf_init(&b, QD_SIGNATURE_TEXT_SIZE - 64); /* a long one is cut */
    qd_buf_add_char(&b, '(');
    for (uint32_t i = 0; i < s->n_params; i++) {
        qd_buf_add_z(&b, i ? ", " : "");
        qd_buf_add_z(&b, type_name(s->params[i]));
    }
    qd_str params = qd_buf_str(&b);
    const char *result = s->n_results == 1 ? type_name(s->result) : "several results";
    snprintf(out, QD_SIGNATURE_TEXT_SIZE, "%.*s%s)%s%s", (int)params.n, params.p, b.failed ? ", …" : "",
             s->n_results ? " -> " : "", s->n_results ? result : "");
    qd_buf_deinit(&b);
    return out;
}

bool qd_wasm_signature_eq(const qd_wasm_signature *a, const qd_wasm_signature *b)
{
    return a->n_params == b->n_params && a->n_results == b->n_results &&
           (a->n_results == 0 || a->result == b->result) &&
           memcmp(a->params, b->params, a->n_params * sizeof *a->params) == 0;
}

/* ---- imports ---------------------------------------------------------------------------------------------------- */

static qd_status fail_unknown(const qd_host_import *import, qd_error *err)
{
    if (import->signature)
        return qd_fail(
            err, QD_EUDF_COMPILE,
            "import '%.*s.%.*s' is unknown: functions can import the host functions of the modules 'env' and "
            "'wasi_snapshot_preview1' that the guide lists, and nothing else",
            QD_STR_FMT(import->module), QD_STR_FMT(import->name));
    return qd_fail(err, QD_EUDF_COMPILE,
                   "import '%.*s.%.*s' is a %s: a function must define its own and can import host functions only",
                   QD_STR_FMT(import->module), QD_STR_FMT(import->name), import->kind);
}

qd_status qd_host_find(const qd_host_import *import, uint32_t permissions, const qd_host_function **out, qd_error *err)
{
    const qd_host_function *named = NULL, *f;
    qd_wasm_signature expected;
    for (size_t i = 0; import->signature && (f = qd_host_function_at(i)); i++) {
        if (!qd_str_is(import->name, f->name) || !qd_str_is(import->module, f->module))
            continue;
        named = named ? named : f;
        qd_wasm_signature_parse(f->signature, &expected);
        if (!qd_wasm_signature_eq(&expected, import->signature))
            continue;
        if (f->permission & ~permissions)
            return qd_fail_field(err, QD_EUDF_PERMISSION, "permissions",
                                 "import '%s.%s' needs the permission '%s', which the manifest does not list",
                                 f->module, f->name, qd_wasm_permission_name(f->permission));
        *out = f;
        return QD_OK;
    }
    if (!named)
        return fail_unknown(import, err);
    char is[QD_SIGNATURE_TEXT_SIZE], should[QD_SIGNATURE_TEXT_SIZE];
    qd_wasm_signature_parse(named->signature, &expected);
    return qd_fail(err, QD_EUDF_COMPILE, "import '%s.%s' has the signature %.120s; expected %.120s", named->module,
                   named->name, qd_wasm_signature_text(import->signature, is),
                   qd_wasm_signature_text(&expected, should));
}

/* ---- linking ---------------------------------------------------------------------------------------------------- */

static wasm_trap_t *dispatch(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *v, size_t n)
{
    (void)n; /* the linker has checked the signature */
    const qd_host_function *f = env;
    qd_instance *i = wasmtime_context_get_data(wasmtime_caller_context(caller));
    i->caller = caller;
    i->host_calls++;
    return f->call(i, v);
}

static wasm_valtype_t *new_valtype(qd_wasm_valtype t)
{
    static const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
    return wasm_valtype_new(kinds[t]);
}

static wasm_functype_t *new_functype(const char *signature)
{
    qd_wasm_signature s;
    qd_wasm_signature_parse(signature, &s);
    wasm_valtype_t *types[QD_WASM_MAX_PARAMS];
    wasm_valtype_vec_t params, results;
    for (uint32_t i = 0; i < s.n_params; i++)
        types[i] = new_valtype(s.params[i]);
    wasm_valtype_vec_new(&params, s.n_params, types);
    if (s.n_results)
        types[0] = new_valtype(s.result);
    wasm_valtype_vec_new(&results, s.n_results, types);
    return wasm_functype_new(&params, &results);
}

qd_status qd_host_define(wasmtime_linker_t *linker, const qd_host_function *f, qd_error *err)
{
    wasm_functype_t *type = new_functype(f->signature);
    wasmtime_error_t *error = wasmtime_linker_define_func_unchecked(linker, f->module, strlen(f->module), f->name,
                                                                    strlen(f->name), type, dispatch, (void *)f, NULL);
    wasm_functype_delete(type);
    char text[256];
    return error ? qd_fail(err, QD_EUDF_COMPILE, "import '%s.%s' cannot be linked: %s", f->module, f->name,
                           qd_wasm_error_text(error, text, sizeof text))
                 : QD_OK;
}

/* ---- helpers of host functions ---------------------------------------------------------------------------------- */

int32_t qd_host_write(qd_instance *i, uint32_t at, const void *value, uint32_t n)
{
    uint8_t *p = qd_instance_memory(i, at, n);
    if (!p)
        return QD_HOST_BAD_BUFFER;
    memcpy(p, value, n);
    return QD_HOST_OK;
}

int32_t qd_host_write_string(qd_instance *i, uint32_t at, uint32_t length_at, qd_str value)
{
    uint32_t capacity, needed = (uint32_t)value.n;
    uint8_t *length = qd_instance_memory(i, length_at, sizeof capacity);
    if (!length || value.n > UINT32_MAX)
        return QD_HOST_BAD_BUFFER;
    memcpy(&capacity, length, sizeof capacity);
    uint8_t *p = qd_instance_memory(i, at, capacity);
    if (!p)
        return QD_HOST_BAD_BUFFER;
    bool fits = needed <= capacity;
    if (fits && needed > 0) {
        memcpy(p, value.p, needed);
        i->string_bytes += needed;
    }
    memcpy(length, &needed, sizeof needed); /* last: a length inside the buffer holds what the guest expects of it */
    return fits ? QD_HOST_OK : QD_HOST_BAD_BUFFER;
}

int32_t qd_host_write_f64(qd_instance *i, uint32_t at, qd_value value)
{
    double out;
    return qd_value_to_f64(value, &out) ? qd_host_write(i, at, &out, sizeof out) : QD_HOST_WRONG_TYPE;
}

int32_t qd_host_write_i64(qd_instance *i, uint32_t at, qd_value value)
{
    int64_t out;
    return qd_value_to_i64(value, &out) ? qd_host_write(i, at, &out, sizeof out) : QD_HOST_WRONG_TYPE;
}

int32_t qd_host_write_bool(qd_instance *i, uint32_t at, qd_value value)
{
    bool is_true;
    if (!qd_value_to_bool(value, &is_true))
        return QD_HOST_WRONG_TYPE;
    int32_t out = is_true;
    return qd_host_write(i, at, &out, sizeof out);
}

int32_t qd_host_write_text(qd_instance *i, uint32_t at, uint32_t length_at, qd_value value)
{
    return value.type == QD_STRING ? qd_host_write_string(i, at, length_at, value.as.s) : QD_HOST_WRONG_TYPE;
}

wasm_trap_t *qd_host_stop(qd_instance *i, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(i->stop_text, sizeof i->stop_text, fmt, args);
    va_end(args);
    i->stop = QD_STOP_HOST;
    return wasmtime_trap_new(i->stop_text, strlen(i->stop_text));
}

wasm_trap_t *qd_host_stop_nomem(qd_instance *i)
{
    static const char text[] = "out of memory";
    i->stop = QD_STOP_NO_MEMORY;
    return wasmtime_trap_new(text, sizeof text - 1);
}
