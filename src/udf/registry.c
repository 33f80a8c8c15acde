/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening, looking up, registering. */
#include "udf/registry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "udf/no_docs.h"
#include "udf/registry_change.h"
#include "udf/registry_code.h"
#include "udf/udf.h"

/* ---- opening ---- */

/* A writer that waits goes before readers that come later: without that, readers without pause would keep it out. So
 * nobody may take the lock twice. */
static void init_locks(qd_registry *r)
{
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&r->table_lock, &fair);
    pthread_rwlockattr_destroy(&fair);
    pthread_mutex_init(&r->write_mutex, NULL);
    pthread_mutex_init(&r->code_mutex, NULL);
}

qd_status qd_registry_open(qd_kv *kv, qd_wasm_engine *e, const qd_registry_options *options,
                           void (*log)(void *arg, const char *line), void *log_arg, qd_registry **out, qd_error *err)
{
    qd_registry *r = calloc(1, sizeof *r);
    if (!r)
        return qd_fail_nomem(err);
    init_locks(r);
    r->kv = kv;
    r->engine = e;
    r->options = *options;
    r->log = log;
    r->log_arg = log_arg;
    r->functions = qd_map_new();
    r->modules = qd_map_new();
    qd_status st = r->functions && r->modules ? qd_registry_load(r, err) : qd_fail_nomem(err);
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
    for (size_t i = 0; i < r->n_loaded; i++)
        qd_udf_version_unref(r->loaded[i]);
    free(r->loaded);
    free(r->sorted);
    qd_map_free(r->modules, NULL);
    qd_map_free(r->functions, qd_udf_function_free);
    pthread_mutex_destroy(&r->code_mutex);
    pthread_rwlock_destroy(&r->table_lock);
    pthread_mutex_destroy(&r->write_mutex);
    free(r);
}

/* ---- reading ---- */

/* Called with table_lock. Gives the function when its code is there, else the version, to be loaded later. */
static qd_status look_for(qd_registry *r, qd_udf_want *want, qd_udf_version **to_load, qd_error *err)
{
    qd_udf_version *v = NULL;
    qd_str name = want->name, version = want->version;
    const char *at = version.n == 0 && name.n > 0 ? memchr(name.p, '@', name.n) : NULL;
    if (at) {
        version = (qd_str){at + 1, name.n - (size_t)(at - name.p) - 1};
        name.n = (size_t)(at - name.p);
        if (version.n == 0)
            return qd_fail_field(err, QD_EUDF_PARAMS, "version", "'%.*s': expected a version after '@'",
                                 QD_STR_FMT(want->name));
    }
    qd_status st = qd_registry_resolve_version(r, name, version, NULL, &v, err);
    if (st != QD_OK)
        return st;
    qd_registry_touch(r, v);
    if (v->udf) {
        qd_udf_ref(v->udf);
        want->udf = v->udf;
    } else {
        qd_udf_version_ref(v);
        *to_load = v;
    }
    return QD_OK;
}

/* What could not be loaded because it was deleted after it was found is looked for again: each time round means that
 * somebody deleted a version in between. */
static bool is_gone(qd_registry *r, const qd_udf_version *v)
{
    pthread_rwlock_rdlock(&r->table_lock);
    bool gone = v->is_removed;
    pthread_rwlock_unlock(&r->table_lock);
    return gone;
}

static qd_status get_one(qd_registry *r, qd_udf_want *want, qd_error *err)
{
    for (;;) {
        qd_udf_version *v = NULL;
        pthread_rwlock_rdlock(&r->table_lock);
        qd_status st = look_for(r, want, &v, err);
        pthread_rwlock_unlock(&r->table_lock);
        if (!v)
            return st;
        st = qd_registry_load_code(r, v, &want->udf, err);
        bool again = st != QD_OK && is_gone(r, v);
        qd_udf_version_unref(v);
        if (!again)
            return st;
    }
}

/* `to_load` has room for n. *again: a version was deleted in between. */
static qd_status get_all(qd_registry *r, qd_udf_want *wants, size_t n, qd_udf_version **to_load, size_t *failed,
                         bool *again, qd_error *err)
{
    qd_status st = QD_OK;
    size_t i, looked;
    for (i = 0; i < n; i++) {
        wants[i].udf = NULL;
        to_load[i] = NULL;
    }
    pthread_rwlock_rdlock(&r->table_lock);
    for (i = 0; i < n && st == QD_OK; i++)
        st = look_for(r, &wants[i], &to_load[i], err);
    pthread_rwlock_unlock(&r->table_lock);
    looked = i;
    *again = false;
    if (st == QD_OK) {
        for (i = 0; i < n && st == QD_OK; i++)
            if (to_load[i])
                st = qd_registry_load_code(r, to_load[i], &wants[i].udf, err);
        *again = st != QD_OK && is_gone(r, to_load[i - 1]);
    }
    if (st != QD_OK)
        *failed = i - 1;
    for (i = 0; i < looked; i++) {
        qd_udf_version_unref(to_load[i]);
        if (st != QD_OK)
            qd_udf_unref(QD_TAKE(wants[i].udf));
    }
    return st;
}

qd_status qd_registry_get_many(qd_registry *r, qd_udf_want *wants, size_t n, size_t *failed, qd_error *err)
{
    qd_status st;
    bool again;
    qd_udf_version **to_load = calloc(n + 1, sizeof(qd_udf_version *));
    *failed = 0;
    if (!to_load)
        return qd_fail_nomem(err);
    do {
        st = get_all(r, wants, n, to_load, failed, &again, err);
    } while (again);
    free(to_load);
    return st;
}

qd_status qd_registry_get(qd_registry *r, qd_str name, qd_str version, qd_udf **out, qd_error *err)
{
    qd_udf_want want = {name, version.n > 0 ? version : QD_STR("active"), NULL};
    qd_status st = get_one(r, &want, err);
    if (st == QD_OK)
        *out = want.udf;
    return st;
}

qd_status qd_registry_get_spec(qd_registry *r, qd_str spec, qd_udf **out, qd_error *err)
{
    qd_udf_want want = {spec, {NULL, 0}, NULL};
    qd_status st = get_one(r, &want, err);
    if (st == QD_OK)
        *out = want.udf;
    return st;
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

static void candidate_deinit(qd_candidate *c)
{
    for (size_t i = 0; i < c->pins.n && c->has_deps; i++)
        qd_udf_unref(c->deps[i]);
    qd_pins_deinit(&c->pins);
    qd_udf_unref(c->udf);
    qd_manifest_free(c->manifest);
    free(c->manifest_text);
}

static qd_status check_sizes(const qd_registry *r, const qd_registration *reg, qd_error *err)
{
    if (reg->wasm_size > r->options.max_module_bytes)
        return qd_fail(err, QD_ETOOLARGE, "the module has %zu bytes; at most %zu are accepted", reg->wasm_size,
                       r->options.max_module_bytes);
    if (reg->native && reg->native_size / QD_NATIVE_GROWTH > r->options.max_module_bytes)
        return qd_fail(err, QD_ETOOLARGE, "the ahead-of-time code has %zu bytes; at most %zu are accepted",
                       reg->native_size, r->options.max_module_bytes * QD_NATIVE_GROWTH);
    return reg->wasm_size > 0 ? QD_OK : qd_fail(err, QD_EUDF_WASM, "the module is empty");
}

static qd_status check_signatures(const qd_registry *r, const qd_registration *reg, qd_candidate *c, qd_error *err)
{
    qd_trust_result ignored;
    qd_status st =
        qd_trust_check(r->options.trust, reg->wasm, reg->wasm_size, c->manifest->json, reg->signature, &c->trust, err);
    if (st == QD_OK && reg->native)
        st = qd_trust_check_native(r->options.trust, reg->wasm, reg->wasm_size, reg->native, reg->native_size,
                                   reg->native_signature, &ignored, err);
    return st;
}

/* All that can be checked without the module's content: sizes, manifest, hashes, signatures. */
static qd_status read_registration(const qd_registry *r, const qd_registration *reg, qd_candidate *c, qd_error *err)
{
    json_t *merged = NULL;
    char label[sizeof c->udf->label];
    *c = (qd_candidate){.reg = reg};
    qd_status st = check_sizes(r, reg, err);
    if (st == QD_OK)
        st = qd_udf_merge_manifest(reg->manifest, reg->wasm, reg->wasm_size, &merged, err);
    if (st == QD_OK)
        st = qd_manifest_parse(merged, &c->manifest, err);
    json_decref(merged);
    if (st != QD_OK)
        return st;
    c->name = c->manifest->name;
    c->version = c->manifest->version;
    c->manifest_text = qd_json_text(c->manifest->json, true);
    if (!c->manifest_text)
        return qd_fail_nomem(err);
    if (!qd_hash_sha256_hex(reg->wasm, reg->wasm_size, c->hash) ||
        !qd_hash_sha256_hex(c->manifest_text, strlen(c->manifest_text), c->manifest_hash))
        return qd_fail(err, QD_EINTERNAL, "the module's hash could not be computed");
    st = check_signatures(r, reg, c, err);
    if (st != QD_OK && snprintf(label, sizeof label, "%.*s@%.*s", QD_STR_FMT(c->name), QD_STR_FMT(c->version)) > 0)
        qd_error_set_function(err, label, NULL); /* the audit log says whose signature was refused */
    return st;
}

/* A function that fails before it is called would fail every query; better that its author hears of it. */
static qd_status try_start(const qd_udf *u, const volatile bool *canceled, qd_error *err)
{
    qd_call call = {.docs = &qd_no_docs, .deadline_ns = INT64_MAX, .canceled = canceled};
    qd_error why = QD_ERROR_INIT;
    qd_status st = qd_wasm_program_try_start(u->program, &call, &why);
    if (st == QD_OK)
        return QD_OK;
    if (qd_quarantine_is_failure(st))
        st = qd_fail_field(err, QD_EUDF_WASM, "wasm", "function '%s' fails when it is instantiated: %s", u->label,
                           why.message);
    else if (err)
        *err = why;
    qd_error_set_function(err, u->label, NULL);
    return st;
}

/* Resolves dependencies, compiles, and tries whether it starts. The manifest goes to the function. */
static qd_status build(qd_registry *r, qd_candidate *c, qd_error *err)
{
    const qd_registration *reg = c->reg;
    qd_status st = qd_pins_resolve(r, c->manifest, &c->pins, err);
    if (st == QD_OK)
        st = qd_registry_load_pins(r, &c->pins, c->deps, err);
    if (st != QD_OK)
        return st;
    c->has_deps = true;
    const qd_udf_source source = {
        .wasm = reg->wasm,
        .wasm_size = reg->wasm_size,
        .hash = c->hash,
        .native = reg->native,
        .native_size = reg->native_size,
        .must_use_native = true,
        .deps = c->deps,
        .n_deps = c->pins.n,
        .registered_at_ms = qd_clock_wall_ms(),
    };
    st = qd_registry_make_room(r, reg->wasm_size, err);
    if (st == QD_OK)
        st = qd_udf_build_from(r->engine, &r->options, QD_TAKE(c->manifest), &source, &c->udf, err);
    if (st == QD_OK) {
        c->name = c->udf->manifest->name;
        c->version = c->udf->manifest->version;
        st = try_start(c->udf, reg->canceled, err);
    }
    return st;
}

qd_status qd_registry_prepare(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_error *err)
{
    qd_candidate c;
    qd_status st = read_registration(r, reg, &c, err);
    if (st == QD_OK)
        st = build(r, &c, err);
    if (st == QD_OK)
        *out = QD_TAKE(c.udf);
    candidate_deinit(&c);
    return st;
}

/* The version as it is there; *existing: a reference, NULL when it can be registered. */
static qd_status look_up(qd_registry *r, const qd_candidate *c, qd_udf_version **existing, bool *is_active,
                         qd_error *err)
{
    const char *what = NULL;
    qd_status st = QD_OK;
    pthread_rwlock_rdlock(&r->table_lock);
    const qd_udf_function *f = qd_registry_find(r, c->name);
    qd_udf_version *v = f ? qd_udf_function_find(f, c->version) : NULL;
    if (v && !qd_str_is(v->record.hash, c->hash))
        what = "bytes";
    else if (v && !qd_str_is(v->record.manifest_hash, c->manifest_hash))
        what = "manifest";
    if (what) {
        st = qd_fail_field(err, QD_EUDF_EXISTS, "version",
                           "function '%.*s' version %.*s is registered with %s %s; a version never changes: use a new "
                           "one",
                           QD_STR_FMT(c->name), QD_STR_FMT(v->version), *what == 'b' ? "other" : "another", what);
        qd_error_mark_function(err, c->name);
        qd_error_mark_version(err, v->version);
    } else if (v) {
        qd_udf_version_ref(v);
        *existing = v;
        *is_active = f->active == v;
    } else if (r->n_versions >= r->options.max_functions) {
        st = qd_fail(err, QD_EUDF_FULL,
                     "%u function versions are registered, which is the limit (udf.max_functions); delete some first",
                     r->options.max_functions);
    }
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}

/* Is the very same registered, and usable? Then *out is it. One that cannot be loaded any more may be registered
 * again, which mends it, and one without a valid signature with one: c->is_again. */
static qd_status find_same(qd_registry *r, qd_candidate *c, qd_udf **out, bool *is_active, qd_error *err)
{
    qd_udf_version *existing = NULL;
    qd_status st = look_up(r, c, &existing, is_active, err);
    if (st != QD_OK || !existing)
        return st;
    if (qd_registry_load_code(r, existing, out, err) != QD_OK) {
        pthread_rwlock_rdlock(&r->table_lock);
        c->is_again = existing->failure != NULL;
        pthread_rwlock_unlock(&r->table_lock);
        st = c->is_again ? QD_OK : err ? err->code : QD_EBUSY;
    } else if (c->trust.state == QD_TRUST_VALID && existing->record.trust != QD_TRUST_VALID) {
        /* Signed since: its entry gets the signature, which a stricter policy will ask for. */
        qd_udf_unref(QD_TAKE(*out));
        c->is_again = true;
    }
    qd_udf_version_unref(existing);
    return st;
}

qd_status qd_registry_register(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_registered *result,
                               qd_error *err)
{
    qd_candidate c;
    qd_udf *existing = NULL;
    bool is_active = false;
    qd_error own = QD_ERROR_INIT;
    err = err ? err : &own;
    qd_status st = read_registration(r, reg, &c, err);
    if (st == QD_OK)
        st = find_same(r, &c, &existing, &is_active, err);
    if (st == QD_OK && !existing)
        st = build(r, &c, err);
    if (st == QD_OK && !existing) {
        pthread_mutex_lock(&r->write_mutex);
        st = find_same(r, &c, &existing, &is_active, err); /* another may have been faster */
        if (st == QD_OK && !existing && reg->canceled && __atomic_load_n(reg->canceled, __ATOMIC_RELAXED))
            st = qd_fail(err, QD_ECANCELED, "the client closed its connection before the function was stored");
        if (st == QD_OK && !existing)
            st = qd_registry_keep(r, &c, &is_active, err);
        pthread_mutex_unlock(&r->write_mutex);
    }
    if (st == QD_OK) {
        *result = (qd_registered){.existed = existing != NULL, .is_active = is_active, .trust = c.trust};
        *out = existing ? QD_TAKE(existing) : QD_TAKE(c.udf);
    }
    qd_udf_unref(existing);
    candidate_deinit(&c);
    return st;
}
