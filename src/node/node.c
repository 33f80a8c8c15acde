/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/files.h"
#include "node/node_internal.h"

#define META_MAX_BYTES    ((size_t)16 << 30)
#define MIN_MAX_LOG_BYTES ((size_t)16 << 20)

void qd_node_logf(qd_node *n, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    if (!n->options.log)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    n->options.log(n->options.log_arg, line);
}

char *qd_node_index_dir(const qd_node *n, const char *uuid)
{
    char *dir = NULL;
    return asprintf(&dir, "%s/%s", n->indices_dir, uuid) < 0 ? NULL : dir;
}

qd_kv *qd_node_kv(qd_node *n)
{
    return n->kv;
}

/* ---- recovery of all ---- */

typedef struct recovery {
    qd_node *n;
    qd_status st;
    qd_error *err;
} recovery;

static qd_status note_broken(qd_node *n, const char *name, const char *uuid, const qd_error *why, qd_error *err)
{
    qd_broken_index *broken = calloc(1, sizeof *broken);
    if (!broken || !qd_map_put(n->broken, qd_str_of(name), broken, NULL)) {
        free(broken);
        return qd_fail_nomem(err);
    }
    memcpy(broken->uuid, uuid, strlen(uuid) + 1);
    broken->why = *why;
    broken->why.code = QD_EINDEX_FAILED;
    qd_error_append(&broken->why, "; opening it is tried again by itself");
    qd_node_logf(n, "not opened: %s", why->message);
    return QD_OK;
}

/* `uuid` is set as soon as it is known, on failure too. */
static qd_status open_defined(qd_node *n, const char *name, qd_str bytes, uint64_t revision, char uuid[QD_UUID_SIZE],
                              qd_index **out, uint64_t *replayed, qd_error *err)
{
    qd_definition d;
    qd_status st = qd_definition_read(name, bytes, revision, n->options.refresh_interval_ms, &d, err);
    if (st != QD_OK)
        return st;
    memcpy(uuid, d.uuid, sizeof d.uuid);
    char *dir = qd_node_index_dir(n, d.uuid);
    if (dir) {
        st = qd_index_open(&n->host, name, dir, &d, out, replayed, err);
    } else {
        st = qd_fail_nomem(err);
        qd_definition_deinit(&d);
    }
    free(dir);
    return st;
}

qd_status qd_node_open_broken(qd_node *n, const char *name, uint64_t *replayed, qd_error *err)
{
    qd_buf bytes;
    qd_index *ix = NULL;
    qd_broken_index *broken = NULL;
    char uuid[QD_UUID_SIZE] = "";
    uint64_t revision = 0, count = 0;
    qd_buf_init(&bytes, SIZE_MAX);
    qd_status st = qd_kv_get(n->kv, QD_DEFINITION_BUCKET, qd_str_of(name), &bytes, &revision, err);
    if (st == QD_OK)
        st = open_defined(n, name, qd_buf_str(&bytes), revision, uuid, &ix, &count, err);
    qd_buf_deinit(&bytes);
    if (st != QD_OK)
        return st;
    pthread_rwlock_wrlock(&n->table_lock);
    bool is_kept = qd_map_put(n->indices, qd_str_of(name), ix, NULL);
    if (is_kept)
        broken = qd_map_remove(n->broken, qd_str_of(name));
    pthread_rwlock_unlock(&n->table_lock);
    free(broken);
    if (!is_kept) {
        qd_index_unref(ix);
        return qd_fail_nomem(err);
    }
    *replayed = count;
    return QD_OK;
}

/* An index that cannot be opened does not keep the others from it. */
static qd_status recover_one(qd_node *n, const char *name, qd_str bytes, uint64_t revision, qd_error *err)
{
    qd_error why = QD_ERROR_INIT;
    qd_index *ix = NULL;
    uint64_t replayed = 0;
    char uuid[QD_UUID_SIZE] = "";
    qd_status st = open_defined(n, name, bytes, revision, uuid, &ix, &replayed, &why);
    if (st != QD_OK)
        return note_broken(n, name, uuid, &why, err);
    if (!qd_map_put(n->indices, qd_str_of(name), ix, NULL)) {
        qd_index_unref(ix);
        return qd_fail_nomem(err);
    }
    if (replayed > 0)
        qd_node_logf(n, "index '%s': replayed %llu operations", name, (unsigned long long)replayed);
    return QD_OK;
}

static bool on_definition(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    recovery *r = arg;
    char *name = qd_str_dup(key);
    r->st = name ? recover_one(r->n, name, value, revision, r->err) : qd_fail_nomem(r->err);
    free(name);
    return r->st == QD_OK;
}

/* Does a definition refer to the directory? When some definition is unreadable, nobody knows: keep it. */
static bool is_used(const qd_node *n, const char *uuid)
{
    void *value;
    for (size_t i = 0; qd_map_next(n->indices, &i, NULL, &value);)
        if (strcmp(qd_index_uuid(value), uuid) == 0)
            return true;
    for (size_t i = 0; qd_map_next(n->broken, &i, NULL, &value);) {
        const char *broken = ((const qd_broken_index *)value)->uuid;
        if (*broken == '\0' || strcmp(broken, uuid) == 0)
            return true;
    }
    return false;
}

/* What a creation or a deletion that was cut short has left. Only names that we give are touched. */
static void remove_orphans(qd_node *n)
{
    DIR *dir = opendir(n->indices_dir);
    const struct dirent *e;
    while (dir && (e = readdir(dir)) != NULL) {
        qd_error err = QD_ERROR_INIT;
        if (!qd_uuid_is_valid(qd_str_of(e->d_name)) || is_used(n, e->d_name))
            continue;
        char *path = qd_node_index_dir(n, e->d_name);
        if (path && qd_dir_remove(path, &err) == QD_OK)
            qd_node_logf(n, "removed '%s': no index refers to it", path);
        else
            qd_node_logf(n, "%s", path ? err.message : "out of memory");
        free(path);
    }
    if (dir)
        closedir(dir);
}

qd_status qd_node_recover(qd_node *n, qd_error *err)
{
    recovery r = {n, QD_OK, err};
    qd_status st = qd_kv_visit(n->kv, QD_DEFINITION_BUCKET, (qd_str){"", 0}, on_definition, &r, err);
    if (st == QD_OK)
        st = r.st;
    if (st == QD_OK)
        remove_orphans(n);
    return st;
}

/* ---- opening and closing ---- */

static void on_wants_refresh(void *arg, bool is_urgent)
{
    (void)is_urgent; /* the index says so itself when asked for its due time */
    qd_node *n = arg;
    qd_ticker_wake(&n->refresher);
}

static void on_has_failed(void *arg)
{
    qd_node *n = arg;
    qd_ticker_wake(&n->healer);
}

static void on_index_log(void *arg, const char *line)
{
    qd_node_logf(arg, "%s", line);
}

static qd_status check_options(const qd_node_options *o, qd_error *err)
{
    if (!o->data_dir || !*o->data_dir)
        return qd_fail(err, QD_EINVAL, "the data directory is not given");
    if (o->max_log_bytes < MIN_MAX_LOG_BYTES)
        return qd_fail(err, QD_EINVAL, "an op log of at most %zu bytes is too small: expected at least %zu",
                       o->max_log_bytes, MIN_MAX_LOG_BYTES);
    return QD_OK;
}

static void init_locks(qd_node *n)
{
    pthread_mutex_init(&n->create_mutex, NULL);
    pthread_rwlock_init(&n->table_lock, NULL);
    qd_ticker_init(&n->refresher, "refresh", qd_node_refresh_due, n);
    qd_ticker_init(&n->healer, "heal", qd_node_heal_due, n);
}

/* The directory, its lock, the kv. */
static qd_status open_store(qd_node *n, qd_error *err)
{
    char *lock = NULL, *meta = NULL;
    qd_status st = QD_OK;
    n->data_dir = strdup(n->options.data_dir);
    if (!n->data_dir || asprintf(&n->indices_dir, "%s/indices", n->data_dir) < 0 ||
        asprintf(&n->reserve_path, "%s/reserve", n->data_dir) < 0 || asprintf(&lock, "%s/node.lock", n->data_dir) < 0 ||
        asprintf(&meta, "%s/meta", n->data_dir) < 0)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        st = qd_dir_make(n->data_dir, err);
    if (st == QD_OK)
        st = qd_file_lock(lock, &n->lock_fd, err);
    if (st == QD_OK)
        st = qd_dir_make(n->indices_dir, err);
    if (st == QD_OK)
        st = qd_kv_lmdb_open(meta, META_MAX_BYTES, &n->kv, err);
    if (st == QD_OK)
        qd_file_reserve(n->reserve_path, QD_NODE_RESERVE_BYTES);
    if (st == QD_OK)
        st = qd_dir_sync(n->data_dir, err);
    free(lock);
    free(meta);
    return st;
}

qd_status qd_node_open(const qd_node_options *options, qd_node **out, qd_error *err)
{
    qd_status st = check_options(options, err);
    if (st != QD_OK)
        return st;
    qd_node *n = calloc(1, sizeof *n);
    if (!n)
        return qd_fail_nomem(err);
    n->options = *options;
    n->lock_fd = -1;
    n->trim_due_ns = INT64_MAX;
    init_locks(n);
    n->indices = qd_map_new();
    n->broken = qd_map_new();
    st = n->indices && n->broken ? open_store(n, err) : qd_fail_nomem(err);
    n->host = (qd_index_host){
        n->kv, options->writer_memory_bytes, options->max_log_bytes, on_wants_refresh, on_has_failed, on_index_log, n};
    if (st == QD_OK)
        st = qd_node_recover(n, err);
    if (st == QD_OK)
        st = qd_ticker_start(&n->refresher, err);
    if (st == QD_OK)
        st = qd_ticker_start(&n->healer, err);
    if (st == QD_OK)
        *out = QD_TAKE(n);
    qd_node_close(n);
    return st;
}

static void close_index(void *value)
{
    qd_index *ix = value;
    (void)qd_index_refresh(ix, NULL); /* spares the next start the replay; what fails here is in the log */
    qd_index_unref(ix);
}

void qd_node_close(qd_node *n)
{
    if (!n)
        return;
    qd_ticker_stop(&n->refresher);
    qd_ticker_stop(&n->healer);
    qd_map_free(n->indices, close_index);
    qd_map_free(n->broken, free);
    qd_kv_close(n->kv);
    if (n->lock_fd >= 0)
        close(n->lock_fd);
    pthread_mutex_destroy(&n->create_mutex);
    pthread_rwlock_destroy(&n->table_lock);
    qd_ticker_deinit(&n->refresher);
    qd_ticker_deinit(&n->healer);
    free(n->data_dir);
    free(n->indices_dir);
    free(n->reserve_path);
    free(n);
}
