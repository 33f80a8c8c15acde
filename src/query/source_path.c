/* SPDX-License-Identifier: Apache-2.0 */
#include "query/source_path.h"

#define MAX_DEPTH 128 /* of documents: they are refused before they nest deeper */

static bool find(qd_str value, qd_str rest, unsigned depth, qd_str *token);

static bool is_boundary(qd_str rest, size_t i)
{
    return i == rest.n || rest.p[i] == '.' || rest.p[i] == '[';
}

/* A member whose name is the start of the path, tried from the shortest name to the longest. */
static bool find_member(qd_str object, qd_str rest, unsigned depth, qd_str *token)
{
    for (size_t i = 1; i <= rest.n; i++) {
        if (!is_boundary(rest, i))
            continue;
        qd_scan scan;
        qd_scan_item item = {0};
        qd_str name = {rest.p, i};
        if (!qd_scan_enter(object, &scan))
            return false;
        while (qd_scan_next(&scan, &item)) {
            if (!qd_scan_key_is(item.raw_key, name))
                continue;
            qd_str after = {rest.p + i, rest.n - i};
            if (after.n && after.p[0] == '.')
                after = (qd_str){after.p + 1, after.n - 1};
            if (find(item.value, after, depth + 1, token))
                return true;
        }
    }
    return false;
}

/* "[2]" and what follows it. */
static bool split_index(qd_str rest, size_t *index, qd_str *after)
{
    size_t i = 1, value = 0;
    while (i < rest.n && rest.p[i] >= '0' && rest.p[i] <= '9' && value < 100000000)
        value = value * 10 + (size_t)(rest.p[i++] - '0');
    if (i == 1 || i >= rest.n || rest.p[i] != ']')
        return false;
    i++;
    if (i < rest.n && rest.p[i] == '.')
        i++;
    *index = value;
    *after = (qd_str){rest.p + i, rest.n - i};
    return true;
}

static bool find_element(qd_str array, qd_str rest, unsigned depth, qd_str *token)
{
    qd_scan scan;
    qd_scan_item item = {0};
    bool has_index = rest.n && rest.p[0] == '[';
    size_t index = 0;
    if (!qd_scan_enter(array, &scan) || (has_index && !split_index(rest, &index, &rest)))
        return false;
    while (qd_scan_next(&scan, &item)) {
        if (has_index && item.index < index)
            continue;
        if (find(item.value, rest, depth + 1, token))
            return true;
        if (has_index)
            return false;
    }
    return false;
}

static bool find(qd_str value, qd_str rest, unsigned depth, qd_str *token)
{
    if (depth > MAX_DEPTH || value.n == 0)
        return false;
    if (qd_scan_is_array(value))
        return find_element(value, rest, depth, token);
    if (qd_scan_is_object(value))
        return rest.n > 0 && find_member(value, rest, depth, token);
    /* A single value is the first of one. */
    if (rest.n && !qd_str_is(rest, "[0]"))
        return false;
    *token = value;
    return value.p[0] != 'n';
}

/* ---- all values ---- */

typedef struct walk {
    uint32_t wanted, seen;
    qd_str *token; /* may be NULL */
} walk;

static void walk_value(walk *w, qd_str value, qd_str rest, unsigned depth);

static void walk_array(walk *w, qd_str array, qd_str rest, unsigned depth)
{
    qd_scan scan;
    qd_scan_item item = {0};
    bool has_index = rest.n && rest.p[0] == '[';
    size_t index = 0;
    if (!qd_scan_enter(array, &scan) || (has_index && !split_index(rest, &index, &rest)))
        return;
    while (qd_scan_next(&scan, &item) && (!has_index || item.index <= index))
        if (!has_index || item.index == index)
            walk_value(w, item.value, rest, depth + 1);
}

static void walk_object(walk *w, qd_str object, qd_str rest, unsigned depth)
{
    for (size_t i = 1; i <= rest.n; i++) {
        qd_scan scan;
        qd_scan_item item = {0};
        bool has_dot = i < rest.n && rest.p[i] == '.';
        if (!is_boundary(rest, i) || !qd_scan_enter(object, &scan))
            continue;
        while (qd_scan_next(&scan, &item))
            if (qd_scan_key_is(item.raw_key, (qd_str){rest.p, i}))
                walk_value(w, item.value, (qd_str){rest.p + i + has_dot, rest.n - i - has_dot}, depth + 1);
    }
}

static void walk_value(walk *w, qd_str value, qd_str rest, unsigned depth)
{
    if (depth > MAX_DEPTH || value.n == 0)
        return;
    if (qd_scan_is_array(value)) {
        walk_array(w, value, rest, depth);
    } else if (qd_scan_is_object(value)) {
        walk_object(w, value, rest, depth);
    } else if (value.p[0] != 'n' && (rest.n == 0 || qd_str_is(rest, "[0]"))) {
        if (w->seen == w->wanted && w->token)
            *w->token = value;
        w->seen++;
    }
}

/* ---- from the whole document ---- */

static qd_str skip_space(qd_str source)
{
    while (source.n && (source.p[0] == ' ' || source.p[0] == '\n' || source.p[0] == '\t' || source.p[0] == '\r'))
        source = (qd_str){source.p + 1, source.n - 1};
    return source;
}

uint32_t qd_source_values(qd_str source, qd_str path, uint32_t at, qd_str *token)
{
    walk w = {.wanted = at, .token = token};
    if (path.n > 0 && path.n <= QD_MAX_PATH)
        walk_value(&w, skip_space(source), path, 0);
    return w.seen;
}

bool qd_source_find(qd_str source, qd_str path, qd_str *token)
{
    source = skip_space(source);
    return path.n > 0 && path.n <= QD_MAX_PATH && find(source, path, 0, token);
}
