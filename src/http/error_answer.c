/* SPDX-License-Identifier: Apache-2.0 */
#include "http/error_answer.h"

bool qd_error_answer_is_api(qd_str path)
{
    return qd_str_starts(path, "/api/v1/");
}

/* The text between the first "[" and the next "]" of a message: "no such index [x]". */
static qd_str bracketed(const char *message)
{
    const char *open = strchr(message, '['), *close = open ? strchr(open, ']') : NULL;
    return close ? (qd_str){open + 1, (size_t)(close - open - 1)} : QD_STR("");
}

/* What OpenSearch's script_exception has beside type and reason. Of a guest that was stopped it is told too, whatever
 * the type. */
static void write_script(qd_json *w, const qd_error *err)
{
    qd_json_kv_lines(w, "script_stack", err->stack);
    qd_json_key(w, "script");
    qd_json_str(w, qd_error_text(err, err->function));
    qd_json_kv_z(w, "lang", "wasm");
}

static void write_cause(qd_json *w, const qd_error *err)
{
    const char *type = qd_status_describe(err->code)->search_type;
    qd_json_kv_z(w, "type", type);
    qd_json_kv_z(w, "reason", err->message);
    if (err->function.n && (err->stack[0] || strcmp(type, "script_exception") == 0))
        write_script(w, err);
    if (err->line) {
        qd_json_kv_i64(w, "line", err->line);
        qd_json_kv_i64(w, "col", err->column);
    }
    if (err->code == QD_EINDEX_NOTFOUND) {
        qd_str index = err->field[0] ? qd_str_of(err->field) : bracketed(err->message);
        qd_json_key(w, "index");
        qd_json_str(w, index);
        qd_json_key(w, "resource.id");
        qd_json_str(w, index);
        qd_json_kv_z(w, "resource.type", "index_or_alias");
        qd_json_kv_z(w, "index_uuid", "_na_");
    }
}

static void write_search_shape(qd_json *w, const qd_error *err, int http_status)
{
    qd_json_begin_object(w);
    qd_json_key(w, "error");
    qd_json_begin_object(w);
    qd_json_key(w, "root_cause");
    qd_json_begin_array(w);
    qd_json_begin_object(w);
    write_cause(w, err);
    qd_json_end_object(w);
    qd_json_end_array(w);
    write_cause(w, err);
    qd_json_end_object(w);
    qd_json_kv_i64(w, "status", http_status);
    qd_json_end_object(w);
}

/* What never reached a handler is told in one string, as OpenSearch's router does. */
static void write_router_shape(qd_json *w, const qd_error *err, int http_status)
{
    qd_json_begin_object(w);
    qd_json_kv_z(w, "error", err->message);
    if (err->code != QD_EINVAL)
        qd_json_kv_i64(w, "status", http_status);
    qd_json_end_object(w);
}

static void write_part(qd_json *w, const char *key, const qd_error *err, qd_error_part part)
{
    if (part.n == 0)
        return;
    qd_json_key(w, key);
    qd_json_str(w, qd_error_text(err, part));
}

/* The function at fault, "name@version", as two members; without a version that one is null. */
static void write_function(qd_json *w, const char *name_key, qd_str name, qd_str version)
{
    qd_json_key(w, name_key);
    qd_json_str(w, name);
    qd_json_key(w, "version");
    if (version.n)
        qd_json_str(w, version);
    else
        qd_json_null(w);
}

/* Name and version of the function at fault, as the error has them. */
static void read_function(const qd_error *err, qd_str *name, qd_str *version)
{
    *name = qd_error_text(err, err->function);
    *version = qd_error_text(err, err->version);
    const char *at = name->n ? memchr(name->p, '@', name->n) : NULL;
    if (!at)
        return;
    *version = (qd_str){at + 1, name->n - (size_t)(at - name->p) - 1};
    name->n = (size_t)(at - name->p);
}

static void write_details(qd_json *w, const qd_request *rq, const qd_error *err)
{
    qd_str name, version;
    bool is_unknown = err->code == QD_EUDF_NOTFOUND, is_path = is_unknown && rq->n_args > 0;
    read_function(err, &name, &version);
    /* The path says which function was meant; then no field of the request is at fault. */
    if (is_path && name.n == 0)
        name = qd_request_arg(rq, 0);
    if (is_path && version.n == 0)
        version = qd_request_version(rq);
    if (err->field[0] && !is_path)
        qd_json_kv_z(w, "field", err->field);
    if (err->line) {
        qd_json_kv_i64(w, "line", err->line);
        qd_json_kv_i64(w, "column", err->column);
    }
    if (name.n)
        write_function(w, is_unknown || err->code == QD_EUDF_EXISTS ? "name" : "function", name, version);
    write_part(w, "document", err, err->document);
    write_part(w, "reason", err, err->reason);
    if (err->stack[0])
        qd_json_kv_lines(w, "stack", err->stack);
}

static void write_api_shape(qd_json *w, const qd_request *rq, const qd_error *err)
{
    qd_json_begin_object(w);
    qd_json_key(w, "error");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "code", qd_status_describe(err->code)->api_code);
    qd_json_kv_z(w, "message", err->message);
    qd_json_key(w, "details");
    qd_json_begin_object(w);
    write_details(w, rq, err);
    qd_json_end_object(w);
    qd_json_end_object(w);
    qd_json_end_object(w);
}

/* A path that no route has: 404 in the functions API; OpenSearch answers 400, as both do to what is no path at all. */
static qd_error as_not_found(const qd_error *err)
{
    qd_error out = *err;
    out.code = QD_ENOTFOUND;
    return out;
}

void qd_error_answer(qd_request *rq, const qd_error *err, int http_status)
{
    qd_error seen = *err;
    bool is_api = qd_error_answer_is_api(rq->uri.path);
    qd_header allow = {0};
    if (err->code == QD_EMETHOD && rq->n_headers)
        allow = rq->headers[0];
    qd_request_restart_answer(rq);
    if (allow.name)
        qd_request_add_header(rq, allow.name, allow.value);
    if (is_api && !rq->route && err->code == QD_EINVAL && !err->field[0])
        seen = as_not_found(err);
    rq->http_status = http_status ? http_status : qd_status_describe(seen.code)->http_status;
    if (seen.code == QD_EBUSY || seen.code == QD_EINDEX_FAILED)
        qd_request_add_header(rq, "Retry-After", "1");
    if (is_api)
        write_api_shape(&rq->json, rq, &seen);
    else if (!rq->route)
        write_router_shape(&rq->json, &seen, rq->http_status);
    else
        write_search_shape(&rq->json, &seen, rq->http_status);
}
