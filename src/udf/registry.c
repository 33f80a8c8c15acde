/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_table.h"
#include "udf/udf.h"

/* ---- opening ---- */

qd_status qd_registry_open(qd_kv *kv, qd_wasm_engine *e, const qd_registry_options *options,
                           void (*log)(void *arg, const char *line), void *log_arg, qd_registry **out, qd_error *err)
{
    qd_registry *r = calloc(1, sizeof *r);
    if (!r || !(r->functions = qd_map_new())) {
        free(r);
        return qd_fail_nomem(err);
    }
    r->kv = kv;
    r->engine = e;
    r->options = *options;
    pthread_mutex_init(&r->write_mutex, NULL);
    pthread_rwlock_init(&r->table_lock, NULL);
    qd_status st = qd_registry_load(r, log, log_arg, err);
    if (st != QD_OK) {
        qd_error_prefix(err, "the functions' registry: ");
        qd_registry_close(r);
        return st;
    }
    *out = r;
    return QD_OK;
}

void qd_registry_close(qd_registry *r)
{
    if (!r)
        return;
    qd_map_free(r->functions, qd_udf_function_free);
    pthread_rwlock_destroy(&r->table_lock);
    pthread_mutex_destroy(&r->write_mutex);
    free(r);
}

/* ---- reading ---- */

static qd_status refer(const qd_udf_version *v, qd_str name, qd_udf **out, qd_error *err)
{
    if (!v->udf)
        return qd_fail(err, QD_EUDF_COMPILE, "function '%.*s@%s' cannot be used since it was loaded: %s",
                       QD_STR_FMT(name), v->version, v->failure.message);
    qd_udf_ref(v->udf);
    *out = v->udf;
    return QD_OK;
}

qd_status qd_registry_get(qd_registry *r, qd_str name, qd_str version, qd_udf **out, qd_error *err)
{
    pthread_rwlock_rdlock(&r->table_lock);
    const qd_udf_function *f = qd_registry_find(r, name);
    const qd_udf_version *v = f ? qd_udf_function_find(f, version) : NULL;
    qd_status st = v ? refer(v, name, out, err) : qd_registry_fail_unknown(f, name, version, err);
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}

qd_status qd_registry_get_spec(qd_registry *r, qd_str spec, qd_udf **out, qd_error *err)
{
    const char *at = spec.n > 0 ? memchr(spec.p, '@', spec.n) : NULL;
    if (!at)
        return qd_registry_get(r, spec, (qd_str){0}, out, err);
    qd_str name = {spec.p, (size_t)(at - spec.p)}, version = {at + 1, spec.n - name.n - 1};
    if (version.n == 0)
        return qd_fail_field(err, QD_EUDF_PARAMS, "version", "'%.*s': expected a version after '@'", QD_STR_FMT(spec));
    return qd_registry_get(r, name, version, out, err);
}

size_t qd_registry_count(qd_registry *r)
{
    pthread_rwlock_rdlock(&r->table_lock);
    size_t n = r->n_versions;
    pthread_rwlock_unlock(&r->table_lock);
    return n;
}

qd_stats_keeper *qd_registry_stats(const qd_registry *r)
{
    return r->options.stats;
}

qd_quarantine *qd_registry_quarantine(const qd_registry *r)
{
    return r->options.quarantine;
}

/* ---- registering ---- */

/* A registration's manifest, checked as far as that goes without the module's content, and the module's hash. */
static qd_status read_registration(const qd_registry *r, const qd_registration *reg, qd_manifest **out,
                                   char hash[QD_SHA256_HEX_SIZE], qd_error *err)
{
    json_t *merged = NULL;
    if (reg->wasm_size > r->options.max_module_bytes)
        return qd_fail(err, QD_ETOOLARGE, "the module has %zu bytes; at most %zu are accepted", reg->wasm_size,
                       r->options.max_module_bytes);
    if (reg->wasm_size == 0)
        return qd_fail(err, QD_EUDF_WASM, "the module is empty");
    qd_status st = qd_udf_merge_manifest(reg->manifest, reg->wasm, reg->wasm_size, &merged, err);
    if (st == QD_OK)
        st = qd_manifest_parse(merged, out, err);
    if (st == QD_OK && !qd_hash_sha256_hex(reg->wasm, reg->wasm_size, hash)) {
        qd_manifest_free(QD_TAKE(*out));
        st = qd_fail(err, QD_EINTERNAL, "the module's hash could not be computed");
    }
    json_decref(merged);
    return st;
}

qd_status qd_registry_prepare(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_error *err)
{
    qd_manifest *m = NULL;
    char hash[QD_SHA256_HEX_SIZE];
    qd_status st = read_registration(r, reg, &m, hash, err);
    return st == QD_OK
               ? qd_udf_build(r->engine, &r->options, m, reg->wasm, reg->wasm_size, qd_clock_wall_ms(), out, err)
               : st;
}

/* Is there room for it, and is it there? *out: when the very same is registered and usable. One that no longer
 * compiles may be registered again. */
static qd_status look_up(qd_registry *r, const qd_manifest *m, const char *hash, qd_udf **out, qd_error *err)
{
    qd_status st = QD_OK;
    pthread_rwlock_rdlock(&r->table_lock);
    const qd_udf_function *f = qd_registry_find(r, m->name);
    const qd_udf_version *v = f ? qd_udf_function_find(f, m->version) : NULL;
    if (v && strcmp(v->hash, hash) != 0)
        st = qd_fail_field(
            err, QD_EUDF_EXISTS, "version",
            "function '%.*s' version %s is registered with other bytes; a version never changes: use a new one",
            QD_STR_FMT(m->name), v->version);
    else if (v && !json_equal(v->manifest, m->json))
        st = qd_fail_field(
            err, QD_EUDF_EXISTS, "version",
            "function '%.*s' version %s is registered with another manifest; a version never changes: use a new one",
            QD_STR_FMT(m->name), v->version);
    else if (v && v->udf)
        st = refer(v, m->name, out, err);
    else if (!v && r->n_versions >= r->options.max_functions)
        st = qd_fail(err, QD_EUDF_FULL, "%u function versions are registered, which is the limit; delete some first",
                     r->options.max_functions);
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}

/* Puts a stored version into the table. Called with write_mutex. */
static qd_status show(qd_registry *r, qd_udf_version *v, qd_udf *u, qd_error *err)
{
    qd_udf_function *f = NULL;
    qd_udf_version *failed = NULL;
    bool is_new = false;
    qd_str name = u->manifest->name;
    pthread_rwlock_wrlock(&r->table_lock);
    qd_status st = qd_registry_reserve(r, name, &f, &is_new, err);
    if (st == QD_OK && is_new && !qd_map_put(r->functions, name, f, NULL)) {
        qd_udf_function_free(f);
        st = qd_fail_nomem(err);
    }
    if (st == QD_OK) {
        failed = is_new ? NULL : qd_udf_function_find(f, u->manifest->version);
        bool was_active = failed && f->active == failed;
        if (failed)
            qd_udf_function_take(f, failed);
        else
            r->n_versions++;
        qd_udf_function_insert(f, v);
        if (was_active)
            f->active = v;
    }
    pthread_rwlock_unlock(&r->table_lock);
    qd_udf_version_free(failed);
    return st;
}

qd_status qd_registry_attach_stats(const qd_registry *r, qd_udf *u, qd_error *err)
{
    qd_udf_stats *kept = NULL;
    if (!r->options.stats)
        return QD_OK;
    qd_status st = qd_stats_keeper_get(r->options.stats, u->manifest->name, u->manifest->version, &kept, err);
    if (st != QD_OK)
        return st;
    qd_udf_stats_unref(u->stats);
    u->stats = kept;
    return QD_OK;
}

/* Stores, then shows. Called with write_mutex, so that nobody else changes what look_up sees. */
static qd_status keep(qd_registry *r, const qd_registration *reg, qd_udf *u, qd_udf **existing, qd_error *err)
{
    const qd_manifest *m = u->manifest;
    qd_status st = look_up(r, m, u->hash, existing, err);
    if (st == QD_OK && !*existing)
        st = qd_registry_attach_stats(r, u, err);
    if (st != QD_OK || *existing)
        return st;
    qd_udf_version *v = qd_udf_version_new(m->version, u->hash, u->wasm_size, u->registered_at_ms, m->json, u);
    if (!v)
        return qd_fail_nomem(err);
    st = qd_registry_store_put(r, v, m->name, reg->wasm, qd_registry_find(r, m->name), err);
    if (st == QD_OK)
        st = show(r, v, u, err);
    if (st != QD_OK)
        qd_udf_version_free(v);
    return st;
}

qd_status qd_registry_register(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_registered *result,
                               qd_error *err)
{
    qd_manifest *m = NULL;
    qd_udf *built = NULL, *existing = NULL;
    char hash[QD_SHA256_HEX_SIZE];
    qd_status st = read_registration(r, reg, &m, hash, err);
    if (st == QD_OK)
        st = look_up(r, m, hash, &existing, err);
    if (st == QD_OK && !existing) {
        st = qd_udf_build(r->engine, &r->options, QD_TAKE(m), reg->wasm, reg->wasm_size, qd_clock_wall_ms(), &built,
                          err);
        if (st == QD_OK) {
            pthread_mutex_lock(&r->write_mutex);
            st = keep(r, reg, built, &existing, err);
            pthread_mutex_unlock(&r->write_mutex);
        }
    }
    if (st == QD_OK) {
        *result = (qd_registered){.existed = existing != NULL, .is_active = true};
        *out = existing ? QD_TAKE(existing) : QD_TAKE(built);
    }
    qd_udf_unref(built);
    qd_manifest_free(m);
    return st;
}

/* ---- removing ---- */

static bool is_hash_used(const qd_registry *r, const char *hash)
{
    size_t i = 0;
    qd_str name;
    void *value;
    while (qd_map_next(r->functions, &i, &name, &value)) {
        const qd_udf_function *f = value;
        for (size_t k = 0; k < f->n_versions; k++)
            if (strcmp(f->versions[k]->hash, hash) == 0)
                return true;
    }
    return false;
}

/* What is known about a version beside its entry. It goes first: a later function of that name and version would come
 * into what is left of it. */
static qd_status forget(qd_registry *r, qd_str name, qd_str version, qd_error *err)
{
    qd_status st = QD_OK;
    if (r->options.stats)
        st = qd_stats_keeper_remove(r->options.stats, name, version, err);
    if (st == QD_OK && r->options.quarantine)
        st = qd_quarantine_reinstate(r->options.quarantine, name, version, NULL, err);
    return st;
}

/* Forgets one version: statistics, entry, table, then bytes and alias. Called with write_mutex; `f` may be gone
 * afterwards. */
static qd_status remove_version(qd_registry *r, qd_str name, qd_udf_function *f, qd_udf_version *v, qd_error *err)
{
    bool was_active = f->active == v, is_last = f->n_versions == 1;
    qd_status st = forget(r, name, qd_str_of(v->version), err);
    if (st == QD_OK)
        st = qd_registry_store_remove_entry(r, name, v->version, err);
    if (st != QD_OK)
        return st;
    pthread_rwlock_wrlock(&r->table_lock);
    qd_udf_function_take(f, v);
    if (is_last)
        (void)qd_map_remove(r->functions, name);
    r->n_versions--;
    pthread_rwlock_unlock(&r->table_lock);
    if (!is_hash_used(r, v->hash))
        st = qd_registry_store_remove_module(r, v->hash, err);
    if (st == QD_OK && was_active)
        st = qd_registry_store_active(r, name, is_last ? NULL : f, err);
    if (is_last)
        qd_udf_function_free(f);
    qd_udf_version_free(v);
    return st;
}

qd_status qd_registry_remove(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, size_t *removed,
                             qd_error *err)
{
    (void)who;
    size_t n = 0;
    qd_status st = QD_OK;
    pthread_mutex_lock(&r->write_mutex);
    qd_udf_function *f = qd_registry_find(r, name);
    qd_udf_version *v = f ? qd_udf_function_find(f, version) : NULL;
    if (!v) {
        st = qd_registry_fail_unknown(f, name, version, err);
    } else if (version.n > 0) {
        st = remove_version(r, name, f, v, err);
        n = 1;
    } else {
        /* From the lowest up, so that the highest stays active until it goes too. */
        for (size_t left = f->n_versions; left > 0 && st == QD_OK; left--, n++)
            st = remove_version(r, name, f, f->versions[0], err);
    }
    pthread_mutex_unlock(&r->write_mutex);
    if (st == QD_OK && removed)
        *removed = n;
    return st;
}
