/* SPDX-License-Identifier: Apache-2.0 */
#include "http/search_body.h"

#include <stdlib.h>

/* "a,b" -> ["a", "b"]; NULL when out of memory. */
static json_t *split(qd_str list)
{
    json_t *array = json_array();
    for (size_t at = 0; array && at <= list.n;) {
        const char *p = list.p + at, *comma = memchr(p, ',', list.n - at);
        size_t n = comma ? (size_t)(comma - p) : list.n - at;
        at += n + 1;
        if (n && json_array_append_new(array, json_stringn(p, n)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* "price:desc" -> {"price": {"order": "desc"}}; "price" stays a string. */
static json_t *sort_key(const json_t *text)
{
    const char *p = json_string_value(text), *colon = p ? strrchr(p, ':') : NULL;
    if (!colon)
        return p ? json_string(p) : NULL;
    json_t *key = json_object();
    if (key && json_object_setn_new(key, p, (size_t)(colon - p), json_pack("{s:s}", "order", colon + 1)) != 0) {
        json_decref(key);
        return NULL;
    }
    return key;
}

static json_t *read_sort(qd_str value)
{
    json_t *names = split(value), *sort = json_array();
    for (size_t i = 0; names && sort && i < json_array_size(names); i++)
        json_array_append_new(sort, sort_key(json_array_get(names, i)));
    json_decref(names);
    return sort;
}

static json_t *read_source(const qd_request *rq)
{
    qd_str value = QD_STR(""), list;
    qd_request_str(rq, "_source", &value);
    if (qd_str_is(value, "true") || qd_str_is(value, "false"))
        return json_boolean(qd_str_is(value, "true"));
    json_t *filter = json_object();
    if (value.n)
        json_object_set_new(filter, "includes", split(value));
    list = QD_STR("");
    qd_request_str(rq, "_source_includes", &list);
    if (list.n)
        json_object_set_new(filter, "includes", split(list));
    list = QD_STR("");
    qd_request_str(rq, "_source_excludes", &list);
    if (list.n)
        json_object_set_new(filter, "excludes", split(list));
    return filter;
}

qd_status qd_search_body_merge(const qd_request *rq, qd_str *body, qd_error *err)
{
    bool has_sort = qd_request_has(rq, "sort");
    bool has_source = qd_request_has(rq, "_source") || qd_request_has(rq, "_source_includes") ||
                      qd_request_has(rq, "_source_excludes");
    json_t *object = NULL;
    qd_str sort = QD_STR("");
    if (!has_sort && !has_source)
        return QD_OK;
    qd_status status = qd_request_json(rq, true, &object, err);
    if (status != QD_OK)
        return status;
    object = object ? object : json_object();
    qd_request_str(rq, "sort", &sort);
    bool is_set = (!has_sort || json_object_set_new(object, "sort", read_sort(sort)) == 0) &&
                  (!has_source || json_object_set_new(object, "_source", read_source(rq)) == 0);
    char *text = is_set ? qd_json_text(object, false) : NULL;
    json_decref(object);
    char *kept = text ? qd_arena_strndup(rq->arena, text, strlen(text)) : NULL;
    free(text);
    if (!kept)
        return qd_fail_nomem(err);
    *body = qd_str_of(kept);
    return QD_OK;
}

/* ---- the member "index" ------------------------------------------------------------------------------------------ */

/* The end of the string that starts at `i` (a quote). The text is known to be valid JSON. */
static size_t end_of_string(const char *p, size_t i)
{
    for (i++; p[i] != '"'; i++)
        i += p[i] == '\\';
    return i + 1;
}

static size_t skip_blanks(const char *p, size_t n, size_t i)
{
    while (i < n && strchr(" \t\r\n", p[i]) && p[i])
        i++;
    return i;
}

/* Overwrites `"index": "…"` of the outermost object, and one comma beside it, with blanks. `p` is valid JSON, an object
 * with that member, whose value is a string. A key written with escapes ("\u0069ndex") is not found. */
static bool blank_index(char *p, size_t n)
{
    size_t depth = 0, comma = SIZE_MAX;
    for (size_t i = 0; i < n;) {
        if (p[i] == '"') {
            size_t start = i, end = end_of_string(p, i), next = skip_blanks(p, n, end);
            i = end;
            if (depth != 1 || p[next] != ':' || end - start != 7 || memcmp(p + start, "\"index\"", 7) != 0)
                continue;
            end = end_of_string(p, skip_blanks(p, n, next + 1));
            next = skip_blanks(p, n, end);
            if (p[next] == ',')
                p[next] = ' ';
            else if (comma != SIZE_MAX)
                p[comma] = ' ';
            memset(p + start, ' ', end - start);
            return true;
        }
        depth += p[i] == '{' || p[i] == '[';
        depth -= p[i] == '}' || p[i] == ']';
        if (p[i] == ',' && depth == 1)
            comma = i;
        i++;
    }
    return false;
}

qd_status qd_search_body_take_index(const qd_request *rq, qd_str *body, qd_str *index, qd_error *err)
{
    json_t *object = NULL;
    qd_str name = QD_STR("");
    qd_status status = qd_request_json(rq, false, &object, err);
    if (status == QD_OK)
        status = qd_json_get_str(object, "query", "index", QD_EINVAL, &name, err);
    if (status == QD_OK && name.n == 0)
        status = qd_fail_field(
            err, QD_EINVAL, "index",
            "index: missing; the body names the index to search, as in {\"index\": \"name\", \"query\": …}");
    char *text = status == QD_OK ? qd_arena_strndup(rq->arena, rq->body.p, rq->body.n) : NULL;
    qd_str kept = text ? qd_arena_str(rq->arena, name) : QD_STR("");
    json_decref(object);
    if (status != QD_OK)
        return status;
    if (!text || !kept.p)
        return qd_fail_nomem(err);
    if (!blank_index(text, rq->body.n))
        return qd_fail_field(err, QD_EINVAL, "index", "index: write the member's name without escapes");
    *body = (qd_str){text, rq->body.n};
    *index = kept;
    return QD_OK;
}
