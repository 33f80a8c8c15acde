/* SPDX-License-Identifier: Apache-2.0 */
#include "http/metrics_udf.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct snapshot {
    qd_wasm_counters engine;
    qd_stats_summary *functions; /* most recently used first */
    size_t n_functions, n_left_out, n_quarantined;
} snapshot;

typedef struct metric {
    const char *name, *type, *help;
    void (*write)(const struct metric *m, const snapshot *s, qd_buf *out);
    size_t offset; /* of the engine's counter, for write_u64 and write_u32 */
} metric;

/* ---- one series for each function. Names and versions need no escapes: the manifest allows neither \ nor " ---- */

static void write_executions(const metric *m, const snapshot *s, qd_buf *out)
{
    for (size_t i = 0; i < s->n_functions; i++) {
        const qd_stats_summary *f = &s->functions[i];
        uint64_t succeeded = f->calls > f->errors ? f->calls - f->errors : 0;
        const struct {
            const char *name;
            uint64_t count;
        } outcomes[] = {{"success", succeeded}, {"error", f->errors}};
        for (size_t k = 0; k < sizeof outcomes / sizeof *outcomes; k++)
            qd_buf_addf(out, "%s{name=\"%s\",version=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", m->name, f->name,
                        f->version, outcomes[k].name, outcomes[k].count);
    }
}

static void write_latency(const metric *m, const snapshot *s, qd_buf *out)
{
    for (size_t i = 0; i < s->n_functions; i++) {
        const qd_stats_summary *f = &s->functions[i];
        for (size_t k = 0; k < QD_STATS_BOUNDS; k++)
            qd_buf_addf(out, "%s_bucket{name=\"%s\",version=\"%s\",le=\"%g\"} %" PRIu64 "\n", m->name, f->name,
                        f->version, QD_STATS_BOUNDS_NS[k] / 1e9, f->calls_to[k]);
        qd_buf_addf(out, "%s_bucket{name=\"%s\",version=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", m->name, f->name,
                    f->version, f->latency_count);
        qd_buf_addf(out, "%s_sum{name=\"%s\",version=\"%s\"} %.9f\n", m->name, f->name, f->version,
                    (double)f->total_ns / 1e9);
        qd_buf_addf(out, "%s_count{name=\"%s\",version=\"%s\"} %" PRIu64 "\n", m->name, f->name, f->version,
                    f->latency_count);
    }
}

static void write_errors(const metric *m, const snapshot *s, qd_buf *out)
{
    for (size_t i = 0; i < s->n_functions; i++) {
        const qd_stats_summary *f = &s->functions[i];
        for (size_t k = 0; k < QD_STATS_ERROR_KINDS; k++)
            if (f->errors_by_kind[k] > 0)
                qd_buf_addf(out, "%s{name=\"%s\",version=\"%s\",type=\"%s\"} %" PRIu64 "\n", m->name, f->name,
                            f->version, qd_status_describe(qd_stats_error_kind(k))->api_code, f->errors_by_kind[k]);
    }
}

/* ---- the whole ---- */

static void write_left_out(const metric *m, const snapshot *s, qd_buf *out)
{
    qd_buf_addf(out, "%s %zu\n", m->name, s->n_left_out);
}

static void write_quarantined(const metric *m, const snapshot *s, qd_buf *out)
{
    qd_buf_addf(out, "%s %zu\n", m->name, s->n_quarantined);
}

static void write_compile(const metric *m, const snapshot *s, qd_buf *out)
{
    for (qd_wasm_tier t = QD_TIER_BASELINE; t <= QD_TIER_OPTIMIZED; t++) {
        const char *tier = qd_wasm_tier_name(t);
        qd_buf_addf(out, "%s_sum{tier=\"%s\"} %.9f\n", m->name, tier, (double)s->engine.compile_ns[t] / 1e9);
        qd_buf_addf(out, "%s_count{tier=\"%s\"} %" PRIu64 "\n", m->name, tier, s->engine.compiled[t]);
    }
}

static void write_pool(const metric *m, const snapshot *s, qd_buf *out)
{
    const qd_wasm_counters *e = &s->engine;
    uint32_t taken = e->instances + e->idle_instances;
    qd_buf_addf(out, "%s{state=\"busy\"} %u\n", m->name, e->instances);
    qd_buf_addf(out, "%s{state=\"idle\"} %u\n", m->name, e->idle_instances);
    qd_buf_addf(out, "%s{state=\"free\"} %u\n", m->name, e->max_instances > taken ? e->max_instances - taken : 0);
}

static void write_memory(const metric *m, const snapshot *s, qd_buf *out)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } kinds[] = {
        {"code", s->engine.code_bytes}, {"linear", s->engine.linear_bytes}, {"columns", s->engine.column_bytes}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        qd_buf_addf(out, "%s{kind=\"%s\"} %" PRIu64 "\n", m->name, kinds[i].name, kinds[i].bytes);
}

static void write_u64(const metric *m, const snapshot *s, qd_buf *out)
{
    uint64_t value;
    memcpy(&value, (const char *)&s->engine + m->offset, sizeof value);
    qd_buf_addf(out, "%s %" PRIu64 "\n", m->name, value);
}

static void write_u32(const metric *m, const snapshot *s, qd_buf *out)
{
    uint32_t value;
    memcpy(&value, (const char *)&s->engine + m->offset, sizeof value);
    qd_buf_addf(out, "%s %" PRIu32 "\n", m->name, value);
}

#define U64(field) write_u64, offsetof(qd_wasm_counters, field)
#define U32(field) write_u32, offsetof(qd_wasm_counters, field)
static const metric METRICS[] = {
    {"quidditch_udf_executions_total", "counter", "Calls of functions, one for each document, by outcome.",
     write_executions, 0},
    {"quidditch_udf_latency_seconds", "histogram", "Time of a call: that of its block of documents, over their number.",
     write_latency, 0},
    {"quidditch_udf_errors_total", "counter", "Failed calls by type, those that the query forgave included.",
     write_errors, 0},
    {"quidditch_udf_functions_without_series", "gauge",
     "Versions that have been used, but not lately enough to have series of their own here.", write_left_out, 0},
    {"quidditch_udf_quarantined_functions", "gauge", "Versions that queries may not use: they failed too often.",
     write_quarantined, 0},
    {"quidditch_udf_compile_seconds", "summary", "Time spent compiling modules to native code, by tier.", write_compile,
     0},
    {"quidditch_udf_tier_transitions_total", "counter", "Functions whose code was replaced by optimized code.",
     U64(tier_transitions)},
    {"quidditch_udf_optimize_queue", "gauge", "Modules that wait to be optimized.", U32(queued)},
    {"quidditch_udf_cache_hits_total", "counter", "Native code found in the cache on disk.", U64(cache_hits)},
    {"quidditch_udf_cache_misses_total", "counter", "Native code that the cache did not have.", U64(cache_misses)},
    {"quidditch_udf_cache_evictions_total", "counter", "Entries removed to keep the cache within its size.",
     U64(cache_evictions)},
    {"quidditch_udf_cache_rejected_total", "counter", "Entries that were corrupt or not written by this node.",
     U64(cache_rejected)},
    {"quidditch_udf_cache_bytes", "gauge", "Size of the cache on disk.", U64(cache_bytes)},
    {"quidditch_udf_cache_entries", "gauge", "Modules in the cache on disk.", U64(cache_entries)},
    {"quidditch_udf_pool_instances", "gauge", "Instances of functions: at work, idle, and still to be had.", write_pool,
     0},
    {"quidditch_udf_instances_made_total", "counter", "Instances made.", U64(instances_made)},
    {"quidditch_udf_instances_reused_total", "counter", "Instances taken again as they were.", U64(instances_reused)},
    {"quidditch_udf_memory_bytes", "gauge",
     "Memory of functions: native code, linear memory, and columns of arguments and results.", write_memory, 0},
};

static qd_status read_functions(const qd_api *api, snapshot *s, qd_error *err)
{
    qd_udf_stats **list = NULL;
    size_t n = 0;
    qd_stats_keeper *keeper = qd_registry_stats(api->registry);
    if (!keeper)
        return QD_OK;
    qd_status status = qd_stats_keeper_recent(keeper, api->max_metric_functions, &list, &n, &s->n_left_out, err);
    if (status != QD_OK)
        return status;
    s->functions = malloc((n + 1) * sizeof *s->functions);
    if (!s->functions)
        status = qd_fail_nomem(err);
    for (size_t i = 0; i < n && status == QD_OK; i++) {
        /* One whose row cannot be read must not take the other metrics away. */
        if (qd_udf_stats_read(list[i], &s->functions[s->n_functions], NULL) == QD_OK)
            s->n_functions++;
        else
            s->n_left_out++;
    }
    qd_stats_keeper_release(list, n);
    return status;
}

qd_status qd_metrics_write_udf(const qd_api *api, qd_buf *out, qd_error *err)
{
    snapshot s = {.n_quarantined = qd_quarantine_count(qd_registry_quarantine(api->registry))};
    qd_wasm_engine_read_counters(api->engine, &s.engine);
    qd_status status = read_functions(api, &s, err);
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS && status == QD_OK; i++) {
        const metric *row = &METRICS[i];
        qd_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->type);
        row->write(row, &s, out);
    }
    free(s.functions);
    return status;
}
