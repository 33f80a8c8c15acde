/* SPDX-License-Identifier: Apache-2.0
 *
 * What the handlers work on, and the handlers. One file per API family: api_root.c (who am I, health, nodes),
 * api_index.c, api_doc.c, api_bulk.c, api_search.c, api_cat.c; of the functions API api_udf.c (register, show, delete),
 * api_udf_test.c (try out), api_udf_version.c (what becomes of a version), api_audit.c. Each handler's call is a row of
 * routes.c. */
#ifndef QD_HTTP_API_H
#define QD_HTTP_API_H

#include <stdatomic.h>

#include "base/pool.h"
#include "http/metrics.h"
#include "http/request.h"
#include "node/node.h"
#include "udf/audit.h"
#include "udf/registry.h"

/* The dialect that clients find in GET /; they refuse servers whose number they do not know. */
#define QD_DIALECT_VERSION "3.1.0"

typedef struct qd_api {
    qd_node *node; /* borrowed, as everything here */
    qd_registry *registry;
    qd_audit *audit; /* NULL: nothing is recorded */
    qd_wasm_engine *engine;
    size_t max_metric_functions; /* functions with series of their own in /metrics */
    qd_pool *search_pool;        /* set by the server */
    qd_metrics *metrics;         /* set by the server */
    const char *node_name, *cluster_name;
    char cluster_uuid[24], node_id[24]; /* qd_api_identify */
    size_t max_module_bytes;
    int64_t default_timeout_ns;               /* of searches; INT64_MAX: none */
    void (*log)(void *arg, const char *line); /* may be NULL */
    void *log_arg;
    const atomic_size_t *inflight_bytes; /* memory of bodies in progress; set by the server */
    char address[64];                    /* "127.0.0.1:9200"; set by the server */
} qd_api;

/* Reads the identity of this node from its store, making one at the first start. Errors: QD_EIO. */
qd_status qd_api_identify(qd_api *api, qd_error *err);

/* Who asks, for history and audit: "anonymous" until there is authentication. Views into the request. */
qd_actor qd_api_actor(const qd_request *rq);
/* Records a refusal of the functions API (a permission, a signature, a limit), or of a function in a query. Never fails
 * and does not wait for the disk. */
void qd_api_audit_refusal(const qd_request *rq, const qd_error *err);

#define QD_HANDLER(name) qd_status name(qd_request *rq, qd_error *err)

QD_HANDLER(qd_api_root);
QD_HANDLER(qd_api_metrics);
QD_HANDLER(qd_api_cluster_health);
QD_HANDLER(qd_api_nodes);

QD_HANDLER(qd_api_index_create);
QD_HANDLER(qd_api_index_get);
QD_HANDLER(qd_api_index_exists);
QD_HANDLER(qd_api_index_delete);
QD_HANDLER(qd_api_mapping_get);
QD_HANDLER(qd_api_mapping_put);
QD_HANDLER(qd_api_settings_get);
QD_HANDLER(qd_api_refresh);
QD_HANDLER(qd_api_forcemerge);
QD_HANDLER(qd_api_stats);
QD_HANDLER(qd_api_analyze);

QD_HANDLER(qd_api_doc_index);
QD_HANDLER(qd_api_doc_create);
QD_HANDLER(qd_api_doc_get);
QD_HANDLER(qd_api_doc_source);
QD_HANDLER(qd_api_doc_delete);
QD_HANDLER(qd_api_bulk);

QD_HANDLER(qd_api_search);
QD_HANDLER(qd_api_count);

QD_HANDLER(qd_api_cat_indices);
QD_HANDLER(qd_api_cat_health);
QD_HANDLER(qd_api_cat_count);

QD_HANDLER(qd_api_udf_register);
QD_HANDLER(qd_api_udf_list);
QD_HANDLER(qd_api_udf_get);
QD_HANDLER(qd_api_udf_versions);
QD_HANDLER(qd_api_udf_delete);
QD_HANDLER(qd_api_udf_test);
QD_HANDLER(qd_api_udf_dry_run);
QD_HANDLER(qd_api_udf_validate);
QD_HANDLER(qd_api_udf_query);

QD_HANDLER(qd_api_udf_history);
QD_HANDLER(qd_api_udf_activate);
QD_HANDLER(qd_api_udf_rollback);
QD_HANDLER(qd_api_udf_stats);
QD_HANDLER(qd_api_udf_stats_reset);
QD_HANDLER(qd_api_udf_status);
QD_HANDLER(qd_api_udf_logs);
QD_HANDLER(qd_api_udf_wasm);
QD_HANDLER(qd_api_udf_reinstate);

QD_HANDLER(qd_api_audit);
QD_HANDLER(qd_api_audit_verify);
QD_HANDLER(qd_api_openapi);

#endif
