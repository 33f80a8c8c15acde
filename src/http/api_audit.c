/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log over the wire, and what this room writes into it; the description of the API. */
#include "http/api.h"
#include "http/error_answer.h"
#include "http/openapi.h"

qd_actor qd_api_actor(const qd_request *rq)
{
    char *remote = qd_arena_alloc(rq->arena, QD_REMOTE_SIZE);
    return (qd_actor){QD_STR("anonymous"), remote ? qd_str_of(qd_remote_text(&rq->remote, remote)) : QD_STR("")};
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

/* Which refusals are an event of the functions' life: those of its API, and of functions anywhere. */
static bool is_recorded(const qd_request *rq, const qd_error *err)
{
    qd_audit_outcome outcome = qd_audit_outcome_of(err->code);
    if (outcome != QD_AUDIT_DENIED && outcome != QD_AUDIT_LIMITED)
        return false;
    return qd_error_answer_is_api(rq->uri.path) || err->function.n > 0;
}

/* The function that the error names ("name@version"), else the one of the path. */
static void find_function(const qd_request *rq, const qd_error *err, qd_str *name, qd_str *version)
{
    qd_str label = qd_error_text(err, err->function);
    const char *at = label.n ? memchr(label.p, '@', label.n) : NULL;
    bool is_path = rq->n_args > 0 && qd_error_answer_is_api(rq->uri.path);
    *name = label.n ? label : is_path ? qd_request_arg(rq, 0) : QD_STR("");
    *version = !label.n && is_path ? qd_request_version(rq) : QD_STR("");
    if (at) {
        name->n = (size_t)(at - label.p);
        *version = (qd_str){at + 1, label.n - name->n - 1};
    }
}

void qd_api_audit_refusal(const qd_request *rq, const qd_error *err)
{
    if (!rq->api || !rq->api->audit || !is_recorded(rq, err))
        return;
    qd_actor who = qd_api_actor(rq);
    qd_audit_action action = rq->route && rq->route->audit ? rq->route->audit : QD_AUDIT_REQUEST;
    qd_audit_entry entry = {.action = err->function.n && action == QD_AUDIT_REQUEST ? QD_AUDIT_CALL : action,
                            .outcome = qd_audit_outcome_of(err->code),
                            .actor = who.by,
                            .remote = who.remote,
                            .detail = qd_str_of(err->message)};
    find_function(rq, err, &entry.name, &entry.version);
    qd_audit_append(rq->api->audit, &entry, NULL);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static qd_status need_audit(const qd_request *rq, qd_error *err)
{
    return rq->api->audit ? QD_OK : qd_fail(err, QD_EUNSUPPORTED, "this node keeps no audit log");
}

/* ISO-8601, or milliseconds since the epoch. */
static qd_status read_time(const qd_request *rq, const char *name, int64_t *out, qd_error *err)
{
    qd_str value = QD_STR("");
    qd_request_str(rq, name, &value);
    if (!qd_request_has(rq, name) || qd_clock_parse_iso8601(value, out) || qd_str_to_i64(value, out))
        return QD_OK;
    return qd_fail_field(err, QD_EINVAL, name,
                         "Failed to parse value [%.*s] of parameter [%s]: expected a time such as "
                         "[2026-01-31T12:00:00Z], or milliseconds since 1970",
                         QD_STR_FMT(value), name);
}

qd_status qd_api_audit(qd_request *rq, qd_error *err)
{
    qd_audit_filter f = QD_AUDIT_FILTER_INIT;
    qd_str action = QD_STR("");
    qd_request_str(rq, "udf", &f.udf);
    qd_request_str(rq, "actor", &f.actor);
    qd_request_str(rq, "action", &action);
    qd_status status = need_audit(rq, err);
    if (status == QD_OK && action.n)
        status = qd_audit_action_parse(action, &f.action, err);
    if (status == QD_OK)
        status = read_time(rq, "since", &f.since_ms, err);
    if (status == QD_OK)
        status = read_time(rq, "until", &f.until_ms, err);
    if (status == QD_OK)
        status = qd_request_page(rq, &f.page, &f.size, err);
    return status == QD_OK ? qd_audit_list(rq->api->audit, &f, &rq->json, err) : status;
}

qd_status qd_api_audit_verify(qd_request *rq, qd_error *err)
{
    qd_audit_report report;
    qd_status status = need_audit(rq, err);
    if (status == QD_OK)
        status = qd_audit_verify(rq->api->audit, &report, err);
    if (status == QD_OK)
        qd_audit_report_write(&report, &rq->json);
    return status;
}

qd_status qd_api_openapi(qd_request *rq, qd_error *err)
{
    (void)err;
    qd_openapi_write_all(&rq->json);
    return QD_OK;
}
