/* SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot of a shard with the mapping of its time: what a query runs on from its start to its end. Reference
 * counted, immutable. */
#ifndef QD_INDEX_SEARCHER_H
#define QD_INDEX_SEARCHER_H

#include "engine.h"
#include "index/mapping.h"

typedef struct qd_searcher {
    atomic_uint refs;
    qe_searcher *engine;
    qd_mapping *mapping;
    atomic_uint_least64_t size_bytes; /* 0: nobody has asked yet */
} qd_searcher;

qd_searcher *qd_searcher_ref(qd_searcher *s);
void qd_searcher_unref(qd_searcher *s);

size_t qd_searcher_segments(const qd_searcher *s);
uint32_t qd_searcher_max_doc(const qd_searcher *s, size_t segment);
uint64_t qd_searcher_live_docs(const qd_searcher *s);
uint64_t qd_searcher_size_bytes(const qd_searcher *s);

typedef struct qd_doc_address { uint32_t segment, doc; } qd_doc_address;
typedef struct qd_found { bool found; qd_doc_address at; int64_t seq_no, version; } qd_found;
qd_status qd_searcher_find(const qd_searcher *s, qd_str id, qd_found *out, qd_error *err);

/* Id and source as stored. */
typedef struct qd_stored { qd_str id, source; qe_stored owner; } qd_stored;
qd_status qd_searcher_stored(const qd_searcher *s, qd_doc_address at, qd_stored *out, qd_error *err);
void qd_stored_free(qd_stored *d);

/* Calls back with each token that the analyzer makes. */
void qd_analyze(qd_str text, qe_token_fn *fn, void *arg);

#endif
