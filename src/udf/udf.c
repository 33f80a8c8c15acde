/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/udf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "udf/program.h"

static qd_status check_limits(const qd_manifest *m, const qd_wasm_limits *most, qd_error *err)
{
    const struct {
        const char *field;
        uint64_t asked, most;
    } limits[] = {
        {"limits.memory_bytes", m->limits.memory_bytes, most->memory_bytes},
        {"limits.table_elements", m->limits.table_elements, most->table_elements},
        {"limits.call_ms", m->limits.call_ms, most->call_ms},
        {"limits.log_bytes", m->limits.log_bytes, most->log_bytes},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (limits[i].asked > limits[i].most)
            return qd_fail_field(err, QD_EUDF_PARAMS, limits[i].field,
                                 "manifest field '%s': %llu, at most %llu is allowed here", limits[i].field,
                                 (unsigned long long)limits[i].asked, (unsigned long long)limits[i].most);
    }
    return QD_OK;
}

static qd_status compile(qd_wasm_engine *e, qd_udf *u, const qd_udf_source *source, qd_error *err)
{
    qd_manifest *m = u->manifest;
    char export[QD_EXPORT_NAME_SIZE];
    qd_wasm_dependency deps[QD_WASM_MAX_DEPENDENCIES];
    const qd_wasm_module_options module_options = {
        .permissions = m->permissions,
        .hash = u->hash,
        .entry = qd_manifest_entry,
        .entry_arg = m,
        .native = source->native,
        .native_n = source->native_size,
        .must_use_native = source->must_use_native,
        .deps = deps,
        .n_deps = source->n_deps,
    };
    for (size_t i = 0; i < source->n_deps; i++)
        deps[i] = (qd_wasm_dependency){m->deps[i].name, source->deps[i]->module};
    qd_status st = qd_wasm_module_new(e, source->wasm, source->wasm_size, &module_options, &u->module, err);
    if (st == QD_OK)
        st = qd_manifest_program(m, u->module, qd_manifest_export(m, export), u->label, &u->program, err);
    return st;
}

qd_status qd_udf_build_from(qd_wasm_engine *e, const qd_registry_options *options, qd_manifest *m,
                            const qd_udf_source *source, qd_udf **out, qd_error *err)
{
    qd_udf *u = calloc(1, sizeof *u);
    if (!u) {
        qd_manifest_free(m);
        return qd_fail_nomem(err);
    }
    atomic_init(&u->refs, 1);
    u->manifest = m;
    u->wasm_size = source->wasm_size;
    u->stats = qd_udf_stats_new(m->name, m->version);
    u->programs = qd_udf_programs_new();
    u->registered_at_ms = source->registered_at_ms;
    for (; u->n_deps < source->n_deps; u->n_deps++) {
        u->deps[u->n_deps] = source->deps[u->n_deps];
        qd_udf_ref(u->deps[u->n_deps]);
    }
    snprintf(u->label, sizeof u->label, "%.*s@%.*s", QD_STR_FMT(m->name), QD_STR_FMT(m->version));
    qd_status st = u->stats && u->programs ? check_limits(m, &options->limits, err) : qd_fail_nomem(err);
    if (source->hash)
        snprintf(u->hash, sizeof u->hash, "%s", source->hash);
    else if (st == QD_OK && !qd_hash_sha256_hex(source->wasm, source->wasm_size, u->hash))
        st = qd_fail(err, QD_EINTERNAL, "the module's hash could not be computed");
    if (st == QD_OK)
        st = compile(e, u, source, err);
    if (st != QD_OK) {
        qd_error_set_function(err, u->label, NULL);
        qd_udf_unref(u);
        return st;
    }
    *out = u;
    return QD_OK;
}

qd_status qd_udf_build(qd_wasm_engine *e, const qd_registry_options *options, qd_manifest *m, const uint8_t *wasm,
                       size_t n, int64_t registered_at_ms, qd_udf **out, qd_error *err)
{
    const qd_udf_source source = {.wasm = wasm, .wasm_size = n, .registered_at_ms = registered_at_ms};
    return qd_udf_build_from(e, options, m, &source, out, err);
}

void qd_udf_ref(qd_udf *u)
{
    atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
}

void qd_udf_unref(qd_udf *u)
{
    if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
        return;
    qd_wasm_program_unref(u->program);
    qd_udf_programs_free(u->programs);
    qd_wasm_module_unref(u->module);
    while (u->n_deps > 0)
        qd_udf_unref(u->deps[--u->n_deps]);
    qd_udf_stats_unref(u->stats);
    qd_manifest_free(u->manifest);
    free(u);
}
