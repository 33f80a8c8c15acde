/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/make.h"

static bool joins(const qd_wasm_backend *b, const qd_make_from *from)
{
    return from->join && b->kind != QD_BACKEND_BASELINE;
}

bool qd_make_recall(const qd_wasm_backend *b, const qd_make_from *from, qd_wasm_made *out)
{
    bool is_joined = joins(b, from);
    wasmtime_module_t *wasm = NULL;
    if (!qd_wasm_backend_recall(b, is_joined ? from->join->hash : from->hash, &wasm))
        return false;
    *out = (qd_wasm_made){wasm, is_joined, QD_SOURCE_CACHE};
    return true;
}

static qd_status compile(const qd_wasm_backend *b, qd_str wasm, wasmtime_module_t **out, qe_code **code, qd_error *err)
{
    qe_code *made = NULL;
    qd_status rc = qd_wasm_backend_compile(b, (const uint8_t *)wasm.p, wasm.n, &made, err);
    if (!rc)
        rc = qd_wasm_backend_adopt(b, qd_code_str(made), out, err);
    if (rc)
        qe_code_free(made);
    else
        *code = made;
    return rc;
}

static qd_status compile_joined(const qd_wasm_backend *b, const qd_join *join, wasmtime_module_t **out, qe_code **code)
{
    qe_code *joined = NULL;
    qd_status rc = qd_join_write(join, &joined, NULL);
    if (!rc)
        rc = compile(b, qd_code_str(joined), out, code, NULL);
    qe_code_free(joined);
    return rc;
}

qd_status qd_make_compile(const qd_wasm_backend *b, const qd_make_from *from, qd_wasm_made *out, qe_code **code,
                          qd_error *err)
{
    wasmtime_module_t *wasm = NULL;
    bool is_joined = joins(b, from) && compile_joined(b, from->join, &wasm, code) == QD_OK;
    qd_status rc = QD_OK;
    if (!is_joined) /* an export of a name that we need, or code that only grows too large together */
        rc = compile(b, (qd_str){(const char *)from->bytes->p, from->bytes->n}, &wasm, code, err);
    if (!rc)
        *out = (qd_wasm_made){wasm, is_joined, QD_SOURCE_COMPILED};
    return rc;
}

void qd_make_remember(const qd_wasm_backend *b, const qd_make_from *from, const qd_wasm_made *made, const qe_code *code)
{
    qd_wasm_backend_remember(b, made->is_joined ? from->join->hash : from->hash, qd_code_str(code));
}

void qd_made_drop(qd_wasm_made *made)
{
    if (made->wasm)
        wasmtime_module_delete(made->wasm);
    *made = (qd_wasm_made){0};
}
