/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_code.h"

#include <stdlib.h>

#include "udf/registry_store.h"
#include "udf/udf.h"

/* ---- room ---- */

typedef struct candidate {
    qd_udf_version *v;
    uint64_t last_tick, code_bytes;
} candidate;

static int cmp_candidates(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return x->last_tick < y->last_tick ? -1 : x->last_tick > y->last_tick;
}

static uint64_t code_bytes_in_all(const qd_registry *r)
{
    qd_wasm_counters counters;
    qd_wasm_engine_read_counters(r->engine, &counters);
    return counters.code_bytes;
}

/* Takes the code of the first candidates that nobody uses, up to `goal` bytes; their places in r->loaded become NULL.
 * What is taken waits in `taken`, so that nothing is freed under the lock. */
static size_t take_idle(qd_registry *r, const candidate *c, size_t n, uint64_t goal, qd_udf **taken)
{
    uint64_t bytes = 0;
    size_t n_taken = 0;
    pthread_rwlock_wrlock(&r->table_lock);
    for (size_t i = 0; i < n && bytes < goal; i++) {
        qd_udf *u = c[i].v->udf;
        if (!u || atomic_load_explicit(&u->refs, memory_order_acquire) != 1)
            continue;
        c[i].v->udf = NULL;
        taken[n_taken++] = u;
        bytes += c[i].code_bytes;
    }
    pthread_rwlock_unlock(&r->table_lock);
    return n_taken;
}

/* Forgets in r->loaded what has no code any more. */
static void compact(qd_registry *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n_loaded; i++) {
        if (r->loaded[i]->udf)
            r->loaded[kept++] = r->loaded[i];
        else
            qd_udf_version_unref(r->loaded[i]);
    }
    r->n_loaded = kept;
}

/* Called with code_mutex, under which alone `udf` goes from set to NULL. Work: all that is loaded, sorted by last use;
 * in return an eighth of the room becomes free at once, so it is rare. */
static size_t evict(qd_registry *r, uint64_t goal)
{
    candidate *c = malloc((r->n_loaded + 1) * sizeof *c);
    qd_udf **taken = malloc((r->n_loaded + 1) * sizeof(qd_udf *));
    size_t n = 0, n_taken = 0;
    for (size_t i = 0; c && taken && i < r->n_loaded; i++) {
        qd_wasm_status status;
        qd_udf_version *v = r->loaded[i];
        if (!v->udf)
            continue;
        qd_wasm_module_read_status(v->udf->module, &status);
        c[n++] = (candidate){v, atomic_load_explicit(&v->last_tick, memory_order_relaxed), status.code_bytes};
    }
    if (n > 0) {
        qsort(c, n, sizeof *c, cmp_candidates);
        n_taken = take_idle(r, c, n, goal, taken);
        compact(r);
        for (size_t i = 0; i < n_taken; i++)
            qd_udf_unref(taken[i]);
        r->evictions += n_taken;
    }
    free(c);
    free(taken);
    return n_taken;
}

/* Called with code_mutex. Dependencies become idle only when what needs them is gone: hence more than one round. */
static qd_status make_room(qd_registry *r, uint64_t needed, qd_error *err)
{
    for (;;) {
        uint64_t bytes = code_bytes_in_all(r), most = r->options.max_code_bytes;
        if (bytes + needed <= most)
            return QD_OK;
        if (evict(r, bytes + needed - most + most / 8) > 0)
            continue;
        if (bytes <= most)
            return QD_OK; /* the engine knows what fits */
        return qd_fail(err, QD_EUDF_FULL,
                       "compiled code in use takes %llu bytes, more than the limit of %llu; try again when fewer "
                       "functions run at once, or raise it (udf.code_bytes)",
                       (unsigned long long)bytes, (unsigned long long)most);
    }
}

/* Machine code is some four to eight times larger than what it was made from, and comes in whole pages. */
#define CODE_GROWTH      8
#define LEAST_CODE_BYTES (16u << 10)

qd_status qd_registry_make_room(qd_registry *r, size_t wasm_size, qd_error *err)
{
    uint64_t needed = wasm_size > 0 ? LEAST_CODE_BYTES + (uint64_t)wasm_size * CODE_GROWTH : 0;
    pthread_mutex_lock(&r->code_mutex);
    qd_status st = make_room(r, needed, err);
    pthread_mutex_unlock(&r->code_mutex);
    return st;
}

/* ---- showing code ---- */

/* Called with code_mutex. */
static bool reserve_loaded(qd_registry *r)
{
    if (r->n_loaded < r->loaded_capacity)
        return true;
    compact(r); /* versions that were deleted */
    if (r->n_loaded < r->loaded_capacity)
        return true;
    size_t more = r->loaded_capacity ? 2 * r->loaded_capacity : 64;
    qd_udf_version **grown = realloc(r->loaded, more * sizeof *grown);
    if (!grown)
        return false;
    r->loaded = grown;
    r->loaded_capacity = more;
    return true;
}

qd_status qd_registry_keep_code(qd_registry *r, qd_udf_version *v, qd_udf *u, qd_error *err)
{
    pthread_mutex_lock(&r->code_mutex);
    qd_status st = make_room(r, 0, err);
    if (st == QD_OK && !reserve_loaded(r))
        st = qd_fail_nomem(err);
    if (st == QD_OK) {
        uint64_t now = atomic_fetch_add_explicit(&r->tick, 1, memory_order_relaxed) + 1;
        atomic_store_explicit(&v->last_tick, now, memory_order_relaxed);
        pthread_rwlock_wrlock(&r->table_lock);
        bool is_shown = !v->is_removed && !v->udf;
        if (is_shown) {
            v->udf = u;
            qd_udf_ref(u);
        }
        pthread_rwlock_unlock(&r->table_lock);
        if (is_shown) {
            r->loaded[r->n_loaded++] = v;
            qd_udf_version_ref(v);
        }
    }
    pthread_mutex_unlock(&r->code_mutex);
    return st;
}

void qd_registry_drop_code(qd_registry *r, qd_udf_version *v)
{
    pthread_mutex_lock(&r->code_mutex);
    pthread_rwlock_wrlock(&r->table_lock);
    qd_udf *u = v->udf;
    v->udf = NULL;
    pthread_rwlock_unlock(&r->table_lock);
    pthread_mutex_unlock(&r->code_mutex);
    qd_udf_unref(u);
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

/* ---- loading ---- */

/* What is read from the store to build one version. */
typedef struct stored {
    qd_buf module, native, entry;
    char hash[QD_SHA256_HEX_SIZE]; /* of the module, computed */
    qd_manifest *manifest;
    qd_pins pins;
    qd_udf *deps[QD_WASM_MAX_DEPENDENCIES];
} stored;

static void stored_deinit(stored *s)
{
    for (size_t i = 0; i < s->pins.n; i++)
        qd_udf_unref(s->deps[i]);
    qd_pins_deinit(&s->pins);
    qd_manifest_free(s->manifest);
    qd_buf_deinit(&s->entry);
    qd_buf_deinit(&s->native);
    qd_buf_deinit(&s->module);
}

static qd_status read_module(qd_registry *r, const qd_udf_version *v, stored *s, qd_error *err)
{
    qd_status st = qd_registry_store_get_module(r, v->record.hash, &s->module, err);
    if (st == QD_OK && (!qd_hash_sha256_hex(s->module.p, s->module.n, s->hash) || !qd_str_is(v->record.hash, s->hash)))
        st = qd_fail(err, QD_EUDF_COMPILE, "the stored module is damaged: its hash is not %.*s",
                     QD_STR_FMT(v->record.hash));
    return st;
}

static qd_status read_manifest(qd_registry *r, const qd_udf_version *v, stored *s, qd_error *err)
{
    qd_udf_record ignored;
    qd_str text;
    json_t *json = NULL;
    qd_status st = qd_registry_store_get_entry(r, v->label, &s->entry, err);
    if (st == QD_OK && !qd_udf_record_unpack(qd_buf_str(&s->entry), &ignored, NULL, &text))
        st = qd_fail(err, QD_EUDF_COMPILE, "the stored entry is damaged");
    if (st == QD_OK)
        st = qd_json_parse(text, &json, err);
    if (st == QD_OK)
        st = qd_manifest_parse(json, &s->manifest, err);
    json_decref(json);
    return st;
}

static qd_status parse_signature(qd_str text, json_t **out, qd_error *err)
{
    return text.n > 0 ? qd_json_parse(text, out, err) : QD_OK;
}

/* A key may have been taken away since, or the store touched. */
static qd_status check_trust(const qd_registry *r, const qd_udf_version *v, const stored *s, qd_error *err)
{
    json_t *signature = NULL;
    qd_trust_result ignored;
    qd_status st = parse_signature(v->record.signature, &signature, err);
    if (st == QD_OK)
        st = qd_trust_check(r->options.trust, (const uint8_t *)s->module.p, s->module.n, s->manifest->json, signature,
                            &ignored, err);
    json_decref(signature);
    return st;
}

/* Ahead-of-time code that cannot be had or trusted any more is compiled instead. */
static void read_native(qd_registry *r, const qd_udf_version *v, stored *s)
{
    json_t *signature = NULL;
    qd_trust_result ignored;
    qd_error why = QD_ERROR_INIT;
    if (v->record.native_size == 0)
        return;
    qd_status st = qd_registry_store_get_native(r, v->label, &s->native, &why);
    if (st == QD_OK)
        st = parse_signature(v->record.native_signature, &signature, &why);
    if (st == QD_OK)
        st = qd_trust_check_native(r->options.trust, (const uint8_t *)s->module.p, s->module.n, s->native.p,
                                   s->native.n, signature, &ignored, &why);
    if (st != QD_OK) {
        qd_registry_tell(r, "the ahead-of-time code of '%s' is not used: %s", v->label, why.message);
        qd_buf_clear(&s->native);
    }
    json_decref(signature);
}

qd_status qd_registry_load_pins(qd_registry *r, const qd_pins *pins, qd_udf *out[QD_WASM_MAX_DEPENDENCIES],
                                qd_error *err)
{
    qd_status st = QD_OK;
    size_t n = 0;
    while (n < pins->n && (st = qd_registry_load_code(r, pins->items[n], &out[n], err)) == QD_OK)
        n++;
    if (st == QD_OK)
        return QD_OK;
    while (n > 0)
        qd_udf_unref(out[--n]);
    return st;
}

static qd_status build_stored(qd_registry *r, const qd_udf_version *v, qd_udf **out, qd_error *err)
{
    stored s = {0};
    qd_pins pins = {.n = 0};
    qd_udf *u = NULL;
    qd_status st = read_module(r, v, &s, err);
    if (st == QD_OK)
        st = read_manifest(r, v, &s, err);
    if (st == QD_OK)
        st = check_trust(r, v, &s, err);
    if (st == QD_OK)
        st = qd_pins_of(r, v, &pins, err);
    if (st == QD_OK && (st = qd_registry_load_pins(r, &pins, s.deps, err)) == QD_OK) {
        s.pins = pins;
        pins.n = 0;
    }
    if (st == QD_OK && s.pins.n != s.manifest->n_deps)
        st = qd_fail(err, QD_EUDF_COMPILE,
                     "the stored entry is damaged: its dependencies are not those of its manifest");
    if (st == QD_OK) {
        read_native(r, v, &s);
        st = qd_registry_make_room(r, s.module.n, err);
    }
    if (st == QD_OK) {
        const qd_udf_source source = {
            .wasm = (const uint8_t *)s.module.p,
            .wasm_size = s.module.n,
            .hash = s.hash,
            .native = s.native.n > 0 ? (const uint8_t *)s.native.p : NULL,
            .native_size = s.native.n,
            .deps = s.deps,
            .n_deps = s.pins.n,
            .registered_at_ms = v->record.registered_at_ms,
        };
        st = qd_udf_build_from(r->engine, &r->options, QD_TAKE(s.manifest), &source, &u, err);
    }
    if (st == QD_OK)
        st = qd_registry_attach_stats(r, u, err);
    if (st == QD_OK)
        *out = QD_TAKE(u);
    qd_udf_unref(u);
    qd_pins_deinit(&pins);
    stored_deinit(&s);
    return st;
}

/* Would it fail again the next time? What it does not depend on may be better then. */
static bool is_final(qd_status st)
{
    return st != QD_EIO && st != QD_ENOMEM && st != QD_EBUSY && st != QD_EUDF_FULL && st != QD_ECANCELED &&
           st != QD_ETIMEOUT;
}

static void keep_failure(qd_registry *r, qd_udf_version *v, qd_status st, const qd_error *why)
{
    qd_error *kept = malloc(sizeof *kept);
    if (!kept)
        return;
    *kept = *why;
    kept->code = st;
    pthread_rwlock_wrlock(&r->table_lock);
    qd_error *before = v->failure;
    v->failure = kept;
    pthread_rwlock_unlock(&r->table_lock);
    free(before);
    qd_registry_tell(r, "cannot use the stored function '%s': %s", v->label, why->message);
}

/* Under load_mutex: has another thread done it? */
static bool look(qd_registry *r, qd_udf_version *v, qd_udf **out, qd_error *why)
{
    pthread_rwlock_rdlock(&r->table_lock);
    bool is_failed = v->failure != NULL;
    if (is_failed)
        *why = *v->failure;
    if (v->udf) {
        qd_registry_touch(r, v);
        qd_udf_ref(v->udf);
        *out = v->udf;
    }
    pthread_rwlock_unlock(&r->table_lock);
    return *out || is_failed;
}

static qd_status fail_load(const qd_udf_version *v, qd_status st, const qd_error *why, qd_error *err)
{
    qd_str reason = qd_error_text(why, why->reason);
    st = qd_fail(err, st, "function '%s' cannot be loaded: %s", v->label, reason.n > 0 ? reason.p : why->message);
    qd_error_mark_function(err, qd_str_of(v->label));
    return st;
}

qd_status qd_registry_load_code(qd_registry *r, qd_udf_version *v, qd_udf **out, qd_error *err)
{
    qd_udf *u = NULL;
    qd_error why = QD_ERROR_INIT;
    qd_status st = QD_OK;
    pthread_mutex_lock(&v->load_mutex);
    if (!look(r, v, &u, &why)) {
        st = build_stored(r, v, &u, &why);
        if (st == QD_OK && (st = qd_registry_keep_code(r, v, u, &why)) != QD_OK)
            qd_udf_unref(QD_TAKE(u));
        if (st != QD_OK && is_final(st))
            keep_failure(r, v, st, &why);
        if (st == QD_OK) {
            pthread_mutex_lock(&r->code_mutex);
            r->loads++;
            pthread_mutex_unlock(&r->code_mutex);
        }
    } else if (!u) {
        st = why.code;
    }
    pthread_mutex_unlock(&v->load_mutex);
    if (st != QD_OK)
        return fail_load(v, st, &why, err);
    *out = u;
    return QD_OK;
}
