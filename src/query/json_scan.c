/* SPDX-License-Identifier: Apache-2.0 */
#include "query/json_scan.h"

#include <jansson.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(qd_scan *s)
{
    while (s->p < s->end && is_space(*s->p))
        s->p++;
}

/* Past the closing quote; at an opening one. */
static bool skip_string(qd_scan *s)
{
    const char *p = s->p + 1;
    for (;;) {
        const char *quote = p < s->end ? memchr(p, '"', (size_t)(s->end - p)) : NULL;
        if (!quote)
            return false;
        /* An odd number of backslashes before it escapes it. */
        const char *b = quote;
        while (b > p && b[-1] == '\\')
            b--;
        p = quote + 1;
        if ((quote - b) % 2 == 0)
            break;
    }
    s->p = p;
    return true;
}

/* Past a container, by counting brackets outside strings: no recursion, however deep it is. */
static bool skip_container(qd_scan *s)
{
    size_t depth = 0;
    while (s->p < s->end) {
        char c = *s->p;
        if (c == '"') {
            if (!skip_string(s))
                return false;
            continue;
        }
        s->p++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return true;
    }
    return false;
}

static bool skip_value(qd_scan *s)
{
    skip_space(s);
    if (s->p >= s->end)
        return false;
    if (*s->p == '"')
        return skip_string(s);
    if (*s->p == '{' || *s->p == '[')
        return skip_container(s);
    const char *start = s->p;
    while (s->p < s->end && !is_space(*s->p) && *s->p != ',' && *s->p != '}' && *s->p != ']')
        s->p++;
    return s->p > start;
}

bool qd_scan_enter(qd_str value, qd_scan *out)
{
    qd_scan s = {value.p, value.p + value.n, false};
    skip_space(&s);
    if (s.p >= s.end || (*s.p != '{' && *s.p != '['))
        return false;
    s.in_object = *s.p == '{';
    s.p++;
    *out = s;
    return true;
}

/* "key": with its quotes, and what stands before the value. */
static bool next_key(qd_scan *s, qd_str *raw_key)
{
    const char *start = s->p;
    if (s->p >= s->end || *s->p != '"' || !skip_string(s))
        return false;
    qd_str key = {start, (size_t)(s->p - start)};
    skip_space(s);
    if (s->p >= s->end || *s->p != ':')
        return false;
    s->p++;
    skip_space(s);
    *raw_key = key;
    return true;
}

bool qd_scan_next(qd_scan *s, qd_scan_item *item)
{
    bool is_first = !item->value.p;
    skip_space(s);
    if (!is_first) {
        if (s->p >= s->end || *s->p != ',')
            return false;
        s->p++;
        skip_space(s);
        item->index++;
    }
    if (s->in_object && !next_key(s, &item->raw_key))
        return false;
    const char *start = s->p;
    if (!skip_value(s))
        return false;
    item->value = (qd_str){start, (size_t)(s->p - start)};
    skip_space(s);
    return true;
}

static bool has_escape(qd_str s)
{
    return s.n > 0 && memchr(s.p, '\\', s.n) != NULL;
}

static qd_str unquote(qd_str token)
{
    return token.n >= 2 ? (qd_str){token.p + 1, token.n - 2} : (qd_str){"", 0};
}

bool qd_scan_key_is(qd_str raw_key, qd_str key)
{
    qd_str plain = unquote(raw_key);
    if (!has_escape(plain))
        return qd_str_eq(plain, key);
    json_t *decoded = json_loadb(raw_key.p, raw_key.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool is_same =
        json_is_string(decoded) && qd_str_eq((qd_str){json_string_value(decoded), json_string_length(decoded)}, key);
    json_decref(decoded);
    return is_same;
}

qd_str qd_scan_string(qd_str token, qd_arena *arena)
{
    qd_str plain = unquote(token);
    if (!has_escape(plain))
        return plain;
    json_t *decoded = json_loadb(token.p, token.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    qd_str out = {NULL, 0};
    if (json_is_string(decoded))
        out = qd_arena_str(arena, (qd_str){json_string_value(decoded), json_string_length(decoded)});
    json_decref(decoded);
    return out;
}

static bool scan_number(qd_str token, qd_value *out)
{
    int64_t i;
    double f;
    /* Integers beyond 64 bits are read as floating point, as documents are. */
    if (qd_str_to_i64(token, &i))
        *out = (qd_value){QD_I64, {.i = i}};
    else if (qd_str_to_f64(token, &f))
        *out = (qd_value){QD_F64, {.f = f}};
    else
        return false;
    return true;
}

bool qd_scan_scalar(qd_str token, qd_arena *arena, qd_value *out)
{
    if (token.n == 0)
        return false;
    qd_str text;
    switch (token.p[0]) {
    case '"':
        text = qd_scan_string(token, arena);
        if (!text.p)
            return false;
        *out = (qd_value){QD_STRING, {.s = text}};
        return true;
    case 't':
    case 'f':
        *out = (qd_value){QD_BOOL, {.b = token.p[0] == 't'}};
        return true;
    case 'n':
    case '{':
    case '[':
        return false;
    default:
        return scan_number(token, out);
    }
}
