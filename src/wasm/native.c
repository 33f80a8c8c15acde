/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/native.h"

#include <stdlib.h>

#include "wasm/engine_impl.h"
#include "wasm/module_impl.h"

static qd_status link_imports(qd_wasm_native *native, const qd_wasm_module *m, qd_error *err)
{
    qd_status rc = QD_OK;
    wasmtime_linker_t *linker = wasmtime_linker_new(native->backend->wasm);
    wasmtime_linker_allow_shadowing(linker, true); /* a module may import one function several times */
    for (size_t i = 0; i < m->n_imports && !rc; i++)
        rc = m->imports[i] && m->imports[i]->call ? qd_host_define(linker, m->imports[i], err) : QD_OK;
    bool has_columns = m->imports_columns && !native->join;
    if (!rc && (has_columns || m->links.n > 0)) {
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

/* What the code replaces is going: it does not count. */
static qd_status check_code_bytes(const qd_wasm_native *native, const qd_wasm_module *m, qd_error *err)
{
    const qd_wasm_native *old = atomic_load_explicit(&m->native, memory_order_relaxed);
    uint64_t all = atomic_load_explicit(&native->engine->counts.code_bytes, memory_order_relaxed);
    uint64_t most = native->engine->options.max_code_bytes, replaced = old ? old->code_bytes : 0;
    if (all - replaced <= most)
        return QD_OK;
    return qd_fail(err, QD_EUDF_FULL, "the native code of all functions would take %llu bytes; the limit is %llu",
                   (unsigned long long)(all - replaced), (unsigned long long)most);
}

qd_status qd_wasm_native_new(const qd_wasm_module *m, const qd_wasm_backend *backend, qd_wasm_made *made,
                             qd_wasm_native **out, qd_error *err)
{
    wasmtime_module_t *wasm = QD_TAKE(made->wasm);
    qd_wasm_native *native = calloc(1, sizeof *native);
    if (!native) {
        wasmtime_module_delete(wasm);
        return qd_fail_nomem(err);
    }
    native->engine = m->engine;
    native->backend = backend;
    native->wasm = wasm;
    native->tier = backend->tier;
    native->source = made->source;
    native->join = made->is_joined ? qd_join_ref(m->join) : NULL;
    native->code_bytes = image_bytes(wasm);
    atomic_init(&native->refs, 1);
    atomic_fetch_add_explicit(&m->engine->counts.code_bytes, native->code_bytes, memory_order_relaxed);
    qd_status rc = check_code_bytes(native, m, err);
    if (!rc)
        rc = link_imports(native, m, err);
    if (rc)
        qd_wasm_native_unref(native);
    else
        *out = native;
    return rc;
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
    qd_join_unref(native->join);
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

void qd_wasm_module_count_compiled(qd_wasm_module *m, qd_wasm_tier tier, int64_t ns)
{
    qd_wasm_counts *counts = &m->engine->counts;
    atomic_store_explicit(&m->compile_ns[tier], ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->compiled[tier], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->compile_ns[tier], (uint64_t)ns, memory_order_relaxed);
}
