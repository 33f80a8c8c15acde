/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <limits.h>
#include <stdlib.h>

int qd_str_cmp(qd_str a, qd_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return (a.n > b.n) - (a.n < b.n);
}

char *qd_str_dup(qd_str s)
{
    if (s.n == SIZE_MAX)
        return NULL;
    char *copy = malloc(s.n + 1);
    if (!copy)
        return NULL;
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

/* RFC 3629, table of section 4: what the second byte may be depends on the first. */
size_t qd_str_utf8_length(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size_t length = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (n < length)
        return 0;
    unsigned low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool qd_str_is_utf8(qd_str s)
{
    size_t i = 0;
    while (i < s.n) {
        /* Most text is ASCII: eight bytes at a time while it lasts. */
        uint64_t eight;
        while (s.n - i >= sizeof eight) {
            memcpy(&eight, s.p + i, sizeof eight);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            i += sizeof eight;
        }
        if (i == s.n)
            break;
        size_t length = qd_str_utf8_length(s.p + i, s.n - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

bool qd_str_to_i64(qd_str s, int64_t *out)
{
    size_t i = 0;
    bool is_negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        i++;
    if (i == s.n)
        return false;
    /* Downwards, because the negative range is the larger one. */
    int64_t value = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, s.p[i] - '0', &value))
            return false;
    }
    if (!is_negative && value == INT64_MIN)
        return false;
    *out = is_negative ? value : -value;
    return true;
}
