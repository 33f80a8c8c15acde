/* SPDX-License-Identifier: Apache-2.0
 *
 * The node: data directory, kv, the table of indices, background refresh. Layout of the data directory:
 *   node.lock            held while open: two processes cannot share a directory
 *   reserve              some room to give up when the disk is full and an index is deleted
 *   meta/                kv on LMDB (functions, index definitions)
 *   indices/<uuid>/data  the seam's segments;  indices/<uuid>/log  the op log on LMDB
 * An index definition is the kv entry "index/<name>" {uuid, created, settings, mappings}; a directory without an entry
 * is removed at start. */
#ifndef QD_NODE_NODE_H
#define QD_NODE_NODE_H

#include "node/index.h"
#include "store/kv.h"

typedef struct qd_node qd_node;

typedef struct qd_node_options {
    const char *data_dir;
    size_t writer_memory_bytes;  /* per index; 128 MiB */
    int64_t refresh_interval_ms; /* default of indices; 1000 */
    uint32_t max_indices;        /* 1000 */
    size_t max_log_bytes;        /* per index; past it a refresh is forced, then writes wait: 4 GiB */
    void (*log)(void *arg, const char *line); /* may be NULL */
    void *log_arg;
} qd_node_options;
#define QD_NODE_OPTIONS_INIT {NULL, 128u << 20, 1000, 1000, (size_t)4 << 30, NULL, NULL}

/* Opens (creating) and recovers every index. Errors: QD_EIO, QD_EBUSY (directory in use). */
qd_status qd_node_open(const qd_node_options *options, qd_node **out, qd_error *err);
/* Refreshes and closes everything; nothing acked is lost either way. */
void qd_node_close(qd_node *n);
qd_kv *qd_node_kv(qd_node *n);

/* `body`: {"settings"?, "mappings"?} as in PUT /index; may be NULL. Settings understood: number_of_shards and
 * number_of_replicas (1 and 0 by default; others are kept and shown, one shard is used), refresh_interval,
 * mapping.total_fields.limit, …; unknown ones are refused by name. Errors: QD_EINDEX_NAME, QD_EINDEX_EXISTS,
 * QD_EMAPPING, QD_EINVAL, QD_ELIMIT. */
qd_status qd_node_create_index(qd_node *n, qd_str name, const json_t *body, qd_error *err);
/* Removes definition, then data; queries that run keep their files. Errors: QD_EINDEX_NOTFOUND. */
qd_status qd_node_delete_index(qd_node *n, qd_str name, qd_error *err);
/* *out: reference owned by caller (qd_index_unref). Errors: QD_EINDEX_NOTFOUND ("no such index [x]"). */
qd_status qd_node_index(qd_node *n, qd_str name, qd_index **out, qd_error *err);
/* The same, creating it with a dynamic mapping when absent (auto-create on the first write). */
qd_status qd_node_index_or_create(qd_node *n, qd_str name, qd_index **out, qd_error *err);
/* Index expressions: "a", "a,b", "logs-*", "_all", "*". *out: array of references, owned by caller (qd_node_release). A
 * plain name that is absent is an error, a pattern without match is not. */
qd_status qd_node_resolve(qd_node *n, qd_str expression, qd_index ***out, size_t *count, qd_error *err);
void qd_node_release(qd_index **indices, size_t count);

typedef struct qd_node_health {
    size_t active;   /* indices that take writes */
    size_t failed;   /* that take no writes until they have been opened again (qd_index_has_failed) */
    size_t unopened; /* that could not be opened when the node started: neither found nor resolved */
    uint64_t healed; /* how often one was opened again, since the start */
} qd_node_health;
/* Of what `expression` means (qd_node_resolve), those that could not be opened too. */
qd_status qd_node_health_get(qd_node *n, qd_str expression, qd_node_health *out, qd_error *err);

#endif
