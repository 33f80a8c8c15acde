/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* `plus_is_space` in the query only, as forms encode it. */
static qd_status decode(qd_str raw, bool plus_is_space, qd_arena *arena, qd_str *out, qd_error *err)
{
    char *p = qd_arena_alloc(arena, raw.n + 1);
    if (!p)
        return qd_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '%') {
            bool is_whole = raw.n - i > 2;
            int high = is_whole ? hex_digit(raw.p[i + 1]) : -1, low = is_whole ? hex_digit(raw.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return qd_fail_field(err, QD_EINVAL, "uri",
                                     "uri: bad percent encoding at '%.*s': expected two hexadecimal digits after '%%'",
                                     QD_STR_FMT(((qd_str){raw.p + i, raw.n - i})));
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0')
            return qd_fail_field(err, QD_EINVAL, "uri", "uri: a zero byte, which no name or parameter may hold");
        p[n++] = c;
    }
    p[n] = '\0';
    *out = (qd_str){p, n};
    if (!qd_str_is_utf8(*out))
        return qd_fail_field(err, QD_EINVAL, "uri", "uri: '%.*s' does not decode to UTF-8", QD_STR_FMT(raw));
    return QD_OK;
}

/* Cuts the text before `separator` off `*rest`; false when nothing is left. */
static bool next_part(qd_str *rest, char separator, qd_str *part)
{
    if (rest->n == 0)
        return false;
    const char *end = memchr(rest->p, separator, rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    *part = (qd_str){rest->p, n};
    n += end ? 1 : 0;
    *rest = (qd_str){rest->p + n, rest->n - n};
    return true;
}

static qd_status parse_path(qd_str path, qd_arena *arena, qd_uri *u, qd_error *err)
{
    qd_str part, rest = path;
    while (next_part(&rest, '/', &part)) {
        if (part.n == 0)
            continue;
        if (u->n_segments == QD_URI_MAX_SEGMENTS)
            return qd_fail_field(err, QD_EINVAL, "uri", "uri: more than %d path segments in '%.*s'",
                                 QD_URI_MAX_SEGMENTS, QD_STR_FMT(path));
        qd_status status = decode(part, false, arena, &u->segments[u->n_segments], err);
        if (status != QD_OK)
            return status;
        u->n_segments++;
    }
    return QD_OK;
}

static qd_status add_param(qd_str name, qd_str value, qd_uri *u, qd_error *err)
{
    for (size_t i = 0; i < u->n_params; i++) {
        if (qd_str_eq(u->params[i].name, name)) {
            u->params[i].value = value;
            return QD_OK;
        }
    }
    if (u->n_params == QD_URI_MAX_PARAMS)
        return qd_fail_field(err, QD_EINVAL, "uri", "uri: more than %d parameters", QD_URI_MAX_PARAMS);
    u->params[u->n_params++] = (qd_param){name, value};
    return QD_OK;
}

static qd_status parse_query(qd_str query, qd_arena *arena, qd_uri *u, qd_error *err)
{
    qd_str part;
    while (next_part(&query, '&', &part)) {
        qd_str raw_name, name, value;
        if (!next_part(&part, '=', &raw_name))
            continue;
        qd_status status = decode(raw_name, true, arena, &name, err);
        if (status == QD_OK)
            status = decode(part, true, arena, &value, err);
        if (status == QD_OK)
            status = add_param(name, value, u, err);
        if (status != QD_OK)
            return status;
    }
    return QD_OK;
}

qd_status qd_uri_parse(qd_str raw, qd_arena *arena, qd_uri *out, qd_error *err)
{
    const char *question = memchr(raw.p, '?', raw.n);
    size_t path_n = question ? (size_t)(question - raw.p) : raw.n;
    out->path = (qd_str){raw.p, path_n};
    out->n_segments = out->n_params = 0;
    if (path_n == 0 || raw.p[0] != '/')
        return qd_fail_field(err, QD_EINVAL, "uri", "uri: expected a path that starts with '/', got '%.*s'",
                             QD_STR_FMT(raw));
    qd_status status = parse_path(out->path, arena, out, err);
    if (status != QD_OK || !question)
        return status;
    return parse_query((qd_str){question + 1, raw.n - path_n - 1}, arena, out, err);
}

const qd_param *qd_uri_param(const qd_uri *u, const char *name)
{
    for (size_t i = 0; i < u->n_params; i++) {
        if (qd_str_is(u->params[i].name, name))
            return &u->params[i];
    }
    return NULL;
}
