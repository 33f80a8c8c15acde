/* SPDX-License-Identifier: Apache-2.0
 *
 * What the functions API shows of one function or version. What changes is copied under table_lock (shared), what is
 * stored is read afterwards: no lock is held across I/O. */
#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_code.h"
#include "udf/registry_store.h"

/* A version at one moment. */
typedef struct view {
    qd_udf_version *v; /* a reference */
    qd_udf *u;         /* likewise; NULL: not loaded */
    bool is_active, is_failed;
    qd_error failure;
} view;

static qd_status view_init(qd_registry *r, qd_str name, qd_str version, view *out, qd_error *err)
{
    qd_udf_function *f;
    qd_udf_version *v;
    pthread_rwlock_rdlock(&r->table_lock);
    qd_status st = qd_registry_resolve_version(r, name, version, &f, &v, err);
    if (st == QD_OK) {
        *out = (view){.v = v, .u = v->udf, .is_active = f->active == v, .is_failed = v->failure != NULL};
        qd_udf_version_ref(v);
        if (v->udf)
            qd_udf_ref(v->udf);
        if (v->failure)
            out->failure = *v->failure;
    }
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}

static void view_deinit(view *s)
{
    qd_udf_unref(s->u);
    qd_udf_version_unref(s->v);
}

static const char *status_of(const qd_registry *r, const view *s)
{
    if (s->is_failed)
        return "failed";
    if (qd_quarantine_is_on(r->options.quarantine, s->v->label))
        return "quarantined";
    return s->is_active ? "active" : "inactive";
}

static void write_time(qd_json *w, const char *key, int64_t wall_ms)
{
    char text[QD_ISO8601_SIZE];
    qd_json_kv_z(w, key, wall_ms == 0 ? NULL : qd_clock_iso8601(wall_ms, text));
}

static void write_str(qd_json *w, const char *key, qd_str text)
{
    qd_json_key(w, key);
    qd_json_str(w, text);
}

static void begin_version(qd_json *w, const qd_udf_version *v)
{
    qd_json_begin_object(w);
    write_str(w, "name", v->name);
    write_str(w, "version", v->version);
}

/* ---- one version ---- */

static qd_status stats_of(qd_registry *r, const view *s, qd_udf_stats **out, qd_error *err)
{
    if (r->options.stats)
        return qd_stats_keeper_get(r->options.stats, s->v->name, s->v->version, out, err);
    if (s->u)
        qd_udf_stats_ref(s->u->stats);
    *out = s->u ? s->u->stats : NULL;
    return QD_OK;
}

/* The manifest's dependencies with what they were resolved to, which is pinned in the same order. */
static void write_depends_on(qd_json *w, const json_t *depends_on, const qd_udf_version *v)
{
    size_t at = 0;
    qd_str pin;
    qd_json_key(w, "depends_on");
    qd_json_begin_array(w);
    for (size_t i = 0; i < json_array_size(depends_on); i++) {
        const json_t *d = json_array_get(depends_on, i);
        const char *asked = json_string_value(json_object_get(d, "version"));
        qd_json_begin_object(w);
        qd_json_kv_z(w, "name", json_string_value(json_object_get(d, "name")));
        qd_json_kv_z(w, "version", asked ? asked : "*");
        if (qd_udf_record_next(v->record.pins, &at, &pin)) {
            const char *sign = memchr(pin.p, '@', pin.n);
            qd_json_kv_z(w, "resolved_version", sign ? sign + 1 : NULL);
        }
        qd_json_end_object(w);
    }
    qd_json_end_array(w);
}

static bool is_any_of(const char *key, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static void write_manifest(qd_json *w, const json_t *manifest, const qd_udf_version *v)
{
    static const char *const DONE[] = {"name", "version", "function_name", "kind", "abi", "depends_on"};
    const char *key;
    json_t *member;
    /* What the manifest left to be inferred, as it turned out. */
    write_str(w, "function_name", v->record.function_name);
    qd_json_kv_z(w, "kind", qd_udf_kind_name(v->record.kind));
    qd_json_kv_z(w, "abi", qd_udf_abi_name(v->record.abi));
    json_object_foreach ((json_t *)manifest, key, member) {
        if (is_any_of(key, DONE, sizeof DONE / sizeof *DONE))
            continue;
        qd_json_key(w, key);
        qd_json_value(w, member);
    }
    if (json_object_get(manifest, "depends_on"))
        write_depends_on(w, json_object_get(manifest, "depends_on"), v);
}

static void write_tier(qd_json *w, const view *s)
{
    qd_wasm_status status = {.tier = QD_TIER_NONE};
    if (s->u)
        qd_wasm_module_read_status(s->u->module, &status);
    qd_json_kv_z(w, "tier", status.tier == QD_TIER_NONE ? NULL : qd_wasm_tier_name(status.tier));
}

static void write_signature(qd_json *w, const qd_udf_record *m)
{
    qd_json_key(w, "signature");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "status", qd_trust_state_name(m->trust));
    if (m->key_id.n > 0)
        write_str(w, "key_id", m->key_id);
    qd_json_end_object(w);
}

static void write_version(const qd_registry *r, qd_json *w, const view *s, const json_t *manifest, int64_t last_used_ms)
{
    const qd_udf_record *m = &s->v->record;
    begin_version(w, s->v);
    write_manifest(w, manifest, s->v);
    qd_json_kv_i64(w, "wasm_size", (int64_t)m->wasm_size);
    write_str(w, "hash", m->hash);
    write_time(w, "registered_at", m->registered_at_ms);
    write_time(w, "updated_at", m->updated_at_ms);
    write_time(w, "last_used_at", last_used_ms);
    qd_json_kv_z(w, "status", status_of(r, s));
    if (s->is_failed)
        qd_json_kv_z(w, "error", s->failure.message);
    write_tier(w, s);
    write_signature(w, m);
    qd_json_end_object(w);
}

static qd_status read_manifest(qd_registry *r, const qd_udf_version *v, json_t **out, qd_error *err)
{
    qd_buf entry;
    qd_str text;
    qd_udf_record ignored;
    qd_status st = qd_registry_store_get_entry(r, v->label, &entry, err);
    if (st == QD_OK && !qd_udf_record_unpack(qd_buf_str(&entry), &ignored, NULL, &text))
        st = qd_fail(err, QD_EIO, "the stored entry of function '%s' is damaged", v->label);
    if (st == QD_OK)
        st = qd_json_parse(text, out, err);
    qd_buf_deinit(&entry);
    return st;
}

qd_status qd_registry_describe(qd_registry *r, qd_str name, qd_str version, qd_json *w, qd_error *err)
{
    view s = {0};
    json_t *manifest = NULL;
    qd_udf_stats *stats = NULL;
    qd_status st = view_init(r, name, version, &s, err);
    if (st == QD_OK)
        st = read_manifest(r, s.v, &manifest, err);
    if (st == QD_OK)
        st = stats_of(r, &s, &stats, err);
    if (st == QD_OK)
        write_version(r, w, &s, manifest, stats ? qd_udf_stats_last_used_ms(stats) : 0);
    qd_udf_stats_unref(stats);
    json_decref(manifest);
    view_deinit(&s);
    return st;
}

qd_status qd_registry_status(qd_registry *r, qd_str name, qd_str version, qd_json *w, qd_error *err)
{
    view s = {0};
    qd_wasm_status code = {.tier = QD_TIER_NONE};
    qd_status st = view_init(r, name, version, &s, err);
    if (st != QD_OK)
        return st;
    if (s.u)
        qd_wasm_module_read_status(s.u->module, &code);
    bool is_loaded = code.tier != QD_TIER_NONE;
    begin_version(w, s.v);
    qd_json_kv_z(w, "status", status_of(r, &s));
    if (s.is_failed)
        qd_json_kv_z(w, "error", s.failure.message);
    qd_json_key(w, "nodes");
    qd_json_begin_array(w);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "node", r->options.node_name);
    qd_json_kv_z(w, "tier", is_loaded ? qd_wasm_tier_name(code.tier) : NULL);
    qd_json_kv_z(w, "source", is_loaded ? qd_wasm_source_name(code.source) : NULL);
    qd_json_kv_f64(w, "compile_ms", (double)code.compile_ns[code.tier] / 1e6);
    qd_json_kv_i64(w, "code_bytes", (int64_t)code.code_bytes);
    qd_json_kv_i64(w, "instances", code.instances);
    qd_json_kv_bool(w, "is_optimizing", code.is_optimizing);
    qd_json_end_object(w);
    qd_json_end_array(w);
    qd_json_end_object(w);
    view_deinit(&s);
    return QD_OK;
}

qd_status qd_registry_version_stats(qd_registry *r, qd_str name, qd_str version, qd_udf_stats **out, qd_error *err)
{
    view s = {0};
    qd_status st = view_init(r, name, version, &s, err);
    if (st == QD_OK)
        st = stats_of(r, &s, out, err);
    view_deinit(&s);
    return st;
}

qd_status qd_registry_peek(qd_registry *r, qd_str name, qd_str version, qd_udf **out, qd_udf_abi *abi, qd_error *err)
{
    view s = {0};
    qd_status st = view_init(r, name, version, &s, err);
    if (st != QD_OK)
        return st;
    *abi = s.v->record.abi;
    *out = s.u;
    s.u = NULL;
    view_deinit(&s);
    return QD_OK;
}

qd_status qd_registry_resolve(qd_registry *r, qd_str name, qd_str version, char resolved[QD_VERSION_SIZE],
                              char hash[QD_SHA256_HEX_SIZE], qd_error *err)
{
    qd_udf_version *v;
    pthread_rwlock_rdlock(&r->table_lock);
    qd_status st = qd_registry_resolve_version(r, name, version, NULL, &v, err);
    if (st == QD_OK && resolved) {
        memcpy(resolved, v->version.p, v->version.n);
        resolved[v->version.n] = 0;
    }
    if (st == QD_OK && hash) {
        memcpy(hash, v->record.hash.p, v->record.hash.n);
        hash[v->record.hash.n] = 0;
    }
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}

qd_status qd_registry_wasm(qd_registry *r, qd_str name, qd_str version, qd_buf *out, char hash[QD_SHA256_HEX_SIZE],
                           qd_error *err)
{
    char found[QD_SHA256_HEX_SIZE];
    qd_buf bytes;
    qd_status st = qd_registry_resolve(r, name, version, NULL, found, err);
    if (st != QD_OK)
        return st;
    st = qd_registry_store_get_module(r, qd_str_of(found), &bytes, err);
    if (st == QD_OK)
        qd_buf_add_str(out, qd_buf_str(&bytes));
    qd_buf_deinit(&bytes);
    if (st == QD_OK && out->failed)
        st = qd_fail_nomem(err);
    if (st == QD_OK && hash)
        memcpy(hash, found, sizeof found);
    return st;
}

/* ---- one function ---- */

/* Newest first. */
static void write_lines(qd_json *w, const qd_history *h, uint32_t page, uint32_t size)
{
    uint64_t first = (uint64_t)(page - 1) * size;
    qd_json_key(w, "history");
    qd_json_begin_array(w);
    for (uint64_t i = first; i < h->n && i < first + size; i++) {
        const qd_history_line *line = &h->lines[h->n - 1 - i];
        qd_json_begin_object(w);
        write_str(w, "version", line->version);
        qd_json_kv_z(w, "action", qd_history_action_name(line->action));
        write_time(w, "at", line->at_ms);
        write_str(w, "by", line->by.n > 0 ? line->by : QD_STR("anonymous"));
        qd_json_end_object(w);
    }
    qd_json_end_array(w);
    qd_json_kv_i64(w, "total", (int64_t)h->n);
    qd_json_kv_i64(w, "page", page);
    qd_json_kv_i64(w, "size", size);
}

qd_status qd_registry_history(qd_registry *r, qd_str name, uint32_t page, uint32_t size, qd_json *w, qd_error *err)
{
    qd_stored_history s = {0};
    if (page < 1 || size < 1 || size > QD_HISTORY_MAX_LINES)
        return qd_fail_field(err, QD_EUDF_PARAMS, page < 1 ? "page" : "size",
                             "expected 'page' from 1 and 'size' from 1 to %d, got %u and %u", QD_HISTORY_MAX_LINES,
                             page, size);
    qd_status st = qd_registry_store_read_history(r, name, &s, err);
    pthread_rwlock_rdlock(&r->table_lock);
    const qd_udf_function *f = qd_registry_find(r, name);
    if (st == QD_OK && !f)
        st = qd_registry_resolve_version(r, name, (qd_str){0}, NULL, &(qd_udf_version *){NULL}, err);
    if (st == QD_OK)
        qd_history_settle(&s.h, qd_registry_store_exists, f);
    pthread_rwlock_unlock(&r->table_lock);
    if (st == QD_OK) {
        qd_json_begin_object(w);
        write_str(w, "name", name);
        write_lines(w, &s.h, page, size);
        qd_json_end_object(w);
    }
    qd_stored_history_deinit(&s);
    return st;
}

/* ---- for metrics ---- */

size_t qd_registry_count(qd_registry *r)
{
    pthread_rwlock_rdlock(&r->table_lock);
    size_t n = r->n_versions;
    pthread_rwlock_unlock(&r->table_lock);
    return n;
}

void qd_registry_read_counts(qd_registry *r, qd_registry_counts *out)
{
    *out = (qd_registry_counts){0};
    pthread_mutex_lock(&r->code_mutex);
    for (size_t i = 0; i < r->n_loaded; i++)
        out->loaded += r->loaded[i]->udf != NULL;
    out->loads = r->loads;
    out->evictions = r->evictions;
    pthread_mutex_unlock(&r->code_mutex);
    pthread_rwlock_rdlock(&r->table_lock);
    out->functions = r->n_functions;
    out->versions = r->n_versions;
    pthread_rwlock_unlock(&r->table_lock);
}

qd_status qd_registry_visit(qd_registry *r, size_t most, void (*fn)(void *arg, const qd_udf *u), void *arg,
                            qd_error *err)
{
    pthread_mutex_lock(&r->code_mutex);
    size_t n = 0, room = r->n_loaded < most ? r->n_loaded : most;
    qd_udf **list = malloc((room + 1) * sizeof(qd_udf *));
    for (size_t i = 0; list && i < r->n_loaded && n < room; i++) {
        qd_udf *u = r->loaded[i]->udf; /* only code_mutex takes it away */
        if (u) {
            qd_udf_ref(u);
            list[n++] = u;
        }
    }
    pthread_mutex_unlock(&r->code_mutex);
    if (!list)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        fn(arg, list[i]);
        qd_udf_unref(list[i]);
    }
    free(list);
    return QD_OK;
}
