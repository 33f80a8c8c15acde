/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lmdb_env.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_MAP_BYTES  ((size_t)64 << 20)
#define EXCEED_MAP_BYTES ((size_t)4 << 20)
#define MAX_READERS      1024
#define MAX_DATABASES    4 /* with names */

qd_status qd_lmdb_fail(const qd_lmdb *l, int rc, const char *doing, qd_error *err)
{
    if (rc == ENOMEM)
        return qd_fail_nomem(err);
    if (rc == MDB_READERS_FULL)
        return qd_fail(err, QD_EBUSY, "%s '%s': %s: %d readers at work at once; try again", l->what, l->dir, doing,
                       MAX_READERS);
    if (rc == MDB_MAP_FULL)
        return qd_fail(err, QD_ELIMIT, "%s '%s': %s: its limit of %zu bytes is reached", l->what, l->dir, doing,
                       l->max_bytes);
    return qd_fail(err, QD_EIO, "%s '%s': %s: %s", l->what, l->dir, doing, mdb_strerror(rc));
}

static size_t round_to_page(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t least = 16 * page;
    return bytes < least ? least : bytes / page * page;
}

/* A new directory's entry must survive power loss as well as what is written in it. */
static int sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int rc = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return rc;
}

static int sync_parent_directory(const char *dir)
{
    char *copy = strdup(dir);
    if (!copy)
        return ENOMEM;
    int rc = sync_directory(dirname(copy));
    free(copy);
    return rc;
}

static int open_env(qd_lmdb *l, unsigned db_flags)
{
    MDB_txn *txn = NULL;
    MDB_envinfo info;
    if (mkdir(l->dir, 0700) != 0 && errno != EEXIST)
        return errno;
    int rc = mdb_env_create(&l->env);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(l->env, MAX_READERS);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(l->env, MAX_DATABASES);
    if (rc == 0)
        rc = mdb_env_set_mapsize(l->env, l->max_bytes < FIRST_MAP_BYTES ? l->max_bytes : FIRST_MAP_BYTES);
    if (rc == 0)
        rc = mdb_env_open(l->env, l->dir, MDB_NOTLS, 0600);
    /* A bigger file that was there already has raised the map's size. */
    if (rc == 0)
        rc = mdb_env_info(l->env, &info);
    if (rc == 0)
        l->map_bytes = info.me_mapsize;
    if (rc == 0)
        rc = mdb_txn_begin(l->env, NULL, 0, &txn);
    if (rc == 0 && (rc = mdb_dbi_open(txn, NULL, db_flags, &l->dbi)) != 0)
        mdb_txn_abort(txn);
    else if (rc == 0)
        rc = mdb_txn_commit(txn);
    if (rc == 0)
        rc = sync_directory(l->dir);
    return rc != 0 ? rc : sync_parent_directory(l->dir);
}

qd_status qd_lmdb_open(const char *dir, const char *what, size_t max_bytes, unsigned db_flags, qd_lmdb **out,
                       qd_error *err)
{
    pthread_rwlockattr_t attr;
    qd_lmdb *l = calloc(1, sizeof *l);
    if (!l || !(l->dir = strdup(dir))) {
        free(l);
        return qd_fail_nomem(err);
    }
    l->what = what;
    l->max_bytes = round_to_page(max_bytes);
    /* Growing must not starve behind an endless stream of readers. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&l->resize_lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    int rc = open_env(l, db_flags);
    if (rc != 0) {
        qd_status st = qd_lmdb_fail(l, rc, "cannot open", err);
        qd_lmdb_close(l);
        return st;
    }
    *out = l;
    return QD_OK;
}

void qd_lmdb_close(qd_lmdb *l)
{
    if (!l)
        return;
    if (l->env)
        mdb_env_close(l->env);
    pthread_rwlock_destroy(&l->resize_lock);
    free(l->dir);
    free(l);
}

qd_status qd_lmdb_begin_read(qd_lmdb *l, MDB_txn **txn, qd_error *err)
{
    pthread_rwlock_rdlock(&l->resize_lock);
    int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, txn);
    if (rc == 0)
        return QD_OK;
    pthread_rwlock_unlock(&l->resize_lock);
    return qd_lmdb_fail(l, rc, "cannot start reading", err);
}

void qd_lmdb_end_read(qd_lmdb *l, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    pthread_rwlock_unlock(&l->resize_lock);
}

static int try_write(qd_lmdb *l, qd_lmdb_write_fn *fn, void *arg)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(l->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    rc = fn(arg, txn);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* Doubles the map that was `seen_bytes` large when it was found full (another thread may have grown it since). */
static int grow(qd_lmdb *l, size_t seen_bytes, bool may_exceed)
{
    int rc = 0;
    pthread_rwlock_wrlock(&l->resize_lock);
    if (l->map_bytes == seen_bytes) {
        size_t bytes = seen_bytes <= l->max_bytes / 2 ? seen_bytes * 2 : l->max_bytes;
        if (bytes <= seen_bytes)
            bytes = may_exceed ? seen_bytes + EXCEED_MAP_BYTES : 0;
        rc = bytes ? mdb_env_set_mapsize(l->env, bytes) : MDB_MAP_FULL;
        if (rc == 0)
            l->map_bytes = bytes;
    }
    pthread_rwlock_unlock(&l->resize_lock);
    return rc;
}

qd_status qd_lmdb_write(qd_lmdb *l, qd_lmdb_write_fn *fn, void *arg, bool may_exceed, qd_error *err)
{
    for (;;) {
        pthread_rwlock_rdlock(&l->resize_lock);
        size_t seen_bytes = l->map_bytes;
        int rc = try_write(l, fn, arg);
        pthread_rwlock_unlock(&l->resize_lock);
        if (rc == MDB_MAP_FULL && (rc = grow(l, seen_bytes, may_exceed)) == 0)
            continue;
        return rc == 0 || rc == QD_LMDB_ABORT ? QD_OK : qd_lmdb_fail(l, rc, "cannot write", err);
    }
}

/* ---- named databases ---- */

typedef struct opening {
    const char *name;
    unsigned flags;
    MDB_dbi dbi;
} opening;

static int open_database(void *arg, MDB_txn *txn)
{
    opening *o = arg;
    return mdb_dbi_open(txn, o->name, MDB_CREATE | o->flags, &o->dbi);
}

qd_status qd_lmdb_open_database(qd_lmdb *l, const char *name, unsigned db_flags, MDB_dbi *out, qd_error *err)
{
    opening o = {.name = name, .flags = db_flags};
    qd_status st = qd_lmdb_write(l, open_database, &o, false, err);
    if (st == QD_OK)
        *out = o.dbi;
    return st;
}
