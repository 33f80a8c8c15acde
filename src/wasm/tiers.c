/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/tiers.h"

#include "base/clock.h"
#include "wasm/engine_impl.h"
#include "wasm/make.h"
#include "wasm/precompile_impl.h"

/* In units of about a nanosecond at worst (qe_wasm_shape): a call without epoch checks cannot be stopped, and neither
 * can a run of several, which is cut to so many rows that it ends in time. */
#define MAX_BOUNDED_PATH 65536
#define MAX_BOUNDED_RUN  2000000
#define DRIVER_PATH      16 /* what the driver adds to a call */

/* Host functions that answer from what lies at hand, within the time that inspection takes a call of the host for, or,
 * as field_handle, look themselves whether the guest should go on (qd_instance_is_over). Others may parse a document or
 * write a log line: who imports one is stopped by epochs. */
static const char *const quick_imports[] = {"get_score", "score",     "field_handle",
                                            "field_f64", "field_i64", "field_valid"};

static bool is_quick(const qd_host_function *f)
{
    for (size_t i = 0; i < sizeof quick_imports / sizeof *quick_imports; i++)
        if (strcmp(f->name, quick_imports[i]) == 0)
            return true;
    return false;
}

qd_backend_kind qd_wasm_tiers_best(const qd_wasm_module *m)
{
    bool is_bounded = m->is_bounded && m->longest_path <= MAX_BOUNDED_PATH && m->links.n == 0;
    for (size_t i = 0; i < m->n_imports && is_bounded; i++)
        is_bounded = m->imports[i] && is_quick(m->imports[i]);
    return is_bounded ? QD_BACKEND_BOUNDED : QD_BACKEND_OPTIMIZED;
}

uint32_t qd_wasm_tiers_max_rows(const qd_wasm_module *m)
{
    if (m->best != QD_BACKEND_BOUNDED)
        return QD_BLOCK_DOCS;
    uint64_t rows = MAX_BOUNDED_RUN / (m->longest_path + DRIVER_PATH);
    return rows < QD_BLOCK_DOCS ? (uint32_t)rows : QD_BLOCK_DOCS;
}

static const qd_wasm_backend *backend_of(const qd_wasm_module *m, qd_backend_kind kind)
{
    return &m->engine->backends[kind];
}

static qd_make_from alone(const qd_wasm_module *m)
{
    return (qd_make_from){m->bytes, m->hash, NULL};
}

static qd_make_from with_driver(const qd_wasm_module *m)
{
    return (qd_make_from){m->bytes, m->hash, m->join};
}

/* `made` is taken. */
static qd_status put_in_place(qd_wasm_module *m, qd_backend_kind kind, qd_wasm_made *made, qd_error *err)
{
    qd_wasm_native *native = NULL;
    qd_status rc = qd_wasm_native_new(m, backend_of(m, kind), made, &native, err);
    if (!rc)
        qd_wasm_module_swap(m, native);
    return rc;
}

/* Compiles, counts, and keeps it where that is worth it. *out: owned by caller. */
static qd_status compile(qd_wasm_module *m, qd_backend_kind kind, const qd_make_from *from, qd_wasm_made *out,
                         qd_error *err)
{
    const qd_wasm_backend *b = backend_of(m, kind);
    qe_code *code = NULL;
    int64_t start = qd_clock_mono_ns();
    qd_status rc = qd_make_compile(b, from, out, &code, err);
    if (rc)
        return rc;
    qd_wasm_module_count_compiled(m, b->tier, qd_clock_mono_ns() - start);
    qd_make_remember(b, from, out, code);
    qe_code_free(code);
    return QD_OK;
}

static qd_status compile_in_place(qd_wasm_module *m, qd_backend_kind kind, qd_error *err)
{
    const qd_make_from from = with_driver(m);
    qd_wasm_made made = {0};
    qd_status rc = compile(m, kind, &from, &made, err);
    return rc ? rc : put_in_place(m, kind, &made, err);
}

/* Code that came with the module. Where it need not be used, it is not an error that it cannot: after an upgrade of the
 * engine, say, it is compiled again. */
static qd_status load_precompiled(qd_wasm_module *m, const qd_wasm_module_options *o, qd_error *err)
{
    qd_precompiled found;
    qd_wasm_made made = {.source = QD_SOURCE_AOT};
    qd_status rc = qd_precompiled_parse(o->native, o->native_n, &found, err);
    if (!rc)
        rc = qd_precompiled_check(&found, m, err);
    if (!rc)
        rc = qd_wasm_backend_adopt(backend_of(m, found.kind), found.code, &made.wasm, err);
    if (rc) {
        qd_error_prefix(err, "native code: ");
        return rc;
    }
    made.is_joined = found.is_joined;
    return put_in_place(m, found.kind, &made, err);
}

/* True when it serves now and will be optimized. Any error of the baseline compiler is left to the other to find. */
static bool load_baseline(qd_wasm_module *m)
{
    const qd_wasm_engine_options *o = &m->engine->options;
    if (m->links.n > 0 ||
        (!o->has_baseline_only && (o->compile_threads == 0 || m->state.code_bytes <= o->direct_code_bytes)))
        return false;
    if (!o->has_baseline_only && !qd_optimizer_has_room(m->engine->optimizer))
        return false;
    return compile_in_place(m, QD_BACKEND_BASELINE, NULL) == QD_OK &&
           (o->has_baseline_only || qd_optimizer_submit(m->engine->optimizer, m));
}

qd_status qd_wasm_tiers_load(qd_wasm_module *m, const qd_wasm_module_options *options, qd_error *err)
{
    const qd_make_from from = with_driver(m);
    qd_wasm_made made = {0};
    if (options->native) {
        qd_status rc = load_precompiled(m, options, err);
        if (rc == QD_OK || options->must_use_native || rc == QD_EUDF_FULL)
            return rc;
    }
    if (qd_make_recall(backend_of(m, m->best), &from, &made))
        return put_in_place(m, m->best, &made, err);
    return load_baseline(m) ? QD_OK : compile_in_place(m, m->best, err);
}

qd_status qd_wasm_tiers_linkable(qd_wasm_module *m, qd_wasm_native **out, qd_error *err)
{
    const qd_backend_kind kind = QD_BACKEND_OPTIMIZED;
    const qd_make_from from = alone(m); /* as part of another store, without a driver */
    qd_wasm_native *native = qd_wasm_module_native(m);
    qd_wasm_made made = {0};
    qd_status rc = QD_OK;
    if (native->backend->kind == kind && !native->join) {
        *out = native;
        return QD_OK;
    }
    qd_wasm_native_unref(native);
    if (!qd_make_recall(backend_of(m, kind), &from, &made))
        rc = compile(m, kind, &from, &made, err);
    return rc ? rc : qd_wasm_native_new(m, backend_of(m, kind), &made, out, err);
}
