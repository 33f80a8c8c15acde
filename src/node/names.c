/* SPDX-License-Identifier: Apache-2.0 */
#include "node/names.h"

#define MAX_BYTES 255

static qd_status refuse(qd_str name, const char *why, qd_error *err)
{
    return qd_fail(err, QD_EINDEX_NAME, "Invalid index name [%.*s], %s", QD_STR_FMT(name), why);
}

qd_status qd_index_name_check(qd_str name, qd_error *err)
{
    if (name.n == 0)
        return refuse(name, "must not be empty", err);
    if (name.n > MAX_BYTES)
        return qd_fail(err, QD_EINDEX_NAME, "Invalid index name [%.*s], index name is too long, (%zu > %d)",
                       QD_STR_FMT(name), name.n, MAX_BYTES);
    if (!qd_str_is_utf8(name))
        return refuse((qd_str){"", 0}, "must be UTF-8", err);
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c < 0x20 || c == 0x7F)
            return refuse((qd_str){name.p, i}, "must not contain control characters", err);
        if (strchr(" \"*\\<|,>/?", c))
            return refuse(name, "must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]", err);
        if (c == '#')
            return refuse(name, "must not contain '#'", err);
        if (c == ':')
            return refuse(name, "must not contain ':'", err);
        if (c >= 'A' && c <= 'Z')
            return refuse(name, "must be lowercase", err);
    }
    if (strchr("_-+", name.p[0]))
        return refuse(name, "must not start with '_', '-', or '+'", err);
    if (qd_str_is(name, ".") || qd_str_is(name, ".."))
        return refuse(name, "must not be '.' or '..'", err);
    return QD_OK;
}

/* Remembers the last star only: going back to an earlier one could not help. */
bool qd_index_name_matches(qd_str pattern, qd_str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, from = 0;
    while (n < name.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.n && pattern.p[p] == name.p[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}
