/* SPDX-License-Identifier: Apache-2.0 */
#include "query/answer.h"

#include "base/clock.h"
#include "query/fetch.h"

/* Every index is one shard here, and a shard that fails fails the query. */
static void write_shards(const qd_collection *c, qd_json *w)
{
    int64_t n = (int64_t)c->run->rq->n_targets;
    qd_json_key(w, "_shards");
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "total", n);
    qd_json_kv_i64(w, "successful", n);
    qd_json_kv_i64(w, "skipped", 0);
    qd_json_kv_i64(w, "failed", 0);
    qd_json_end_object(w);
}

static void write_total(const qd_collection *c, qd_json *w)
{
    bool is_counted = c->run->body.track_total > 0;
    if (c->run->rq->rest_total_hits_as_int) {
        qd_json_kv_i64(w, "total", is_counted ? (int64_t)c->total : -1);
        return;
    }
    if (!is_counted)
        return;
    qd_json_key(w, "total");
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "value", (int64_t)c->total);
    qd_json_kv_z(w, "relation", c->total_is_least ? "gte" : "eq");
    qd_json_end_object(w);
}

static qd_status write_hits(const qd_collection *c, const qd_script_fields *fields, qd_json *w, qd_error *err)
{
    qd_fetcher fetcher;
    qd_status st = QD_OK;
    qd_fetcher_init(&fetcher, c, fields);
    qd_json_key(w, "hits");
    qd_json_begin_array(w);
    for (size_t i = c->run->body.from; i < c->n_hits && st == QD_OK; i++)
        st = qd_fetch_write(&fetcher, i, w, err);
    qd_json_end_array(w);
    qd_fetcher_deinit(&fetcher);
    return st;
}

static qd_status write_all(const qd_collection *c, const qd_script_fields *fields, qd_json *w, qd_error *err)
{
    qd_run *run = c->run;
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "took", (qd_clock_mono_ns() - run->rq->start_ns) / 1000000);
    qd_json_kv_bool(w, "timed_out", atomic_load(&run->timed_out));
    write_shards(c, w);
    qd_json_key(w, "hits");
    qd_json_begin_object(w);
    write_total(c, w);
    qd_json_key(w, "max_score");
    if (c->has_max_score)
        qd_json_f32(w, c->max_score);
    else
        qd_json_null(w);
    qd_status st = write_hits(c, fields, w, err);
    qd_json_end_object(w);
    if (c->aggs)
        qd_aggs_write(c->aggs, w);
    qd_json_end_object(w);
    return st;
}

qd_status qd_answer_write(const qd_collection *c, qd_json *w, qd_error *err)
{
    qd_script_fields fields;
    qd_status st = qd_script_fields_init(&fields, c, err);
    if (st == QD_OK)
        st = write_all(c, &fields, w, err);
    qd_script_fields_deinit(&fields);
    return st;
}

void qd_answer_write_count(const qd_collection *c, qd_json *w)
{
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "count", (int64_t)c->total);
    write_shards(c, w);
    qd_json_end_object(w);
}
