/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleting: one version, or a function with all of them, in one commit. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_change.h"
#include "udf/registry_code.h"

/* What is to go: one version of the function, or all. */
typedef struct removal {
    qd_udf_function *f;
    qd_udf_version **items; /* a copy: the function's own list changes meanwhile */
    size_t n;
    bool is_all;
    qd_map *modules; /* hash -> how many of the items have it, as uintptr_t */
} removal;

static void removal_deinit(removal *x)
{
    qd_map_free(x->modules, NULL);
    free(x->items);
}

/* `v` NULL: all versions. Deinit it in any case. */
static qd_status removal_init(removal *x, qd_udf_function *f, qd_udf_version *v, qd_error *err)
{
    *x = (removal){.f = f, .n = v ? 1 : f->n_versions, .modules = qd_map_new()};
    x->is_all = x->n == f->n_versions;
    x->items = malloc(x->n * sizeof(qd_udf_version *));
    bool ok = x->items && x->modules;
    for (size_t i = 0; i < x->n && ok; i++) {
        x->items[i] = v ? v : f->versions[i];
        qd_str hash = x->items[i]->record.hash;
        uintptr_t n = (uintptr_t)qd_map_get(x->modules, hash);
        ok = qd_map_put(x->modules, hash, (void *)(n + 1), NULL);
    }
    return ok ? QD_OK : qd_fail_nomem(err);
}

/* The alias after a version has gone: who was active before. A version that nobody ever made the active one does not
 * become it by a deletion. */
static qd_status next_active(const removal *x, qd_history *h, qd_udf_version **out, qd_error *err)
{
    qd_str previous = {0};
    const qd_udf_function *f = x->f;
    const qd_udf_version *gone = x->items[0];
    *out = f->active;
    if (f->active == gone) {
        qd_status st = qd_history_previous(h, qd_registry_store_exists, f, &previous, err);
        if (st != QD_OK)
            return st;
        if (previous.n == 0) {
            st = qd_fail_field(err, QD_EUDF_DEPENDED, "version",
                               "function '%s' is the active version, and no other was active before it; activate "
                               "another version first, or delete the function with all its versions",
                               gone->label);
            qd_error_mark_function(err, qd_str_of(gone->label));
            return st;
        }
        *out = qd_udf_function_find(f, previous);
    }
    h->active = *out ? (*out)->version : QD_STR("");
    return QD_OK;
}

/* Where keys change one by one the active version goes last, so that nobody sees the alias move. */
static void list_changes(const qd_registry *r, const removal *x, const qd_history *h, qd_store_changes *out)
{
    const qd_udf_version *active = x->is_all ? x->f->active : NULL;
    for (size_t i = 0; i < x->n; i++)
        if (x->items[i] != active)
            qd_store_changes_remove(out, "entry", qd_str_of(x->items[i]->label));
    if (active)
        qd_store_changes_remove(out, "entry", qd_str_of(active->label));
    if (x->is_all)
        qd_store_changes_remove(out, "function", qd_str_of(x->f->name));
    else
        qd_store_changes_put_history(out, qd_str_of(x->f->name), h);
    for (size_t i = 0; i < x->n; i++) {
        const qd_udf_record *record = &x->items[i]->record;
        if (record->native_size > 0)
            qd_store_changes_remove(out, "native", qd_str_of(x->items[i]->label));
        if (qd_registry_count_module(r, record->hash) == (uintptr_t)qd_map_get(x->modules, record->hash))
            qd_store_changes_remove(out, "module", record->hash);
    }
}

/* Nothing of it fails. */
static void take_out(qd_registry *r, const removal *x, qd_udf_version *next)
{
    for (size_t i = 0; i < x->n; i++)
        qd_pins_count(r, x->items[i], -1);
    pthread_rwlock_wrlock(&r->table_lock);
    if (!x->is_all)
        x->f->active = next;
    for (size_t i = x->n; i-- > 0;) /* from the end, so that the list need not move up; the last one frees it */
        qd_registry_take(r, x->f, x->items[i]);
    pthread_rwlock_unlock(&r->table_lock);
    for (size_t i = 0; i < x->n; i++) {
        qd_registry_drop_code(r, x->items[i]);
        qd_udf_version_unref(x->items[i]);
    }
}

static qd_status remove_items(qd_registry *r, const removal *x, const qd_audit_entry *entry, qd_error *err)
{
    qd_stored_history s = {0};
    qd_store_changes changes;
    qd_udf_version *next = NULL;
    qd_status st = qd_store_changes_init(&changes, x->n * (QD_STORE_VERSION_KEYS - 1) + 1, err);
    if (st == QD_OK && !x->is_all)
        st = qd_registry_store_settled_history(r, qd_str_of(x->f->name), x->f, &s, err);
    if (st == QD_OK && !x->is_all) {
        qd_history_add(&s.h, QD_HISTORY_DELETE, x->items[0]->version, entry->actor, qd_clock_wall_ms());
        st = next_active(x, &s.h, &next, err);
    }
    if (st == QD_OK) {
        list_changes(r, x, &s.h, &changes);
        st = qd_registry_store_commit(r, &changes, entry, err);
    }
    /* Only what is gone has no statistics and is not quarantined. What a failure leaves here goes when the version is
     * registered again. */
    for (size_t i = 0; i < x->n && st == QD_OK; i++)
        (void)qd_registry_forget(r, x->items[i]->name, x->items[i]->version, NULL);
    if (st == QD_OK)
        take_out(r, x, next);
    qd_store_changes_deinit(&changes);
    qd_stored_history_deinit(&s);
    return st;
}

static qd_status find_to_remove(qd_registry *r, qd_str name, qd_str version, qd_udf_function **f, qd_udf_version **v,
                                qd_error *err)
{
    qd_semver ignored;
    *f = qd_registry_find(r, name);
    *v = *f && version.n > 0 ? qd_udf_function_find(*f, version) : NULL;
    if (*f && !*v && version.n > 0 && !qd_semver_parse(version, &ignored))
        return qd_fail_field(err, QD_EUDF_PARAMS, "version",
                             "'%.*s': deleting needs one whole version such as 1.2.3, or none for all",
                             QD_STR_FMT(version));
    if (!*f || (version.n > 0 && !*v))
        return qd_registry_resolve_version(r, name, version, NULL, v, err);
    return qd_depends_check_unneeded(r, *f, *v, err);
}

static qd_status remove_found(qd_registry *r, qd_udf_function *f, qd_udf_version *v, const qd_actor *who,
                              size_t *removed, qd_error *err)
{
    removal x;
    char detail[48] = "", name[sizeof f->name], version[QD_VERSION_SIZE] = "", hash[QD_SHA256_HEX_SIZE] = "";
    qd_status st = removal_init(&x, f, v, err);
    snprintf(name, sizeof name, "%s", f->name); /* all these go with what is deleted */
    if (v) {
        snprintf(version, sizeof version, "%.*s", QD_STR_FMT(v->version));
        snprintf(hash, sizeof hash, "%.*s", QD_STR_FMT(v->record.hash));
    } else {
        snprintf(detail, sizeof detail, "%zu version%s", x.n, x.n == 1 ? "" : "s");
    }
    const qd_audit_entry entry =
        qd_registry_audit_entry(QD_AUDIT_DELETE, qd_str_of(name), qd_str_of(version), qd_str_of(hash), detail, who);
    if (st == QD_OK)
        st = remove_items(r, &x, &entry, err);
    if (st == QD_OK && removed)
        *removed = x.n;
    removal_deinit(&x);
    return st;
}

qd_status qd_registry_remove(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, size_t *removed,
                             qd_error *err)
{
    qd_udf_function *f;
    qd_udf_version *v;
    pthread_mutex_lock(&r->write_mutex);
    qd_status st = find_to_remove(r, name, version, &f, &v, err);
    if (st == QD_OK)
        st = remove_found(r, f, v, who, removed, err);
    pthread_mutex_unlock(&r->write_mutex);
    return st;
}
