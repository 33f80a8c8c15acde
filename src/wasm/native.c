/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/native.h"

#include <stdlib.h>

#include "base/clock.h"
#include "wasm/engine_impl.h"
#include "wasm/module_impl.h"

static qd_status link_imports(qd_wasm_native *native, const qd_wasm_module *m, qd_error *err)
{
    qd_status rc = QD_OK;
    wasmtime_linker_t *linker = wasmtime_linker_new(native->backend->wasm);
    wasmtime_linker_allow_shadowing(linker, true); /* a module may import one function several times */
    for (size_t i = 0; i < m->n_imports && !rc; i++)
        rc = m->imports[i]->call ? qd_host_define(linker, m->imports[i], err) : QD_OK;
    if (!rc && m->imports_columns) {
        native->linker = linker;
        return QD_OK;
    }
    wasmtime_error_t *error = rc ? NULL : wasmtime_linker_instantiate_pre(linker, native->wasm, &native->linked);
    char text[256];
    if (error)
        rc = qd_fail(err, QD_EUDF_COMPILE, "the module's imports cannot be linked: %s",
                     qd_wasm_error_text(error, text, sizeof text));
    wasmtime_linker_delete(linker);
    return rc;
}

static size_t image_bytes(const wasmtime_module_t *wasm)
{
    void *start, *end;
    wasmtime_module_image_range(wasm, &start, &end);
    return (size_t)((char *)end - (char *)start);
}

/* `wasm` is taken. */
static qd_status finish(const qd_wasm_module *m, const qd_wasm_backend *backend, wasmtime_module_t *wasm,
                        qd_wasm_source source, qd_wasm_native **out, qd_error *err)
{
    qd_wasm_native *native = calloc(1, sizeof *native);
    if (!native) {
        wasmtime_module_delete(wasm);
        return qd_fail_nomem(err);
    }
    native->engine = m->engine;
    native->backend = backend;
    native->wasm = wasm;
    native->tier = backend->tier;
    native->source = source;
    native->code_bytes = image_bytes(wasm);
    atomic_init(&native->refs, 1);
    atomic_fetch_add_explicit(&m->engine->counts.code_bytes, native->code_bytes, memory_order_relaxed);
    qd_status rc = link_imports(native, m, err);
    if (rc)
        qd_wasm_native_unref(native);
    else
        *out = native;
    return rc;
}

qd_status qd_wasm_native_compile(const qd_wasm_module *m, qd_backend_kind kind, const uint8_t *bytes, size_t n,
                                 qd_wasm_native **out, qd_error *err)
{
    const qd_wasm_backend *backend = &m->engine->backends[kind];
    wasmtime_module_t *wasm = NULL;
    char text[384];
    wasmtime_error_t *error = wasmtime_module_new(backend->wasm, bytes, n, &wasm);
    if (error)
        return qd_fail(err, QD_EUDF_COMPILE, "the module does not compile: %s",
                       qd_wasm_error_text(error, text, sizeof text));
    return finish(m, backend, wasm, QD_SOURCE_COMPILED, out, err);
}

void qd_wasm_native_ref(qd_wasm_native *native)
{
    atomic_fetch_add_explicit(&native->refs, 1, memory_order_relaxed);
}

void qd_wasm_native_unref(qd_wasm_native *native)
{
    if (!native || atomic_fetch_sub_explicit(&native->refs, 1, memory_order_acq_rel) != 1)
        return;
    atomic_fetch_sub_explicit(&native->engine->counts.code_bytes, native->code_bytes, memory_order_relaxed);
    if (native->linked)
        wasmtime_instance_pre_delete(native->linked);
    if (native->linker)
        wasmtime_linker_delete(native->linker);
    wasmtime_module_delete(native->wasm);
    free(native);
}

qd_wasm_native *qd_wasm_module_native(qd_wasm_module *m)
{
    pthread_mutex_lock(&m->native_lock);
    qd_wasm_native *native = atomic_load_explicit(&m->native, memory_order_relaxed);
    qd_wasm_native_ref(native);
    pthread_mutex_unlock(&m->native_lock);
    return native;
}

void qd_wasm_module_swap(qd_wasm_module *m, qd_wasm_native *native)
{
    pthread_mutex_lock(&m->native_lock);
    qd_wasm_native *old = atomic_exchange_explicit(&m->native, native, memory_order_release);
    pthread_mutex_unlock(&m->native_lock);
    if (!old)
        return;
    atomic_fetch_add_explicit(&m->engine->counts.tier_transitions, 1, memory_order_relaxed);
    qd_wasm_engine_forget_native(m->engine, old);
    qd_wasm_native_unref(old);
}
