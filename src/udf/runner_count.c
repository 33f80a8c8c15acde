/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "udf/runner_impl.h"

/* The query ran out of time: that says nothing about the function, which may have been slow or only the last. */
static bool is_interruption(const qd_runner *r, const qd_error *why)
{
    return why->code == QD_ECANCELED || (why->code == QD_EUDF_TIMEOUT && r->call.deadline_ns != INT64_MAX &&
                                         qd_clock_mono_ns() >= r->call.deadline_ns);
}

void qd_runner_count_failure(qd_runner *r, const qd_error *why, const qd_str *id)
{
    if (!is_interruption(r, why))
        qd_udf_stats_error(r->b->udf->stats, why, id);
}

static void tell_forgiven(qd_runner *r)
{
    qd_udf_stats_more_errors(r->b->udf->stats, r->count.forgiven, r->count.n_forgiven);
    r->count.forgiven = QD_OK;
    r->count.n_forgiven = 0;
}

void qd_runner_count_forgiven(qd_runner *r, const qd_error *why, uint32_t row)
{
    char place[QD_ROW_PLACE_SIZE];
    if (r->count.forgiven == why->code) {
        r->count.n_forgiven++;
        return;
    }
    tell_forgiven(r);
    qd_str id = qd_runner_row_id(r, row, place);
    qd_runner_count_failure(r, why, &id);
    r->count.forgiven = why->code;
}

void qd_runner_count_block(qd_runner *r, int64_t ns)
{
    uint64_t host_calls = qd_runner_host_calls(r);
    uint64_t string_bytes = r->string_bytes + (r->instance ? qd_instance_string_bytes(r->instance) : 0);
    const qd_stats_block block = {.documents = r->n,
                                  .calls = r->n_succeeded + r->n_failed,
                                  .ns = ns,
                                  .host_calls = host_calls - r->count.host_calls,
                                  .string_bytes = string_bytes - r->count.string_bytes};
    r->count.host_calls = host_calls;
    r->count.string_bytes = string_bytes;
    tell_forgiven(r);
    qd_udf_stats_add(r->b->udf->stats, &block);
}

void qd_runner_log(void *arg, int level, qd_str message)
{
    qd_runner *r = arg;
    qd_recent_logs *logs = qd_udf_stats_logs(r->b->udf->stats);
    int64_t now_ms = level >= QD_RECENT_INFO ? qd_clock_wall_ms() : 0;
    uint32_t row;
    char place[QD_ROW_PLACE_SIZE];
    if (logs && qd_recent_logs_wants(logs, level, now_ms)) {
        bool has_row = qd_runner_current_row(r, &row);
        qd_str id = has_row ? qd_runner_row_id(r, row, place) : (qd_str){0};
        qd_recent_logs_add(logs, now_ms, level, message, has_row ? &id : NULL);
    }
    if (r->log)
        r->log(r->log_arg, level, message);
}
