/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of a kv on LMDB that somebody else commits: a log that is part of it (log_lmdb.c), with its own records. Only
 * this room may include this header. Lock order: the kv's lock, then the environment's. */
#ifndef QD_STORE_KV_LMDB_H
#define QD_STORE_KV_LMDB_H

#include "store/kv.h"
#include "store/lmdb_env.h"

typedef struct qd_kv_changes qd_kv_changes;

/* Checked, with their keys made. The items are borrowed until qd_kv_changes_free. Errors: QD_EINVAL, QD_ENOMEM. */
qd_status qd_kv_changes_new(qd_kv *kv, const qd_kv_item *items, size_t n, qd_kv_changes **out, qd_error *err);
void qd_kv_changes_free(qd_kv_changes *c);
/* In a write of the kv's environment; as a qd_lmdb_write_fn, and as often. */
int qd_kv_changes_write(qd_kv_changes *c, MDB_txn *txn);
/* Do they begin with a removal? Then such a write may exceed the store's limit. */
bool qd_kv_changes_delete(const qd_kv_changes *c);
/* Held from before the write until the watchers were told of what was committed, so that they see changes in order. */
void qd_kv_lmdb_lock(qd_kv *kv);
void qd_kv_lmdb_unlock(qd_kv *kv);
void qd_kv_changes_tell(const qd_kv_changes *c);

/* A log in an environment that is the kv's, and stays open. */
qd_status qd_log_lmdb_open_in(qd_kv *kv, qd_lmdb *l, const char *name, size_t max_bytes, struct qd_log **out,
                              qd_error *err);

#endif
