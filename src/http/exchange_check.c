/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "base/clock.h"
#include "http/exchange.h"

static qd_method parse_method(const char *name)
{
    static const struct {
        const char *name;
        qd_method method;
    } METHODS[] = {
        {"GET", QD_GET}, {"POST", QD_POST}, {"PUT", QD_PUT}, {"DELETE", QD_DELETE}, {"HEAD", QD_HEAD},
    };
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        if (strcmp(METHODS[i].name, name) == 0)
            return METHODS[i].method;
    }
    return 0;
}

const char *qd_exchange_header(const qd_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

qd_status qd_exchange_refuse(qd_exchange *x, qd_status status, int http_status)
{
    x->state = REFUSED;
    x->refusal_http_status = http_status;
    return status;
}

/* A page of another site must not drive a server on its visitor's machine: browsers say in Origin where a page came
 * from. */
static qd_status check_origin(qd_exchange *x)
{
    const char *origin = qd_exchange_header(x, "Origin"), *host = qd_exchange_header(x, "Host");
    if (!origin)
        return QD_OK;
    const char *authority = strstr(origin, "://");
    if (authority && host && strcasecmp(authority + 3, host) == 0)
        return QD_OK;
    qd_fail(&x->refusal, QD_EUDF_PERMISSION, "requests from pages of other origins are refused: origin [%s], host [%s]",
            origin, host ? host : "");
    return qd_exchange_refuse(x, QD_EUDF_PERMISSION, 403);
}

static bool is_media_type(qd_str value, const char *type)
{
    size_t n = strlen(type);
    if (value.n < n || strncasecmp(value.p, type, n) != 0)
        return false;
    return value.n == n || value.p[n] == ';' || value.p[n] == ' ';
}

/* Like OpenSearch: a body comes with a type that we read. (It also keeps simple cross-site forms out.) */
static qd_status check_content_type(qd_exchange *x)
{
    static const char *const JSON_TYPES[] = {"application/json", "application/x-ndjson",
                                             "application/vnd.opensearch+json", "application/vnd.opensearch+x-ndjson"};
    qd_str type = x->rq.content_type;
    for (size_t i = 0; i < sizeof JSON_TYPES / sizeof *JSON_TYPES; i++) {
        if (is_media_type(type, JSON_TYPES[i]))
            return QD_OK;
    }
    bool is_upload = x->rq.route->body == QD_BODY_UPLOAD;
    if (is_upload && is_media_type(type, "multipart/form-data"))
        return QD_OK;
    if (type.n == 0)
        qd_fail(&x->refusal, QD_EINVAL, "Content-Type header is missing: a body needs one, such as [application/json]");
    else
        qd_fail(&x->refusal, QD_EINVAL, "Content-Type header [%.*s] is not supported: send [application/json]%s",
                QD_STR_FMT(type), is_upload ? " or [multipart/form-data]" : "");
    return qd_exchange_refuse(x, QD_EINVAL, 406);
}

/* A query of many megabytes is a mistake, and a tree of it takes a multiple in memory; a bulk body is read in a stream,
 * an upload has a limit of its own. */
static bool is_search(const qd_exchange *x)
{
    return x->rq.route->work == QD_WORK_SEARCH && x->rq.route->body == QD_BODY_JSON;
}

const char *qd_exchange_limit_key(const qd_exchange *x)
{
    return is_search(x) && x->body.max < x->server->options.max_body_bytes ? "http.max_search_body_bytes"
                                                                           : "http.max_body_bytes";
}

/* *length: what Content-Length says; 0 also when the body is chunked or absent. */
static qd_status check_length(qd_exchange *x, size_t *length, bool *has_body)
{
    const char *text = qd_exchange_header(x, "Content-Length");
    int64_t announced = 0;
    if (text && (!qd_str_to_i64(qd_str_of(text), &announced) || announced < 0)) {
        qd_fail(&x->refusal, QD_EINVAL, "Content-Length [%s] is not a number of bytes", text);
        return qd_exchange_refuse(x, QD_EINVAL, 0);
    }
    *length = (size_t)announced;
    *has_body = announced > 0 || qd_exchange_header(x, "Transfer-Encoding");
    if (is_search(x) && x->server->options.max_search_body_bytes < x->body.max)
        x->body.max = x->server->options.max_search_body_bytes;
    if (*length <= x->body.max)
        return QD_OK;
    qd_fail(&x->refusal, QD_ETOOLARGE, "the request body has %zu bytes; the limit is %zu (%s)", *length, x->body.max,
            qd_exchange_limit_key(x));
    return qd_exchange_refuse(x, QD_ETOOLARGE, 0);
}

static qd_status check_rate(qd_exchange *x)
{
    qd_rate_class class = x->rq.route->limit;
    x->rate = qd_rate_limiter_take(x->server->limiter, class, &x->rq.remote, qd_clock_mono_ns());
    if (!x->rate.is_refused)
        return QD_OK;
    return qd_fail(&x->refusal, QD_ERATE, "too many calls: %u a %s are let through per client (%s); try again in %u s",
                   x->rate.limit, qd_rate_class_unit(class), qd_rate_class_key(class), x->rate.retry_after_s);
}

static void read_method(qd_exchange *x, const char *name)
{
    const char *copy = NULL;
    x->rq.method = parse_method(name);
    if (!x->rq.method && strlen(name) < 32)
        copy = qd_arena_strndup(x->rq.arena, name, strlen(name));
    x->rq.method_name = x->rq.method ? name : copy ? copy : "?";
}

static void copy_headers(qd_exchange *x)
{
    const char *type = qd_exchange_header(x, "Content-Type"), *opaque = qd_exchange_header(x, "X-Opaque-Id");
    const char *known = qd_exchange_header(x, "If-None-Match");
    x->rq.content_type = type ? qd_arena_str(x->rq.arena, qd_str_of(type)) : QD_STR("");
    if (!x->rq.content_type.p)
        x->rq.content_type = QD_STR("");
    x->rq.if_none_match = known ? qd_arena_str(x->rq.arena, qd_str_of(known)) : QD_STR("");
    const char *accept = qd_exchange_header(x, "Accept-Encoding");
    x->wants_gzip = accept && qd_coding_wants_gzip(qd_str_of(accept));
    x->opaque_id = opaque ? qd_arena_strndup(x->rq.arena, opaque, strlen(opaque)) : NULL;
}

qd_status qd_exchange_check(qd_exchange *x, const char *method, size_t *length)
{
    qd_request *rq = &x->rq;
    bool has_body = false;
    read_method(x, method);
    copy_headers(x);
    if (!rq->target.p) {
        qd_fail_nomem(&x->refusal);
        return qd_exchange_refuse(x, QD_ENOMEM, 0);
    }
    qd_status status = qd_uri_parse(rq->target, rq->arena, &rq->uri, &x->refusal);
    if (status == QD_OK)
        status = qd_request_bool(rq, "pretty", &rq->is_pretty, &x->refusal);
    if (status == QD_OK)
        status = qd_router_match(x->server->router, rq, &x->refusal);
    if (status == QD_OK)
        status = check_rate(x);
    if (status == QD_OK)
        status = qd_router_check_params(rq, &x->refusal);
    if (status != QD_OK)
        return qd_exchange_refuse(x, status, 0);
    if ((status = check_origin(x)) != QD_OK || (status = check_length(x, length, &has_body)) != QD_OK)
        return status;
    if (!has_body || (status = check_content_type(x)) != QD_OK)
        return status;
    return qd_exchange_check_coding(x);
}
