/* SPDX-License-Identifier: Apache-2.0
 *
 * One LMDB environment as kv_lmdb.c and log_lmdb.c use it: opening, transactions, growth. It has one unnamed database;
 * a kv's also has one for each of its logs, which LMDB keeps in the unnamed one under a key that is their name.
 * Invariant: the map is resized only while no transaction of this process is active, so every transaction holds
 * `resize_lock` shared, and growing holds it exclusively. Commits are durable (no MDB_NOSYNC).
 * Lock order: the caller's own mutexes, then resize_lock, then LMDB's writer lock. A thread holds at most one
 * transaction of an environment. Only this room may include this header. */
#ifndef QD_STORE_LMDB_ENV_H
#define QD_STORE_LMDB_ENV_H

#include <lmdb.h>
#include <pthread.h>

#include "base/error.h"
#include "base/str.h"

typedef struct qd_lmdb {
    MDB_env *env;
    MDB_dbi dbi; /* the unnamed database */
    char *dir;
    const char *what; /* "log", "store": for messages */
    pthread_rwlock_t resize_lock;
    size_t map_bytes, max_bytes;
} qd_lmdb;

/* Creates `dir` (mode 0700) when absent. `what` is kept (a literal); `db_flags`: of the database, MDB_INTEGERKEY or 0.
 * The map starts small and grows up to `max_bytes`. Errors: QD_EIO, QD_ENOMEM. */
qd_status qd_lmdb_open(const char *dir, const char *what, size_t max_bytes, unsigned db_flags, qd_lmdb **out,
                       qd_error *err);
/* Opens (creating) a named database, which stays open with the environment; again gives the same one. Errors: QD_EIO,
 * QD_ELIMIT. */
qd_status qd_lmdb_open_database(qd_lmdb *l, const char *name, unsigned db_flags, MDB_dbi *out, qd_error *err);
void qd_lmdb_close(qd_lmdb *l);

/* Views into the map are valid until the end. Errors: QD_EBUSY (all reader slots taken), QD_EIO. */
qd_status qd_lmdb_begin_read(qd_lmdb *l, MDB_txn **txn, qd_error *err);
void qd_lmdb_end_read(qd_lmdb *l, MDB_txn *txn);

/* What a write does: returns 0 to commit, QD_LMDB_ABORT to leave everything as it was, or LMDB's code. It may run more
 * than once, each time on an unchanged database, because a full map is grown between two attempts. */
typedef int qd_lmdb_write_fn(void *arg, MDB_txn *txn);
#define QD_LMDB_ABORT 1000000 /* beyond errno and LMDB's own (negative) codes */

/* Durable on QD_OK (which an abort gives too). `may_exceed`: for writes that delete, which need room before they free
 * any: they may pass `max_bytes` by a little. Errors: QD_ELIMIT (max_bytes reached), QD_EIO, QD_ENOMEM. */
qd_status qd_lmdb_write(qd_lmdb *l, qd_lmdb_write_fn *fn, void *arg, bool may_exceed, qd_error *err);

/* "log '/dir': <doing>: <LMDB's words>". */
qd_status qd_lmdb_fail(const qd_lmdb *l, int rc, const char *doing, qd_error *err);

#endif
