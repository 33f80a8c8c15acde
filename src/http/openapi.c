/* SPDX-License-Identifier: Apache-2.0 */
#include "http/openapi.h"

#include <ctype.h>
#include <stdio.h>

#include "http/error_answer.h"
#include "http/server_impl.h"
#include "quidditch/version.h"

#define METHODS 5
static const char *const METHOD_KEYS[METHODS] = {"get", "head", "post", "put", "delete"};

static void write_ref(qd_json *w, const char *section, const char *name)
{
    char ref[128];
    snprintf(ref, sizeof ref, "#/components/%s/%s", section, name);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "$ref", ref);
    qd_json_end_object(w);
}

static void write_content(qd_json *w, const char *type, const char *schema)
{
    qd_json_key(w, type);
    qd_json_begin_object(w);
    qd_json_key(w, "schema");
    if (schema)
        write_ref(w, "schemas", schema);
    else
        qd_json_raw(w, QD_STR("{\"type\":\"string\"}"));
    qd_json_end_object(w);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void write_param(qd_json *w, const qd_route *route, qd_str name, bool is_path)
{
    const qd_openapi_param *p = qd_openapi_find_param(route, name, is_path);
    if (!p)
        return;
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", p->name);
    qd_json_kv_z(w, "in", is_path ? "path" : "query");
    qd_json_kv_z(w, "description", p->text);
    if (is_path)
        qd_json_kv_bool(w, "required", true);
    qd_json_key(w, "schema");
    qd_json_raw(w, qd_str_of(p->schema));
    qd_json_end_object(w);
}

static void write_listed(qd_json *w, const qd_route *route, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, " ");
        if (n)
            write_param(w, route, (qd_str){list, n}, false);
        list += n;
        list += *list == ' ';
    }
}

static void write_params(qd_json *w, const qd_route *route)
{
    qd_json_key(w, "parameters");
    qd_json_begin_array(w);
    for (const char *p = strchr(route->path, '{'); p; p = strchr(p, '{')) {
        size_t n = strcspn(++p, "}");
        write_param(w, route, (qd_str){p, n}, true);
    }
    write_listed(w, route, route->params);
    write_listed(w, route, QD_COMMON_PARAMS);
    qd_json_end_array(w);
}

/* ---- bodies ------------------------------------------------------------------------------------------------------ */

static void write_request(qd_json *w, const qd_route *route)
{
    if (!route->request)
        return;
    qd_json_key(w, "requestBody");
    qd_json_begin_object(w);
    qd_json_key(w, "content");
    qd_json_begin_object(w);
    write_content(w, route->body == QD_BODY_NDJSON ? "application/x-ndjson" : "application/json",
                  route->body == QD_BODY_NDJSON ? NULL : route->request);
    if (route->body == QD_BODY_UPLOAD)
        write_content(w, "multipart/form-data", "RegistrationForm");
    qd_json_end_object(w);
    qd_json_end_object(w);
}

static void write_headers(qd_json *w, const qd_route *route, bool is_refused, bool has_etag)
{
    static const char *const LIMITS[] = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"};
    if (route->limit == QD_RATE_NONE && !is_refused && !has_etag)
        return;
    qd_json_key(w, "headers");
    qd_json_begin_object(w);
    for (size_t i = 0; i < 3 && route->limit != QD_RATE_NONE; i++) {
        qd_json_key(w, LIMITS[i]);
        write_ref(w, "headers", LIMITS[i]);
    }
    if (is_refused) {
        qd_json_key(w, "Retry-After");
        write_ref(w, "headers", "Retry-After");
    }
    if (has_etag) {
        qd_json_key(w, "ETag");
        write_ref(w, "headers", "ETag");
    }
    qd_json_end_object(w);
}

static void begin_response(qd_json *w, int http_status, const char *text)
{
    char key[16];
    snprintf(key, sizeof key, "%d", http_status);
    qd_json_key(w, key);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "description", text);
}

/* `answer`: a schema, a media type, or NULL for no body. */
static void write_success(qd_json *w, const qd_route *route, int http_status)
{
    bool is_empty = route->methods == QD_HEAD || http_status == 304, is_type = strchr(route->answer, '/') != NULL;
    begin_response(w, http_status, http_status == 304 ? "What the client has is what there is." : "Done.");
    write_headers(w, route, false, strcmp(route->answer, "application/wasm") == 0);
    if (!is_empty) {
        qd_json_key(w, "content");
        qd_json_begin_object(w);
        write_content(w, is_type ? route->answer : "application/json", is_type ? NULL : route->answer);
        qd_json_end_object(w);
    }
    qd_json_end_object(w);
}

/* What any request may meet: what the route says, then what the server itself refuses. */
static size_t list_errors(const qd_route *route, qd_status out[32])
{
    static const qd_status OF_ALL[] = {QD_EINVAL, QD_EUDF_PERMISSION, QD_EBUSY, QD_EINTERNAL, QD_ENOMEM};
    size_t n = 0;
    for (const qd_status *e = route->errors; e && *e != QD_OK && n < 20; e++)
        out[n++] = *e;
    for (size_t i = 0; i < sizeof OF_ALL / sizeof *OF_ALL; i++)
        out[n++] = OF_ALL[i];
    if (route->request)
        out[n++] = QD_ETOOLARGE;
    if (route->work == QD_WORK_SEARCH)
        out[n++] = QD_ECANCELED;
    if (route->limit != QD_RATE_NONE)
        out[n++] = QD_ERATE;
    return n;
}

/* The codes of one HTTP status, each once: "INVALID_PARAMETERS, …". */
static void join_codes(const qd_status *errors, size_t n, int http_status, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && at < size; i++) {
        const qd_status_info *info = qd_status_describe(errors[i]);
        if (info->http_status == http_status && !strstr(out, info->api_code))
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", info->api_code);
    }
}

static void write_error(qd_json *w, const qd_route *route, int http_status, const char *text)
{
    bool is_api = qd_error_answer_is_api(qd_str_of(route->path));
    begin_response(w, http_status, text);
    write_headers(w, route, http_status == 429, false);
    qd_json_key(w, "content");
    qd_json_begin_object(w);
    write_content(w, "application/json", is_api ? "ApiError" : "SearchError");
    qd_json_end_object(w);
    qd_json_end_object(w);
}

static void write_errors(qd_json *w, const qd_route *route)
{
    qd_status errors[32];
    char codes[256];
    size_t n = list_errors(route, errors);
    for (int http_status = 400; http_status < 600; http_status++) {
        join_codes(errors, n, http_status, codes, sizeof codes);
        if (codes[0])
            write_error(w, route, http_status, codes);
    }
    if (!route->request)
        return;
    write_error(w, route, 406, "INVALID_PARAMETERS: the body's Content-Type is not one that is read.");
    write_error(w, route, 415, "INVALID_PARAMETERS: the body's Content-Encoding is not one that is read.");
}

static void write_responses(qd_json *w, const qd_route *route)
{
    qd_json_key(w, "responses");
    qd_json_begin_object(w);
    write_success(w, route, 200);
    if (route->also)
        write_success(w, route, route->also);
    write_errors(w, route);
    qd_json_end_object(w);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* "get_api_v1_udfs_name_versions": unique, since method and path are. */
static void name_operation(const char *method, const char *path, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s", method);
    bool is_gap = true;
    for (; *path && n + 2 < size; path++) {
        if (*path == '/' || *path == '.') {
            is_gap = true;
        } else if (isalnum((unsigned char)*path) || *path == '_') {
            if (is_gap)
                out[n++] = '_';
            is_gap = false;
            out[n++] = *path;
        }
    }
    out[n] = '\0';
}

static void write_operation(qd_json *w, const qd_route *route, const char *method)
{
    char name[128];
    name_operation(method, route->path, name, sizeof name);
    qd_json_key(w, method);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "operationId", name);
    qd_json_kv_z(w, "summary", route->summary);
    qd_json_key(w, "tags");
    qd_json_begin_array(w);
    qd_json_z(w, qd_error_answer_is_api(qd_str_of(route->path)) ? "functions" : "search");
    qd_json_end_array(w);
    write_params(w, route);
    write_request(w, route);
    write_responses(w, route);
    qd_json_end_object(w);
}

static bool is_first_of_path(const qd_route *routes, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(routes[k].path, routes[i].path) == 0)
            return false;
    }
    return true;
}

/* Rows of one path stand apart in the table: each first one gathers the others. Some 70 rows, so quadratic is fine. */
static void write_paths(qd_json *w, const qd_route *routes, size_t n)
{
    qd_json_key(w, "paths");
    qd_json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        if (!is_first_of_path(routes, i))
            continue;
        qd_json_key(w, routes[i].path);
        qd_json_begin_object(w);
        for (size_t k = i; k < n; k++) {
            for (size_t m = 0; m < METHODS && strcmp(routes[k].path, routes[i].path) == 0; m++) {
                if (routes[k].methods & (1u << m))
                    write_operation(w, &routes[k], METHOD_KEYS[m]);
            }
        }
        qd_json_end_object(w);
    }
    qd_json_end_object(w);
}

static void write_header(qd_json *w, const char *name, const char *schema, const char *text)
{
    qd_json_key(w, name);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "description", text);
    qd_json_key(w, "schema");
    qd_json_raw(w, qd_str_of(schema));
    qd_json_end_object(w);
}

static void write_components(qd_json *w)
{
    static const char COUNT[] = "{\"type\":\"integer\",\"minimum\":0}";
    qd_json_key(w, "components");
    qd_json_begin_object(w);
    qd_json_key(w, "headers");
    qd_json_begin_object(w);
    write_header(w, "X-RateLimit-Limit", COUNT,
                 "Calls that a client may have at once; absent where there is no limit.");
    write_header(w, "X-RateLimit-Remaining", COUNT, "Calls that would be let through now.");
    write_header(w, "X-RateLimit-Reset", COUNT, "Seconds until all of them would be.");
    write_header(w, "Retry-After", COUNT, "Seconds until it makes sense to try again.");
    write_header(w, "ETag", "{\"type\":\"string\"}", "The module's hash, in quotes.");
    qd_json_end_object(w);
    qd_json_key(w, "schemas");
    qd_json_raw(w, qd_str_of(qd_openapi_schemas));
    qd_json_end_object(w);
}

void qd_openapi_write(const qd_route *routes, size_t n, qd_json *w)
{
    qd_json_begin_object(w);
    qd_json_kv_z(w, "openapi", "3.1.0");
    qd_json_key(w, "info");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "title", "Quidditch");
    qd_json_kv_z(w, "version", qd_version());
    qd_json_kv_z(w, "description",
                 "Search in OpenSearch's dialect, and the functions that program it. Made from the routes table.");
    qd_json_key(w, "license");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", "Apache 2.0");
    qd_json_kv_z(w, "identifier", "Apache-2.0");
    qd_json_end_object(w);
    qd_json_end_object(w);
    qd_json_key(w, "servers");
    qd_json_raw(w, QD_STR("[{\"url\":\"/\"}]"));
    write_paths(w, routes, n);
    write_components(w);
    qd_json_end_object(w);
}

void qd_openapi_write_all(qd_json *w)
{
    qd_openapi_write(QD_ROUTES, QD_ROUTES_COUNT, w);
}
