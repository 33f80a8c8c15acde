/* SPDX-License-Identifier: Apache-2.0
 *
 * The query room: a search body in, an answer out (DESIGN 4). The life of a query, file by file:
 *   search.c        the order of what follows
 *   body*.c         the body: what stands beside the query, sort, `_source`
 *   parse*.c        JSON -> typed tree (ast.h); errors name clause, line and column (json_locate.c)
 *   functions.c     each function resolved once, at the start, so that one query never mixes two versions
 *   plan*.c         tree + mapping -> seam clauses; functions become block nodes over the clause that feeds them, cheap
 *                   clauses first
 *   score*.c        the block node: documents' columns in, the function's driver, a mask or scores out (expr.h). Here a
 *                   function's score meets BM25's: score_bool.c (bool, script_score), score_modes.c (function_score)
 *   segment_docs.c  doc_source over a segment's columns and `_source` (source_path.c, json_scan.c)
 *   collect*.c      top documents by score or fields (sort.c), counts; per segment, in parallel, then merged
 *   aggs.c          aggregations: functions over all matches, in the same pass
 *   script_fields.c what functions make of the hits of the page
 *   fetch.c         ids and `_source` of the hits, filtered (source_filter.c)
 *   answer.c        OpenSearch's shape
 * What the parts of one running query share is in run.h. */
#ifndef QD_QUERY_SEARCH_H
#define QD_QUERY_SEARCH_H

#include "base/json.h"
#include "base/pool.h"
#include "index/searcher.h"
#include "udf/registry.h"

typedef struct qd_search_target {
    const char *index_name;
    qd_searcher *searcher; /* borrowed */
} qd_search_target;

typedef struct qd_search_request {
    qd_registry *registry;
    qd_pool *pool; /* for segments in parallel; NULL: this thread alone */
    const qd_search_target *targets;
    size_t n_targets;
    qd_str body; /* JSON; empty means {} */
    /* from the URL; override the body when set */
    int64_t from, size;   /* -1: not given */
    const char *q;        /* reserved: NULL */
    int track_total_hits; /* -1 not given, 0 false, 1 true, >1 threshold… as 2 + n */
    bool rest_total_hits_as_int;
    int64_t deadline_ns;           /* monotonic; INT64_MAX: none. The body's "timeout" shortens it */
    const volatile bool *canceled; /* may be NULL */
    int64_t start_ns;              /* for "took" */
} qd_search_request;

/* Writes the whole answer, or nothing on failure. Errors: QD_EPARSE (clause, line, column), QD_EQUERY, QD_EUDF_* with
 * function, version, document id and reason, QD_ETIMEOUT, QD_ECANCELED, QD_ELIMIT (from + size over 10,000). */
qd_status qd_search_run(const qd_search_request *rq, qd_json *w, qd_error *err);
/* {"count": n, "_shards": …} for _count: the body's query only. */
qd_status qd_search_count(const qd_search_request *rq, qd_json *w, qd_error *err);

#endif
