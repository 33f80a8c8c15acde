/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "udf/semver_range.h"

/* ---- versions ---- */

qd_udf_version *qd_udf_version_new(qd_str name, qd_str version, qd_str bytes)
{
    size_t n = 0;
    qd_udf_record ignored;
    if (!qd_udf_record_unpack(bytes, &ignored, &n, NULL) ||
        name.n + version.n + 2 > sizeof(((qd_udf_version *)0)->label))
        return NULL;
    qd_udf_version *v = calloc(1, sizeof *v + n);
    if (!v)
        return NULL;
    atomic_init(&v->refs, 1);
    pthread_mutex_init(&v->load_mutex, NULL);
    snprintf(v->label, sizeof v->label, "%.*s@%.*s", QD_STR_FMT(name), QD_STR_FMT(version));
    v->name = (qd_str){v->label, name.n};
    v->version = (qd_str){v->label + name.n + 1, version.n};
    if (!qd_semver_parse(v->version, &v->semver))
        v->semver = (qd_semver){0}; /* a stored one that newer rules refuse: lowest, so that it is never "latest" */
    memcpy(v->bytes, bytes.p, n);
    (void)qd_udf_record_unpack((qd_str){v->bytes, n}, &v->record, NULL, NULL);
    return v;
}

void qd_udf_version_ref(qd_udf_version *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
}

void qd_udf_version_unref(qd_udf_version *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    qd_udf_unref(v->udf);
    free(v->failure);
    pthread_mutex_destroy(&v->load_mutex);
    free(v);
}

/* Versions that differ only in build metadata are equal in precedence: ordered by their text. */
static int cmp_version(const qd_udf_version *a, const qd_semver *semver, qd_str text)
{
    int order = qd_semver_cmp(&a->semver, semver);
    return order != 0 ? order : qd_str_cmp(a->version, text);
}

/* The place of the first version that is not below this one. */
static size_t place_of(const qd_udf_function *f, const qd_semver *semver, qd_str text)
{
    size_t low = 0, high = f->n_versions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cmp_version(f->versions[middle], semver, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- finding ---- */

void qd_udf_function_free(void *function)
{
    qd_udf_function *f = function;
    if (!f)
        return;
    for (size_t i = 0; i < f->n_versions; i++)
        qd_udf_version_unref(f->versions[i]);
    free(f->versions);
    free(f);
}

qd_udf_function *qd_registry_find(const qd_registry *r, qd_str name)
{
    qd_udf_function *f = qd_map_get(r->functions, name);
    return f && f->n_versions > 0 ? f : NULL; /* without any it is about to be registered */
}

qd_udf_version *qd_udf_function_find(const qd_udf_function *f, qd_str version)
{
    qd_semver semver = {0};
    (void)qd_semver_parse(version, &semver);
    size_t at = place_of(f, &semver, version);
    return at < f->n_versions && qd_str_eq(f->versions[at]->version, version) ? f->versions[at] : NULL;
}

qd_udf_version *qd_registry_find_label(const qd_registry *r, qd_str label)
{
    const char *at = label.n > 0 ? memchr(label.p, '@', label.n) : NULL;
    if (!at)
        return NULL;
    qd_str name = {label.p, (size_t)(at - label.p)}, version = {at + 1, label.n - name.n - 1};
    const qd_udf_function *f = qd_registry_find(r, name);
    return f ? qd_udf_function_find(f, version) : NULL;
}

qd_udf_version *qd_udf_function_latest(const qd_udf_function *f)
{
    for (size_t i = f->n_versions; i-- > 0;)
        if (f->versions[i]->semver.pre.n == 0)
            return f->versions[i];
    return f->versions[f->n_versions - 1];
}

/* The newest are the likeliest to be meant. */
static void list_versions(const qd_udf_function *f, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = f->n_versions; i-- > 0 && n < size - 80;)
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? ", " : "", QD_STR_FMT(f->versions[i]->version));
}

static qd_status find_range(const qd_udf_function *f, qd_str version, qd_udf_version **out, qd_error *err)
{
    qd_semver_range range;
    qd_status st = qd_semver_range_parse(version, &range, err);
    for (size_t i = f->n_versions; st == QD_OK && i-- > 0;) {
        if (qd_semver_range_has(&range, &f->versions[i]->semver)) {
            *out = f->versions[i];
            return QD_OK;
        }
    }
    return st;
}

/* The message says what is unknown; whoever shows the error wants both apart as well. */
static qd_status unknown(qd_str name, qd_str version, qd_error *err)
{
    qd_error_mark_function(err, name);
    qd_error_mark_version(err, version);
    return QD_EUDF_NOTFOUND;
}

qd_status qd_registry_resolve_version(const qd_registry *r, qd_str name, qd_str version, qd_udf_function **of,
                                      qd_udf_version **out, qd_error *err)
{
    char list[256] = "";
    qd_udf_version *v = NULL;
    qd_semver whole;
    bool wants_active = version.n == 0 || qd_str_is(version, "active"), is_range = false;
    qd_udf_function *f = qd_registry_find(r, name);
    if (!f) {
        qd_fail_field(err, QD_EUDF_NOTFOUND, "name", "no function '%.*s'%s%.*s is registered", QD_STR_FMT(name),
                      wants_active ? "" : " version ", QD_STR_FMT(wants_active ? QD_STR("") : version));
        return unknown(name, wants_active ? QD_STR("") : version, err);
    }
    if (wants_active) {
        v = f->active;
    } else if (qd_str_is(version, "latest")) {
        v = qd_udf_function_latest(f);
    } else if (qd_semver_parse(version, &whole)) {
        v = qd_udf_function_find(f, version);
    } else {
        is_range = true;
        qd_status st = find_range(f, version, &v, err);
        if (st != QD_OK) {
            qd_error_prefix(err, "function '%.*s': ", QD_STR_FMT(name));
            return st;
        }
    }
    if (v) {
        if (of)
            *of = f;
        *out = v;
        return QD_OK;
    }
    list_versions(f, list, sizeof list);
    if (wants_active)
        return qd_fail_field(err, QD_EUDF_NOTFOUND, "version",
                             "function '%.*s' has no active version; activate one of %s or ask for one",
                             QD_STR_FMT(name), list);
    qd_fail_field(err, QD_EUDF_NOTFOUND, "version", "function '%.*s' has no version %s'%.*s'; it has %s",
                  QD_STR_FMT(name), is_range ? "in the range " : "", QD_STR_FMT(version), list);
    return unknown(name, version, err);
}

/* ---- changing ---- */

static bool grow(void **items, size_t *capacity, size_t n)
{
    size_t more = *capacity ? 2 * *capacity : 4;
    if (n < *capacity)
        return true;
    void *grown = realloc(*items, more * sizeof(void *));
    if (!grown)
        return false;
    *items = grown;
    *capacity = more;
    return true;
}

/* The place of a name among the sorted functions. */
static size_t place_of_name(const qd_registry *r, qd_str name)
{
    size_t low = 0, high = r->n_functions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (qd_str_cmp(qd_str_of(r->sorted[middle]->name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A function without versions: nobody finds it. */
static qd_udf_function *add_function(qd_registry *r, qd_str name)
{
    qd_udf_function *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    snprintf(f->name, sizeof f->name, "%.*s", QD_STR_FMT(name));
    if (!qd_map_put(r->functions, name, f, NULL)) {
        free(f);
        return NULL;
    }
    return f;
}

qd_status qd_registry_reserve(qd_registry *r, qd_str name, qd_str hash, qd_error *err)
{
    pthread_rwlock_wrlock(&r->table_lock);
    qd_udf_function *f = qd_map_get(r->functions, name);
    bool ok = grow((void **)&r->sorted, &r->capacity, r->n_functions) && (f || (f = add_function(r, name))) &&
              grow((void **)&f->versions, &f->capacity, f->n_versions) &&
              qd_map_put(r->modules, hash, qd_map_get(r->modules, hash), NULL);
    pthread_rwlock_unlock(&r->table_lock);
    return ok ? QD_OK : qd_fail_nomem(err);
}

void qd_registry_cancel(qd_registry *r, qd_str name, qd_str hash)
{
    pthread_rwlock_wrlock(&r->table_lock);
    qd_udf_function *f = qd_map_get(r->functions, name);
    if (f && f->n_versions == 0)
        qd_udf_function_free(qd_map_remove(r->functions, name));
    pthread_rwlock_unlock(&r->table_lock);
    if (qd_registry_count_module(r, hash) == 0)
        (void)qd_map_remove(r->modules, hash);
}

size_t qd_registry_count_module(const qd_registry *r, qd_str hash)
{
    return (size_t)(uintptr_t)qd_map_get(r->modules, hash);
}

/* The key is there: qd_registry_reserve or an earlier version put it. */
static void set_module_count(qd_registry *r, qd_str hash, size_t n)
{
    if (n > 0)
        (void)qd_map_put(r->modules, hash, (void *)(uintptr_t)n, NULL);
    else
        (void)qd_map_remove(r->modules, hash);
}

qd_udf_function *qd_registry_insert(qd_registry *r, qd_udf_version *v, qd_udf_version **replaced)
{
    qd_udf_function *f = qd_map_get(r->functions, v->name);
    *replaced = qd_udf_function_find(f, v->version);
    size_t at = place_of(f, &v->semver, v->version);
    if (*replaced) {
        v->n_dependents = (*replaced)->n_dependents;
        (*replaced)->is_removed = true;
        if (f->active == *replaced)
            f->active = v;
        f->versions[at] = v;
        return f; /* the same module, or it would not replace it */
    }
    memmove(&f->versions[at + 1], &f->versions[at], (f->n_versions++ - at) * sizeof *f->versions);
    f->versions[at] = v;
    if (f->n_versions == 1) {
        at = place_of_name(r, v->name);
        memmove(&r->sorted[at + 1], &r->sorted[at], (r->n_functions++ - at) * sizeof *r->sorted);
        r->sorted[at] = f;
    }
    r->n_versions++;
    set_module_count(r, v->record.hash, qd_registry_count_module(r, v->record.hash) + 1);
    return f;
}

void qd_registry_take(qd_registry *r, qd_udf_function *f, qd_udf_version *v)
{
    size_t at = place_of(f, &v->semver, v->version);
    memmove(&f->versions[at], &f->versions[at + 1], (--f->n_versions - at) * sizeof *f->versions);
    v->is_removed = true;
    if (f->active == v)
        f->active = NULL;
    r->n_versions--;
    set_module_count(r, v->record.hash, qd_registry_count_module(r, v->record.hash) - 1);
    if (f->n_versions > 0)
        return;
    at = place_of_name(r, v->name);
    memmove(&r->sorted[at], &r->sorted[at + 1], (--r->n_functions - at) * sizeof *r->sorted);
    qd_udf_function_free(qd_map_remove(r->functions, v->name));
}

void qd_registry_tell(const qd_registry *r, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    if (!r->log)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    r->log(r->log_arg, line);
}
