/* SPDX-License-Identifier: Apache-2.0 */
#include "query/functions.h"

/* A use before this one that spells the same function has resolved it. */
static qd_udf *resolved_before(const qd_uses *uses, const qd_use *use)
{
    for (size_t i = 0; i < use->index; i++) {
        const qd_use *u = uses->items[i];
        if (u->binding && qd_str_eq(u->name, use->name) && qd_str_eq(u->version, use->version))
            return qd_binding_udf(u->binding);
    }
    return NULL;
}

static qd_status find(qd_run *run, const qd_use *use, qd_udf **out, qd_error *err)
{
    qd_udf *u = resolved_before(&run->uses, use);
    if (u) {
        qd_udf_ref(u);
        *out = u;
        return QD_OK;
    }
    if (!run->rq->registry)
        return qd_fail(err, QD_EUDF_NOTFOUND, "function '%.*s' is not registered: there is no registry",
                       QD_STR_FMT(use->name));
    if (use->version.n)
        return qd_registry_get(run->rq->registry, use->name, use->version, out, err);
    return qd_registry_get_spec(run->rq->registry, use->name, out, err);
}

/* Which kinds of function fit where. */
static qd_status check_kind(const qd_use *use, const qd_udf *u, qd_error *err)
{
    qd_udf_kind kind = u->manifest->kind;
    const char *name = qd_udf_kind_name(kind);
    if (kind != QD_KIND_FILTER && kind != QD_KIND_SCORE)
        return qd_fail(err, QD_EUDF_PARAMS, "[%s] function '%s' has kind %s: a query takes filter and score functions",
                       use->clause, u->label, name);
    if (use->place == QD_PLACE_FILTER && kind != QD_KIND_FILTER)
        return qd_fail(err, QD_EUDF_PARAMS,
                       "[%s] function '%s' has kind score, but stands where only yes or no counts "
                       "(filter, must_not, script): use a function of kind filter",
                       use->clause, u->label);
    if (use->place == QD_PLACE_SCORE && kind != QD_KIND_SCORE)
        return qd_fail(err, QD_EUDF_PARAMS,
                       "[%s] function '%s' has kind filter: a score is expected here, use a function of kind score",
                       use->clause, u->label);
    return QD_OK;
}

static qd_status resolve(qd_run *run, qd_use *use, qd_error *err)
{
    qd_udf *u = NULL;
    qd_status st = find(run, use, &u, err);
    if (st == QD_OK)
        st = check_kind(use, u, err);
    if (st == QD_OK)
        st = qd_quarantine_check(qd_registry_quarantine(run->rq->registry), u->label, err);
    if (st == QD_OK) {
        qd_binding_spec spec = {
            .params = use->params,
            .context = run->body.context,
            .on_error = use->on_error,
            .has_default_result = use->has_default,
            .default_result = use->default_value,
        };
        st = qd_binding_new(u, &spec, &use->binding, err);
    }
    if (st == QD_OK) {
        use->is_filter = u->manifest->kind == QD_KIND_FILTER;
        use->needs_score = qd_binding_needs_score(use->binding);
        use->is_constant = qd_binding_is_constant(use->binding);
        use->max_score = qd_binding_max_score(use->binding);
    }
    if (u)
        qd_udf_unref(u);
    return qd_run_place_error(run, use->at, st, err);
}

qd_status qd_functions_resolve(qd_run *run, qd_error *err)
{
    for (size_t i = 0; i < run->uses.n; i++) {
        qd_status st = resolve(run, run->uses.items[i], err);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

/* What a function made this query fail with, on whichever segment; NULL: nothing. */
static const qd_error *failure_of(const qd_run *run, const qd_udf *u)
{
    for (size_t i = 0; i < run->n_tasks; i++) {
        const qd_task *t = &run->tasks[i];
        if (qd_quarantine_is_failure(t->status) && qd_str_is(qd_error_text(&t->err, t->err.function), u->label))
            return &t->err;
    }
    return NULL;
}

void qd_functions_report(qd_run *run, qd_status status)
{
    qd_quarantine *q = run->rq && run->rq->registry ? qd_registry_quarantine(run->rq->registry) : NULL;
    bool is_complete = status == QD_OK && !atomic_load_explicit(&run->timed_out, memory_order_relaxed);
    for (size_t i = 0; q && i < run->uses.n; i++) {
        const qd_use *use = run->uses.items[i];
        /* Once per query, however often it stands there. */
        if (!use->binding || resolved_before(&run->uses, use))
            continue;
        const qd_udf *u = qd_binding_udf(use->binding);
        const qd_error *why = qd_quarantine_is_failure(status) ? failure_of(run, u) : NULL;
        if (why)
            qd_quarantine_failed(q, u->label, why);
        else if (is_complete)
            qd_quarantine_succeeded(q, u->label);
    }
}

void qd_functions_release(qd_run *run)
{
    for (size_t i = 0; i < run->uses.n; i++) {
        qd_binding_free(run->uses.items[i]->binding);
        run->uses.items[i]->binding = NULL;
    }
}
