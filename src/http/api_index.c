/* SPDX-License-Identifier: Apache-2.0
 *
 * Indices: create, look at, delete, refresh, merge, count. */
#include "http/shards.h"
#include "index/searcher.h"

qd_status qd_api_index_create(qd_request *rq, qd_error *err)
{
    json_t *body = NULL;
    qd_status status = qd_request_json(rq, true, &body, err);
    if (status != QD_OK)
        return status;
    qd_str name = qd_request_arg(rq, 0);
    status = qd_node_create_index(rq->api->node, name, body, err);
    json_decref(body);
    if (status != QD_OK)
        return status;
    qd_json_begin_object(&rq->json);
    qd_json_kv_bool(&rq->json, "acknowledged", true);
    qd_json_kv_bool(&rq->json, "shards_acknowledged", true);
    qd_json_key(&rq->json, "index");
    qd_json_str(&rq->json, name);
    qd_json_end_object(&rq->json);
    return QD_OK;
}

/* {"a": {…}, "b": {…}} with one member per index, filled by `write`. */
static qd_status by_index(qd_request *rq, void (*write)(qd_json *w, qd_index *ix), qd_error *err)
{
    qd_index **indices = NULL;
    size_t n = 0;
    qd_status status = qd_request_indices(rq, &indices, &n, err);
    if (status != QD_OK)
        return status;
    qd_json_begin_object(&rq->json);
    for (size_t i = 0; i < n; i++) {
        qd_json_key(&rq->json, qd_index_name(indices[i]));
        qd_json_begin_object(&rq->json);
        write(&rq->json, indices[i]);
        qd_json_end_object(&rq->json);
    }
    qd_json_end_object(&rq->json);
    qd_node_release(indices, n);
    return QD_OK;
}

static void write_mappings(qd_json *w, qd_index *ix)
{
    qd_mapping *m = qd_index_mapping(ix);
    qd_json_key(w, "mappings");
    qd_mapping_write(m, w, false);
    qd_mapping_unref(m);
}

static void write_settings(qd_json *w, qd_index *ix)
{
    qd_json_key(w, "settings");
    qd_index_settings_write(ix, w);
}

static void write_definition(qd_json *w, qd_index *ix)
{
    qd_json_key(w, "aliases");
    qd_json_begin_object(w);
    qd_json_end_object(w);
    write_mappings(w, ix);
    write_settings(w, ix);
}

qd_status qd_api_index_get(qd_request *rq, qd_error *err)
{
    return by_index(rq, write_definition, err);
}

qd_status qd_api_mapping_get(qd_request *rq, qd_error *err)
{
    return by_index(rq, write_mappings, err);
}

qd_status qd_api_settings_get(qd_request *rq, qd_error *err)
{
    return by_index(rq, write_settings, err);
}

qd_status qd_api_index_exists(qd_request *rq, qd_error *err)
{
    qd_index **indices = NULL;
    size_t n = 0;
    qd_status status = qd_request_indices(rq, &indices, &n, err);
    if (status != QD_OK)
        return status;
    qd_node_release(indices, n);
    rq->answer_type = QD_TYPE_TEXT;
    return QD_OK;
}

/* Patterns are refused: one slip must not delete everything (OpenSearch's action.destructive_requires_name). */
qd_status qd_api_index_delete(qd_request *rq, qd_error *err)
{
    qd_str expression = qd_request_arg(rq, 0);
    if (memchr(expression.p, '*', expression.n) || qd_str_is(expression, "_all"))
        return qd_fail(err, QD_EINVAL,
                       "Wildcard expressions or all indices are not allowed: name the indices to delete, got [%.*s]",
                       QD_STR_FMT(expression));
    qd_index **indices = NULL;
    size_t n = 0;
    qd_status status = qd_request_indices(rq, &indices, &n, err);
    for (size_t i = 0; i < n && status == QD_OK; i++)
        status = qd_node_delete_index(rq->api->node, qd_str_of(qd_index_name(indices[i])), err);
    qd_node_release(indices, n);
    if (status == QD_OK)
        qd_acknowledge(&rq->json);
    return status;
}

qd_status qd_api_mapping_put(qd_request *rq, qd_error *err)
{
    json_t *body = NULL;
    qd_index **indices = NULL;
    size_t n = 0;
    qd_status status = qd_request_json(rq, false, &body, err);
    if (status == QD_OK)
        status = qd_request_indices(rq, &indices, &n, err);
    for (size_t i = 0; i < n && status == QD_OK; i++)
        status = qd_index_put_mapping(indices[i], body, err);
    qd_node_release(indices, n);
    json_decref(body);
    if (status == QD_OK)
        qd_acknowledge(&rq->json);
    return status;
}

/* ---- refresh and merge ------------------------------------------------------------------------------------------- */

static qd_status refresh_one(qd_index *ix, int64_t unused, qd_error *err)
{
    (void)unused;
    return qd_index_refresh(ix, err);
}

static qd_status merge_one(qd_index *ix, int64_t max_segments, qd_error *err)
{
    qd_status status = qd_index_refresh(ix, err);
    return status == QD_OK ? qd_index_force_merge(ix, (uint32_t)max_segments, err) : status;
}

static qd_status for_each(qd_request *rq, qd_status (*fn)(qd_index *ix, int64_t arg, qd_error *err), int64_t arg,
                          qd_error *err)
{
    qd_index **indices = NULL;
    size_t n = 0;
    qd_status status = qd_request_indices(rq, &indices, &n, err);
    for (size_t i = 0; i < n && status == QD_OK; i++) {
        status = fn(indices[i], arg, err);
        if (status != QD_OK)
            qd_error_prefix(err, "index [%s]: ", qd_index_name(indices[i]));
    }
    qd_node_release(indices, n);
    if (status != QD_OK)
        return status;
    qd_json_begin_object(&rq->json);
    qd_shards_write(&rq->json, n);
    qd_json_end_object(&rq->json);
    return QD_OK;
}

qd_status qd_api_refresh(qd_request *rq, qd_error *err)
{
    return for_each(rq, refresh_one, 0, err);
}

qd_status qd_api_forcemerge(qd_request *rq, qd_error *err)
{
    int64_t max_segments = 1;
    qd_status status = qd_request_i64(rq, "max_num_segments", 1, 1000, &max_segments, err);
    return status == QD_OK ? for_each(rq, merge_one, max_segments, err) : status;
}

/* ---- stats ------------------------------------------------------------------------------------------------------- */

static void write_group(qd_json *w, const char *name, const char *const *keys, const uint64_t *values, size_t n)
{
    qd_json_key(w, name);
    qd_json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        qd_json_key(w, keys[i]);
        qd_json_u64(w, values[i]);
    }
    qd_json_end_object(w);
}

static void write_stats(qd_json *w, const char *name, const qd_index_stats *s)
{
    qd_json_key(w, name);
    qd_json_begin_object(w);
    write_group(w, "docs", (const char *const[]){"count"}, &s->docs, 1);
    write_group(w, "store", (const char *const[]){"size_in_bytes"}, &s->size_bytes, 1);
    write_group(w, "indexing", (const char *const[]){"index_total", "delete_total"},
                (uint64_t[]){s->indexed_total, s->deleted_total}, 2);
    write_group(w, "search", (const char *const[]){"query_total", "query_time_in_millis"},
                (uint64_t[]){s->search_total, s->search_ns / 1000000}, 2);
    write_group(w, "refresh", (const char *const[]){"total"}, &s->refresh_total, 1);
    write_group(w, "segments", (const char *const[]){"count"}, &s->segments, 1);
    write_group(w, "translog", (const char *const[]){"operations"}, &s->log_records, 1);
    qd_json_end_object(w);
}

static void add_stats(qd_index_stats *sum, const qd_index_stats *s)
{
    sum->docs += s->docs;
    sum->segments += s->segments;
    sum->size_bytes += s->size_bytes;
    sum->log_records += s->log_records;
    sum->indexed_total += s->indexed_total;
    sum->deleted_total += s->deleted_total;
    sum->refresh_total += s->refresh_total;
    sum->search_total += s->search_total;
    sum->search_ns += s->search_ns;
}

static void write_all_stats(qd_json *w, qd_index **indices, const qd_index_stats *stats, size_t n)
{
    qd_index_stats sum = {0};
    for (size_t i = 0; i < n; i++)
        add_stats(&sum, &stats[i]);
    qd_json_begin_object(w);
    qd_shards_write(w, n);
    qd_json_key(w, "_all");
    qd_json_begin_object(w);
    write_stats(w, "primaries", &sum);
    write_stats(w, "total", &sum);
    qd_json_end_object(w);
    qd_json_key(w, "indices");
    qd_json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        qd_json_key(w, qd_index_name(indices[i]));
        qd_json_begin_object(w);
        qd_json_kv_z(w, "uuid", qd_index_uuid(indices[i]));
        write_stats(w, "primaries", &stats[i]);
        write_stats(w, "total", &stats[i]);
        qd_json_end_object(w);
    }
    qd_json_end_object(w);
    qd_json_end_object(w);
}

/* All groups are written whatever the path's metric asks for. */
qd_status qd_api_stats(qd_request *rq, qd_error *err)
{
    qd_index **indices = NULL;
    size_t n = 0;
    bool is_metric_only = qd_str_is(rq->uri.segments[0], "_stats");
    qd_status status = is_metric_only ? qd_node_resolve(rq->api->node, QD_STR("_all"), &indices, &n, err)
                                      : qd_request_indices(rq, &indices, &n, err);
    if (status != QD_OK)
        return status;
    qd_index_stats *stats = qd_arena_array(rq->arena, n ? n : 1, sizeof *stats);
    if (stats) {
        for (size_t i = 0; i < n; i++)
            qd_index_stats_get(indices[i], &stats[i]);
        write_all_stats(&rq->json, indices, stats, n);
    }
    qd_node_release(indices, n);
    return stats ? QD_OK : qd_fail_nomem(err);
}

/* ---- analyze ----------------------------------------------------------------------------------------------------- */

typedef struct token_writer {
    qd_json *w;
    qd_str text;
    size_t byte_at, utf16_at; /* how far offsets were converted */
} token_writer;

/* Offsets on the wire count UTF-16 units, as Lucene's do. Tokens come in order, so each byte is looked at once. */
static size_t utf16_offset(token_writer *t, size_t byte)
{
    for (; t->byte_at < byte && t->byte_at < t->text.n; t->byte_at++) {
        unsigned char c = (unsigned char)t->text.p[t->byte_at];
        t->utf16_at += (c & 0xC0) != 0x80;
        t->utf16_at += c >= 0xF0;
    }
    return t->utf16_at;
}

static void write_token(void *arg, const char *token, size_t len, uint32_t position, uint32_t start, uint32_t end)
{
    token_writer *t = arg;
    qd_json_begin_object(t->w);
    qd_json_key(t->w, "token");
    qd_json_str(t->w, (qd_str){token, len});
    qd_json_kv_i64(t->w, "start_offset", (int64_t)utf16_offset(t, start));
    qd_json_kv_i64(t->w, "end_offset", (int64_t)utf16_offset(t, end));
    qd_json_kv_z(t->w, "type", len && token[0] >= '0' && token[0] <= '9' ? "<NUM>" : "<ALPHANUM>");
    qd_json_kv_i64(t->w, "position", position);
    qd_json_end_object(t->w);
}

static qd_status check_analyze(const json_t *body, qd_error *err)
{
    static const char *const KEYS[] = {"analyzer", "text", "field", NULL};
    qd_str analyzer = QD_STR("standard");
    qd_status status = qd_json_only(body, "_analyze", KEYS, QD_EINVAL, err);
    if (status == QD_OK)
        status = qd_json_get_str(body, "_analyze", "analyzer", QD_EINVAL, &analyzer, err);
    if (status != QD_OK)
        return status;
    if (!qd_str_is(analyzer, "standard"))
        return qd_fail_field(err, QD_EINVAL, "analyzer", "failed to find global analyzer [%.*s]: there is [standard]",
                             QD_STR_FMT(analyzer));
    const json_t *text = json_object_get(body, "text");
    if (!json_is_string(text))
        return qd_fail_field(err, QD_EINVAL, "text", "_analyze: 'text' is missing or no string");
    return QD_OK;
}

qd_status qd_api_analyze(qd_request *rq, qd_error *err)
{
    json_t *body = NULL;
    qd_status status = qd_request_json(rq, false, &body, err);
    if (status == QD_OK)
        status = check_analyze(body, err);
    if (status == QD_OK) {
        const json_t *text = json_object_get(body, "text");
        token_writer t = {&rq->json, {json_string_value(text), json_string_length(text)}, 0, 0};
        qd_json_begin_object(&rq->json);
        qd_json_key(&rq->json, "tokens");
        qd_json_begin_array(&rq->json);
        qd_analyze(t.text, write_token, &t);
        qd_json_end_array(&rq->json);
        qd_json_end_object(&rq->json);
    }
    json_decref(body);
    return status;
}
