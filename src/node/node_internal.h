/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node is inside. Private to node.c (opening, closing, recovery of all), node_table.c (names to indices) and
 * refresher.c and healer.c (the background threads). Indices refer to the node through qd_index_host only; the node
 * outlives all of them. Lock order: create_mutex, table_lock, then an index's locks. The threads' own are leaves. */
#ifndef QD_NODE_NODE_INTERNAL_H
#define QD_NODE_NODE_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "node/index_internal.h"
#include "node/node.h"
#include "node/ticker.h"

/* An index that could not be opened: its name is taken, its files are kept. */
typedef struct qd_broken_index {
    char uuid[QD_UUID_SIZE];
    qd_error why;
    unsigned attempts; /* these two are the healer's, under create_mutex */
    int64_t due_ns;    /* 0: not yet seen */
} qd_broken_index;

struct qd_node {
    qd_node_options options;
    char *data_dir, *indices_dir, *reserve_path;
    int lock_fd;
    qd_kv *kv;
    qd_index_host host;
    pthread_mutex_t create_mutex; /* one creation or deletion at a time */
    pthread_rwlock_t table_lock;
    qd_map *indices; /* name -> qd_index */
    qd_map *broken;  /* name -> qd_broken_index */
    qd_ticker refresher, healer;
    int64_t trim_due_ns; /* the refresher's own */
    atomic_uint_least64_t healed;
};

#define QD_NODE_RESERVE_BYTES (1 << 20)

/* printf to the node's log line. */
void qd_node_logf(qd_node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "<indices_dir>/<uuid>"; owned by caller (free), NULL when out of memory. */
char *qd_node_index_dir(const qd_node *n, const char *uuid);
/* Opens every index that the kv defines, and removes directories that belong to none. */
qd_status qd_node_recover(qd_node *n, qd_error *err);
/* All indices with references (qd_node_release), ordered by name. */
qd_status qd_node_all(qd_node *n, qd_index ***out, size_t *count, qd_error *err);

/* Tries an index that could not be opened before again; it is in the table then. Held: create_mutex. `*replayed`: how
 * many operations. Errors: why it cannot be opened. */
qd_status qd_node_open_broken(qd_node *n, const char *name, uint64_t *replayed, qd_error *err);
/* What the two threads do. `node`: the qd_node. */
int64_t qd_node_refresh_due(void *node);
int64_t qd_node_heal_due(void *node);

#endif
