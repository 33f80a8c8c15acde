/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_table.h"

#include <stdio.h>
#include <stdlib.h>

qd_udf_version *qd_udf_version_new(qd_str version, const char *hash, uint64_t wasm_size, int64_t registered_at_ms,
                                   json_t *manifest, qd_udf *udf)
{
    qd_udf_version *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    snprintf(v->version, sizeof v->version, "%.*s", QD_STR_FMT(version));
    snprintf(v->hash, sizeof v->hash, "%s", hash);
    if (!qd_semver_parse(qd_str_of(v->version), &v->semver))
        v->semver = (qd_semver){0}; /* a stored one that newer rules refuse: lowest, so that it is never "latest" */
    v->wasm_size = wasm_size;
    v->registered_at_ms = registered_at_ms;
    v->manifest = json_incref(manifest);
    v->udf = udf;
    if (udf)
        qd_udf_ref(udf);
    return v;
}

void qd_udf_version_free(qd_udf_version *v)
{
    if (!v)
        return;
    json_decref(v->manifest);
    qd_udf_unref(v->udf);
    free(v);
}

void qd_udf_function_free(void *function)
{
    qd_udf_function *f = function;
    if (!f)
        return;
    for (size_t i = 0; i < f->n_versions; i++)
        qd_udf_version_free(f->versions[i]);
    free(f->versions);
    free(f);
}

qd_udf_function *qd_registry_find(const qd_registry *r, qd_str name)
{
    return qd_map_get(r->functions, name);
}

qd_udf_version *qd_udf_function_find(const qd_udf_function *f, qd_str version)
{
    if (version.n == 0)
        return f->active;
    for (size_t i = 0; i < f->n_versions; i++)
        if (qd_str_is(version, f->versions[i]->version))
            return f->versions[i];
    return NULL;
}

qd_status qd_registry_fail_unknown(const qd_udf_function *f, qd_str name, qd_str version, qd_error *err)
{
    char list[256] = "";
    size_t n = 0;
    if (!f)
        return qd_fail_field(err, QD_EUDF_NOTFOUND, "name", "no function '%.*s'%s%.*s is registered", QD_STR_FMT(name),
                             version.n ? " version " : "", QD_STR_FMT(version));
    /* The newest are the likeliest to be meant. */
    for (size_t i = f->n_versions; i-- > 0 && n < sizeof list - 80;)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", f->versions[i]->version);
    return qd_fail_field(err, QD_EUDF_NOTFOUND, "version", "function '%.*s' has no version '%.*s'; it has %s",
                         QD_STR_FMT(name), QD_STR_FMT(version), list);
}

qd_status qd_registry_reserve(qd_registry *r, qd_str name, qd_udf_function **out, bool *is_new, qd_error *err)
{
    qd_udf_function *f = qd_registry_find(r, name);
    *is_new = f == NULL;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (!f)
            return qd_fail_nomem(err);
        snprintf(f->name, sizeof f->name, "%.*s", QD_STR_FMT(name));
    }
    if (f->n_versions == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 4;
        qd_udf_version **versions = realloc(f->versions, capacity * sizeof *versions);
        if (!versions) {
            if (*is_new)
                qd_udf_function_free(f);
            return qd_fail_nomem(err);
        }
        f->versions = versions;
        f->capacity = capacity;
    }
    *out = f;
    return QD_OK;
}

/* Versions that differ only in build metadata are equal in precedence: ordered by their text. */
static int cmp_versions(const qd_udf_version *a, const qd_udf_version *b)
{
    int order = qd_semver_cmp(&a->semver, &b->semver);
    return order != 0 ? order : strcmp(a->version, b->version);
}

void qd_udf_function_insert(qd_udf_function *f, qd_udf_version *v)
{
    size_t at = f->n_versions;
    for (; at > 0 && cmp_versions(f->versions[at - 1], v) > 0; at--)
        f->versions[at] = f->versions[at - 1];
    f->versions[at] = v;
    f->n_versions++;
    if (!f->active)
        f->active = v;
}

void qd_udf_function_take(qd_udf_function *f, qd_udf_version *v)
{
    size_t at = 0;
    while (at < f->n_versions && f->versions[at] != v)
        at++;
    if (at == f->n_versions)
        return;
    memmove(&f->versions[at], &f->versions[at + 1], (f->n_versions - at - 1) * sizeof *f->versions);
    f->n_versions--;
    if (f->active == v)
        f->active = f->n_versions ? f->versions[f->n_versions - 1] : NULL;
    if (strcmp(f->previous, v->version) == 0)
        f->previous[0] = 0;
}
