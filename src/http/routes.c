/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes table: every call that the daemon answers is a row here. */
#include "http/api.h"
#include "http/server_impl.h"

/* Accepted and without effect on one node: clients send them by habit. */
#define ADMIN   "timeout master_timeout cluster_manager_timeout "
#define INDICES "ignore_unavailable allow_no_indices expand_wildcards "
#define SEARCH                                                                                                         \
    INDICES                                                                                                            \
    "from size track_total_hits rest_total_hits_as_int timeout request_cache search_type preference typed_keys "       \
    "batched_reduce_size ccs_minimize_roundtrips max_concurrent_shard_requests pre_filter_shard_size q sort "          \
    "_source _source_includes _source_excludes"
#define HEALTH                                                                                                         \
    "wait_for_status wait_for_no_relocating_shards wait_for_no_initializing_shards wait_for_active_shards "            \
    "wait_for_nodes level local"
#define WRITE    "refresh timeout wait_for_active_shards "
#define UDF_LIST "name tag category author language q page size"

/* Where a registration is read, compiled and checked; where a function is named; where one runs. */
#define MODULE_ERRORS                                                                                                  \
    QD_EUDF_PARAMS, QD_EUDF_WASM, QD_EUDF_COMPILE, QD_EUDF_PERMISSION, QD_EUDF_SIGNATURE, QD_EUDF_NOTFOUND,            \
        QD_EUDF_FULL, QD_EUDF_MEMORY
#define RUN_ERRORS  QD_EUDF_FAILED, QD_EUDF_TIMEOUT, QD_EUDF_MEMORY
#define NAMED       QD_ERRORS(QD_EUDF_NOTFOUND)
#define CALL_ERRORS QD_ERRORS(QD_EUDF_NOTFOUND, QD_EINDEX_NOTFOUND, RUN_ERRORS, QD_EUDF_QUARANTINED, QD_ETIMEOUT)

const qd_route QD_ROUTES[] = {
    {QD_GET, "/", QD_WORK_INLINE, QD_BODY_NONE, qd_api_root, "root", "",
     .summary = "Name, version and identity of the node.", .answer = "Object"},
    {QD_GET, "/metrics", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_metrics, "metrics", "",
     .summary = "Counters as Prometheus text.", .answer = "text/plain"},
    {QD_GET, "/_cluster/health", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_cluster_health, "health", ADMIN HEALTH,
     .summary = "Health of the node: green when it answers.", .answer = "Object"},
    {QD_GET, "/_cluster/health/{index}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_cluster_health, "health",
     ADMIN INDICES HEALTH, .summary = "Health of indices.", .answer = "Object"},
    {QD_GET, "/_nodes", QD_WORK_INLINE, QD_BODY_NONE, qd_api_nodes, "nodes", "timeout flat_settings",
     .summary = "The nodes: this one.", .answer = "Object"},
    {QD_GET, "/_nodes/{metric}", QD_WORK_INLINE, QD_BODY_NONE, qd_api_nodes, "nodes", "timeout flat_settings",
     .summary = "The nodes: this one.", .answer = "Object"},

    {QD_PUT, "/{index}", QD_WORK_ADMIN, QD_BODY_JSON, qd_api_index_create, "index_create",
     ADMIN "wait_for_active_shards", .summary = "Creates an index with settings and mappings.", .request = "Object",
     .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_EXISTS, QD_EINDEX_NAME)},
    {QD_GET, "/{index}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_index_get, "index_get", ADMIN INDICES "local",
     .summary = "Settings and mappings of indices.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_HEAD, "/{index}", QD_WORK_INLINE, QD_BODY_NONE, qd_api_index_exists, "index_exists", INDICES "local",
     .summary = "Is there such an index?", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_DELETE, "/{index}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_index_delete, "index_delete", ADMIN INDICES,
     .summary = "Deletes indices, by their names.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET, "/_mapping", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_mapping_get, "mapping_get", ADMIN INDICES "local",
     .summary = "Mappings of all indices.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET, "/{index}/_mapping", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_mapping_get, "mapping_get", ADMIN INDICES "local",
     .summary = "Mappings of indices.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_PUT | QD_POST, "/{index}/_mapping", QD_WORK_ADMIN, QD_BODY_JSON, qd_api_mapping_put, "mapping_put",
     ADMIN INDICES "write_index_only", .summary = "Adds fields to the mapping of indices.", .request = "Object",
     .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET, "/_settings", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_settings_get, "settings_get", ADMIN INDICES "local",
     .summary = "Settings of all indices.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET, "/{index}/_settings", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_settings_get, "settings_get",
     ADMIN INDICES "local", .summary = "Settings of indices.", .answer = "Object",
     .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET | QD_POST, "/_refresh", QD_WORK_WRITE, QD_BODY_NONE, qd_api_refresh, "refresh", INDICES,
     .summary = "Makes all writes searchable.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET | QD_POST, "/{index}/_refresh", QD_WORK_WRITE, QD_BODY_NONE, qd_api_refresh, "refresh", INDICES,
     .summary = "Makes the writes to indices searchable.", .answer = "Object", .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET | QD_POST, "/_flush", QD_WORK_WRITE, QD_BODY_NONE, qd_api_refresh, "flush", INDICES "force wait_if_ongoing",
     .summary = "The same: a refresh commits, and acknowledged writes are durable anyway.", .answer = "Object",
     .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_GET | QD_POST, "/{index}/_flush", QD_WORK_WRITE, QD_BODY_NONE, qd_api_refresh, "flush",
     INDICES "force wait_if_ongoing", .summary = "The same for indices.", .answer = "Object",
     .errors = QD_ERRORS(QD_EINDEX_NOTFOUND)},
    {QD_POST, "/_forcemerge", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_forcemerge, "forcemerge",
     INDICES "max_num_segments flush wait_for_completion", .summary = "Merges the segments of all indices.",
     .answer = "Object"},
    {QD_POST, "/{index}/_forcemerge", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_forcemerge, "forcemerge",
     INDICES "max_num_segments flush wait_for_completion", .summary = "Merges the segments of indices.",
     .answer = "Object"},
    {QD_GET, "/_stats", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_stats, "stats", INDICES "level",
     .summary = "Counters of all indices.", .answer = "Object"},
    {QD_GET, "/_stats/{metric}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_stats, "stats", INDICES "level",
     .summary = "Counters of all indices.", .answer = "Object"},
    {QD_GET, "/{index}/_stats", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_stats, "stats", INDICES "level",
     .summary = "Counters of indices.", .answer = "Object"},
    {QD_GET, "/{index}/_stats/{metric}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_stats, "stats", INDICES "level",
     .summary = "Counters of indices.", .answer = "Object"},
    {QD_GET | QD_POST, "/_analyze", QD_WORK_ADMIN, QD_BODY_JSON, qd_api_analyze, "analyze", "",
     .summary = "The tokens that a text gives.", .request = "Object", .answer = "Object"},
    {QD_GET | QD_POST, "/{index}/_analyze", QD_WORK_ADMIN, QD_BODY_JSON, qd_api_analyze, "analyze", "",
     .summary = "The tokens that a text gives.", .request = "Object", .answer = "Object"},

    {QD_POST, "/{index}/_doc", QD_WORK_WRITE, QD_BODY_JSON, qd_api_doc_index, "doc_index",
     WRITE "op_type require_alias", .summary = "Indexes a document under a new id.", .request = "Document",
     .answer = "Written", .also = 201, .errors = QD_ERRORS(QD_ECONFLICT, QD_EMAPPING)},
    {QD_PUT | QD_POST, "/{index}/_doc/{id}", QD_WORK_WRITE, QD_BODY_JSON, qd_api_doc_index, "doc_index",
     WRITE "op_type if_seq_no if_primary_term require_alias",
     .summary = "Indexes a document, replacing the one of that id.", .request = "Document", .answer = "Written",
     .also = 201, .errors = QD_ERRORS(QD_ECONFLICT, QD_EMAPPING)},
    {QD_PUT | QD_POST, "/{index}/_create/{id}", QD_WORK_WRITE, QD_BODY_JSON, qd_api_doc_create, "doc_create", WRITE,
     .summary = "Indexes a document unless there is one of that id.", .request = "Document", .answer = "Written",
     .also = 201, .errors = QD_ERRORS(QD_ECONFLICT, QD_EMAPPING)},
    {QD_GET, "/{index}/_doc/{id}", QD_WORK_SEARCH, QD_BODY_NONE, qd_api_doc_get, "doc_get",
     "realtime preference refresh _source", .summary = "The document of that id, as of its last acknowledged write.",
     .answer = "Object", .errors = QD_ERRORS(QD_ENOTFOUND)},
    {QD_GET, "/{index}/_source/{id}", QD_WORK_SEARCH, QD_BODY_NONE, qd_api_doc_source, "doc_source",
     "realtime preference refresh", .summary = "Its source alone.", .answer = "Document",
     .errors = QD_ERRORS(QD_ENOTFOUND)},
    {QD_DELETE, "/{index}/_doc/{id}", QD_WORK_WRITE, QD_BODY_NONE, qd_api_doc_delete, "doc_delete",
     WRITE "if_seq_no if_primary_term", .summary = "Deletes a document.", .answer = "Written",
     .errors = QD_ERRORS(QD_ENOTFOUND, QD_ECONFLICT)},
    {QD_POST | QD_PUT, "/_bulk", QD_WORK_WRITE, QD_BODY_NDJSON, qd_api_bulk, "bulk", WRITE "require_alias",
     .summary = "Many operations in one request; each fails alone.", .request = "Object", .answer = "BulkAnswer"},
    {QD_POST | QD_PUT, "/{index}/_bulk", QD_WORK_WRITE, QD_BODY_NDJSON, qd_api_bulk, "bulk", WRITE "require_alias",
     .summary = "The same with a default index.", .request = "Object", .answer = "BulkAnswer"},

    {QD_GET | QD_POST, "/_search", QD_WORK_SEARCH, QD_BODY_JSON, qd_api_search, "search", SEARCH,
     .summary = "Searches all indices.", .request = "SearchBody", .answer = "SearchAnswer", .errors = CALL_ERRORS},
    {QD_GET | QD_POST, "/{index}/_search", QD_WORK_SEARCH, QD_BODY_JSON, qd_api_search, "search", SEARCH,
     .summary = "Searches indices.", .request = "SearchBody", .answer = "SearchAnswer", .errors = CALL_ERRORS},
    {QD_GET | QD_POST, "/_count", QD_WORK_SEARCH, QD_BODY_JSON, qd_api_count, "count", INDICES "preference q",
     .summary = "Counts the hits of a query.", .request = "SearchBody", .answer = "CountAnswer", .errors = CALL_ERRORS},
    {QD_GET | QD_POST, "/{index}/_count", QD_WORK_SEARCH, QD_BODY_JSON, qd_api_count, "count", INDICES "preference q",
     .summary = "Counts the hits of a query.", .request = "SearchBody", .answer = "CountAnswer", .errors = CALL_ERRORS},

    {QD_GET, "/_cat/indices", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_cat_indices, "cat",
     ADMIN INDICES "format v h bytes local health", .summary = "Indices as a table.", .answer = "text/plain"},
    {QD_GET, "/_cat/indices/{index}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_cat_indices, "cat",
     ADMIN INDICES "format v h bytes local health", .summary = "Indices as a table.", .answer = "text/plain"},
    {QD_GET, "/_cat/health", QD_WORK_INLINE, QD_BODY_NONE, qd_api_cat_health, "cat", ADMIN "format v h ts local",
     .summary = "Health as a table.", .answer = "text/plain"},
    {QD_GET, "/_cat/count", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_cat_count, "cat", "format v h",
     .summary = "Documents of all indices.", .answer = "text/plain"},
    {QD_GET, "/_cat/count/{index}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_cat_count, "cat", "format v h",
     .summary = "Documents of indices.", .answer = "text/plain"},

    {QD_POST, "/api/v1/udfs", QD_WORK_ADMIN, QD_BODY_UPLOAD, qd_api_udf_register, "udf_register", "",
     .summary = "Registers a version of a function.", .limit = QD_RATE_REGISTER, .audit = QD_AUDIT_REGISTER,
     .request = "Registration", .answer = "Registered", .also = 201,
     .errors = QD_ERRORS(MODULE_ERRORS, QD_EUDF_EXISTS)},
    {QD_GET, "/api/v1/udfs", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_udf_list, "udf_list", UDF_LIST,
     .summary = "Functions, filtered and paged.", .answer = "Functions"},
    {QD_POST, "/api/v1/udfs/_test", QD_WORK_SEARCH, QD_BODY_UPLOAD, qd_api_udf_dry_run, "udf_test", "",
     .summary = "Runs a function that is not registered: nothing is kept.", .limit = QD_RATE_QUERY, .request = "DryRun",
     .answer = "TestResult", .errors = QD_ERRORS(MODULE_ERRORS, RUN_ERRORS)},
    {QD_POST, "/api/v1/udfs/_validate", QD_WORK_ADMIN, QD_BODY_UPLOAD, qd_api_udf_validate, "udf_validate", "",
     .summary = "Checks what registering would check.", .limit = QD_RATE_QUERY, .request = "Registration",
     .answer = "Validated", .errors = QD_ERRORS(MODULE_ERRORS)},
    {QD_POST, "/api/v1/udfs/validate", QD_WORK_ADMIN, QD_BODY_UPLOAD, qd_api_udf_validate, "udf_validate", "",
     .summary = "The same.", .limit = QD_RATE_QUERY, .request = "Registration", .answer = "Validated",
     .errors = QD_ERRORS(MODULE_ERRORS)},
    {QD_GET, "/api/v1/udfs/{name}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_udf_get, "udf_get", "version",
     .summary = "A function: its active version.", .answer = "Function", .errors = NAMED},
    {QD_DELETE, "/api/v1/udfs/{name}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_udf_delete, "udf_delete", "version",
     .summary = "Deletes all versions of a function.", .limit = QD_RATE_DELETE, .audit = QD_AUDIT_DELETE,
     .answer = "Deleted", .errors = QD_ERRORS(QD_EUDF_NOTFOUND, QD_EUDF_DEPENDED)},
    {QD_GET, "/api/v1/udfs/{name}/versions", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_udf_versions, "udf_get", "",
     .summary = "The versions of a function.", .answer = "Versions", .errors = NAMED},
    {QD_POST, "/api/v1/udfs/{name}/test", QD_WORK_SEARCH, QD_BODY_JSON, qd_api_udf_test, "udf_test", "",
     .summary = "Runs a function on given documents.", .limit = QD_RATE_QUERY, .request = "TestCall",
     .answer = "TestResult", .errors = QD_ERRORS(QD_EUDF_NOTFOUND, RUN_ERRORS)},
    {QD_GET, "/api/v1/udfs/{name}/{version}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_udf_get, "udf_get", "",
     .summary = "One version of a function.", .answer = "Function", .errors = NAMED},
    {QD_DELETE, "/api/v1/udfs/{name}/{version}", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_udf_delete, "udf_delete", "",
     .summary = "Deletes a version.", .limit = QD_RATE_DELETE, .audit = QD_AUDIT_DELETE, .answer = "Deleted",
     .errors = QD_ERRORS(QD_EUDF_NOTFOUND, QD_EUDF_DEPENDED)},
    {QD_GET, "/api/v1/audit", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_audit, "audit",
     "udf action actor since until page size", .summary = "Who changed what, and what was refused; the newest first.",
     .limit = QD_RATE_STATS, .answer = "Audit"},
    {QD_GET, "/api/v1/audit/_verify", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_audit_verify, "audit", "",
     .summary = "Is the chain of the audit log whole?", .limit = QD_RATE_STATS, .answer = "AuditReport"},
    {QD_GET, "/api/v1/openapi.json", QD_WORK_ADMIN, QD_BODY_NONE, qd_api_openapi, "openapi", "",
     .summary = "This description.", .answer = "OpenApi"},
    {QD_POST, "/api/v1/query", QD_WORK_SEARCH, QD_BODY_JSON, qd_api_udf_query, "search",
     "from size track_total_hits rest_total_hits_as_int timeout", .summary = "A search whose body names its index.",
     .limit = QD_RATE_QUERY, .request = "QueryBody", .answer = "SearchAnswer", .errors = CALL_ERRORS},
};
const size_t QD_ROUTES_COUNT = sizeof QD_ROUTES / sizeof *QD_ROUTES;
