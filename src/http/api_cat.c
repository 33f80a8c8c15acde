/* SPDX-License-Identifier: Apache-2.0
 *
 * _cat: tables for people. */
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "http/cat_table.h"
#include "http/shards.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *number(const qd_request *rq, uint64_t value)
{
    return qd_arena_printf(rq->arena, "%" PRIu64, value);
}

/* Cells that could not be made for want of memory fail the call. */
static qd_status write_table(qd_request *rq, const qd_cat_column *columns, size_t n_columns, const char *const *cells,
                             size_t n_rows, qd_error *err)
{
    for (size_t i = 0; i < n_columns * n_rows; i++) {
        if (!cells[i])
            return qd_fail_nomem(err);
    }
    return qd_cat_table_write(rq, columns, n_columns, cells, n_rows, err);
}

qd_status qd_api_cat_indices(qd_request *rq, qd_error *err)
{
    static const qd_cat_column COLUMNS[] = {
        {"health", NULL, false},        {"status", NULL, false},      {"index", "i", false},
        {"uuid", "id", false},          {"pri", "p", true},           {"rep", "r", true},
        {"docs.count", "dc", true},     {"docs.deleted", "dd", true}, {"store.size", "ss", true},
        {"pri.store.size", NULL, true},
    };
    qd_index **indices = NULL;
    size_t n = 0, n_rows = 0;
    qd_str health = QD_STR("");
    qd_status status = qd_request_indices(rq, &indices, &n, err);
    if (status != QD_OK)
        return status;
    qd_request_str(rq, "health", &health);
    const char **cells = qd_arena_array(rq->arena, n ? n * COUNT(COLUMNS) : 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        qd_index_stats stats = {0};
        const char *is = qd_shards_health_name(qd_index_has_failed(indices[i]));
        if (health.n && !qd_str_is(health, is))
            continue;
        qd_index_stats_get(indices[i], &stats);
        const char *size = qd_cat_bytes(rq, stats.size_bytes);
        const char *const row[COUNT(COLUMNS)] = {is,   "open", qd_index_name(indices[i]), qd_index_uuid(indices[i]),
                                                 "1",  "0",    number(rq, stats.docs),    "0",
                                                 size, size};
        memcpy(cells + n_rows++ * COUNT(COLUMNS), row, sizeof row);
    }
    status = cells ? write_table(rq, COLUMNS, COUNT(COLUMNS), cells, n_rows, err) : qd_fail_nomem(err);
    qd_node_release(indices, n);
    return status;
}

/* {"epoch", "timestamp"} as both tables start. */
static void write_now(const qd_request *rq, const char *cells[2])
{
    time_t now = (time_t)(qd_clock_wall_ms() / 1000);
    struct tm utc;
    gmtime_r(&now, &utc);
    cells[0] = number(rq, (uint64_t)now);
    cells[1] = qd_arena_printf(rq->arena, "%02d:%02d:%02d", utc.tm_hour, utc.tm_min, utc.tm_sec);
}

qd_status qd_api_cat_health(qd_request *rq, qd_error *err)
{
    static const qd_cat_column COLUMNS[] = {
        {"epoch", "t", true},
        {"timestamp", "ts", false},
        {"cluster", "cl", false},
        {"status", "st", false},
        {"node.total", "nt", true},
        {"node.data", "nd", true},
        {"shards", "sh", true},
        {"pri", "p", true},
        {"relo", "r", true},
        {"init", "i", true},
        {"unassign", "u", true},
        {"pending_tasks", "pt", true},
        {"active_shards_percent", "asp", true},
    };
    qd_shards_health health;
    const char *cells[COUNT(COLUMNS)];
    qd_status status = qd_shards_health_get(rq, QD_STR("_all"), &health, err);
    if (status != QD_OK)
        return status;
    const char *shards = number(rq, health.active), *unassigned = number(rq, health.unassigned),
               *percent = qd_arena_printf(rq->arena, "%.1f%%", qd_shards_health_percent(&health));
    write_now(rq, cells);
    const char *const rest[COUNT(COLUMNS) - 2] = {rq->api->cluster_name,
                                                  qd_shards_health_name(health.unassigned),
                                                  "1",
                                                  "1",
                                                  shards,
                                                  shards,
                                                  "0",
                                                  "0",
                                                  unassigned,
                                                  "0",
                                                  percent};
    memcpy(cells + 2, rest, sizeof rest);
    return write_table(rq, COLUMNS, COUNT(COLUMNS), cells, 1, err);
}

qd_status qd_api_cat_count(qd_request *rq, qd_error *err)
{
    static const qd_cat_column COLUMNS[] = {{"epoch", "t", true}, {"timestamp", "ts", false}, {"count", "dc", true}};
    qd_index **indices = NULL;
    size_t n = 0;
    uint64_t docs = 0;
    const char *cells[COUNT(COLUMNS)];
    qd_status status = qd_request_indices(rq, &indices, &n, err);
    if (status != QD_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        qd_index_stats stats = {0};
        qd_index_stats_get(indices[i], &stats);
        docs += stats.docs;
    }
    qd_node_release(indices, n);
    write_now(rq, cells);
    cells[2] = number(rq, docs);
    return write_table(rq, COLUMNS, COUNT(COLUMNS), cells, 1, err);
}
