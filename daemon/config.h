/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be configured: one table of keys in config.c, from which reading, checking, --help-config and the
 * reference (docs/reference/config.md) come. Sources, later ones win: defaults, YAML file, environment
 * (QUIDDITCH_HTTP_PORT for http.port), flags. Unknown keys and values out of range are refused, naming the source. */
#ifndef QD_DAEMON_CONFIG_H
#define QD_DAEMON_CONFIG_H

#include <stdio.h>

#include "base/error.h"

typedef enum qd_log_level { QD_LOG_ERROR, QD_LOG_WARN, QD_LOG_INFO, QD_LOG_DEBUG } qd_log_level;

typedef struct qd_config {
    char *http_host, *data_dir, *node_name, *cluster_name, *log_level_name, *trust_policy, *trust_keys;
    int64_t http_port, http_threads, http_max_connections, http_idle_timeout_s, http_max_body_bytes,
        http_max_inflight_bytes, http_max_search_body_bytes, http_compression_level;
    int64_t rate_register_per_minute, rate_delete_per_minute, rate_query_per_second, rate_stats_per_second;
    int64_t search_threads, search_queue, search_default_timeout_ms;
    int64_t write_threads, write_queue, admin_threads;
    int64_t refresh_interval_ms, writer_memory_bytes, max_indices, max_log_bytes;
    int64_t udf_max_module_bytes, udf_max_functions, udf_memory_bytes, udf_call_ms, udf_stack_bytes, udf_max_instances,
        udf_code_bytes, udf_cache_bytes, udf_optimize_threads;
    int64_t stats_flush_interval_s, quarantine_failures, quarantine_window_s, metrics_max_functions;
    int64_t audit_max_bytes;
    qd_log_level log_level;
} qd_config;

typedef enum qd_config_action {
    QD_CONFIG_RUN,
    QD_CONFIG_HELP,
    QD_CONFIG_VERSION,
    QD_CONFIG_LIST,   /* --help-config */
    QD_CONFIG_OPENAPI /* --openapi */
} qd_config_action;

/* Everything from its default. Errors: QD_ENOMEM. */
qd_status qd_config_init(qd_config *c, qd_error *err);
void qd_config_deinit(qd_config *c);

/* One key from its text. `source` is named in the error ("--set", "environment", "quidditch.yaml, line 3"). Errors:
 * QD_EINVAL. */
qd_status qd_config_set(qd_config *c, const char *key, const char *value, const char *source, qd_error *err);

/* File, environment and flags, in this order. *action says what the flags ask for; on others than QD_CONFIG_RUN nothing
 * else is read. Errors: QD_EINVAL, QD_EIO (the file), QD_EPARSE (the file's YAML, with line). */
qd_status qd_config_load(qd_config *c, int argc, char **argv, char **environment, qd_config_action *action,
                         qd_error *err);

/* A YAML mapping, nested or with dotted keys. (config_yaml.c) */
qd_status qd_config_read_yaml(qd_config *c, const char *path, qd_error *err);

/* The table of keys as Markdown. */
void qd_config_write_reference(FILE *out);
void qd_config_write_usage(FILE *out);

#endif
