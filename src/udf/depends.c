/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/depends.h"

#include <stdio.h>

void qd_pins_deinit(qd_pins *p)
{
    while (p->n > 0)
        qd_udf_version_unref(p->items[--p->n]);
}

/* ---- what lies below ---- */

/* All versions below one, each once. */
typedef struct closure {
    const qd_registry *r;
    const qd_manifest *m;
    const qd_udf_version *seen[QD_WASM_MAX_DEPENDENCIES];
    size_t n;
    char field[40];
    qd_error *err;
} closure;

static qd_status add_to_closure(closure *c, const qd_udf_version *v)
{
    if (qd_str_eq(v->name, c->m->name))
        return qd_fail_field(c->err, QD_EUDF_PARAMS, c->field,
                             "manifest field '%s': function '%s' is the function itself, or comes back to it", c->field,
                             v->label);
    for (size_t i = 0; i < c->n; i++)
        if (c->seen[i] == v)
            return QD_OK;
    if (c->n == QD_WASM_MAX_DEPENDENCIES)
        return qd_fail_field(c->err, QD_EUDF_PARAMS, c->field,
                             "manifest field '%s': with '%s' there are more than %d dependencies in all, those of "
                             "dependencies included",
                             c->field, v->label, QD_WASM_MAX_DEPENDENCIES);
    c->seen[c->n++] = v;
    return QD_OK;
}

/* Breadth first over c->seen, which is bounded. */
static qd_status close_over(closure *c)
{
    qd_status st = QD_OK;
    for (size_t i = 0; i < c->n && st == QD_OK; i++) {
        size_t at = 0;
        qd_str pin;
        while (st == QD_OK && qd_udf_record_next(c->seen[i]->record.pins, &at, &pin)) {
            const qd_udf_version *below = qd_registry_find_label(c->r, pin);
            if (below)
                st = add_to_closure(c, below);
        }
    }
    return st;
}

static qd_status resolve_one(closure *c, const qd_udf_dependency *d, qd_udf_version **out)
{
    qd_status st;
    if (qd_str_eq(d->name, c->m->name))
        return qd_fail_field(c->err, QD_EUDF_PARAMS, c->field,
                             "manifest field '%s': function '%.*s' cannot depend on itself", c->field,
                             QD_STR_FMT(d->name));
    st = qd_registry_resolve_version(c->r, d->name, d->version, NULL, out, c->err);
    if (st == QD_OK)
        return add_to_closure(c, *out);
    qd_error_prefix(c->err, "manifest field '%s': ", c->field);
    if (c->err)
        snprintf(c->err->field, sizeof c->err->field, "%s", c->field);
    return st;
}

qd_status qd_pins_resolve(qd_registry *r, const qd_manifest *m, qd_pins *out, qd_error *err)
{
    closure c = {.r = r, .m = m, .err = err};
    qd_pins pins = {.n = 0};
    qd_status st = QD_OK;
    if (m->n_deps == 0) {
        *out = pins;
        return QD_OK;
    }
    pthread_rwlock_rdlock(&r->table_lock);
    for (size_t i = 0; i < m->n_deps && st == QD_OK; i++) {
        qd_udf_version *v = NULL;
        snprintf(c.field, sizeof c.field, "depends_on[%zu]", i);
        st = resolve_one(&c, &m->deps[i], &v);
        if (st == QD_OK)
            st = close_over(&c);
        if (st == QD_OK) {
            qd_udf_version_ref(v);
            pins.items[pins.n++] = v;
        }
    }
    pthread_rwlock_unlock(&r->table_lock);
    if (st == QD_OK)
        *out = pins;
    else
        qd_pins_deinit(&pins);
    return st;
}

/* ---- what is pinned ---- */

qd_status qd_pins_of(qd_registry *r, const qd_udf_version *v, qd_pins *out, qd_error *err)
{
    size_t at = 0;
    qd_str pin;
    qd_pins pins = {.n = 0};
    qd_status st = QD_OK;
    pthread_rwlock_rdlock(&r->table_lock);
    while (st == QD_OK && pins.n < QD_WASM_MAX_DEPENDENCIES && qd_udf_record_next(v->record.pins, &at, &pin)) {
        qd_udf_version *needed = qd_registry_find_label(r, pin);
        if (!needed) {
            st = qd_fail(err, QD_EUDF_NOTFOUND, "it depends on '%.*s', which is not registered", QD_STR_FMT(pin));
        } else {
            qd_udf_version_ref(needed);
            pins.items[pins.n++] = needed;
        }
    }
    pthread_rwlock_unlock(&r->table_lock);
    if (st == QD_OK)
        *out = pins;
    else
        qd_pins_deinit(&pins);
    return st;
}

void qd_pins_pack(const qd_pins *p, qd_buf *out)
{
    for (size_t i = 0; i < p->n; i++) {
        qd_buf_add_z(out, p->items[i]->label);
        qd_buf_add_char(out, 0);
    }
}

qd_status qd_pins_check(const qd_pins *p, qd_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i]->is_removed)
            return qd_fail_field(err, QD_EUDF_NOTFOUND, "depends_on",
                                 "manifest field 'depends_on': '%s' was deleted meanwhile; try again",
                                 p->items[i]->label);
    return QD_OK;
}

void qd_pins_count(const qd_registry *r, const qd_udf_version *v, int by)
{
    size_t at = 0;
    qd_str pin;
    while (qd_udf_record_next(v->record.pins, &at, &pin)) {
        qd_udf_version *needed = qd_registry_find_label(r, pin);
        if (needed)
            needed->n_dependents += (uint32_t)by;
    }
}

/* ---- who needs it ---- */

static bool needs(const qd_udf_version *v, const qd_udf_version *needed)
{
    size_t at = 0;
    qd_str pin;
    while (qd_udf_record_next(v->record.pins, &at, &pin))
        if (qd_str_is(pin, needed->label))
            return true;
    return false;
}

/* Looks at every version there is: only when somebody is known to need it. */
static qd_status fail_needed(const qd_registry *r, const qd_udf_version *needed, qd_error *err)
{
    char list[300] = "";
    size_t n = 0, more = 0;
    for (size_t i = 0; i < r->n_functions; i++) {
        for (size_t k = 0; k < r->sorted[i]->n_versions; k++) {
            const qd_udf_version *v = r->sorted[i]->versions[k];
            if (!needs(v, needed))
                continue;
            if (n < sizeof list - 140)
                n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", v->label);
            else
                more++;
        }
    }
    if (more > 0)
        snprintf(list + n, sizeof list - n, " and %zu more", more);
    qd_status st = qd_fail_field(err, QD_EUDF_DEPENDED, "version", "function '%s' is needed by %s; delete %s first",
                                 needed->label, list, needed->n_dependents == 1 ? "that" : "those");
    qd_error_mark_function(err, qd_str_of(needed->label));
    return st;
}

qd_status qd_depends_check_unneeded(const qd_registry *r, const qd_udf_function *f, const qd_udf_version *v,
                                    qd_error *err)
{
    if (v)
        return v->n_dependents > 0 ? fail_needed(r, v, err) : QD_OK;
    for (size_t i = 0; i < f->n_versions; i++)
        if (f->versions[i]->n_dependents > 0)
            return fail_needed(r, f->versions[i], err);
    return QD_OK;
}
