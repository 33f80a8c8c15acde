/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of functions: written under table_lock (shared) from the summaries that are in memory, so that functions
 * which are not loaded, or cannot be, show too. Functions stand sorted by name: without a filter a page costs what is
 * on it. A filter looks at all (or, by the beginning of a name, at those that have it); measured in
 * docs/registry.md. */
#include <ctype.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_table.h"

/* ---- filters ---- */

static bool contains_text(qd_str s, qd_str part)
{
    for (size_t i = 0; i + part.n <= s.n; i++) {
        size_t k = 0;
        while (k < part.n && tolower((unsigned char)s.p[i + k]) == tolower((unsigned char)part.p[k]))
            k++;
        if (k == part.n)
            return true;
    }
    return false;
}

static bool any_tag(qd_str tags, qd_str wanted, bool (*matches)(qd_str tag, qd_str wanted))
{
    size_t at = 0;
    qd_str tag;
    while (qd_udf_record_next(tags, &at, &tag))
        if (matches(tag, wanted))
            return true;
    return false;
}

/* What every name that fits a pattern begins with. */
static qd_str start_of(qd_str pattern)
{
    size_t n = 0;
    while (n < pattern.n && pattern.p[n] != '*' && pattern.p[n] != '?')
        n++;
    return (qd_str){pattern.p, n};
}

/* '*' is any text, '?' one byte. Without recursion: only the last '*' is ever tried again. */
static bool matches_pattern(qd_str s, qd_str pattern)
{
    size_t i = 0, k = 0, star = SIZE_MAX, from = 0;
    while (i < s.n) {
        if (k < pattern.n && pattern.p[k] == '*') {
            star = k++;
            from = i;
        } else if (k < pattern.n && (pattern.p[k] == '?' || pattern.p[k] == s.p[i])) {
            k++;
            i++;
        } else if (star != SIZE_MAX) {
            k = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (k < pattern.n && pattern.p[k] == '*')
        k++;
    return k == pattern.n;
}

/* The version whose words describe the function. */
static const qd_udf_version *face_of(const qd_udf_function *f)
{
    return f->active ? f->active : qd_udf_function_latest(f);
}

static bool is_wanted(const qd_udf_function *f, const qd_udf_filter *filter)
{
    const qd_udf_record *m = &face_of(f)->record;
    const struct {
        qd_str wanted, is;
    } exact[] = {{filter->category, m->category}, {filter->author, m->author}, {filter->language, m->language}};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (exact[i].wanted.n > 0 && !qd_str_eq(exact[i].is, exact[i].wanted))
            return false;
    if (filter->name.n > 0 && !matches_pattern(qd_str_of(f->name), filter->name))
        return false;
    if (filter->tag.n > 0 && !any_tag(m->tags, filter->tag, qd_str_eq))
        return false;
    return filter->text.n == 0 || contains_text(qd_str_of(f->name), filter->text) ||
           contains_text(m->description, filter->text) || contains_text(m->author, filter->text) ||
           any_tag(m->tags, filter->text, contains_text);
}

/* The first function, from `low` on, whose name does not stand before those that begin with `start`; with `past`, the
 * first behind them. */
static size_t find_start(const qd_registry *r, qd_str start, size_t low, bool past)
{
    size_t high = r->n_functions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        qd_str name = qd_str_of(r->sorted[middle]->name);
        if (name.n > start.n)
            name.n = start.n;
        int order = qd_str_cmp(name, start);
        if (order < 0 || (past && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- writing ---- */

static void write_text(qd_json *w, const char *key, qd_str text)
{
    if (text.n == 0)
        return;
    qd_json_key(w, key);
    qd_json_str(w, text);
}

static void write_tags(qd_json *w, qd_str tags)
{
    size_t at = 0;
    qd_str tag;
    qd_json_key(w, "tags");
    qd_json_begin_array(w);
    while (qd_udf_record_next(tags, &at, &tag))
        qd_json_str(w, tag);
    qd_json_end_array(w);
}

static void write_versions(qd_json *w, const qd_udf_function *f)
{
    qd_json_key(w, "versions");
    qd_json_begin_array(w);
    for (size_t i = 0; i < f->n_versions; i++)
        qd_json_str(w, f->versions[i]->version);
    qd_json_end_array(w);
    qd_json_key(w, "active_version");
    if (f->active)
        qd_json_str(w, f->active->version);
    else
        qd_json_null(w);
}

static void write_function(qd_json *w, const qd_udf_function *f)
{
    char at[QD_ISO8601_SIZE];
    const qd_udf_record *m = &face_of(f)->record;
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", f->name);
    write_versions(w, f);
    qd_json_key(w, "latest_version");
    qd_json_str(w, qd_udf_function_latest(f)->version);
    write_text(w, "description", m->description);
    write_text(w, "category", m->category);
    write_text(w, "author", m->author);
    write_tags(w, m->tags);
    qd_json_kv_z(w, "registered_at", qd_clock_iso8601(m->registered_at_ms, at));
    qd_json_end_object(w);
}

/* Writes the wanted page and returns how many functions there are in all. */
static uint64_t write_page(const qd_registry *r, const qd_udf_filter *f, qd_json *w)
{
    qd_udf_filter rest = *f;
    uint64_t first = (uint64_t)(f->page - 1) * f->size, end = first + f->size, n = 0;
    size_t i = 0, past = r->n_functions;
    if (f->name.n > 0) {
        qd_str start = start_of(f->name);
        i = find_start(r, start, 0, false);
        past = find_start(r, start, i, true);
        /* "geo_*" is found by its beginning alone. */
        if (start.n + 1 == f->name.n && f->name.p[start.n] == '*')
            rest.name.n = 0;
    }
    bool has_filter = rest.name.n + rest.tag.n + rest.category.n + rest.author.n + rest.language.n + rest.text.n > 0;
    if (!has_filter) {
        n = past - i;
        for (uint64_t k = first; k < end && k < n; k++)
            write_function(w, r->sorted[i + k]);
        return n;
    }
    for (; i < past; i++) {
        if (!is_wanted(r->sorted[i], &rest))
            continue;
        if (n >= first && n < end)
            write_function(w, r->sorted[i]);
        n++;
    }
    return n;
}

qd_status qd_registry_list(qd_registry *r, const qd_udf_filter *f, qd_json *w, qd_error *err)
{
    if (f->page < 1)
        return qd_fail_field(err, QD_EUDF_PARAMS, "page", "'page': expected a number from 1, got %u", f->page);
    if (f->size < 1 || f->size > 1000)
        return qd_fail_field(err, QD_EUDF_PARAMS, "size", "'size': expected a number from 1 to 1000, got %u", f->size);
    pthread_rwlock_rdlock(&r->table_lock);
    qd_json_begin_object(w);
    qd_json_key(w, "udfs");
    qd_json_begin_array(w);
    uint64_t total = write_page(r, f, w);
    qd_json_end_array(w);
    pthread_rwlock_unlock(&r->table_lock);
    qd_json_kv_i64(w, "total", (int64_t)total);
    qd_json_kv_i64(w, "page", f->page);
    qd_json_kv_i64(w, "size", f->size);
    qd_json_end_object(w);
    return QD_OK;
}

qd_status qd_registry_versions(qd_registry *r, qd_str name, qd_json *w, qd_error *err)
{
    qd_status st = QD_OK;
    pthread_rwlock_rdlock(&r->table_lock);
    const qd_udf_function *f = qd_registry_find(r, name);
    if (f) {
        qd_json_begin_object(w);
        qd_json_kv_z(w, "name", f->name);
        write_versions(w, f);
        qd_json_end_object(w);
    } else {
        st = qd_registry_resolve_version(r, name, (qd_str){0}, NULL, &(qd_udf_version *){NULL}, err);
    }
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}
