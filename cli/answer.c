/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdio.h>

#include "base/json.h"
#include "text.h"

/* Status codes are small negative numbers; the table's end is not marked. */
#define LOWEST_STATUS (-128)

qd_status status_of(const char *name, long http_status)
{
    qd_status by_name = QD_OK, by_http = QD_OK;
    for (int code = -1; code > LOWEST_STATUS; code--) {
        const qd_status_info *info = qd_status_describe(code);
        if ((int)info->code != code)
            continue;
        bool is_same_http = info->http_status == http_status;
        if (name && (strcmp(info->api_code, name) == 0 || strcmp(info->search_type, name) == 0)) {
            if (is_same_http)
                return info->code;
            if (!by_name)
                by_name = info->code;
        }
        if (is_same_http && !by_http)
            by_http = info->code;
    }
    return by_name ? by_name : by_http ? by_http : QD_EINTERNAL;
}

const json_t *json_at(const json_t *v, const char *path)
{
    while (v && *path) {
        size_t n = strcspn(path, ".");
        char key[64];
        if (n >= sizeof key)
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        v = json_object_get(v, key);
        path += path[n] ? n + 1 : n;
    }
    return v;
}

const char *json_text_at(const json_t *v, const char *path)
{
    const char *text = json_string_value(json_at(v, path));
    return text ? text : "";
}

int64_t json_i64_at(const json_t *v, const char *path)
{
    return (int64_t)json_integer_value(json_at(v, path));
}

double json_f64_at(const json_t *v, const char *path)
{
    return json_number_value(json_at(v, path));
}

/* {"error":{"code","message"}}, {"error":{"type","reason"}}, {"error":"text"}, or anything else. */
static qd_status error_of(const answer *a, const json_t *body, qd_error *err)
{
    const json_t *e = json_at(body, "error");
    const char *name = json_is_string(json_at(e, "code")) ? json_text_at(e, "code") : json_text_at(e, "type");
    const char *text = json_is_string(json_at(e, "message")) ? json_text_at(e, "message") : json_text_at(e, "reason");
    if (json_is_string(e))
        text = json_string_value(e);
    qd_status code = status_of(*name ? name : NULL, a->http_status);
    if (!*text) {
        qd_str raw = qd_buf_str(&a->body);
        return qd_fail(err, code, "the server answered HTTP %ld%s%.*s", a->http_status, raw.n ? ": " : "",
                       QD_STR_FMT(raw));
    }
    if (json_i64_at(e, "line") > 0)
        return qd_fail(err, code, "%s (line %lld, column %lld)", text, (long long)json_i64_at(e, "line"),
                       (long long)json_i64_at(e, "col"));
    return qd_fail(err, code, "%s", text);
}

bool print_raw(const qctl *q, const answer *a)
{
    if (!q->is_json)
        return false;
    fwrite(a->body.p, 1, a->body.n, stdout);
    if (a->body.n && a->body.p[a->body.n - 1] != '\n')
        putchar('\n');
    return true;
}

qd_status print_message(const qctl *q, answer *a, json_t *json)
{
    if (!print_raw(q, a) && !q->is_quiet)
        puts(json_text_at(json, "message"));
    json_decref(json);
    answer_deinit(a);
    return QD_OK;
}

/* ---- parts of lists --------------------------------------------------------------------------------------------- */

qd_status args_page(const args *a, int64_t last_page, list_page *out, qd_error *err)
{
    qd_status rc = args_i64(a, "page", 1, last_page, &out->page, err);
    return rc ? rc : args_i64(a, "size", 1, 1000, &out->size, err);
}

void path_add_page(qd_buf *path, const list_page *p)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)p->page);
    path_add_query(path, "page", number);
    snprintf(number, sizeof number, "%lld", (long long)p->size);
    path_add_query(path, "size", number);
}

qd_status call(qctl *q, const request *rq, answer *out, json_t **json, qd_error *err)
{
    json_t *parsed = NULL;
    qd_error parse_error = QD_ERROR_INIT;
    qd_status rc = client_send(q->client, rq, out, err);
    if (rc)
        return rc;
    qd_status parse_rc = out->body.n ? qd_json_parse(qd_buf_str(&out->body), &parsed, &parse_error) : QD_OK;
    if (out->http_status >= 400) {
        rc = error_of(out, parsed, err);
        print_raw(q, out);
    } else if (json && (parse_rc || !parsed)) {
        rc = qd_fail(err, QD_EIO, "the answer of %s is not JSON (%s): is that a Quidditch server?", rq->path,
                     parse_rc ? parse_error.message : "it is empty");
    } else if (json) {
        *json = QD_TAKE(parsed);
    }
    json_decref(parsed);
    if (rc)
        answer_deinit(out);
    return rc;
}

static qd_status end_path(qd_buf *path, qd_error *err)
{
    qd_buf_add_char(path, '\0');
    return path->failed ? qd_fail(err, QD_EINVAL, "the arguments are too long") : QD_OK;
}

static qd_status call_at(qctl *q, request rq, qd_buf *path, answer *out, json_t **json, qd_error *err)
{
    qd_status rc = end_path(path, err);
    rq.path = path->p;
    if (!rc)
        rc = call(q, &rq, out, json, err);
    qd_buf_deinit(path);
    return rc;
}

qd_status call_get(qctl *q, qd_buf *path, answer *out, json_t **json, qd_error *err)
{
    return call_at(q, (request){.method = "GET"}, path, out, json, err);
}

qd_status call_action(qctl *q, qd_buf *path, answer *out, json_t **json, qd_error *err)
{
    return call_at(q, (request){.method = "POST"}, path, out, json, err);
}

qd_status call_post(qctl *q, qd_buf *path, json_t *body, answer *out, json_t **json, qd_error *err)
{
    qd_buf text;
    qd_status rc = body ? write_json(body, &text, err) : usage_error(err, "the arguments are not UTF-8 text");
    json_decref(body);
    if (rc) {
        qd_buf_deinit(path);
        return rc;
    }
    rc = call_at(q, (request){.method = "POST", .body = qd_buf_str(&text)}, path, out, json, err);
    qd_buf_deinit(&text);
    return rc;
}
