/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/link.h"

#include <stdlib.h>

#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"
#include "wasm/tiers.h"

/* ---- which modules ----------------------------------------------------------------------------------------------- */

static qd_status add(qd_links *l, qd_wasm_module *m, qd_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->modules[i].module == m)
            return QD_OK;
    if (l->n == QD_WASM_MAX_DEPENDENCIES)
        return qd_fail(err, QD_EUDF_COMPILE, "the module needs more than %d other modules, with those that they need",
                       QD_WASM_MAX_DEPENDENCIES);
    qd_wasm_module_ref(m);
    l->modules[l->n++].module = m;
    return QD_OK;
}

static qd_status check(const qd_wasm_dependency *d, qd_error *err)
{
    if (qd_str_is(d->name, "env") || qd_str_is(d->name, "wasi_snapshot_preview1"))
        return qd_fail(err, QD_EUDF_COMPILE, "dependency '%.*s': that name stands for the host's functions",
                       QD_STR_FMT(d->name));
    for (size_t i = 0; i < d->module->n_imports; i++)
        if (d->module->imports[i])
            return qd_fail(err, QD_EUDF_COMPILE,
                           "dependency '%.64s' imports '%s': a function that others import can use no host functions, "
                           "because they answer from the memory of the one that is called",
                           d->name.p, d->module->import_names[i]);
    return QD_OK;
}

qd_status qd_links_init(qd_links *l, const qd_wasm_module_options *options, qd_error *err)
{
    qd_status rc = QD_OK;
    for (size_t i = 0; i < options->n_deps && !rc; i++) {
        const qd_wasm_dependency *d = &options->deps[i];
        rc = check(d, err);
        for (size_t k = 0; k < d->module->links.n && !rc; k++)
            rc = add(l, d->module->links.modules[k].module, err);
        if (!rc)
            rc = add(l, d->module, err);
    }
    return rc;
}

void qd_links_deinit(qd_links *l)
{
    for (size_t i = 0; i < l->n; i++) {
        qd_wasm_native_unref(l->modules[i].native);
        qd_wasm_module_unref(l->modules[i].module);
    }
    l->n = 0;
}

qd_status qd_links_load(qd_links *l, qd_error *err)
{
    qd_status rc = QD_OK;
    for (size_t i = 0; i < l->n && !rc; i++)
        rc = qd_wasm_tiers_linkable(l->modules[i].module, &l->modules[i].native, err);
    return rc;
}

/* ---- which functions --------------------------------------------------------------------------------------------- */

static const qd_wasm_export *find_export(const qd_wasm_module *m, qd_str name)
{
    for (size_t i = 0; i < m->n_exports; i++)
        if (qd_str_eq((qd_str){m->exports[i].name, m->exports[i].name_n}, name))
            return &m->exports[i];
    return NULL;
}

static bool has_numbers_only(const qd_wasm_signature *s)
{
    for (uint32_t i = 0; i < s->n_params; i++)
        if (s->params[i] == QD_WASM_OTHER)
            return false;
    return s->n_results == 0 || (s->n_results == 1 && s->result != QD_WASM_OTHER);
}

static qd_status check_signature(const qd_wasm_import *import, const qd_wasm_export *e, qd_error *err)
{
    char is[QD_SIGNATURE_TEXT_SIZE], should[QD_SIGNATURE_TEXT_SIZE];
    if (!has_numbers_only(&e->signature))
        return qd_fail(err, QD_EUDF_COMPILE,
                       "import '%.*s.%.*s' has the signature %.120s; between functions only numbers pass, and one "
                       "result at most",
                       QD_STR_FMT(import->module), QD_STR_FMT(import->name), qd_wasm_signature_text(&e->signature, is));
    if (qd_wasm_signature_eq(&e->signature, import->signature))
        return QD_OK;
    return qd_fail(err, QD_EUDF_COMPILE, "import '%.*s.%.*s' has the signature %.120s; the dependency has %.120s",
                   QD_STR_FMT(import->module), QD_STR_FMT(import->name), qd_wasm_signature_text(import->signature, is),
                   qd_wasm_signature_text(&e->signature, should));
}

qd_status qd_links_find(const qd_wasm_module_options *options, const qd_wasm_import *import, qd_linked_import *out,
                        qd_error *err)
{
    const qd_wasm_module *m = NULL;
    for (size_t i = 0; i < options->n_deps && !m; i++)
        if (qd_str_eq(options->deps[i].name, import->module))
            m = options->deps[i].module;
    if (!m)
        return QD_OK;
    const qd_wasm_export *e = import->signature ? find_export(m, import->name) : NULL;
    if (!e)
        return qd_fail(err, QD_EUDF_COMPILE, "import '%.*s.%.*s': the dependency '%.*s' exports no such function",
                       QD_STR_FMT(import->module), QD_STR_FMT(import->name), QD_STR_FMT(import->module));
    qd_status rc = check_signature(import, e, err);
    if (!rc)
        *out = (qd_linked_import){m, e->name};
    return rc;
}

/* ---- in a store -------------------------------------------------------------------------------------------------- */

qd_status qd_links_export(qd_instance *i, const wasmtime_instance_t *instances, const qd_linked_import *import,
                          wasmtime_extern_t *out, qd_error *err)
{
    const qd_links *l = &i->program->module->links;
    for (size_t k = 0; k < l->n; k++)
        if (l->modules[k].module == import->module &&
            wasmtime_instance_export_get(i->context, &instances[k], import->export_name, strlen(import->export_name),
                                         out))
            return QD_OK;
    return qd_fail(err, QD_EINTERNAL, "the dependency's export '%s' has gone", import->export_name);
}

static qd_status initialize(qd_instance *i, const qd_wasm_module *m, const wasmtime_instance_t *instance, qd_error *err)
{
    wasmtime_extern_t export;
    wasmtime_val_raw_t none;
    wasm_trap_t *trap = NULL;
    if (!m->has_initialize || !wasmtime_instance_export_get(i->context, instance, "_initialize", 11, &export))
        return QD_OK;
    qd_instance_enter(i);
    wasmtime_error_t *error = wasmtime_func_call_unchecked(i->context, &export.of.func, &none, 0, &trap);
    qd_instance_leave(i);
    return trap || error ? qd_trap_describe(i, trap, error, err) : QD_OK;
}

static qd_status instantiate(qd_instance *i, const qd_linked_module *l, wasmtime_instance_t *instances, size_t at,
                             qd_error *err)
{
    const qd_wasm_module *m = l->module;
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = NULL;
    qd_status rc = QD_OK;
    wasmtime_extern_t *imports = calloc(m->n_imports + 1, sizeof *imports);
    if (!imports)
        return qd_fail_nomem(err);
    for (size_t k = 0; k < m->n_imports && !rc; k++)
        rc = qd_links_export(i, instances, &m->linked_imports[k], &imports[k], err);
    if (!rc) {
        qd_instance_enter(i);
        error = wasmtime_instance_new(i->context, l->native->wasm, imports, m->n_imports, &instances[at], &trap);
        qd_instance_leave(i);
    }
    if (trap || error)
        rc = qd_trap_describe(i, trap, error, err);
    free(imports);
    return rc ? rc : initialize(i, m, &instances[at], err);
}

qd_status qd_links_instantiate(qd_instance *i, wasmtime_instance_t out[QD_WASM_MAX_DEPENDENCIES], qd_error *err)
{
    const qd_links *l = &i->program->module->links;
    qd_status rc = QD_OK;
    for (size_t k = 0; k < l->n && !rc; k++)
        rc = instantiate(i, &l->modules[k], out, k, err);
    return rc;
}
