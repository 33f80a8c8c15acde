/* SPDX-License-Identifier: Apache-2.0 */
#include "query/source_filter.h"

#include "query/json_scan.h"

#define MAX_DEPTH      128 /* of documents: they are refused before they nest deeper */
#define MAX_PATH_BYTES ((size_t)1 << 20)

typedef struct filter {
    const qd_source_spec *spec;
    qd_buf path; /* of the value at hand */
    qd_buf *out;
} filter;

/* '*' matches any characters, dots too. Linear but for the last star, to which it falls back. */
static bool glob(qd_str pattern, qd_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool matches_any(const qd_str *patterns, size_t n, qd_str path)
{
    for (size_t i = 0; i < n; i++)
        if (glob(patterns[i], path))
            return true;
    return false;
}

static bool filter_value(filter *f, qd_str value, bool is_included, unsigned depth);

/* Members that stay. False: none did, and nothing stands in `out`. */
static bool filter_object(filter *f, qd_str object, bool is_included, unsigned depth)
{
    size_t start = f->out->n, path_n = f->path.n, kept = 0;
    qd_scan scan;
    qd_scan_item item = {0};
    if (!qd_scan_enter(object, &scan) || !scan.in_object)
        return false;
    qd_buf_add_char(f->out, '{');
    while (qd_scan_next(&scan, &item)) {
        size_t before = f->out->n;
        if (path_n > 0)
            qd_buf_add_char(&f->path, '.');
        /* Escapes stay: a pattern that means such a name is written with them. */
        qd_buf_add(&f->path, item.raw_key.p + 1, item.raw_key.n - 2);
        qd_str path = qd_buf_str(&f->path);
        if (!matches_any(f->spec->excludes, f->spec->n_excludes, path)) {
            bool now_included = is_included || matches_any(f->spec->includes, f->spec->n_includes, path);
            if (kept > 0)
                qd_buf_add_char(f->out, ',');
            qd_buf_add_str(f->out, item.raw_key);
            qd_buf_add_char(f->out, ':');
            if (filter_value(f, item.value, now_included, depth + 1))
                kept++;
            else
                f->out->n = before;
        }
        f->path.n = path_n;
    }
    qd_buf_add_char(f->out, '}');
    if (kept > 0 || is_included)
        return true;
    f->out->n = start;
    return false;
}

static bool filter_array(filter *f, qd_str array, bool is_included, unsigned depth)
{
    size_t start = f->out->n, kept = 0;
    qd_scan scan;
    qd_scan_item item = {0};
    if (!qd_scan_enter(array, &scan))
        return false;
    qd_buf_add_char(f->out, '[');
    while (qd_scan_next(&scan, &item)) {
        size_t before = f->out->n;
        if (kept > 0)
            qd_buf_add_char(f->out, ',');
        if (filter_value(f, item.value, is_included, depth + 1))
            kept++;
        else
            f->out->n = before;
    }
    qd_buf_add_char(f->out, ']');
    if (kept > 0 || is_included)
        return true;
    f->out->n = start;
    return false;
}

static bool filter_value(filter *f, qd_str value, bool is_included, unsigned depth)
{
    bool is_nested = qd_scan_is_object(value) || qd_scan_is_array(value);
    if (is_nested && depth < MAX_DEPTH && (!is_included || f->spec->n_excludes > 0))
        return qd_scan_is_object(value) ? filter_object(f, value, is_included, depth)
                                        : filter_array(f, value, is_included, depth);
    if (is_included)
        qd_buf_add_str(f->out, value);
    return is_included;
}

qd_status qd_source_filter(const qd_source_spec *spec, qd_str source, qd_buf *out, qd_error *err)
{
    filter f = {.spec = spec, .out = out};
    qd_buf_init(&f.path, MAX_PATH_BYTES);
    if (!filter_object(&f, source, spec->n_includes == 0, 0))
        qd_buf_add_z(out, "{}");
    bool has_failed = f.path.failed || out->failed;
    qd_buf_deinit(&f.path);
    return has_failed ? qd_fail(err, QD_ELIMIT, "the hits' _source takes too much memory to filter") : QD_OK;
}
