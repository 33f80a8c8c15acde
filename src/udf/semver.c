/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/semver.h"

#define MAX_BYTES 64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static bool is_numeric(qd_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

/* Takes a number without leading zeros off the front. */
static bool take_number(qd_str *s, uint64_t *out)
{
    size_t n = 0;
    uint64_t v = 0;
    while (n < s->n && is_digit(s->p[n])) {
        uint64_t digit = (uint64_t)(s->p[n++] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (n == 0 || (n > 1 && s->p[0] == '0'))
        return false;
    *s = (qd_str){s->p + n, s->n - n};
    *out = v;
    return true;
}

static bool take_char(qd_str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = (qd_str){s->p + 1, s->n - 1};
    return true;
}

/* The next identifier of a dotted list, without its dot; false at the end. An empty identifier has n 0. */
static bool next_identifier(qd_str *list, qd_str *out)
{
    if (!list->p)
        return false;
    const char *dot = list->n > 0 ? memchr(list->p, '.', list->n) : NULL;
    *out = (qd_str){list->p, dot ? (size_t)(dot - list->p) : list->n};
    *list = dot ? (qd_str){dot + 1, list->n - out->n - 1} : (qd_str){NULL, 0};
    return true;
}

static bool are_identifiers(qd_str list, bool is_build)
{
    qd_str id;
    while (next_identifier(&list, &id)) {
        if (id.n == 0 || (!is_build && id.n > 1 && id.p[0] == '0' && is_numeric(id)))
            return false;
        for (size_t i = 0; i < id.n; i++)
            if (!is_identifier_char(id.p[i]))
                return false;
    }
    return true;
}

bool qd_semver_parse(qd_str text, qd_semver *out)
{
    qd_semver v = {0};
    qd_str rest = text;
    if (text.n == 0 || text.n > MAX_BYTES)
        return false;
    if (!take_number(&rest, &v.major) || !take_char(&rest, '.') || !take_number(&rest, &v.minor) ||
        !take_char(&rest, '.') || !take_number(&rest, &v.patch))
        return false;
    if (take_char(&rest, '-')) {
        const char *plus = rest.n > 0 ? memchr(rest.p, '+', rest.n) : NULL;
        v.pre = (qd_str){rest.p, plus ? (size_t)(plus - rest.p) : rest.n};
        rest = (qd_str){rest.p + v.pre.n, rest.n - v.pre.n};
        if (!are_identifiers(v.pre, false))
            return false;
    }
    if (take_char(&rest, '+')) {
        v.build = rest;
        rest.n = 0;
        if (!are_identifiers(v.build, true))
            return false;
    }
    if (rest.n > 0)
        return false;
    *out = v;
    return true;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Numbers have no leading zeros here, so the longer one is the greater; they are lower than words. */
static int cmp_identifier(qd_str a, qd_str b)
{
    bool a_is_number = is_numeric(a), b_is_number = is_numeric(b);
    if (a_is_number != b_is_number)
        return a_is_number ? -1 : 1;
    if (a_is_number && a.n != b.n)
        return cmp_u64(a.n, b.n);
    return qd_str_cmp(a, b);
}

static int cmp_pre(qd_str a, qd_str b)
{
    if (a.n == 0 || b.n == 0)
        return a.n == b.n ? 0 : a.n == 0 ? 1 : -1; /* a release comes after its pre-releases */
    for (;;) {
        qd_str x = {0}, y = {0};
        bool has_x = next_identifier(&a, &x), has_y = next_identifier(&b, &y);
        if (!has_x || !has_y)
            return has_x ? 1 : has_y ? -1 : 0;
        int order = cmp_identifier(x, y);
        if (order != 0)
            return order;
    }
}

int qd_semver_cmp(const qd_semver *a, const qd_semver *b)
{
    int order = cmp_u64(a->major, b->major);
    if (order == 0)
        order = cmp_u64(a->minor, b->minor);
    if (order == 0)
        order = cmp_u64(a->patch, b->patch);
    return order != 0 ? order : cmp_pre(a->pre, b->pre);
}
