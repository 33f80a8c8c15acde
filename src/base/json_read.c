/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

/* Line and column, counted from 1 and in characters, of a byte. */
static void locate(qd_str text, size_t offset, uint32_t *line, uint32_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < offset && i < text.n; i++) {
        if (text.p[i] == '\n') {
            (*line)++;
            *column = 1;
        } else if (((unsigned char)text.p[i] & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}

static qd_status fail_at(qd_str text, size_t offset, qd_error *err, const char *what)
{
    uint32_t line, column;
    locate(text, offset, &line, &column);
    return qd_fail_at(err, QD_EPARSE, line, column, "malformed JSON at line %u, column %u: %s", line, column, what);
}

/* Where nesting passes the bound, else text.n. Looks at brackets outside strings only: jansson recurses once per
 * bracket, and must not be shown a text that is too deep. */
static size_t find_too_deep(qd_str text)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > QD_JSON_MAX_DEPTH)
                return i;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return text.n;
}

static bool is_blank(qd_str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!memchr(" \t\r\n", text.p[i], 4))
            return false;
    return true;
}

/* jansson's position is behind the token at fault, which its text quotes ("… near 'token'"): step back over it. */
static size_t token_start(qd_str text, const json_error_t *error)
{
    size_t end = error->position > 0 ? (size_t)error->position : 0;
    if (end > text.n)
        end = text.n;
    if (strstr(error->text, "near end of file"))
        return text.n;
    const char *near = strstr(error->text, " near '");
    size_t n = near ? strlen(near) : 0;
    if (n > 8) {
        near += 7;
        n -= 8;
        if (n <= end && memcmp(text.p + end - n, near, n) == 0)
            return end - n;
    }
    return end > 0 ? end - 1 : 0;
}

qd_status qd_json_parse(qd_str text, json_t **out, qd_error *err)
{
    if (is_blank(text))
        return fail_at(text, 0, err, "the text is empty");
    size_t deep = find_too_deep(text);
    if (deep < text.n) {
        char what[64];
        snprintf(what, sizeof what, "nested deeper than %d levels", QD_JSON_MAX_DEPTH);
        return fail_at(text, deep, err, what);
    }
    json_error_t error;
    json_t *value = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value) {
        *out = value;
        return QD_OK;
    }
    if (json_error_code(&error) == json_error_out_of_memory || !error.text[0])
        return qd_fail_nomem(err);
    return fail_at(text, token_start(text, &error), err, error.text);
}

const char *qd_json_type_name(const json_t *v)
{
    static const char *const NAMES[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "a boolean", [JSON_FALSE] = "a boolean", [JSON_NULL] = "null",
    };
    return v ? NAMES[json_typeof(v)] : "nothing";
}

void qd_json_describe(const json_t *v, char *out, size_t size)
{
    char number[QD_NUMBER_SIZE];
    size_t n;
    if (!v) {
        snprintf(out, size, "nothing");
        return;
    }
    switch (json_typeof(v)) {
    case JSON_STRING:
        n = json_string_length(v);
        snprintf(out, size, "the string \"%.*s%s\"", (int)(n > 60 ? 60 : n), json_string_value(v), n > 60 ? "…" : "");
        break;
    case JSON_INTEGER:
        n = qd_number_i64(json_integer_value(v), number);
        snprintf(out, size, "the number %.*s", (int)n, number);
        break;
    case JSON_REAL:
        n = qd_number_f64(json_real_value(v), number);
        snprintf(out, size, "the number %.*s", (int)n, number);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(out, size, "%s", json_is_true(v) ? "true" : "false");
        break;
    default:
        snprintf(out, size, "%s", qd_json_type_name(v));
    }
}

static qd_status wrong_type(const json_t *v, const char *where, const char *key, qd_status code, const char *expected,
                            qd_error *err)
{
    char got[128];
    qd_json_describe(v, got, sizeof got);
    bool has_place = where && *where;
    return qd_fail_field(err, code, key, "%s%s'%s': expected %s, got %s", has_place ? where : "", has_place ? ": " : "",
                         key, expected, got);
}

qd_status qd_json_get_str(const json_t *obj, const char *where, const char *key, qd_status code, qd_str *out,
                          qd_error *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!v)
        return QD_OK;
    if (!json_is_string(v))
        return wrong_type(v, where, key, code, "a string", err);
    *out = (qd_str){json_string_value(v), json_string_length(v)};
    return QD_OK;
}

qd_status qd_json_get_i64(const json_t *obj, const char *where, const char *key, qd_status code, int64_t *out,
                          qd_error *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!v)
        return QD_OK;
    if (!json_is_integer(v))
        return wrong_type(v, where, key, code, "an integer", err);
    *out = json_integer_value(v);
    return QD_OK;
}

qd_status qd_json_get_f64(const json_t *obj, const char *where, const char *key, qd_status code, double *out,
                          qd_error *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!v)
        return QD_OK;
    if (!json_is_number(v))
        return wrong_type(v, where, key, code, "a number", err);
    *out = json_number_value(v);
    return QD_OK;
}

qd_status qd_json_get_bool(const json_t *obj, const char *where, const char *key, qd_status code, bool *out,
                           qd_error *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!v)
        return QD_OK;
    if (!json_is_boolean(v))
        return wrong_type(v, where, key, code, "true or false", err);
    *out = json_is_true(v);
    return QD_OK;
}

static bool is_listed(const char *const *list, const char *key)
{
    for (; *list; list++)
        if (strcmp(*list, key) == 0)
            return true;
    return false;
}

qd_status qd_json_only(const json_t *obj, const char *where, const char *const *allowed, qd_status code, qd_error *err)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)obj, key, member)
    {
        if (is_listed(allowed, key))
            continue;
        char list[320];
        size_t n = 0;
        list[0] = '\0';
        for (size_t i = 0; allowed[i] && n < sizeof list; i++)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s'%s'", i ? ", " : "", allowed[i]);
        bool has_place = where && *where;
        return qd_fail_field(err, code, key, "%s%sunknown member '%.100s'; expected %s%s", has_place ? where : "",
                             has_place ? ": " : "", key, list[0] ? "only " : "none", list);
    }
    return QD_OK;
}
