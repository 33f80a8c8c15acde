/* SPDX-License-Identifier: Apache-2.0
 *
 * _search and _count: from the URL's parameters and the body to one qd_search_request (query/search.h), on the
 * searchers of this moment. */
#include "base/clock.h"
#include "http/search_body.h"
#include "http/shards.h"
#include "query/search.h"

/* true, false, or a number from which totals need not be exact; the search request's own encoding. */
static qd_status read_track_total_hits(const qd_request *rq, int *out, qd_error *err)
{
    qd_str value = QD_STR("");
    int64_t threshold = 0;
    if (!qd_request_has(rq, "track_total_hits"))
        return QD_OK;
    qd_request_str(rq, "track_total_hits", &value);
    if (value.n == 0 || qd_str_is(value, "true")) {
        *out = 1;
        return QD_OK;
    }
    if (qd_str_is(value, "false")) {
        *out = 0;
        return QD_OK;
    }
    if (!qd_str_to_i64(value, &threshold) || threshold < 0 || threshold > INT32_MAX - 2)
        return qd_fail_field(err, QD_EINVAL, "track_total_hits",
                             "[track_total_hits] expected true, false or a positive integer, got [%.*s]",
                             QD_STR_FMT(value));
    *out = (int)threshold + 2;
    return QD_OK;
}

static qd_status read_params(const qd_request *rq, qd_search_request *s, qd_error *err)
{
    int64_t timeout_ns = rq->api->default_timeout_ns;
    if (qd_request_has(rq, "q"))
        return qd_fail_field(err, QD_EUNSUPPORTED, "q",
                             "the query string parameter [q] is not supported yet: send the query in the body");
    qd_status status = qd_request_i64(rq, "from", 0, INT32_MAX, &s->from, err);
    if (status == QD_OK)
        status = qd_request_i64(rq, "size", 0, INT32_MAX, &s->size, err);
    if (status == QD_OK)
        status = read_track_total_hits(rq, &s->track_total_hits, err);
    if (status == QD_OK)
        status = qd_request_bool(rq, "rest_total_hits_as_int", &s->rest_total_hits_as_int, err);
    if (status == QD_OK)
        status = qd_request_duration_ns(rq, "timeout", &timeout_ns, err);
    s->deadline_ns = timeout_ns > INT64_MAX - rq->start_ns ? INT64_MAX : rq->start_ns + timeout_ns;
    return status;
}

typedef qd_status run_fn(const qd_search_request *rq, qd_json *w, qd_error *err);

static qd_status run_on(qd_request *rq, qd_index **indices, size_t n, qd_str body, run_fn *run, qd_error *err)
{
    qd_search_request s = {.registry = rq->api->registry,
                           .pool = rq->api->search_pool,
                           .n_targets = n,
                           .body = body,
                           .from = -1,
                           .size = -1,
                           .track_total_hits = -1,
                           .deadline_ns = INT64_MAX,
                           .canceled = &rq->canceled,
                           .start_ns = rq->start_ns};
    qd_status status = read_params(rq, &s, err);
    if (status != QD_OK)
        return status;
    qd_search_target *targets = qd_arena_array(rq->arena, n ? n : 1, sizeof *targets);
    if (!targets)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        targets[i] = (qd_search_target){qd_index_name(indices[i]), qd_index_searcher(indices[i])};
    s.targets = targets;
    status = run(&s, &rq->json, err);
    for (size_t i = 0; i < n; i++) {
        qd_searcher_unref(targets[i].searcher);
        qd_index_count_search(indices[i], qd_clock_mono_ns() - rq->start_ns);
    }
    return status;
}

static qd_status search(qd_request *rq, run_fn *run, qd_error *err)
{
    qd_index **indices = NULL;
    size_t n = 0;
    qd_str body = rq->body;
    qd_status status = qd_search_body_merge(rq, &body, err);
    if (status == QD_OK)
        status = qd_request_indices(rq, &indices, &n, err);
    if (status != QD_OK)
        return status;
    status = run_on(rq, indices, n, body, run, err);
    qd_node_release(indices, n);
    return status;
}

qd_status qd_api_search(qd_request *rq, qd_error *err)
{
    return search(rq, qd_search_run, err);
}

qd_status qd_api_count(qd_request *rq, qd_error *err)
{
    return search(rq, qd_search_count, err);
}

qd_status qd_api_udf_query(qd_request *rq, qd_error *err)
{
    qd_str index = QD_STR(""), body = QD_STR("");
    qd_index **indices = NULL;
    size_t n = 0;
    qd_status status = qd_search_body_take_index(rq, &body, &index, err);
    if (status == QD_OK)
        status = qd_node_resolve(rq->api->node, index, &indices, &n, err);
    if (status != QD_OK)
        return status;
    status = run_on(rq, indices, n, body, qd_search_run, err);
    qd_node_release(indices, n);
    return status;
}
