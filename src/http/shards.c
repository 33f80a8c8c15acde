/* SPDX-License-Identifier: Apache-2.0 */
#include "http/shards.h"

void qd_shards_write(qd_json *w, size_t n)
{
    qd_json_key(w, "_shards");
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "total", (int64_t)n);
    qd_json_kv_i64(w, "successful", (int64_t)n);
    qd_json_kv_i64(w, "failed", 0);
    qd_json_end_object(w);
}

void qd_acknowledge(qd_json *w)
{
    qd_json_begin_object(w);
    qd_json_kv_bool(w, "acknowledged", true);
    qd_json_end_object(w);
}

qd_status qd_shards_health_get(const qd_request *rq, qd_str expression, qd_shards_health *out, qd_error *err)
{
    qd_node_health health;
    qd_status status = qd_node_health_get(rq->api->node, expression, &health, err);
    if (status == QD_OK)
        *out = (qd_shards_health){health.active, health.failed + health.unopened};
    return status;
}

const char *qd_shards_health_name(size_t unassigned)
{
    return unassigned ? "red" : "green";
}

double qd_shards_health_percent(const qd_shards_health *h)
{
    size_t all = h->active + h->unassigned;
    return all ? 100.0 * (double)h->active / (double)all : 100.0;
}

/* The parts of "a,b,c" that are there, as one expression; "" when none is. */
static qd_str available(const qd_request *rq, qd_str expression)
{
    char *text = qd_arena_alloc(rq->arena, expression.n + 1);
    size_t n = 0;
    for (size_t at = 0; text && at < expression.n;) {
        const char *p = expression.p + at, *comma = memchr(p, ',', expression.n - at);
        qd_str part = {p, comma ? (size_t)(comma - p) : expression.n - at};
        qd_index **found = NULL;
        size_t count = 0;
        at += part.n + 1;
        if (part.n == 0 || qd_node_resolve(rq->api->node, part, &found, &count, NULL) != QD_OK)
            continue;
        qd_node_release(found, count);
        if (n)
            text[n++] = ',';
        memcpy(text + n, part.p, part.n);
        n += part.n;
    }
    return (qd_str){text, n};
}

qd_status qd_request_indices(const qd_request *rq, qd_index ***out, size_t *n, qd_error *err)
{
    qd_str expression = rq->n_args ? qd_request_arg(rq, 0) : QD_STR("_all");
    bool ignore_unavailable = false;
    qd_status status = qd_request_bool(rq, "ignore_unavailable", &ignore_unavailable, err);
    if (status != QD_OK)
        return status;
    if (ignore_unavailable)
        expression = available(rq, expression);
    if (expression.n)
        return qd_node_resolve(rq->api->node, expression, out, n, err);
    *out = NULL;
    *n = 0;
    return QD_OK;
}
