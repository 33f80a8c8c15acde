/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening: the table as the store has it. Nothing is compiled, no module is read. */
#include <stdlib.h>

#include "base/arena.h"
#include "udf/registry_store.h"

#define BUCKET QD_STR("udf")

/* ---- entries ---- */

typedef struct loader {
    qd_registry *r;
    size_t prefix_n;
    bool has_skipped; /* an entry that cannot be read: whatever it refers to must stay */
    qd_error *err;
    qd_status status;
    qd_arena *arena; /* keys of what is to be removed */
    struct orphan {
        struct orphan *next;
        qd_str key;
    } * orphans;
} loader;

static bool load_entry(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    loader *l = arg;
    qd_udf_record record;
    qd_udf_version *replaced = NULL;
    (void)revision;
    key = (qd_str){key.p + l->prefix_n, key.n - l->prefix_n};
    const char *at = memchr(key.p, '@', key.n);
    if (!at || !qd_udf_record_unpack(value, &record, NULL, NULL)) {
        qd_registry_tell(l->r, "skipped the unreadable registry entry '%.*s'", QD_STR_FMT(key));
        l->has_skipped = true;
        return true;
    }
    qd_str name = {key.p, (size_t)(at - key.p)}, version = {at + 1, key.n - name.n - 1};
    qd_udf_version *v = qd_udf_version_new(name, version, value);
    l->status = v ? qd_registry_reserve(l->r, name, record.hash, l->err) : qd_fail_nomem(l->err);
    if (l->status != QD_OK) {
        qd_udf_version_unref(v);
        return false;
    }
    (void)qd_registry_insert(l->r, v, &replaced);
    return true;
}

/* ---- aliases ---- */

static bool keep_orphan(loader *l, qd_str key)
{
    struct orphan *o = QD_NEW(l->arena, struct orphan);
    if (o)
        o->key = qd_arena_str(l->arena, key);
    if (!o || !o->key.p) {
        l->status = qd_fail_nomem(l->err);
        return false;
    }
    o->next = l->orphans;
    l->orphans = o;
    return true;
}

/* The version that is active when the alias names one that does not exist; *out NULL: none. */
static qd_status fall_back(const qd_udf_function *f, const qd_history *h, qd_udf_version **out, qd_error *err)
{
    qd_str previous;
    qd_status st = qd_history_previous(h, qd_registry_store_exists, f, &previous, err);
    if (st == QD_OK)
        *out = previous.n > 0 ? qd_udf_function_find(f, previous) : NULL;
    return st;
}

static bool load_alias(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    loader *l = arg;
    qd_str name = {key.p + l->prefix_n, key.n - l->prefix_n};
    qd_udf_function *f = qd_registry_find(l->r, name);
    qd_str active;
    (void)revision;
    if (!f)
        return keep_orphan(l, key);
    if (qd_history_read_active(value, &active)) {
        f->active = active.n > 0 ? qd_udf_function_find(f, active) : NULL;
        if (f->active || active.n == 0)
            return true;
    }
    qd_history h;
    qd_status st = qd_history_unpack(value, &h);
    if (st == QD_EPARSE)
        h.n = 0;
    l->status = st == QD_ENOMEM ? qd_fail_nomem(l->err) : fall_back(f, &h, &f->active, l->err);
    qd_history_deinit(&h);
    return l->status == QD_OK;
}

/* ---- dependencies ---- */

static void count_dependents(qd_registry *r, const qd_udf_version *v)
{
    size_t at = 0;
    qd_str pin;
    while (qd_udf_record_next(v->record.pins, &at, &pin)) {
        qd_udf_version *needed = qd_registry_find_label(r, pin);
        if (needed)
            needed->n_dependents++;
    }
}

/* ---- what nothing refers to ---- */

static bool find_orphan_module(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    loader *l = arg;
    (void)value, (void)revision;
    qd_str hash = {key.p + l->prefix_n, key.n - l->prefix_n};
    return qd_registry_count_module(l->r, hash) > 0 || keep_orphan(l, key);
}

static bool find_orphan_native(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    loader *l = arg;
    (void)value, (void)revision;
    qd_str label = {key.p + l->prefix_n, key.n - l->prefix_n};
    const qd_udf_version *v = qd_registry_find_label(l->r, label);
    return (v && v->record.native_size > 0) || keep_orphan(l, key);
}

static qd_status visit(loader *l, const char *prefix, qd_kv_visit_fn *fn)
{
    l->prefix_n = strlen(prefix);
    qd_status st = qd_kv_visit(l->r->kv, BUCKET, qd_str_of(prefix), fn, l, l->err);
    return st == QD_OK ? l->status : st;
}

static qd_status remove_orphans(loader *l)
{
    qd_status st = QD_OK;
    for (const struct orphan *o = l->orphans; o && st == QD_OK; o = o->next) {
        st = qd_kv_remove(l->r->kv, BUCKET, o->key, QD_KV_ANY, l->err);
        if (st == QD_ENOTFOUND)
            st = QD_OK;
    }
    return st;
}

qd_status qd_registry_load(qd_registry *r, qd_error *err)
{
    loader l = {.r = r, .err = err, .arena = qd_arena_new(SIZE_MAX)};
    if (!l.arena)
        return qd_fail_nomem(err);
    qd_status st = visit(&l, "entry/", load_entry);
    /* Without an alias at all the latest version is the active one. */
    for (size_t i = 0; st == QD_OK && i < r->n_functions; i++)
        r->sorted[i]->active = qd_udf_function_latest(r->sorted[i]);
    if (st == QD_OK)
        st = visit(&l, "function/", load_alias);
    for (size_t i = 0; st == QD_OK && i < r->n_functions; i++)
        for (size_t k = 0; k < r->sorted[i]->n_versions; k++)
            count_dependents(r, r->sorted[i]->versions[k]);
    if (st == QD_OK && !l.has_skipped)
        st = visit(&l, "module/", find_orphan_module);
    if (st == QD_OK && !l.has_skipped)
        st = visit(&l, "native/", find_orphan_native);
    if (st == QD_OK && !l.has_skipped)
        st = remove_orphans(&l);
    qd_arena_free(l.arena);
    return st;
}
