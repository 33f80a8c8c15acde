/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/module_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include <engine.h> /* the seam's; in quotes it would be ours */

#include "wasm/engine_impl.h"
#include "wasm/tiers.h"

/* ---- permissions ------------------------------------------------------------------------------------------------ */

static const struct {
    uint32_t bit;
    const char *name;
} permissions[] = {
    {QD_PERM_READ_DOCUMENT, "read_document"},
    {QD_PERM_READ_SCORE, "read_score"},
    {QD_PERM_LOG, "log"},
    {QD_PERM_RANDOM, "random"},
    {QD_PERM_CLOCK, "clock"},
};
#define N_PERMISSIONS (sizeof permissions / sizeof *permissions)

bool qd_wasm_permission_parse(qd_str name, uint32_t *bit)
{
    for (size_t i = 0; i < N_PERMISSIONS; i++) {
        if (qd_str_is(name, permissions[i].name)) {
            *bit = permissions[i].bit;
            return true;
        }
    }
    return false;
}

const char *qd_wasm_permission_name(uint32_t bit)
{
    for (size_t i = 0; i < N_PERMISSIONS; i++)
        if (permissions[i].bit == bit)
            return permissions[i].name;
    return "unknown";
}

/* ---- what the seam found ---------------------------------------------------------------------------------------- */

static qd_wasm_valtype valtype_of(qe_wasm_type t)
{
    static const qd_wasm_valtype numbers[] = {[QE_WASM_I32] = QD_WASM_I32,
                                              [QE_WASM_I64] = QD_WASM_I64,
                                              [QE_WASM_F32] = QD_WASM_F32,
                                              [QE_WASM_F64] = QD_WASM_F64};
    return (size_t)t < sizeof numbers / sizeof *numbers ? numbers[t] : QD_WASM_OTHER;
}

/* A signature with more parameters than we hold fits no shape and no host function: it is marked by its results. */
static qd_wasm_signature signature_of(const qe_wasm_item *item)
{
    qd_wasm_signature s = {.result = QD_WASM_OTHER};
    s.n_params = item->n_params > QD_WASM_MAX_PARAMS ? QD_WASM_MAX_PARAMS : (uint32_t)item->n_params;
    for (uint32_t i = 0; i < s.n_params; i++)
        s.params[i] = valtype_of(item->params[i]);
    s.n_results = item->n_params > QD_WASM_MAX_PARAMS || item->n_results > 1 ? 2 : (uint32_t)item->n_results;
    if (s.n_results == 1)
        s.result = valtype_of(item->results[0]);
    return s;
}

static qd_status inspect(const uint8_t *bytes, size_t n, qe_wasm_info **out, qd_error *err)
{
    qe_error error = {0};
    int rc = qe_wasm_inspect(bytes, n, out, &error);
    if (rc == QE_OK)
        return QD_OK;
    if (rc == QE_ENOMEM)
        return qd_fail_nomem(err);
    if (rc == QE_ESYNTAX)
        return qd_fail(err, QD_EUDF_WASM, "the module is not valid WebAssembly: %s at byte offset %llu", error.message,
                       (unsigned long long)error.offset);
    return qd_fail(err, QD_EINTERNAL, "the module cannot be inspected: %s", error.message);
}

/* A dependency answers it, or a host function. */
static qd_status find_import(const qe_wasm_item *item, const qd_wasm_module_options *options, qd_linked_import *linked,
                             const qd_host_function **out, qd_error *err)
{
    static const char *const kinds[] = {[QE_WASM_FUNC] = "function",
                                        [QE_WASM_TABLE] = "table",
                                        [QE_WASM_MEMORY] = "memory",
                                        [QE_WASM_GLOBAL] = "global",
                                        [QE_WASM_TAG] = "tag"};
    qd_wasm_signature signature = signature_of(item);
    const qd_wasm_signature *s = item->kind == QE_WASM_FUNC ? &signature : NULL;
    const qd_str module = {item->module, item->module_len}, name = {item->name, item->name_len};
    qd_status rc = qd_links_find(options, &(qd_wasm_import){module, name, s}, linked, err);
    if (rc || linked->export_name)
        return rc;
    qd_host_import import = {.module = module, .name = name, .signature = s, .kind = kinds[item->kind]};
    return qd_host_find(&import, options->permissions, out, err);
}

#define ABI_VERSION 1

static qd_status check_abi_version(const uint8_t *bytes, size_t n, qd_error *err)
{
    int32_t version = ABI_VERSION;
    qd_wasm_abi abi = qd_wasm_abi_version(bytes, n, &version);
    if (abi == QD_WASM_ABI_UNREADABLE)
        return qd_fail(err, QD_EUDF_WASM,
                       "the export 'quidditch_abi_version' is no constant: it must be an immutable i32 global, or a "
                       "function without parameters whose code is one i32 constant");
    if (version != ABI_VERSION)
        return qd_fail(err, QD_EUDF_WASM,
                       "the module was written for version %d of the guest ABI; this engine has version %d", version,
                       ABI_VERSION);
    return QD_OK;
}

/* ---- making a module -------------------------------------------------------------------------------------------- */

static void note_columns(qd_wasm_module *m, const qd_host_function *f)
{
    if (!f || f->call)
        return;
    m->imports_columns = true;
    m->reads_scores |= f->permission == QD_PERM_READ_SCORE;
    m->reads_by_handle |= f->permission == QD_PERM_READ_DOCUMENT;
    m->reads_f64 |= strcmp(f->name, "field_f64") == 0;
    m->reads_i64 |= strcmp(f->name, "field_i64") == 0;
    m->reads_valid |= strcmp(f->name, "field_valid") == 0;
}

static qd_status keep_imports(qd_wasm_module *m, const qe_wasm_info *info, const qd_wasm_module_options *options,
                              qd_error *err)
{
    const qe_wasm_item *items;
    size_t n = qe_wasm_imports(info, &items);
    m->imports = calloc(n + 1, sizeof *m->imports);
    m->linked_imports = calloc(n + 1, sizeof *m->linked_imports);
    m->import_names = calloc(n + 1, sizeof *m->import_names);
    if (!m->imports || !m->linked_imports || !m->import_names)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        qd_status rc = find_import(&items[i], options, &m->linked_imports[i], &m->imports[i], err);
        if (rc)
            return rc;
        note_columns(m, m->imports[i]);
        char name[128];
        snprintf(name, sizeof name, "%.*s.%.*s", (int)items[i].module_len, items[i].module, (int)items[i].name_len,
                 items[i].name);
        m->import_names[i] = qd_str_dup(qd_str_of(name));
        if (!m->import_names[i])
            return qd_fail_nomem(err);
        m->n_imports = i + 1;
    }
    return QD_OK;
}

static qd_status keep_exports(qd_wasm_module *m, const qe_wasm_info *info, qd_error *err)
{
    const qe_wasm_item *items;
    size_t n = qe_wasm_exports(info, &items), n_functions = 0;
    for (size_t i = 0; i < n; i++)
        n_functions += items[i].kind == QE_WASM_FUNC;
    m->exports = calloc(n_functions + 1, sizeof *m->exports);
    if (!m->exports)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        qd_str export_name = {items[i].name, items[i].name_len};
        m->exports_memory |= items[i].kind == QE_WASM_MEMORY && qd_str_is(export_name, "memory");
        if (items[i].kind != QE_WASM_FUNC)
            continue;
        qd_wasm_export *e = &m->exports[m->n_exports];
        e->name = qd_str_dup(export_name);
        if (!e->name)
            return qd_fail_nomem(err);
        e->name_n = items[i].name_len;
        e->signature = signature_of(&items[i]);
        m->n_exports++;
    }
    qd_wasm_signature s;
    m->has_initialize = qd_wasm_module_export(m, QD_STR("_initialize"), &s) && s.n_params == 0 && s.n_results == 0;
    return QD_OK;
}

static qd_status keep_bytes(qd_wasm_module *m, const uint8_t *bytes, size_t n, qd_error *err)
{
    m->bytes = qd_blob_new(bytes, n);
    return m->bytes ? QD_OK : qd_fail_nomem(err);
}

static qd_status hash_bytes(const uint8_t *bytes, size_t n, const char *known, char out[QD_SHA256_HEX_SIZE],
                            qd_error *err)
{
    if (known) {
        memcpy(out, known, QD_SHA256_HEX_SIZE);
        return QD_OK;
    }
    return qd_hash_sha256_hex(bytes, n, out) ? QD_OK
                                             : qd_fail(err, QD_EINTERNAL, "the module's hash could not be computed");
}

/* How it will be called, and what it is joined with for that. */
static qd_status take_entry(qd_wasm_module *m, const qd_wasm_module_options *options, qd_error *err)
{
    qd_wasm_entry entry = {0};
    if (!options->entry)
        return QD_OK;
    qd_status rc = options->entry(options->entry_arg, m, &entry, err);
    return rc ? rc : qd_join_new(m, &entry, &m->join, err);
}

qd_status qd_wasm_module_read(const uint8_t *bytes, size_t n, const qd_wasm_module_options *options,
                              qd_wasm_module **out, qd_error *err)
{
    qe_wasm_info *info = NULL;
    qd_wasm_module *m = NULL;
    qd_status rc = inspect(bytes, n, &info, err);
    if (rc)
        return rc;
    m = calloc(1, sizeof *m);
    if (!m) {
        rc = qd_fail_nomem(err);
        goto done;
    }
    atomic_init(&m->refs, 1);
    pthread_mutex_init(&m->native_lock, NULL);
    m->permissions = options->permissions;
    m->state = qd_wasm_state_of(bytes, n);
    qe_wasm_shape shape = qe_wasm_shape_of(info);
    m->has_start = shape.has_start;
    m->is_bounded = shape.is_bounded;
    m->longest_path = shape.longest_path;
    m->is_bounded &= options->n_deps == 0; /* what they do is not counted */
    rc = qd_links_init(&m->links, options, err);
    if (!rc)
        rc = keep_imports(m, info, options, err);
    if (!rc)
        rc = check_abi_version(bytes, n, err);
    if (!rc)
        rc = keep_exports(m, info, err);
    if (!rc)
        rc = keep_bytes(m, bytes, n, err);
    if (!rc)
        rc = hash_bytes(bytes, n, options->hash, m->hash, err);
    if (!rc)
        rc = take_entry(m, options, err);
    m->best = qd_wasm_tiers_best(m);
    m->max_rows = qd_wasm_tiers_max_rows(m);
    if (!rc)
        *out = QD_TAKE(m);
done:
    qd_wasm_module_unref(m);
    qe_wasm_info_free(info);
    return rc;
}

static bool has_best_code(qd_wasm_module *m)
{
    qd_wasm_native *native = qd_wasm_module_native(m);
    bool is_best = native->backend->kind == m->best;
    qd_wasm_native_unref(native);
    return is_best;
}

static qd_status copy_names(const qd_wasm_module *from, qd_wasm_module *m, qd_error *err)
{
    m->imports = calloc(from->n_imports + 1, sizeof *m->imports);
    m->linked_imports = calloc(from->n_imports + 1, sizeof *m->linked_imports);
    m->import_names = calloc(from->n_imports + 1, sizeof *m->import_names);
    m->exports = calloc(from->n_exports + 1, sizeof *m->exports);
    if (!m->imports || !m->linked_imports || !m->import_names || !m->exports)
        return qd_fail_nomem(err);
    for (; m->n_imports < from->n_imports; m->n_imports++) {
        m->imports[m->n_imports] = from->imports[m->n_imports];
        if (!(m->import_names[m->n_imports] = qd_str_dup(qd_str_of(from->import_names[m->n_imports]))))
            return qd_fail_nomem(err);
    }
    for (; m->n_exports < from->n_exports; m->n_exports++) {
        const qd_wasm_export *e = &from->exports[m->n_exports];
        m->exports[m->n_exports] = *e;
        if (!(m->exports[m->n_exports].name = qd_str_dup((qd_str){e->name, e->name_n})))
            return qd_fail_nomem(err);
    }
    return QD_OK;
}

/* Another module of the same bytes, permissions and code, without dependencies. */
static qd_status copy_module(qd_wasm_module *from, qd_wasm_module **out, qd_error *err)
{
    qd_wasm_module *m = calloc(1, sizeof *m);
    if (!m)
        return qd_fail_nomem(err);
    atomic_init(&m->refs, 1);
    pthread_mutex_init(&m->native_lock, NULL);
    m->engine = from->engine;
    qd_wasm_engine_ref(m->engine);
    atomic_init(&m->native, qd_wasm_module_native(from));
    m->best = from->best;
    m->max_rows = from->max_rows;
    m->bytes = qd_blob_ref(from->bytes);
    memcpy(m->hash, from->hash, sizeof m->hash);
    m->permissions = from->permissions;
    m->state = from->state;
    m->imports_columns = from->imports_columns;
    m->reads_by_handle = from->reads_by_handle;
    m->reads_f64 = from->reads_f64;
    m->reads_i64 = from->reads_i64;
    m->reads_valid = from->reads_valid;
    m->reads_scores = from->reads_scores;
    m->exports_memory = from->exports_memory;
    m->has_initialize = from->has_initialize;
    m->has_start = from->has_start;
    m->is_bounded = from->is_bounded;
    m->longest_path = from->longest_path;
    for (size_t t = 0; t < 3; t++)
        atomic_init(&m->compile_ns[t], atomic_load_explicit(&from->compile_ns[t], memory_order_relaxed));
    qd_status rc = copy_names(from, m, err);
    if (!rc)
        *out = QD_TAKE(m);
    qd_wasm_module_unref(m);
    return rc;
}

/* The same join, whatever made it. */
static bool is_joined_alike(const qd_wasm_module *a, const qd_wasm_module *b)
{
    return a->join && b->join ? strcmp(a->join->hash, b->join->hash) == 0 : !a->join && !b->join;
}

/* *out is NULL when what is there was made for another use than the options say. */
static qd_status share_module(qd_wasm_module *from, const qd_wasm_module_options *options, qd_wasm_module **out,
                              qd_error *err)
{
    qd_wasm_module *m = NULL;
    qd_status rc = copy_module(from, &m, err);
    if (!rc)
        rc = take_entry(m, options, err);
    if (!rc && is_joined_alike(from, m)) {
        qd_join_unref(m->join);
        m->join = qd_join_ref(from->join);
        *out = QD_TAKE(m);
    }
    qd_wasm_module_unref(m);
    return rc;
}

static qd_status load_module(qd_wasm_engine *e, const uint8_t *bytes, size_t n, const qd_wasm_module_options *options,
                             qd_wasm_module **out, qd_error *err)
{
    qd_wasm_module *m = NULL;
    qd_status rc = qd_wasm_module_read(bytes, n, options, &m, err);
    if (rc)
        return rc;
    m->engine = e;
    qd_wasm_engine_ref(e);
    rc = qd_links_load(&m->links, err);
    if (!rc)
        rc = qd_wasm_tiers_load(m, options, err);
    if (!rc)
        *out = QD_TAKE(m);
    qd_wasm_module_unref(m);
    return rc;
}

qd_status qd_wasm_module_new(qd_wasm_engine *e, const uint8_t *bytes, size_t n, const qd_wasm_module_options *options,
                             qd_wasm_module **out, qd_error *err)
{
    qd_wasm_module *m = NULL;
    char hash[QD_SHA256_HEX_SIZE];
    bool can_share = options->n_deps == 0 && !options->native;
    qd_wasm_module *same = NULL;
    qd_status rc = hash_bytes(bytes, n, options->hash, hash, err);
    if (rc)
        return rc;
    if (can_share)
        same = qd_shared_modules_find(&e->shared, hash, options->permissions);
    if (same && has_best_code(same))
        rc = share_module(same, options, &m, err);
    if (!rc && !m) {
        qd_wasm_module_options hashed = *options;
        hashed.hash = hash;
        rc = load_module(e, bytes, n, &hashed, &m, err);
    }
    qd_wasm_module_unref(same);
    if (!rc && can_share)
        qd_shared_modules_add(&e->shared, m);
    if (!rc)
        *out = QD_TAKE(m);
    qd_wasm_module_unref(m);
    return rc;
}

void qd_wasm_module_ref(qd_wasm_module *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

void qd_wasm_module_unref(qd_wasm_module *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    if (m->engine) {
        qd_shared_modules_forget(&m->engine->shared, m);
        qd_optimizer_forget(m->engine->optimizer, m);
    }
    qd_wasm_native_unref(atomic_load_explicit(&m->native, memory_order_relaxed));
    qd_links_deinit(&m->links);
    qd_blob_unref(m->bytes);
    qd_join_unref(m->join);
    pthread_mutex_destroy(&m->native_lock);
    for (size_t i = 0; i < m->n_imports; i++)
        free(m->import_names[i]);
    for (size_t i = 0; i < m->n_exports; i++)
        free(m->exports[i].name);
    free(m->import_names);
    free(m->linked_imports);
    free(m->imports);
    free(m->exports);
    qd_wasm_engine_free(m->engine);
    free(m);
}

qd_status qd_wasm_module_check(const uint8_t *bytes, size_t n, const qd_wasm_module_options *options, qd_error *err)
{
    qd_wasm_module *m = NULL;
    qd_status rc = qd_wasm_module_read(bytes, n, options, &m, err);
    qd_wasm_module_unref(m);
    return rc;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

bool qd_wasm_module_export(const qd_wasm_module *m, qd_str name, qd_wasm_signature *out)
{
    for (size_t i = 0; i < m->n_exports; i++) {
        if (qd_str_eq((qd_str){m->exports[i].name, m->exports[i].name_n}, name)) {
            *out = m->exports[i].signature;
            return true;
        }
    }
    return false;
}

bool qd_wasm_module_is_bounded(const qd_wasm_module *m, uint64_t *longest_path)
{
    if (m->is_bounded && longest_path)
        *longest_path = m->longest_path;
    return m->is_bounded;
}

const char *qd_wasm_module_import_name(const qd_wasm_module *m, size_t i)
{
    return i < m->n_imports ? m->import_names[i] : NULL;
}

const char *qd_wasm_module_export_name(const qd_wasm_module *m, size_t i)
{
    return i < m->n_exports ? m->exports[i].name : NULL;
}

uint64_t qd_wasm_module_memory_pages(const qd_wasm_module *m)
{
    return m->state.memory_pages;
}

const char *qd_wasm_tier_name(qd_wasm_tier t)
{
    static const char *const names[] = {
        [QD_TIER_NONE] = "none", [QD_TIER_BASELINE] = "baseline", [QD_TIER_OPTIMIZED] = "optimized"};
    return names[t];
}

const char *qd_wasm_source_name(qd_wasm_source s)
{
    static const char *const names[] = {
        [QD_SOURCE_COMPILED] = "compiled", [QD_SOURCE_CACHE] = "cache", [QD_SOURCE_AOT] = "aot"};
    return names[s];
}

void qd_wasm_module_read_status(qd_wasm_module *m, qd_wasm_status *out)
{
    qd_wasm_native *native = qd_wasm_module_native(m);
    *out = (qd_wasm_status){
        .tier = native->tier,
        .source = native->source,
        .code_bytes = native->code_bytes,
        .instances = atomic_load_explicit(&m->n_instances, memory_order_relaxed),
        .linear_bytes = atomic_load_explicit(&m->linear_bytes, memory_order_relaxed),
        .has_epoch_checks = native->backend->has_epochs,
        .is_optimizing = atomic_load_explicit(&m->is_optimizing, memory_order_relaxed),
    };
    for (size_t t = 0; t < 3; t++)
        out->compile_ns[t] = atomic_load_explicit(&m->compile_ns[t], memory_order_relaxed);
    qd_wasm_native_unref(native);
}
