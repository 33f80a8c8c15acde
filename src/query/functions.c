/* SPDX-License-Identifier: Apache-2.0 */
#include "query/functions.h"

/* Is its function also that of a use before this one? */
static bool stands_before(const qd_uses *uses, const qd_use *use)
{
    for (size_t i = 0; i < use->index; i++) {
        const qd_use *u = uses->items[i];
        if (u->binding && qd_binding_udf(u->binding) == qd_binding_udf(use->binding))
            return true;
    }
    return false;
}

/* All functions at one moment of the registry, however they are asked for. *out: an array of the run's arena, each with
 * a reference. */
static qd_status find_all(qd_run *run, qd_udf_want **out, qd_error *err)
{
    size_t failed = 0;
    const qd_uses *uses = &run->uses;
    qd_udf_want *wants = qd_arena_array(run->arena, uses->n + 1, sizeof *wants);
    if (!wants)
        return qd_fail_nomem(err);
    if (uses->n > 0 && !run->rq->registry) {
        qd_status st = qd_fail(err, QD_EUDF_NOTFOUND, "function '%.*s' is not registered: there is no registry",
                               QD_STR_FMT(uses->items[0]->name));
        return qd_run_place_error(run, uses->items[0]->at, st, err);
    }
    for (size_t i = 0; i < uses->n; i++)
        wants[i] = (qd_udf_want){.name = uses->items[i]->name, .version = uses->items[i]->version};
    qd_status st = uses->n > 0 ? qd_registry_get_many(run->rq->registry, wants, uses->n, &failed, err) : QD_OK;
    if (st != QD_OK)
        return qd_run_place_error(run, uses->items[failed]->at, st, err);
    *out = wants;
    return QD_OK;
}

/* Which kinds of function fit where. */
static qd_status check_kind(const qd_use *use, const qd_udf *u, qd_error *err)
{
    qd_udf_kind kind = u->manifest->kind;
    const char *name = qd_udf_kind_name(kind);
    if (use->place == QD_PLACE_AGGREGATION)
        return kind == QD_KIND_AGGREGATE
                   ? QD_OK
                   : qd_fail(err, QD_EUDF_PARAMS,
                             "[%s] function '%s' has kind %s: an aggregation takes functions of kind aggregate",
                             use->clause, u->label, name);
    if (use->place == QD_PLACE_FIELD)
        return kind != QD_KIND_AGGREGATE
                   ? QD_OK
                   : qd_fail(err, QD_EUDF_PARAMS,
                             "[%s] function '%s' has kind aggregate: a field takes functions of kind transform, "
                             "filter or score",
                             use->clause, u->label);
    if (use->place == QD_PLACE_SORT)
        return kind != QD_KIND_AGGREGATE && !(u->manifest->has_returns && u->manifest->returns == QD_STRING)
                   ? QD_OK
                   : qd_fail(err, QD_EUDF_PARAMS,
                             "[%s] function '%s' has kind %s%s: a sort takes functions that give a number for each "
                             "document",
                             use->clause, u->label, name, kind == QD_KIND_AGGREGATE ? "" : " and returns a string");
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

static qd_status bind(qd_run *run, qd_use *use, qd_udf *u, qd_error *err)
{
    qd_status st = check_kind(use, u, err);
    if (st == QD_OK)
        st = qd_quarantine_check(qd_registry_quarantine(run->rq->registry), u->label, err);
    if (st == QD_OK) {
        qd_binding_spec spec = {
            .params = use->params,
            .function = use->function,
            .context = run->body.context,
            .is_aggregation = use->place == QD_PLACE_AGGREGATION,
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
    return qd_run_place_error(run, use->at, st, err);
}

qd_status qd_functions_resolve(qd_run *run, qd_error *err)
{
    qd_udf_want *wants = NULL;
    qd_status st = find_all(run, &wants, err);
    for (size_t i = 0; st == QD_OK && i < run->uses.n; i++)
        st = bind(run, run->uses.items[i], wants[i].udf, err);
    for (size_t i = 0; wants && i < run->uses.n; i++)
        qd_udf_unref(wants[i].udf);
    return st;
}

/* What a function made this query fail with, on whichever segment; NULL: nothing. */
static const qd_error *failure_of(const qd_run *run, const qd_udf *u)
{
    for (size_t i = 0; i < run->n_tasks; i++) {
        const qd_task *t = &run->tasks[i];
        if (qd_quarantine_is_failure(t->status) && qd_str_is(qd_error_text(&t->err, t->err.function), u->label))
            return &t->err;
    }
    if (qd_quarantine_is_failure(run->late_status) &&
        qd_str_is(qd_error_text(&run->late_err, run->late_err.function), u->label))
        return &run->late_err;
    return NULL;
}

void qd_functions_report(qd_run *run, qd_status status)
{
    qd_quarantine *q = run->rq && run->rq->registry ? qd_registry_quarantine(run->rq->registry) : NULL;
    bool is_complete = status == QD_OK && !atomic_load_explicit(&run->timed_out, memory_order_relaxed);
    for (size_t i = 0; q && i < run->uses.n; i++) {
        const qd_use *use = run->uses.items[i];
        /* Once per query, however often it stands there. */
        if (!use->binding || stands_before(&run->uses, use))
            continue;
        const qd_udf *u = qd_binding_udf(use->binding);
        const qd_error *why = qd_quarantine_is_failure(status) ? failure_of(run, u) : NULL;
        if (why)
            qd_quarantine_failed(q, u->label, u->hash, why);
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
