/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define MAX_ARENA_BYTES   ((size_t)16 << 20)
#define MAX_ANSWER_BYTES  ((size_t)1 << 30)
#define DEFAULT_PAGE_SIZE 20
#define MAX_PAGE_SIZE     1000

bool qd_request_init(qd_request *rq, struct qd_api *api)
{
    *rq = (qd_request){.api = api, .http_status = 200, .answer_type = QD_TYPE_JSON};
    qd_buf_init(&rq->out, MAX_ANSWER_BYTES);
    qd_json_init(&rq->json, &rq->out, false);
    rq->arena = qd_arena_new(MAX_ARENA_BYTES);
    return rq->arena != NULL;
}

void qd_request_deinit(qd_request *rq)
{
    qd_buf_deinit(&rq->out);
    qd_arena_free(rq->arena);
    rq->arena = NULL;
}

const char *qd_remote_text(const qd_remote *remote, char out[QD_REMOTE_SIZE])
{
    struct in6_addr address;
    memcpy(&address, remote->bytes, sizeof address);
    bool is_ipv4 = IN6_IS_ADDR_V4MAPPED(&address);
    if (!inet_ntop(is_ipv4 ? AF_INET : AF_INET6, remote->bytes + (is_ipv4 ? 12 : 0), out, QD_REMOTE_SIZE))
        out[0] = '\0';
    return out;
}

void qd_request_restart_answer(qd_request *rq)
{
    qd_buf_clear(&rq->out);
    qd_json_init(&rq->json, &rq->out, rq->is_pretty);
    rq->http_status = 200;
    rq->answer_type = QD_TYPE_JSON;
    rq->n_headers = 0;
}

void qd_request_add_header(qd_request *rq, const char *name, const char *value)
{
    if (rq->n_headers < QD_REQUEST_MAX_HEADERS && value)
        rq->headers[rq->n_headers++] = (qd_header){name, value};
}

qd_str qd_request_arg(const qd_request *rq, size_t i)
{
    return i < rq->n_args ? *rq->args[i] : QD_STR("");
}

qd_str qd_request_version(const qd_request *rq)
{
    qd_str version = qd_request_arg(rq, 1);
    qd_request_str(rq, "version", &version);
    return version;
}

qd_status qd_request_page(const qd_request *rq, uint32_t *page, uint32_t *size, qd_error *err)
{
    int64_t p = 1, n = DEFAULT_PAGE_SIZE;
    qd_status status = qd_request_i64(rq, "page", 1, INT32_MAX, &p, err);
    if (status == QD_OK)
        status = qd_request_i64(rq, "size", 1, MAX_PAGE_SIZE, &n, err);
    if (status != QD_OK)
        return status;
    *page = (uint32_t)p;
    *size = (uint32_t)n;
    return QD_OK;
}

bool qd_request_has(const qd_request *rq, const char *name)
{
    return qd_uri_param(&rq->uri, name) != NULL;
}

void qd_request_str(const qd_request *rq, const char *name, qd_str *out)
{
    const qd_param *p = qd_uri_param(&rq->uri, name);
    if (p)
        *out = p->value;
}

static qd_status bad_param(const char *name, qd_str value, const char *expected, qd_error *err)
{
    return qd_fail_field(err, QD_EINVAL, name, "Failed to parse value [%.*s] of parameter [%s]: expected %s",
                         QD_STR_FMT(value), name, expected);
}

qd_status qd_request_bool(const qd_request *rq, const char *name, bool *out, qd_error *err)
{
    const qd_param *p = qd_uri_param(&rq->uri, name);
    if (!p)
        return QD_OK;
    if (p->value.n == 0 || qd_str_is(p->value, "true"))
        *out = true;
    else if (qd_str_is(p->value, "false"))
        *out = false;
    else
        return bad_param(name, p->value, "[true] or [false]", err);
    return QD_OK;
}

qd_status qd_request_i64(const qd_request *rq, const char *name, int64_t min, int64_t max, int64_t *out, qd_error *err)
{
    const qd_param *p = qd_uri_param(&rq->uri, name);
    int64_t value;
    if (!p)
        return QD_OK;
    if (!qd_str_to_i64(p->value, &value))
        return bad_param(name, p->value, "an integer", err);
    if (value < min || value > max)
        return qd_fail_field(err, QD_EINVAL, name, "[%s] parameter is out of range: expected %lld to %lld, got [%lld]",
                             name, (long long)min, (long long)max, (long long)value);
    *out = value;
    return QD_OK;
}

qd_status qd_request_duration_ns(const qd_request *rq, const char *name, int64_t *out, qd_error *err)
{
    static const struct {
        const char *suffix;
        int64_t ns;
    } UNITS[] = {
        {"nanos", 1},       {"micros", 1000},     {"ms", 1000000},       {"s", 1000000000},
        {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000},
    };
    const qd_param *p = qd_uri_param(&rq->uri, name);
    if (!p)
        return QD_OK;
    if (qd_str_is(p->value, "-1")) {
        *out = INT64_MAX;
        return QD_OK;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        size_t n = strlen(UNITS[i].suffix);
        int64_t count;
        if (p->value.n <= n || memcmp(p->value.p + p->value.n - n, UNITS[i].suffix, n) != 0)
            continue;
        if (!qd_str_to_i64((qd_str){p->value.p, p->value.n - n}, &count) || count < 0)
            continue;
        *out = count > INT64_MAX / UNITS[i].ns ? INT64_MAX : count * UNITS[i].ns;
        return QD_OK;
    }
    return bad_param(name, p->value, "a time with a unit such as [500ms], [10s] or [1m], or [-1] for none", err);
}

qd_status qd_request_refresh(const qd_request *rq, bool *out, qd_error *err)
{
    const qd_param *p = qd_uri_param(&rq->uri, "refresh");
    if (p && qd_str_is(p->value, "wait_for")) {
        *out = true;
        return QD_OK;
    }
    if (p && p->value.n && !qd_str_is(p->value, "true") && !qd_str_is(p->value, "false"))
        return bad_param("refresh", p->value, "[true], [false] or [wait_for]", err);
    return qd_request_bool(rq, "refresh", out, err);
}

qd_status qd_request_json(const qd_request *rq, bool is_optional, json_t **out, qd_error *err)
{
    json_t *value = NULL;
    if (rq->body.n == 0) {
        if (!is_optional)
            return qd_fail(err, QD_EPARSE, "request body is required");
        *out = NULL;
        return QD_OK;
    }
    qd_status status = qd_json_parse(rq->body, &value, err);
    if (status != QD_OK)
        return status;
    if (!json_is_object(value)) {
        status = qd_fail_at(err, QD_EPARSE, 1, 1, "request body: expected an object, got %s", qd_json_type_name(value));
        json_decref(value);
        return status;
    }
    *out = value;
    return QD_OK;
}
