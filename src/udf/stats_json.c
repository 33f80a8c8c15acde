/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer of GET /api/v1/udfs/{name}/{version}/stats. */
#include "base/clock.h"
#include "udf/rating.h"
#include "udf/stats_impl.h"

static void write_us(qd_json *w, const char *key, double ns)
{
    qd_json_kv_f64(w, key, ns / 1e3);
}

static void write_count(qd_json *w, const char *key, uint64_t n)
{
    qd_json_key(w, key);
    qd_json_u64(w, n);
}

static void write_time(qd_json *w, const char *key, int64_t wall_ms)
{
    char text[QD_ISO8601_SIZE];
    qd_json_kv_z(w, key, wall_ms ? qd_clock_iso8601(wall_ms, text) : NULL);
}

static void write_errors(qd_json *w, const qd_stats_summary *s)
{
    qd_json_key(w, "errors_by_type");
    qd_json_begin_object(w);
    for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++)
        if (s->errors_by_kind[i] > 0)
            write_count(w, qd_status_describe(qd_stats_error_kind(i))->api_code, s->errors_by_kind[i]);
    qd_json_end_object(w);
}

static void write_last_error(qd_json *w, const qd_stats_summary *s, const char *stack)
{
    qd_json_key(w, "last_error");
    if (s->last_error_code == QD_OK) {
        qd_json_null(w);
        return;
    }
    qd_json_begin_object(w);
    qd_json_kv_z(w, "code", qd_status_describe(s->last_error_code)->api_code);
    qd_json_kv_z(w, "message", s->last_error);
    write_time(w, "at", s->last_error_ms);
    qd_json_kv_z(w, "document", s->last_error_document[0] ? s->last_error_document : NULL);
    qd_json_kv_lines(w, "stack", stack);
    qd_json_end_object(w);
}

/* What it is at this moment, which no reset changes. */
static void write_code(qd_json *w, const qd_wasm_status *code)
{
    qd_json_kv_z(w, "tier", code->tier == QD_TIER_NONE ? NULL : qd_wasm_tier_name(code->tier));
    write_count(w, "code_bytes", code->code_bytes);
    write_count(w, "memory_bytes", code->linear_bytes);
}

static void write_statistics(qd_json *w, const qd_stats_summary *s, const char *stack, const qd_wasm_status *code)
{
    /* A call may fail before it is one: when there is no instance for it. */
    uint64_t tries = s->calls > s->errors ? s->calls : s->errors;
    qd_json_begin_object(w);
    write_count(w, "call_count", s->calls);
    write_count(w, "document_count", s->documents);
    write_count(w, "error_count", s->errors);
    qd_json_kv_f64(w, "error_rate", tries ? (double)s->errors / (double)tries : 0);
    write_errors(w, s);
    write_us(w, "min_latency_us", s->min_ns);
    write_us(w, "avg_latency_us", s->avg_ns);
    write_us(w, "p50_latency_us", s->p50_ns);
    write_us(w, "p95_latency_us", s->p95_ns);
    write_us(w, "p99_latency_us", s->p99_ns);
    write_us(w, "p999_latency_us", s->p999_ns);
    write_us(w, "max_latency_us", s->max_ns);
    qd_json_kv_f64(w, "total_execution_time_ms", (double)s->total_ns / 1e6);
    write_time(w, "last_executed_at", s->last_used_ms);
    write_last_error(w, s, stack);
    write_count(w, "host_call_count", s->host_calls);
    write_count(w, "string_bytes_copied", s->string_bytes);
    write_count(w, "instances", s->instances);
    write_count(w, "instances_peak", s->instances_peak);
    write_code(w, code);
    write_count(w, "memory_peak_bytes", s->linear_peak_bytes);
    qd_json_end_object(w);
}

static void write_performance(qd_json *w, const qd_verdict *v)
{
    qd_json_begin_object(w);
    qd_json_kv_z(w, "rating", qd_rating_name(v->rating));
    qd_json_key(w, "recommendations");
    qd_json_begin_array(w);
    for (size_t i = 0; i < v->n; i++)
        qd_json_z(w, v->advice[i]);
    qd_json_end_array(w);
    qd_json_end_object(w);
}

qd_status qd_udf_stats_write_json(qd_udf_stats *s, const qd_rating_facts *facts, qd_json *w, qd_error *err)
{
    static const qd_wasm_status not_loaded = {.tier = QD_TIER_NONE};
    qd_stats_summary summary;
    qd_verdict verdict;
    char stack[QD_ERROR_STACK_BYTES];
    qd_status st = qd_stats_read_with_stack(s, &summary, stack, err);
    if (st != QD_OK)
        return st;
    qd_rating_judge(&summary, facts, &verdict);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", summary.name);
    qd_json_kv_z(w, "version", summary.version);
    qd_json_key(w, "statistics");
    write_statistics(w, &summary, stack, facts ? &facts->code : &not_loaded);
    qd_json_key(w, "performance");
    write_performance(w, &verdict);
    qd_json_end_object(w);
    return QD_OK;
}
