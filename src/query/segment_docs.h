/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment's documents as functions see them (wasm/doc_source.h): fields by path, from columns where there is one,
 * else from
 * `_source`. A path is looked up once; columns are opened when first read and kept for the segment; stored documents
 * are read when first asked for and kept for the block, up to a bound. One thread.
 *
 * A block begins with its documents; a view chooses some of them, in order, as the rows that are read. Strings stay
 * valid until the next block begins. */
#ifndef QD_QUERY_SEGMENT_DOCS_H
#define QD_QUERY_SEGMENT_DOCS_H

#include "index/searcher.h"
#include "wasm/doc_source.h"

typedef struct qd_segment_docs qd_segment_docs;

/* `s` borrowed until close. NULL when memory is out. */
qd_segment_docs *qd_segment_docs_open(const qd_searcher *s, uint32_t segment);
void qd_segment_docs_close(qd_segment_docs *d);
const qd_doc_source *qd_segment_docs_source(const qd_segment_docs *d);
/* `docs` (ascending) borrowed until the next begin, or, of a view, the next view. */
void qd_segment_docs_begin(qd_segment_docs *d, size_t n, const uint32_t *docs);
void qd_segment_docs_view(qd_segment_docs *d, size_t n, const uint32_t *docs);
/* A read failed since the open (a function was told "missing"): the query must fail with this. */
qd_status qd_segment_docs_status(const qd_segment_docs *d, qd_error *err);

#endif
