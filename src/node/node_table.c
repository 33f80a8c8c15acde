/* SPDX-License-Identifier: Apache-2.0
 *
 * Names to indices: create, delete, find, resolve expressions. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/files.h"
#include "node/names.h"
#include "node/node_internal.h"

static qd_status fail_absent(qd_str name, qd_error *err)
{
    return qd_fail(err, QD_EINDEX_NOTFOUND, "no such index [%.*s]", QD_STR_FMT(name));
}

/* ---- finding ---- */

qd_status qd_node_index(qd_node *n, qd_str name, qd_index **out, qd_error *err)
{
    pthread_rwlock_rdlock(&n->table_lock);
    qd_index *ix = qd_map_get(n->indices, name);
    const qd_broken_index *broken = ix ? NULL : qd_map_get(n->broken, name);
    qd_status st = ix ? QD_OK : broken ? QD_EINDEX_FAILED : fail_absent(name, err);
    if (ix)
        *out = qd_index_ref(ix);
    else if (broken && err)
        *err = broken->why;
    pthread_rwlock_unlock(&n->table_lock);
    return st;
}

void qd_node_release(qd_index **indices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        qd_index_unref(indices[i]);
    free(indices);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(qd_index_name(*(qd_index *const *)a), qd_index_name(*(qd_index *const *)b));
}

qd_status qd_node_all(qd_node *n, qd_index ***out, size_t *count, qd_error *err)
{
    void *value;
    size_t found = 0;
    pthread_rwlock_rdlock(&n->table_lock);
    qd_index **indices = calloc(qd_map_count(n->indices) + 1, sizeof *indices);
    for (size_t i = 0; indices && qd_map_next(n->indices, &i, NULL, &value);)
        indices[found++] = qd_index_ref(value);
    pthread_rwlock_unlock(&n->table_lock);
    if (!indices)
        return qd_fail_nomem(err);
    qsort(indices, found, sizeof(qd_index *), compare_names);
    *out = indices;
    *count = found;
    return QD_OK;
}

/* ---- expressions ---- */

typedef struct selection {
    qd_index **indices;
    size_t count, capacity;
    bool skips_unopened; /* which are an error else */
} selection;

/* Cuts the part before the first comma off; false: nothing is left. */
static bool next_part(qd_str *expression, bool *is_last, qd_str *part)
{
    if (*is_last)
        return false;
    const char *comma = expression->n ? memchr(expression->p, ',', expression->n) : NULL;
    *part = (qd_str){expression->p, comma ? (size_t)(comma - expression->p) : expression->n};
    *is_last = !comma;
    if (comma)
        *expression = (qd_str){comma + 1, expression->n - part->n - 1};
    return true;
}

static bool means_all(qd_str part)
{
    return part.n == 0 || qd_str_is(part, "_all");
}

static qd_status select_one(selection *s, qd_index *ix, qd_error *err)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->indices[i] == ix)
            return QD_OK;
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 8;
        qd_index **grown = realloc(s->indices, capacity * sizeof(qd_index *));
        if (!grown)
            return qd_fail_nomem(err);
        s->indices = grown;
        s->capacity = capacity;
    }
    s->indices[s->count++] = qd_index_ref(ix);
    return QD_OK;
}

static qd_status select_matching(qd_node *n, qd_str pattern, selection *s, qd_error *err)
{
    qd_index **all = NULL;
    size_t count = 0;
    qd_status st = qd_node_all(n, &all, &count, err);
    for (size_t i = 0; i < count && st == QD_OK; i++)
        if (qd_index_name_matches(pattern, qd_str_of(qd_index_name(all[i]))))
            st = select_one(s, all[i], err);
    qd_node_release(all, count);
    return st;
}

static qd_status select_part(qd_node *n, qd_str part, selection *s, qd_error *err)
{
    qd_index *ix = NULL;
    if (means_all(part))
        return select_matching(n, QD_STR("*"), s, err);
    if (memchr(part.p, '*', part.n))
        return select_matching(n, part, s, err);
    qd_status st = qd_node_index(n, part, &ix, err);
    if (st == QD_OK)
        st = select_one(s, ix, err);
    qd_index_unref(ix);
    return st == QD_EINDEX_FAILED && s->skips_unopened ? QD_OK : st;
}

/* On failure nothing stays selected. */
static qd_status select_all(qd_node *n, qd_str expression, selection *s, qd_error *err)
{
    qd_status st = QD_OK;
    qd_str part;
    for (bool is_last = false; st == QD_OK && next_part(&expression, &is_last, &part);)
        st = select_part(n, part, s, err);
    if (st != QD_OK)
        qd_node_release(s->indices, s->count);
    return st;
}

qd_status qd_node_resolve(qd_node *n, qd_str expression, qd_index ***out, size_t *count, qd_error *err)
{
    selection s = {0};
    qd_status st = select_all(n, expression, &s, err);
    if (st != QD_OK)
        return st;
    *out = s.indices;
    *count = s.count;
    return QD_OK;
}

/* ---- health ---- */

static bool is_meant(qd_str expression, qd_str name)
{
    qd_str part;
    for (bool is_last = false; next_part(&expression, &is_last, &part);)
        if (means_all(part) || qd_index_name_matches(part, name))
            return true;
    return false;
}

static size_t count_unopened(qd_node *n, qd_str expression)
{
    qd_str name;
    size_t count = 0;
    pthread_rwlock_rdlock(&n->table_lock);
    for (size_t i = 0; qd_map_next(n->broken, &i, &name, NULL);)
        count += is_meant(expression, name);
    pthread_rwlock_unlock(&n->table_lock);
    return count;
}

qd_status qd_node_health_get(qd_node *n, qd_str expression, qd_node_health *out, qd_error *err)
{
    selection s = {.skips_unopened = true};
    qd_status st = select_all(n, expression, &s, err);
    if (st != QD_OK)
        return st;
    qd_node_health h = {.unopened = count_unopened(n, expression), .healed = atomic_load(&n->healed)};
    for (size_t i = 0; i < s.count; i++)
        *(qd_index_has_failed(s.indices[i]) ? &h.failed : &h.active) += 1;
    qd_node_release(s.indices, s.count);
    *out = h;
    return QD_OK;
}

/* ---- creating ---- */

static qd_status check_new_name(qd_node *n, qd_str name, qd_error *err)
{
    qd_status st = qd_index_name_check(name, err);
    if (st != QD_OK)
        return st;
    pthread_rwlock_rdlock(&n->table_lock);
    const qd_index *present = qd_map_get(n->indices, name);
    const qd_broken_index *broken = qd_map_get(n->broken, name);
    size_t count = qd_map_count(n->indices) + qd_map_count(n->broken);
    if (present || broken)
        st = qd_fail(err, QD_EINDEX_EXISTS, "index [%.*s/%s] already exists", QD_STR_FMT(name),
                     present ? qd_index_uuid(present) : broken->uuid);
    else if (count >= n->options.max_indices)
        st = qd_fail(err, QD_ELIMIT, "cannot create index [%.*s]: there are %zu, and no more are allowed; delete some",
                     QD_STR_FMT(name), count);
    pthread_rwlock_unlock(&n->table_lock);
    return st;
}

static qd_status read_body(qd_node *n, const json_t *body, qd_definition *d, qd_error *err)
{
    static const char *const ALLOWED[] = {"settings", "mappings", "aliases", NULL};
    static const char *const MAPPING_ALLOWED[] = {"dynamic", "properties", NULL};
    const json_t *mappings = body ? json_object_get(body, "mappings") : NULL,
                 *aliases = body ? json_object_get(body, "aliases") : NULL;
    if (body && !json_is_object(body))
        return qd_fail(err, QD_EINVAL, "create index: expected an object, got %s", qd_json_type_name(body));
    qd_status st = body ? qd_json_only(body, "create index", ALLOWED, QD_EPARSE, err) : QD_OK;
    if (st == QD_OK && aliases && json_object_size(aliases) > 0)
        st = qd_fail(err, QD_EUNSUPPORTED, "create index: 'aliases' are not supported yet");
    if (st == QD_OK && json_is_object(mappings))
        st = qd_json_only(mappings, "mapping", MAPPING_ALLOWED, QD_EMAPPING, err);
    if (st == QD_OK)
        st = qd_settings_read(body ? json_object_get(body, "settings") : NULL, n->options.refresh_interval_ms,
                              &d->settings, err);
    return st == QD_OK ? qd_mapping_new(mappings, d->settings.max_fields, &d->mapping, err) : st;
}

/* The files of a new index, durable before anything refers to them. */
static qd_status make_files(qd_node *n, const char *dir, const qd_mapping *m, qd_error *err)
{
    char *data = NULL;
    if (asprintf(&data, "%s/data", dir) < 0)
        return qd_fail_nomem(err);
    qd_status st = qd_dir_make(dir, err);
    if (st == QD_OK)
        st = qd_dir_make(data, err);
    if (st == QD_OK)
        st = qd_shard_create(data, m, err);
    if (st == QD_OK)
        st = qd_dir_sync(dir, err);
    if (st == QD_OK)
        st = qd_dir_sync(n->indices_dir, err);
    free(data);
    return st;
}

static qd_status publish(qd_node *n, const char *name, qd_index *ix, qd_error *err)
{
    pthread_rwlock_wrlock(&n->table_lock);
    bool ok = qd_map_put(n->indices, qd_str_of(name), ix, NULL);
    pthread_rwlock_unlock(&n->table_lock);
    return ok ? QD_OK : qd_fail_nomem(err);
}

/* Files, then the definition that refers to them, then the table. `d` is taken. */
static qd_status create(qd_node *n, const char *name, qd_definition *d, qd_error *err)
{
    qd_index *ix = NULL;
    uint64_t replayed = 0;
    bool is_defined = false;
    qd_status st = qd_uuid_new(d->uuid, err);
    char *dir = st == QD_OK ? qd_node_index_dir(n, d->uuid) : NULL;
    d->created_ms = qd_clock_wall_ms();
    if (st == QD_OK && !dir)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        st = make_files(n, dir, d->mapping, err);
    if (st == QD_OK) {
        st = qd_definition_put(n->kv, name, d, QD_KV_ABSENT, &d->revision, err);
        is_defined = st == QD_OK;
    }
    if (st == QD_OK)
        st = qd_index_open(&n->host, name, dir, d, &ix, &replayed, err);
    else
        qd_definition_deinit(d);
    if (st == QD_OK)
        st = publish(n, name, ix, err);
    if (st != QD_OK) {
        qd_index_unref(ix);
        if (is_defined)
            (void)qd_kv_remove(n->kv, QD_DEFINITION_BUCKET, qd_str_of(name), QD_KV_ANY, NULL);
        if (dir)
            (void)qd_dir_remove(dir, NULL);
    }
    free(dir);
    return st;
}

qd_status qd_node_create_index(qd_node *n, qd_str name, const json_t *body, qd_error *err)
{
    qd_definition d = {0};
    char *z = NULL;
    pthread_mutex_lock(&n->create_mutex);
    qd_status st = check_new_name(n, name, err);
    if (st == QD_OK)
        st = read_body(n, body, &d, err);
    if (st == QD_OK && !(z = qd_str_dup(name)))
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        st = create(n, z, &d, err);
    else
        qd_definition_deinit(&d);
    pthread_mutex_unlock(&n->create_mutex);
    free(z);
    return st;
}

qd_status qd_node_index_or_create(qd_node *n, qd_str name, qd_index **out, qd_error *err)
{
    qd_status st = qd_node_index(n, name, out, err);
    if (st != QD_EINDEX_NOTFOUND)
        return st;
    st = qd_node_create_index(n, name, NULL, err);
    return st == QD_OK || st == QD_EINDEX_EXISTS ? qd_node_index(n, name, out, err) : st;
}

/* ---- deleting ---- */

static void forget(qd_node *n, qd_str name, qd_index **ix, qd_broken_index **broken)
{
    pthread_rwlock_wrlock(&n->table_lock);
    *ix = qd_map_remove(n->indices, name);
    *broken = *ix ? NULL : qd_map_remove(n->broken, name);
    pthread_rwlock_unlock(&n->table_lock);
}

static void remove_broken_files(qd_node *n, const qd_broken_index *broken)
{
    char *dir = *broken->uuid ? qd_node_index_dir(n, broken->uuid) : NULL;
    qd_error err = QD_ERROR_INIT;
    if (dir && qd_dir_remove(dir, &err) != QD_OK)
        qd_node_logf(n, "%s", err.message);
    free(dir);
}

/* The store needs a little room to forget something. A full disk must not keep anyone from making room. */
static qd_status remove_definition(qd_node *n, qd_str name, qd_error *err)
{
    qd_status st = qd_kv_remove(n->kv, QD_DEFINITION_BUCKET, name, QD_KV_ANY, err);
    if (st == QD_EIO && unlink(n->reserve_path) == 0)
        st = qd_kv_remove(n->kv, QD_DEFINITION_BUCKET, name, QD_KV_ANY, err);
    return st;
}

qd_status qd_node_delete_index(qd_node *n, qd_str name, qd_error *err)
{
    qd_index *ix = NULL;
    qd_broken_index *broken = NULL;
    pthread_mutex_lock(&n->create_mutex);
    qd_status st = qd_node_index(n, name, &ix, err);
    if (st == QD_OK || st == QD_EINDEX_FAILED) {
        qd_index_unref(QD_TAKE(ix));
        st = remove_definition(n, name, err);
    }
    if (st == QD_OK)
        forget(n, name, &ix, &broken);
    if (ix)
        qd_index_mark_deleted(ix);
    if (broken)
        remove_broken_files(n, broken);
    pthread_mutex_unlock(&n->create_mutex);
    qd_index_unref(ix);
    free(broken);
    qd_file_reserve(n->reserve_path, QD_NODE_RESERVE_BYTES);
    return st;
}
