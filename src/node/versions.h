/* SPDX-License-Identifier: Apache-2.0
 *
 * The version map of an index: for each document written since the last refresh its newest sequence number and version.
 * What is not here is answered by the searcher. Entries arrive under the index's write_mutex and leave at a refresh,
 * after the searcher that knows them has become the current one: whoever misses here and takes the searcher after that
 * sees the document there. Threads: any; one lock within, held for memory work only. */
#ifndef QD_NODE_VERSIONS_H
#define QD_NODE_VERSIONS_H

#include "base/str.h"

typedef struct qd_versions qd_versions;

typedef struct qd_version {
    int64_t seq_no, version;
    bool is_deleted;
} qd_version;

qd_versions *qd_versions_new(void); /* NULL when out of memory */
void qd_versions_free(qd_versions *v);
/* False: nothing is known about it here. */
bool qd_versions_get(qd_versions *v, qd_str id, qd_version *out);
/* Inserts or replaces (id copied). False when out of memory: unchanged. */
bool qd_versions_put(qd_versions *v, qd_str id, qd_version version);
/* Forgets every entry with a sequence number up to `seq_no`. False when out of memory: unchanged. */
bool qd_versions_prune(qd_versions *v, int64_t seq_no);
size_t qd_versions_count(qd_versions *v);

#endif
