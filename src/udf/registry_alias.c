/* SPDX-License-Identifier: Apache-2.0
 *
 * Moving the active alias. */
#include <stdio.h>

#include "base/clock.h"
#include "udf/registry_change.h"

static qd_status store(qd_registry *r, const qd_udf_version *v, qd_history_action action, const qd_stored_history *s,
                       const char *previous, const qd_actor *who, qd_error *err)
{
    qd_store_changes changes;
    char detail[QD_VERSION_SIZE + 16];
    snprintf(detail, sizeof detail, "from %s", *previous ? previous : "none");
    const qd_audit_entry entry =
        qd_registry_audit_entry(action == QD_HISTORY_ROLLBACK ? QD_AUDIT_ROLLBACK : QD_AUDIT_ACTIVATE, v->name,
                                v->version, v->record.hash, detail, who);
    qd_status st = qd_store_changes_init(&changes, 1, err);
    if (st == QD_OK) {
        qd_store_changes_put_history(&changes, v->name, &s->h);
        st = qd_registry_store_commit(r, &changes, &entry, err);
    }
    qd_store_changes_deinit(&changes);
    return st;
}

/* Stores, then shows. `v` is active already: nothing happens. */
static qd_status move_to(qd_registry *r, qd_udf_function *f, qd_udf_version *v, qd_history_action action,
                         qd_stored_history *s, const qd_actor *who, qd_alias_move *out, qd_error *err)
{
    qd_alias_move move = {{0}, {0}};
    qd_status st = QD_OK;
    bool is_there = f->active == v;
    snprintf(move.active, sizeof move.active, "%.*s", QD_STR_FMT(v->version));
    if (f->active)
        snprintf(move.previous, sizeof move.previous, "%.*s", QD_STR_FMT(f->active->version));
    if (!is_there) {
        qd_history_add(&s->h, action, v->version, who ? who->by : QD_STR(""), qd_clock_wall_ms());
        s->h.active = v->version;
        st = store(r, v, action, s, move.previous, who, err);
    }
    if (st == QD_OK && !is_there) {
        pthread_rwlock_wrlock(&r->table_lock);
        f->active = v;
        pthread_rwlock_unlock(&r->table_lock);
    }
    if (st == QD_OK && out)
        *out = move;
    return st;
}

/* Called with write_mutex; as is all below. */
static qd_status activate(qd_registry *r, qd_str name, qd_str version, qd_history_action action, const qd_actor *who,
                          qd_alias_move *out, qd_error *err)
{
    qd_udf_function *f = NULL;
    qd_udf_version *v = NULL;
    qd_stored_history s = {0};
    qd_status st = qd_registry_resolve_version(r, name, version, &f, &v, err);
    if (st == QD_OK)
        st = qd_registry_store_settled_history(r, name, f, &s, err);
    if (st == QD_OK)
        st = move_to(r, f, v, action, &s, who, out, err);
    qd_stored_history_deinit(&s);
    return st;
}

static qd_status roll_back(qd_registry *r, qd_str name, const qd_actor *who, qd_alias_move *out, qd_error *err)
{
    qd_str previous = {0};
    qd_stored_history s = {0};
    qd_udf_function *f = qd_registry_find(r, name);
    if (!f)
        return qd_registry_resolve_version(r, name, (qd_str){0}, NULL, &(qd_udf_version *){NULL}, err);
    qd_status st = qd_registry_store_settled_history(r, name, f, &s, err);
    if (st == QD_OK)
        st = qd_history_previous(&s.h, qd_registry_store_exists, f, &previous, err);
    if (st == QD_OK && previous.n == 0) {
        qd_str now = f->active ? f->active->version : QD_STR("");
        st = qd_fail_field(err, QD_EUDF_PARAMS, "to",
                           "function '%.*s' has no version that was active%s%.*s; say which one with 'to'",
                           QD_STR_FMT(name), now.n ? " before " : "", QD_STR_FMT(now));
    }
    if (st == QD_OK)
        st = move_to(r, f, qd_udf_function_find(f, previous), QD_HISTORY_ROLLBACK, &s, who, out, err);
    qd_stored_history_deinit(&s);
    return st;
}

qd_status qd_registry_activate(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, qd_alias_move *out,
                               qd_error *err)
{
    if (version.n == 0)
        return qd_fail_field(err, QD_EUDF_PARAMS, "version", "'version': expected the version to activate");
    pthread_mutex_lock(&r->write_mutex);
    qd_status st = activate(r, name, version, QD_HISTORY_ACTIVATE, who, out, err);
    pthread_mutex_unlock(&r->write_mutex);
    return st;
}

qd_status qd_registry_rollback(qd_registry *r, qd_str name, qd_str to, const qd_actor *who, qd_alias_move *out,
                               qd_error *err)
{
    pthread_mutex_lock(&r->write_mutex);
    qd_status st =
        to.n > 0 ? activate(r, name, to, QD_HISTORY_ROLLBACK, who, out, err) : roll_back(r, name, who, out, err);
    pthread_mutex_unlock(&r->write_mutex);
    return st;
}
