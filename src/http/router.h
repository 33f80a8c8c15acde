/* SPDX-License-Identifier: Apache-2.0
 *
 * From method and path to a row of the routes table (routes.c): a tree by path segments, built once, then read by any
 * thread. A literal segment wins over {…}. The table is the one place that says which calls exist; dispatch, the
 * check of parameters, metrics and the API's description come from it. */
#ifndef QD_HTTP_ROUTER_H
#define QD_HTTP_ROUTER_H

#include "http/rate_limit.h"
#include "http/request.h"
#include "udf/audit.h"

/* Which pool does the work; QD_WORK_INLINE is for what neither waits nor computes. */
typedef enum qd_work { QD_WORK_INLINE, QD_WORK_SEARCH, QD_WORK_WRITE, QD_WORK_ADMIN } qd_work;
#define QD_WORK_KINDS 4

/* What a body may be. An empty one is always let through: the handler decides. */
typedef enum qd_body_kind { QD_BODY_NONE, QD_BODY_JSON, QD_BODY_NDJSON, QD_BODY_UPLOAD } qd_body_kind;

typedef qd_status qd_handler_fn(qd_request *rq, qd_error *err);

/* Parameters that every route allows. */
#define QD_COMMON_PARAMS "pretty human error_trace"

/* What a row may answer with beside the success: a list for .errors. */
#define QD_ERRORS(...) ((const qd_status[]){__VA_ARGS__, QD_OK})

typedef struct qd_route {
    unsigned methods; /* bits of qd_method; QD_GET answers HEAD too unless another row has it */
    const char *path; /* "/{index}/_doc/{id}" */
    qd_work work;
    qd_body_kind body;
    qd_handler_fn *handler;
    const char *name;        /* its class in metrics */
    const char *params;      /* "refresh timeout": allowed beside the common ones */
    const char *summary;     /* one sentence for the API's description */
    qd_rate_class limit;     /* how often a client may call it */
    qd_audit_action audit;   /* as what its refusals are recorded; QD_AUDIT_ANY: as a request */
    const char *request;     /* schema of the body (openapi_schemas.json); NULL: none */
    const char *answer;      /* schema of the answer, or its media type where that is not JSON */
    int also;                /* another HTTP status of success beside 200; 0: none */
    const qd_status *errors; /* QD_ERRORS(…): beside those of every route; NULL: none */
} qd_route;

typedef struct qd_router qd_router;

/* `table` kept. Errors: QD_ENOMEM, QD_EINTERNAL (two rows for one method and path). */
qd_status qd_router_new(const qd_route *table, size_t n, qd_router **out, qd_error *err);
void qd_router_free(qd_router *r);

/* Sets rq->route and rq->args. Errors: QD_EINVAL (no such path: OpenSearch answers 400), QD_EMETHOD (with an Allow
 * header). */
qd_status qd_router_match(const qd_router *r, qd_request *rq, qd_error *err);
/* Refuses parameters that the route does not know, all of them by name. Errors: QD_EINVAL. */
qd_status qd_router_check_params(const qd_request *rq, qd_error *err);

#endif
