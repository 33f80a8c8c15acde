/* SPDX-License-Identifier: Apache-2.0
 *
 * quidditchd: configuration in, a database opened, a server started, one line on stdout, then waiting for the signal
 * to stop. Everything else is in the library. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "config.h"
#include "http/openapi.h"
#include "http/server.h"
#include "node/database.h"

#define GRACE_MS          10000
#define MAX_OPENAPI_BYTES ((size_t)16 << 20)

extern char **environ;

static void log_line(void *arg, const char *line)
{
    const qd_config *c = arg;
    char at[QD_ISO8601_SIZE];
    /* The library speaks up only for what somebody should see; its warnings and errors say so themselves. */
    if (c->log_level < QD_LOG_WARN && strncmp(line, "error", 5) != 0)
        return;
    fprintf(stderr, "%s %s\n", qd_clock_iso8601(qd_clock_wall_ms(), at), line);
}

static void log_info(const qd_config *c, const char *text, const char *detail)
{
    char line[512];
    if (c->log_level < QD_LOG_INFO)
        return;
    snprintf(line, sizeof line, "%s%s", text, detail);
    log_line((void *)c, line);
}

/* Segments, sockets and logs each take descriptors; the usual soft limit of 1,024 is soon used up. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static unsigned processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

static qd_status open_database(qd_config *c, qd_database **out, qd_error *err)
{
    qd_database_parts parts = QD_DATABASE_PARTS_INIT;
    parts.trust_policy = c->trust_policy;
    parts.trust_keys = c->trust_keys;
    parts.node.data_dir = c->data_dir;
    parts.node.writer_memory_bytes = (size_t)c->writer_memory_bytes;
    parts.node.refresh_interval_ms = c->refresh_interval_ms;
    parts.node.max_indices = (uint32_t)c->max_indices;
    parts.node.max_log_bytes = (size_t)c->max_log_bytes;
    parts.node.log = log_line;
    parts.node.log_arg = c;
    parts.registry.max_module_bytes = (size_t)c->udf_max_module_bytes;
    parts.registry.max_functions = (uint32_t)c->udf_max_functions;
    parts.registry.limits.memory_bytes = (size_t)c->udf_memory_bytes;
    parts.registry.limits.call_ms = (uint32_t)c->udf_call_ms;
    parts.engine.max_stack_bytes = (size_t)c->udf_stack_bytes;
    parts.engine.max_live_instances = (uint32_t)c->udf_max_instances;
    parts.engine.compile_threads = (uint32_t)c->udf_optimize_threads;
    parts.engine.cache_bytes = (uint64_t)c->udf_cache_bytes;
    parts.registry.max_code_bytes = (size_t)c->udf_code_bytes;
    parts.registry.node_name = c->node_name;
    parts.stats.flush_interval_ms = c->stats_flush_interval_s * 1000;
    parts.quarantine.failures = (uint32_t)c->quarantine_failures;
    parts.quarantine.window_ms = c->quarantine_window_s * 1000;
    parts.audit.max_bytes = (size_t)c->audit_max_bytes;
    return qd_database_open_parts(&parts, out, err);
}

static qd_status start_server(qd_config *c, qd_api *api, qd_server **out, qd_error *err)
{
    qd_server_options o = QD_SERVER_OPTIONS_INIT;
    o.host = c->http_host;
    o.port = (uint16_t)c->http_port;
    o.threads = (unsigned)c->http_threads;
    o.max_connections = (unsigned)c->http_max_connections;
    o.idle_timeout_s = (unsigned)c->http_idle_timeout_s;
    o.max_body_bytes = (size_t)c->http_max_body_bytes;
    o.max_inflight_bytes = (size_t)c->http_max_inflight_bytes;
    o.max_search_body_bytes = (size_t)c->http_max_search_body_bytes;
    o.compression_level = (int)c->http_compression_level;
    o.rate.most[QD_RATE_REGISTER] = (uint32_t)c->rate_register_per_minute;
    o.rate.most[QD_RATE_DELETE] = (uint32_t)c->rate_delete_per_minute;
    o.rate.most[QD_RATE_QUERY] = (uint32_t)c->rate_query_per_second;
    o.rate.most[QD_RATE_STATS] = (uint32_t)c->rate_stats_per_second;
    o.search_threads = c->search_threads ? (unsigned)c->search_threads : processors();
    o.search_queue = (unsigned)c->search_queue;
    o.write_threads = (unsigned)c->write_threads;
    o.write_queue = (unsigned)c->write_queue;
    o.admin_threads = (unsigned)c->admin_threads;
    return qd_server_start(&o, api, out, err);
}

static void fill_api(qd_api *api, qd_config *c, const qd_database *db)
{
    *api = (qd_api){.node = db->node,
                    .registry = db->registry,
                    .audit = db->audit,
                    .engine = db->engine,
                    .max_metric_functions = (size_t)c->metrics_max_functions,
                    .node_name = c->node_name,
                    .cluster_name = c->cluster_name,
                    .max_module_bytes = (size_t)c->udf_max_module_bytes,
                    .default_timeout_ns =
                        c->search_default_timeout_ms ? c->search_default_timeout_ms * 1000000 : INT64_MAX,
                    .log = log_line,
                    .log_arg = c};
}

static qd_status serve(qd_config *c, const sigset_t *stop_signals, qd_error *err)
{
    qd_database *db = NULL;
    qd_server *server = NULL;
    qd_api api;
    int received = 0;
    qd_status status = open_database(c, &db, err);
    if (status != QD_OK)
        goto done;
    fill_api(&api, c, db);
    if ((status = qd_api_identify(&api, err)) != QD_OK || (status = start_server(c, &api, &server, err)) != QD_OK)
        goto done;
    printf("ready http://%s\n", api.address);
    fflush(stdout);
    log_info(c, "ready, data in ", c->data_dir);
    sigwait(stop_signals, &received);
    log_info(c, "stopping: ", strsignal(received));
done:
    qd_server_stop(server, GRACE_MS);
    qd_database_close(db);
    return status;
}

static qd_status print_openapi(qd_error *err)
{
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, MAX_OPENAPI_BYTES);
    qd_json_init(&w, &out, true);
    qd_openapi_write_all(&w);
    qd_status status = out.failed ? qd_fail_nomem(err) : QD_OK;
    if (status == QD_OK)
        printf("%.*s\n", (int)out.n, out.p);
    qd_buf_deinit(&out);
    return status;
}

static int run(qd_config *c, int argc, char **argv)
{
    qd_error err = QD_ERROR_INIT;
    qd_config_action action = QD_CONFIG_RUN;
    sigset_t stop_signals;
    qd_status status = qd_config_load(c, argc, argv, environ, &action, &err);
    if (status == QD_OK && action == QD_CONFIG_HELP)
        qd_config_write_usage(stdout);
    if (status == QD_OK && action == QD_CONFIG_VERSION)
        printf("quidditchd %s\n", qd_version());
    if (status == QD_OK && action == QD_CONFIG_LIST)
        qd_config_write_reference(stdout);
    if (status == QD_OK && action == QD_CONFIG_OPENAPI)
        status = print_openapi(&err);
    if (status == QD_OK && action == QD_CONFIG_RUN) {
        /* Blocked before any thread starts, so that only sigwait sees them. */
        sigemptyset(&stop_signals);
        sigaddset(&stop_signals, SIGTERM);
        sigaddset(&stop_signals, SIGINT);
        pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        /* A file that may not grow (RLIMIT_FSIZE) is an error like a full disk, not the end of the process. */
        signal(SIGXFSZ, SIG_IGN);
        raise_descriptor_limit();
        status = serve(c, &stop_signals, &err);
    }
    if (status != QD_OK)
        fprintf(stderr, "quidditchd: %s\n", err.message[0] ? err.message : qd_status_name(status));
    return qd_status_describe(status)->exit_status;
}

int main(int argc, char **argv)
{
    qd_config c;
    qd_error err = QD_ERROR_INIT;
    if (qd_config_init(&c, &err) != QD_OK) {
        fprintf(stderr, "quidditchd: %s\n", err.message);
        return qd_status_describe(err.code)->exit_status;
    }
    int exit_status = run(&c, argc, argv);
    qd_config_deinit(&c);
    return exit_status;
}
