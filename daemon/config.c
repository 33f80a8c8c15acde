/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define ENVIRONMENT_PREFIX "QUIDDITCH_"
#define MAX_KEY            64
#define KIB                ((int64_t)1 << 10)
#define MIB                ((int64_t)1 << 20)
#define GIB                ((int64_t)1 << 30)

typedef enum kind { TEXT, COUNT, BYTES } kind;

typedef struct key {
    const char *name;
    kind kind;
    size_t offset;
    const char *text_default; /* TEXT */
    int64_t default_value, min, max;
    const char *unit, *text;
} key;

#define TEXT_KEY(name, field, value, text)                                                                             \
    {                                                                                                                  \
        name, TEXT, offsetof(qd_config, field), value, 0, 0, 0, "text", text                                           \
    }
#define COUNT_KEY(name, field, value, min, max, unit, text)                                                            \
    {                                                                                                                  \
        name, COUNT, offsetof(qd_config, field), NULL, value, min, max, unit, text                                     \
    }
#define BYTES_KEY(name, field, value, min, max, text)                                                                  \
    {                                                                                                                  \
        name, BYTES, offsetof(qd_config, field), NULL, value, min, max, "bytes", text                                  \
    }

static const key KEYS[] = {
    TEXT_KEY("data.dir", data_dir, "data",
             "Directory of everything that is kept; made when absent, held by one process."),
    TEXT_KEY("node.name", node_name, "quidditch", "This node's name in answers."),
    TEXT_KEY("cluster.name", cluster_name, "quidditch", "The cluster's name in answers."),
    TEXT_KEY(
        "http.host", http_host, "127.0.0.1",
        "Address to listen on. There is no authentication yet: leave it on loopback unless the network is trusted."),
    COUNT_KEY("http.port", http_port, 9200, 0, 65535, "port number", "Port to listen on; 0 takes any free one."),
    COUNT_KEY("http.threads", http_threads, 2, 1, 64, "threads",
              "Threads that move bytes between sockets and requests."),
    COUNT_KEY("http.max_connections", http_max_connections, 4096, 1, 1000000, "connections",
              "Open connections at once."),
    COUNT_KEY("http.idle_timeout_s", http_idle_timeout_s, 300, 1, 86400, "seconds",
              "A connection on which nothing moves is closed after this."),
    BYTES_KEY("http.max_body_bytes", http_max_body_bytes, 100 * MIB, KIB, 2 * GIB,
              "Largest body of one request; beyond: 413."),
    BYTES_KEY("http.max_search_body_bytes", http_max_search_body_bytes, 10 * MIB, KIB, 2 * GIB,
              "Largest body of a search or of a function's test; beyond: 413."),
    BYTES_KEY("http.max_inflight_bytes", http_max_inflight_bytes, GIB, MIB, 1024 * GIB,
              "Bodies of all requests in progress together; beyond: 429."),
    COUNT_KEY("http.compression_level", http_compression_level, 3, 0, 9, "level",
              "How hard answers of 1,400 bytes and more are packed for clients that accept gzip; 0: not at all."),
    COUNT_KEY("rate_limit.register_per_minute", rate_register_per_minute, 10, 0, 1000000, "calls",
              "Registrations that one client (an IPv4 address, an IPv6 /64) may send; beyond: 429. 0: no limit."),
    COUNT_KEY("rate_limit.delete_per_minute", rate_delete_per_minute, 10, 0, 1000000, "calls",
              "The same for deletions of functions."),
    COUNT_KEY("rate_limit.query_per_second", rate_query_per_second, 1000, 0, 1000000, "calls",
              "The same for /api/v1/query and tests of functions; _search is not among them."),
    COUNT_KEY("rate_limit.stats_per_second", rate_stats_per_second, 100, 0, 1000000, "calls",
              "The same for statistics, status, logs and history of functions, and the audit log."),
    COUNT_KEY("search.threads", search_threads, 0, 0, 1024, "threads",
              "Threads that search; 0: as many as processors."),
    COUNT_KEY("search.queue", search_queue, 1000, 1, 100000, "requests", "Searches that may wait; beyond: 429."),
    COUNT_KEY("search.default_timeout_ms", search_default_timeout_ms, 0, 0, 86400000, "milliseconds",
              "Time for a search that asks for none; 0: no limit."),
    COUNT_KEY("write.threads", write_threads, 8, 1, 1024, "threads",
              "Threads that write. They wait for the disk together, so more of them share one sync."),
    COUNT_KEY("write.queue", write_queue, 1000, 1, 100000, "requests", "Writes that may wait; beyond: 429."),
    COUNT_KEY("admin.threads", admin_threads, 2, 1, 64, "threads",
              "Threads for indices, functions and their compilation."),
    COUNT_KEY("index.refresh_interval_ms", refresh_interval_ms, 1000, -1, 86400000, "milliseconds",
              "How soon writes become searchable by themselves, where an index does not say; -1: only when asked."),
    BYTES_KEY("index.writer_memory_bytes", writer_memory_bytes, 128 * MIB, 15 * MIB, 64 * GIB,
              "Memory for one index's new documents before they are written out."),
    BYTES_KEY("index.max_log_bytes", max_log_bytes, 4 * GIB, 16 * MIB, 1024 * GIB,
              "Size of one index's op log at which writes wait for a refresh."),
    COUNT_KEY("index.max_indices", max_indices, 1000, 1, 100000, "indices", "Indices on this node."),
    BYTES_KEY("udf.max_module_bytes", udf_max_module_bytes, 10 * MIB, KIB, 256 * MIB, "Largest module of a function."),
    COUNT_KEY("udf.max_functions", udf_max_functions, 10000, 1, 1000000, "versions",
              "Registered versions of functions in all."),
    BYTES_KEY("udf.memory_bytes", udf_memory_bytes, 256 * MIB, 64 * KIB, 4 * GIB,
              "The most linear memory that a function's manifest may ask for (it gets 16 MiB when it asks for none)."),
    COUNT_KEY("udf.call_ms", udf_call_ms, 10000, 1, 600000, "milliseconds",
              "The longest call for one document that a manifest may ask for (100 when it asks for none)."),
    BYTES_KEY("udf.stack_bytes", udf_stack_bytes, 512 * KIB, 64 * KIB, 4 * MIB, "Stack of one call."),
    COUNT_KEY("udf.max_instances", udf_max_instances, 1024, 1, 8192, "instances",
              "Instances of functions alive at once; beyond: 429."),
    BYTES_KEY("udf.code_bytes", udf_code_bytes, 512 * MIB, MIB, 64 * GIB,
              "Native code of all loaded functions; past it those that nobody uses are let go, until they are used."),
    BYTES_KEY("udf.cache_bytes", udf_cache_bytes, GIB, 0, 1024 * GIB,
              "Native code kept on disk (data.dir/native), so that it is compiled once; 0: none."),
    COUNT_KEY(
        "udf.optimize_threads", udf_optimize_threads, 1, 0, 64, "threads",
        "Threads that optimize functions while their first code serves; 0: they are optimized before they serve."),
    COUNT_KEY("stats.flush_interval_s", stats_flush_interval_s, 10, 1, 3600, "seconds",
              "How often the statistics of functions are stored; a crash loses what was counted since."),
    COUNT_KEY("quarantine.failures", quarantine_failures, 0, 0, 1000, "queries",
              "So many queries in a row that fail because of a function put it into quarantine; 0: never."),
    COUNT_KEY("quarantine.window_s", quarantine_window_s, 60, 1, 86400, "seconds",
              "The time within which they must fail."),
    COUNT_KEY("metrics.max_functions", metrics_max_functions, 1000, 0, 100000, "functions",
              "Versions of functions with series of their own in /metrics: those used last."),
    TEXT_KEY(
        "trust.policy", trust_policy, "off",
        "Signatures of functions: off (not looked at), warn (a wrong one is refused) or require (every function must "
        "be signed by a trusted key)."),
    TEXT_KEY("trust.keys", trust_keys, "",
             "Trusted public keys: PEM files, and directories of them (*.pem), separated by commas."),
    BYTES_KEY("audit.max_bytes", audit_max_bytes, 64 * MIB, 64 * KIB, GIB,
              "Size of the audit log's entries; beyond, the oldest go."),
    TEXT_KEY("log.level", log_level_name, "info", "How much goes to stderr: error, warn, info or debug."),
};
#define KEYS_COUNT (sizeof KEYS / sizeof *KEYS)

static char **text_at(qd_config *c, const key *k)
{
    return (char **)(void *)((char *)c + k->offset);
}

static int64_t *number_at(qd_config *c, const key *k)
{
    return (int64_t *)(void *)((char *)c + k->offset);
}

qd_status qd_config_init(qd_config *c, qd_error *err)
{
    *c = (qd_config){.log_level = QD_LOG_INFO};
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (KEYS[i].kind != TEXT)
            *number_at(c, &KEYS[i]) = KEYS[i].default_value;
        else if (!(*text_at(c, &KEYS[i]) = strdup(KEYS[i].text_default))) {
            qd_config_deinit(c);
            return qd_fail_nomem(err);
        }
    }
    return QD_OK;
}

void qd_config_deinit(qd_config *c)
{
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (KEYS[i].kind == TEXT) {
            free(*text_at(c, &KEYS[i]));
            *text_at(c, &KEYS[i]) = NULL;
        }
    }
}

/* ---- one key ----------------------------------------------------------------------------------------------------- */

static const key *find_key(const char *name)
{
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (strcmp(KEYS[i].name, name) == 0)
            return &KEYS[i];
    }
    return NULL;
}

/* "128mb", "1g", "4096": binary multiples. */
static bool parse_bytes(qd_str text, int64_t *out)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } UNITS[] = {{"kb", KIB}, {"mb", MIB}, {"gb", GIB}, {"k", KIB}, {"m", MIB}, {"g", GIB}, {"b", 1}};
    int64_t factor = 1;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        size_t n = strlen(UNITS[i].suffix);
        if (text.n > n && strncasecmp(text.p + text.n - n, UNITS[i].suffix, n) == 0) {
            factor = UNITS[i].factor;
            text.n -= n;
            break;
        }
    }
    int64_t count;
    if (!qd_str_to_i64(text, &count) || count < 0 || count > INT64_MAX / factor)
        return false;
    *out = count * factor;
    return true;
}

static qd_status set_number(qd_config *c, const key *k, const char *value, const char *source, qd_error *err)
{
    int64_t number;
    bool is_number =
        k->kind == BYTES ? parse_bytes(qd_str_of(value), &number) : qd_str_to_i64(qd_str_of(value), &number);
    if (!is_number)
        return qd_fail_field(err, QD_EINVAL, k->name, "%s: %s: expected a number (%s%s), got '%s'", source, k->name,
                             k->unit, k->kind == BYTES ? ", or with kb, mb or gb" : "", value);
    if (number < k->min || number > k->max)
        return qd_fail_field(err, QD_EINVAL, k->name, "%s: %s: expected %" PRId64 " to %" PRId64 " (%s), got %" PRId64,
                             source, k->name, k->min, k->max, k->unit, number);
    *number_at(c, k) = number;
    return QD_OK;
}

static qd_status set_log_level(qd_config *c, const char *value, const char *source, qd_error *err)
{
    static const char *const LEVELS[] = {"error", "warn", "info", "debug"};
    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
        if (strcmp(LEVELS[i], value) == 0) {
            c->log_level = (qd_log_level)i;
            return QD_OK;
        }
    }
    return qd_fail_field(err, QD_EINVAL, "log.level", "%s: log.level: expected error, warn, info or debug, got '%s'",
                         source, value);
}

static qd_status set_text(qd_config *c, const key *k, const char *value, const char *source, qd_error *err)
{
    if (!*value && *k->text_default)
        return qd_fail_field(err, QD_EINVAL, k->name, "%s: %s: expected a text, got an empty one", source, k->name);
    if (!qd_str_is_utf8(qd_str_of(value)))
        return qd_fail_field(err, QD_EINVAL, k->name, "%s: %s: the value is not UTF-8", source, k->name);
    char *copy = strdup(value);
    if (!copy)
        return qd_fail_nomem(err);
    free(*text_at(c, k));
    *text_at(c, k) = copy;
    return k->offset == offsetof(qd_config, log_level_name) ? set_log_level(c, value, source, err) : QD_OK;
}

qd_status qd_config_set(qd_config *c, const char *name, const char *value, const char *source, qd_error *err)
{
    const key *k = find_key(name);
    if (!k)
        return qd_fail_field(err, QD_EINVAL, name, "%s: unknown key '%s'; `quidditchd --help-config` lists the keys",
                             source, name);
    return k->kind == TEXT ? set_text(c, k, value, source, err) : set_number(c, k, value, source, err);
}

/* ---- sources ----------------------------------------------------------------------------------------------------- */

/* "http.max_body_bytes" -> "QUIDDITCH_HTTP_MAX_BODY_BYTES" */
static void environment_name(const char *name, char out[MAX_KEY + sizeof ENVIRONMENT_PREFIX])
{
    size_t n = sizeof ENVIRONMENT_PREFIX - 1;
    memcpy(out, ENVIRONMENT_PREFIX, n);
    for (; *name && n < MAX_KEY + sizeof ENVIRONMENT_PREFIX - 1; name++)
        out[n++] = (char)(*name == '.' ? '_' : toupper((unsigned char)*name));
    out[n] = '\0';
}

/* Does a variable's name begin like one of our keys ("QUIDDITCH_HTTP_…")? */
static bool is_in_a_section(const char *variable)
{
    char name[MAX_KEY + sizeof ENVIRONMENT_PREFIX];
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        environment_name(KEYS[i].name, name);
        size_t section = sizeof ENVIRONMENT_PREFIX + strcspn(KEYS[i].name, ".");
        if (strncmp(variable, name, section) == 0)
            return true;
    }
    return false;
}

/* QUIDDITCH_CONFIG names the file. A variable that begins like a key must be one: a misspelt key would silently do
 * nothing. Others are not ours: orchestrators add theirs by a service's name (QUIDDITCH_SERVICE_HOST). */
static qd_status read_environment(qd_config *c, char **environment, qd_error *err)
{
    char name[MAX_KEY + sizeof ENVIRONMENT_PREFIX];
    for (char **entry = environment; entry && *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        size_t n = equals ? (size_t)(equals - *entry) : 0;
        if (!equals || strncmp(*entry, ENVIRONMENT_PREFIX, sizeof ENVIRONMENT_PREFIX - 1) != 0)
            continue;
        if (strncmp(*entry, "QUIDDITCH_CONFIG=", 17) == 0)
            continue;
        const key *found = NULL;
        for (size_t i = 0; i < KEYS_COUNT && !found; i++) {
            environment_name(KEYS[i].name, name);
            if (strlen(name) == n && memcmp(name, *entry, n) == 0)
                found = &KEYS[i];
        }
        if (!found && !is_in_a_section(*entry))
            continue;
        if (!found)
            return qd_fail(err, QD_EINVAL, "environment: %.*s is no key; `quidditchd --help-config` lists the keys",
                           (int)n, *entry);
        qd_status status = qd_config_set(c, found->name, equals + 1, "environment", err);
        if (status != QD_OK)
            return status;
    }
    return QD_OK;
}

typedef struct flag {
    const char *name, *key; /* key NULL: see take_flag */
} flag;

static const flag FLAGS[] = {
    {"--data", "data.dir"}, {"--port", "http.port"}, {"--host", "http.host"}, {"--set", NULL}, {"--config", NULL},
};

/* One flag with its value. Of --config only *file is set; others go to `c` unless it is NULL. */
static qd_status take_flag(const flag *f, const char *value, qd_config *c, const char **file, qd_error *err)
{
    char name[MAX_KEY];
    if (f->key)
        return c ? qd_config_set(c, f->key, value, f->name, err) : QD_OK;
    if (strcmp(f->name, "--config") == 0) {
        *file = value;
        return QD_OK;
    }
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || (size_t)(equals - value) >= sizeof name)
        return qd_fail(err, QD_EINVAL, "--set: expected KEY=VALUE, got '%s'", value);
    memcpy(name, value, (size_t)(equals - value));
    name[equals - value] = '\0';
    return c ? qd_config_set(c, name, equals + 1, "--set", err) : QD_OK;
}

static bool is_action(const char *argument, qd_config_action *action)
{
    static const struct {
        const char *flag;
        qd_config_action action;
    } ACTIONS[] = {{"--help", QD_CONFIG_HELP},
                   {"-h", QD_CONFIG_HELP},
                   {"--version", QD_CONFIG_VERSION},
                   {"--help-config", QD_CONFIG_LIST},
                   {"--openapi", QD_CONFIG_OPENAPI}};
    for (size_t i = 0; i < sizeof ACTIONS / sizeof *ACTIONS; i++) {
        if (strcmp(argument, ACTIONS[i].flag) == 0) {
            *action = ACTIONS[i].action;
            return true;
        }
    }
    return false;
}

/* `--flag value` and `--flag=value`. With `c` NULL it only checks the form and finds --config. */
static qd_status read_flags(int argc, char **argv, qd_config *c, const char **file, qd_config_action *action,
                            qd_error *err)
{
    for (int i = 1; i < argc; i++) {
        const flag *found = NULL;
        const char *value = NULL;
        if (is_action(argv[i], action))
            return QD_OK;
        for (size_t k = 0; k < sizeof FLAGS / sizeof *FLAGS && !found; k++) {
            size_t n = strlen(FLAGS[k].name);
            if (strncmp(argv[i], FLAGS[k].name, n) == 0 && (argv[i][n] == '\0' || argv[i][n] == '=')) {
                found = &FLAGS[k];
                value = argv[i][n] == '=' ? argv[i] + n + 1 : NULL;
            }
        }
        if (!found)
            return qd_fail(err, QD_EINVAL, "unknown argument '%s'; `quidditchd --help` lists the flags", argv[i]);
        if (!value && i + 1 < argc)
            value = argv[++i];
        if (!value)
            return qd_fail(err, QD_EINVAL, "%s: expected a value after it", found->name);
        qd_status status = take_flag(found, value, c, file, err);
        if (status != QD_OK)
            return status;
    }
    return QD_OK;
}

static const char *file_from_environment(char **environment)
{
    for (char **entry = environment; entry && *entry; entry++) {
        if (strncmp(*entry, "QUIDDITCH_CONFIG=", 17) == 0)
            return *entry + 17;
    }
    return NULL;
}

qd_status qd_config_load(qd_config *c, int argc, char **argv, char **environment, qd_config_action *action,
                         qd_error *err)
{
    const char *file = file_from_environment(environment);
    *action = QD_CONFIG_RUN;
    qd_status status = read_flags(argc, argv, NULL, &file, action, err);
    if (status != QD_OK || *action != QD_CONFIG_RUN)
        return status;
    if (file)
        status = qd_config_read_yaml(c, file, err);
    if (status == QD_OK)
        status = read_environment(c, environment, err);
    if (status == QD_OK)
        status = read_flags(argc, argv, c, &file, action, err);
    return status;
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

void qd_config_write_usage(FILE *out)
{
    fputs("quidditchd: the Quidditch search daemon\n\n"
          "usage: quidditchd [--data DIR] [--port N] [--host ADDRESS] [--config FILE] [--set KEY=VALUE]…\n\n"
          "  --data DIR       where everything is kept (data.dir; default ./data)\n"
          "  --port N         port to listen on (http.port; default 9200; 0: any free one)\n"
          "  --host ADDRESS   address to listen on (http.host; default 127.0.0.1)\n"
          "  --config FILE    YAML file with keys, nested or dotted (or QUIDDITCH_CONFIG=FILE)\n"
          "  --set KEY=VALUE  any key of --help-config; repeatable\n"
          "  --help-config    list all keys as Markdown\n"
          "  --openapi        print the API's description (OpenAPI 3.1)\n"
          "  --version        print the version\n\n"
          "Flags override the environment (QUIDDITCH_HTTP_PORT for http.port), which overrides the file.\n"
          "Prints `ready http://ADDRESS:PORT` on stdout when it serves; logs to stderr; SIGTERM stops it cleanly.\n",
          out);
}

static void write_bytes(FILE *out, int64_t bytes)
{
    if (bytes % GIB == 0)
        fprintf(out, "%" PRId64 "gb", bytes / GIB);
    else if (bytes % MIB == 0)
        fprintf(out, "%" PRId64 "mb", bytes / MIB);
    else
        fprintf(out, "%" PRId64 "kb", bytes / KIB);
}

void qd_config_write_reference(FILE *out)
{
    char variable[MAX_KEY + sizeof ENVIRONMENT_PREFIX];
    fputs(
        "# Configuration\n\n"
        "Made by `quidditchd --help-config`. Sources, later ones win: the default, the YAML file (`--config FILE` or\n"
        "`QUIDDITCH_CONFIG`), the environment, flags (`--set KEY=VALUE`; `--data`, `--port` and `--host` are short for "
        "three keys).\n\n"
        "| key | default | range | environment | what it is |\n|---|---|---|---|---|\n",
        out);
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        const key *k = &KEYS[i];
        environment_name(k->name, variable);
        fprintf(out, "| `%s` | ", k->name);
        if (k->kind == TEXT) {
            fputs(*k->text_default ? "`" : "none", out);
            fputs(k->text_default, out);
            fputs(*k->text_default ? "` | text" : " | text", out);
        } else if (k->kind == BYTES) {
            write_bytes(out, k->default_value);
            fputs(" | ", out);
            write_bytes(out, k->min);
            fputs(" to ", out);
            write_bytes(out, k->max);
        } else {
            fprintf(out, "%" PRId64 " | %" PRId64 " to %" PRId64 " %s", k->default_value, k->min, k->max, k->unit);
        }
        fprintf(out, " | `%s` | %s |\n", variable, k->text);
    }
}
