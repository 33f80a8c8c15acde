/* SPDX-License-Identifier: Apache-2.0
 *
 * The node room: the indices of this node, the write path (DESIGN 5), refresh and recovery.
 *
 * qd_index is one index: a shard, its op log, its version map. A write: parse all items without a lock -> grow the
 * mapping if they bring new fields
 * -> under write_mutex check versions, give sequence numbers, enqueue to the log -> wait (group commit, one fsync) ->
 * the log's `done` applies to the shard in sequence order -> answer. So nothing is visible or acked before it is
 * durable. Refresh commits the shard with the last applied sequence number as payload, swaps the searcher, then trims
 * the log. Opening replays the log after the payload. Lock order: node.table_lock, index.write_mutex,
 * index.versions_lock, the log's. No lock is held across fsync (but the log leader's own duty). */
#ifndef QD_NODE_INDEX_H
#define QD_NODE_INDEX_H

#include "base/pool.h"
#include "index/shard.h"
#include "store/log.h"

typedef struct qd_index qd_index;

typedef enum qd_op_type { QD_OP_INDEX, QD_OP_CREATE, QD_OP_DELETE } qd_op_type;
#define QD_SEQ_ANY INT64_MIN

/* One operation and its outcome. Inputs borrowed until qd_index_write returned. */
typedef struct qd_op {
    qd_op_type type;
    qd_str id;          /* empty: one is generated (index and create only) */
    qd_str source;      /* JSON */
    int64_t if_seq_no;  /* QD_SEQ_ANY: unconditional */
    int64_t if_primary_term;
    /* outcome */
    qd_status status;
    qd_error error;
    char generated_id[24];
    qd_str result_id;   /* the id, generated or not */
    int64_t seq_no, version;
    bool created, found; /* index: a new document; delete: there was one */
} qd_op;

/* Runs the operations in order; each fails alone. Returns an error only when none could be tried (the index is closed
 * or its log has failed). On QD_OK each op has its outcome and every op with status QD_OK is durable. Threads: any. */
qd_status qd_index_write(qd_index *ix, qd_op *ops, size_t n, qd_error *err);

/* Realtime: sees what is acked and not yet refreshed. *source: owned by caller (free). */
typedef struct qd_get_result { bool found; int64_t seq_no, version; char *source; size_t source_len; } qd_get_result;
qd_status qd_index_get(qd_index *ix, qd_str id, qd_get_result *out, qd_error *err);

/* Makes everything applied so far searchable; cheap when there is nothing new. */
qd_status qd_index_refresh(qd_index *ix, qd_error *err);
qd_status qd_index_force_merge(qd_index *ix, uint32_t max_segments, qd_error *err);
/* The current searcher with a reference. */
qd_searcher *qd_index_searcher(qd_index *ix);
qd_mapping *qd_index_mapping(qd_index *ix); /* with a reference */
qd_status qd_index_put_mapping(qd_index *ix, const json_t *body, qd_error *err);

typedef struct qd_index_stats {
    uint64_t docs, segments, size_bytes, log_records, indexed_total, deleted_total, refresh_total, search_total,
        search_ns;
    int64_t max_seq_no; /* -1: none */
} qd_index_stats;
void qd_index_stats_get(qd_index *ix, qd_index_stats *out);
void qd_index_count_search(qd_index *ix, int64_t ns);
/* It takes no writes now; searches go on. */
bool qd_index_has_failed(qd_index *ix);
const char *qd_index_name(const qd_index *ix);
const char *qd_index_uuid(const qd_index *ix);
int64_t qd_index_created_ms(const qd_index *ix);
int64_t qd_index_refresh_interval_ms(const qd_index *ix); /* -1: never by itself */
void qd_index_settings_write(qd_index *ix, qd_json *w);   /* {"index":{…}} as GET _settings shows it */
qd_index *qd_index_ref(qd_index *ix);
void qd_index_unref(qd_index *ix);

#endif
