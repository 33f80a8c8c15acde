/* SPDX-License-Identifier: Apache-2.0 */
#include "query/minimum_match.h"

static qd_str trim(qd_str s)
{
    while (s.n && s.p[0] == ' ')
        s = (qd_str){s.p + 1, s.n - 1};
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

/* "2", "-1", "75%", "-25%" of `optional` clauses. */
static bool plain(qd_str spec, int64_t optional, int64_t *out)
{
    bool is_percent = spec.n > 0 && spec.p[spec.n - 1] == '%';
    int64_t number;
    if (is_percent)
        spec.n--;
    if (!qd_str_to_i64(spec, &number) || number > INT32_MAX || number < INT32_MIN)
        return false;
    if (is_percent) {
        /* In single precision, and cut toward zero, as there. */
        float part = (float)(optional * number) * (1 / 100.0f);
        number = (int64_t)part;
        if (part < 0)
            number += optional;
    } else if (number < 0) {
        number += optional;
    }
    *out = number < 0 ? 0 : number;
    return true;
}

bool qd_minimum_match(qd_str spec, size_t optional, size_t *out)
{
    int64_t total = (int64_t)optional, result = total;
    spec = trim(spec);
    if (!memchr(spec.n ? spec.p : "", '<', spec.n)) {
        if (!plain(spec, total, &result))
            return false;
        *out = (size_t)result;
        return true;
    }
    /* Conditions in ascending order: "N<SPEC" holds for more than N clauses. */
    while (spec.n) {
        const char *space = memchr(spec.p, ' ', spec.n);
        qd_str one = {spec.p, space ? (size_t)(space - spec.p) : spec.n};
        const char *less = memchr(one.p, '<', one.n);
        int64_t over, value;
        if (!less || !qd_str_to_i64((qd_str){one.p, (size_t)(less - one.p)}, &over) ||
            !plain((qd_str){less + 1, one.n - (size_t)(less - one.p) - 1}, total, &value))
            return false;
        if (total <= over)
            break;
        result = value;
        spec = trim((qd_str){spec.p + one.n, spec.n - one.n});
    }
    *out = (size_t)result;
    return true;
}
