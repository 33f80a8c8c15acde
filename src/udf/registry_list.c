/* SPDX-License-Identifier: Apache-2.0
 *
 * What the functions API shows of the registry: the list, one function, its versions. Everything is written under
 * table_lock (shared) straight from the stored manifests, so that versions which no longer compile show too. */
#include <ctype.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/registry_table.h"

static qd_str member_text(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);
    return (qd_str){json_string_value(v), v ? json_string_length(v) : 0};
}

static void write_time(qd_json *w, const char *key, int64_t wall_ms)
{
    char text[QD_ISO8601_SIZE];
    qd_json_key(w, key);
    if (wall_ms == 0)
        qd_json_null(w);
    else
        qd_json_z(w, qd_clock_iso8601(wall_ms, text));
}

static void write_versions(qd_json *w, const qd_udf_function *f)
{
    qd_json_key(w, "versions");
    qd_json_begin_array(w);
    for (size_t i = 0; i < f->n_versions; i++)
        qd_json_z(w, f->versions[i]->version);
    qd_json_end_array(w);
}

/* ---- the list ---- */

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

static bool any_tag(const json_t *manifest, qd_str wanted, bool (*matches)(qd_str tag, qd_str wanted))
{
    const json_t *tags = json_object_get(manifest, "tags");
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        if (json_is_string(tag) && matches((qd_str){json_string_value(tag), json_string_length(tag)}, wanted))
            return true;
    }
    return false;
}

static bool is_wanted(const qd_udf_function *f, const qd_udf_filter *filter)
{
    const json_t *m = f->active->manifest;
    const struct {
        const char *key;
        qd_str wanted;
    } exact[] = {{"name", filter->name},
                 {"category", filter->category},
                 {"author", filter->author},
                 {"language", filter->language}};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (exact[i].wanted.n > 0 && !qd_str_eq(member_text(m, exact[i].key), exact[i].wanted))
            return false;
    if (filter->tag.n > 0 && !any_tag(m, filter->tag, qd_str_eq))
        return false;
    return filter->text.n == 0 || contains_text(qd_str_of(f->name), filter->text) ||
           contains_text(member_text(m, "description"), filter->text) || any_tag(m, filter->text, contains_text);
}

static int cmp_names(const void *a, const void *b)
{
    const qd_udf_function *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void write_function(qd_json *w, const qd_udf_function *f)
{
    static const char *const SHOWN[] = {"description", "category", "author", "tags"};
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", f->name);
    write_versions(w, f);
    qd_json_kv_z(w, "active_version", f->active->version);
    qd_json_kv_z(w, "latest_version", f->versions[f->n_versions - 1]->version);
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++) {
        const json_t *v = json_object_get(f->active->manifest, SHOWN[i]);
        if (!v)
            continue;
        qd_json_key(w, SHOWN[i]);
        qd_json_value(w, v);
    }
    write_time(w, "registered_at", f->active->registered_at_ms);
    qd_json_end_object(w);
}

/* All functions that the filter wants, by name; owned by caller (free). NULL when out of memory. */
static qd_udf_function **collect(const qd_registry *r, const qd_udf_filter *filter, size_t *n)
{
    size_t i = 0;
    qd_str name;
    void *value;
    qd_udf_function **found = malloc((qd_map_count(r->functions) + 1) * sizeof *found);
    *n = 0;
    while (found && qd_map_next(r->functions, &i, &name, &value))
        if (is_wanted(value, filter))
            found[(*n)++] = value;
    if (found)
        qsort(found, *n, sizeof *found, cmp_names);
    return found;
}

qd_status qd_registry_list(qd_registry *r, const qd_udf_filter *f, qd_json *w, qd_error *err)
{
    size_t n;
    if (f->page < 1)
        return qd_fail_field(err, QD_EUDF_PARAMS, "page", "'page': expected a number from 1, got %u", f->page);
    if (f->size < 1 || f->size > 1000)
        return qd_fail_field(err, QD_EUDF_PARAMS, "size", "'size': expected a number from 1 to 1000, got %u", f->size);
    pthread_rwlock_rdlock(&r->table_lock);
    qd_udf_function **found = collect(r, f, &n);
    if (found) {
        qd_json_begin_object(w);
        qd_json_key(w, "udfs");
        qd_json_begin_array(w);
        for (uint64_t i = (uint64_t)(f->page - 1) * f->size, end = i + f->size; i < end && i < n; i++)
            write_function(w, found[i]);
        qd_json_end_array(w);
        qd_json_kv_i64(w, "total", (int64_t)n);
        qd_json_kv_i64(w, "page", f->page);
        qd_json_kv_i64(w, "size", f->size);
        qd_json_end_object(w);
    }
    pthread_rwlock_unlock(&r->table_lock);
    free(found);
    return found ? QD_OK : qd_fail_nomem(err);
}

/* ---- one function ---- */

/* What the manifest left to be inferred, as it turned out. */
static void write_inferred(qd_json *w, const qd_udf_version *v)
{
    if (!v->udf)
        return;
    const qd_manifest *m = v->udf->manifest;
    qd_json_key(w, "function_name");
    qd_json_str(w, m->function_name);
    qd_json_kv_z(w, "kind", qd_udf_kind_name(m->kind));
    qd_json_kv_z(w, "abi", qd_udf_abi_name(m->abi));
}

static void write_version(qd_json *w, const qd_udf_version *v)
{
    const char *key;
    json_t *member;
    qd_json_begin_object(w);
    qd_json_key(w, "name");
    qd_json_value(w, json_object_get(v->manifest, "name"));
    qd_json_kv_z(w, "version", v->version);
    write_inferred(w, v);
    json_object_foreach(v->manifest, key, member)
    {
        qd_str k = qd_str_of(key);
        bool is_written = qd_str_is(k, "name") || qd_str_is(k, "version");
        bool is_inferred = v->udf && (qd_str_is(k, "function_name") || qd_str_is(k, "kind") || qd_str_is(k, "abi"));
        if (is_written || is_inferred)
            continue;
        qd_json_key(w, key);
        qd_json_value(w, member);
    }
    qd_json_kv_i64(w, "wasm_size", (int64_t)v->wasm_size);
    qd_json_kv_z(w, "hash", v->hash);
    write_time(w, "registered_at", v->registered_at_ms);
    write_time(w, "updated_at", v->registered_at_ms);
    write_time(w, "last_used_at", v->udf ? qd_udf_stats_last_used_ms(v->udf->stats) : 0);
    qd_json_kv_z(w, "status", v->udf ? "active" : "failed");
    if (v->udf)
        qd_json_kv_z(w, "tier", "optimized");
    else
        qd_json_kv_z(w, "error", v->failure.message);
    qd_json_end_object(w);
}

qd_status qd_registry_describe(qd_registry *r, qd_str name, qd_str version, qd_json *w, qd_error *err)
{
    qd_status st = QD_OK;
    pthread_rwlock_rdlock(&r->table_lock);
    const qd_udf_function *f = qd_registry_find(r, name);
    const qd_udf_version *v = f ? qd_udf_function_find(f, version) : NULL;
    if (v)
        write_version(w, v);
    else
        st = qd_registry_fail_unknown(f, name, version, err);
    pthread_rwlock_unlock(&r->table_lock);
    return st;
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
        qd_json_kv_z(w, "active_version", f->active->version);
        qd_json_end_object(w);
    } else {
        st = qd_registry_fail_unknown(NULL, name, (qd_str){0}, err);
    }
    pthread_rwlock_unlock(&r->table_lock);
    return st;
}
