/* SPDX-License-Identifier: Apache-2.0
 *
 * Who am I, how am I. Clients of the dialect look at version.distribution and version.number before anything else, so
 * these say which dialect is spoken; the sub-object "quidditch" says who speaks it. */
#include "base/clock.h"
#include "base/hash.h"
#include "http/api.h"
#include "http/shards.h"
#include "quidditch/version.h"

/* 22 characters of the URL-safe alphabet, as OpenSearch makes its ids. */
static bool make_id(char out[24])
{
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[22];
    if (!qd_hash_random(random, sizeof random))
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        out[i] = ALPHABET[random[i] & 63];
    out[sizeof random] = '\0';
    return true;
}

static qd_status identity(qd_kv *kv, const char *key, char out[24], qd_error *err)
{
    qd_buf value;
    qd_buf_init(&value, 4096);
    qd_error missing = QD_ERROR_INIT;
    qd_status status = qd_kv_get(kv, QD_STR("node"), qd_str_of(key), &value, NULL, &missing);
    if (status == QD_OK && value.n == 22) {
        memcpy(out, value.p, value.n);
        out[value.n] = '\0';
    } else if (status == QD_OK || status == QD_ENOTFOUND) {
        status = make_id(out) ? QD_OK : qd_fail(err, QD_EIO, "cannot read random bytes from the system");
        if (status == QD_OK)
            status = qd_kv_put(kv, QD_STR("node"), qd_str_of(key), qd_str_of(out), QD_KV_ANY, NULL, err);
    } else if (err) {
        *err = missing;
    }
    qd_buf_deinit(&value);
    return status;
}

qd_status qd_api_identify(qd_api *api, qd_error *err)
{
    qd_kv *kv = qd_node_kv(api->node);
    qd_status status = identity(kv, "cluster_uuid", api->cluster_uuid, err);
    return status == QD_OK ? identity(kv, "node_id", api->node_id, err) : status;
}

qd_status qd_api_root(qd_request *rq, qd_error *err)
{
    qd_json *w = &rq->json;
    (void)err;
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", rq->api->node_name);
    qd_json_kv_z(w, "cluster_name", rq->api->cluster_name);
    qd_json_kv_z(w, "cluster_uuid", rq->api->cluster_uuid);
    qd_json_key(w, "version");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "distribution", "opensearch");
    qd_json_kv_z(w, "number", QD_DIALECT_VERSION);
    qd_json_kv_bool(w, "build_snapshot", false);
    qd_json_kv_z(w, "minimum_wire_compatibility_version", QD_DIALECT_VERSION);
    qd_json_kv_z(w, "minimum_index_compatibility_version", QD_DIALECT_VERSION);
    qd_json_end_object(w);
    qd_json_key(w, "quidditch");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "version", QD_VERSION_STRING);
    qd_json_kv_i64(w, "abi", QD_ABI_VERSION);
    qd_json_kv_z(w, "note", "Quidditch answers in the dialect of the OpenSearch version above; it is not OpenSearch.");
    qd_json_end_object(w);
    qd_json_kv_z(w, "tagline", "The search engine that its users program");
    qd_json_end_object(w);
    return QD_OK;
}

qd_status qd_api_metrics(qd_request *rq, qd_error *err)
{
    rq->answer_type = "text/plain; version=0.0.4; charset=utf-8";
    return qd_metrics_write(rq->api->metrics, rq->api, &rq->out, err);
}

static const char *const HEALTHS[] = {"red", "yellow", "green"};

/* How good a health is; -1: no such one. */
static int rank(qd_str health)
{
    for (int i = 0; i < 3; i++)
        if (qd_str_is(health, HEALTHS[i]))
            return i;
    return -1;
}

/* One node holds every shard, and all are there but those of indices that take no writes. Nobody is kept waiting for a
 * health: what it is not by now it is at its timeout, 408 as in OpenSearch. */
qd_status qd_api_cluster_health(qd_request *rq, qd_error *err)
{
    qd_json *w = &rq->json;
    qd_shards_health health;
    qd_str wanted = QD_STR("red"), expression = qd_request_arg(rq, 0);
    qd_request_str(rq, "wait_for_status", &wanted);
    if (rank(wanted) < 0)
        return qd_fail_field(err, QD_EINVAL, "wait_for_status",
                             "wait_for_status: expected [green], [yellow] or [red], got [%.*s]", QD_STR_FMT(wanted));
    qd_status status = qd_shards_health_get(rq, expression.n ? expression : QD_STR("_all"), &health, err);
    if (status != QD_OK)
        return status;
    const char *is = qd_shards_health_name(health.unassigned);
    bool has_timed_out = rank(qd_str_of(is)) < rank(wanted);
    if (has_timed_out)
        rq->http_status = 408;
    qd_json_begin_object(w);
    qd_json_kv_z(w, "cluster_name", rq->api->cluster_name);
    qd_json_kv_z(w, "status", is);
    qd_json_kv_bool(w, "timed_out", has_timed_out);
    qd_json_kv_i64(w, "number_of_nodes", 1);
    qd_json_kv_i64(w, "number_of_data_nodes", 1);
    qd_json_kv_bool(w, "discovered_master", true);
    qd_json_kv_bool(w, "discovered_cluster_manager", true);
    qd_json_kv_i64(w, "active_primary_shards", (int64_t)health.active);
    qd_json_kv_i64(w, "active_shards", (int64_t)health.active);
    qd_json_kv_i64(w, "unassigned_shards", (int64_t)health.unassigned);
    static const char *const NONE[] = {"relocating_shards",         "initializing_shards",
                                       "delayed_unassigned_shards", "number_of_pending_tasks",
                                       "number_of_in_flight_fetch", "task_max_waiting_in_queue_millis"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++)
        qd_json_kv_i64(w, NONE[i], 0);
    qd_json_kv_f64(w, "active_shards_percent_as_number", qd_shards_health_percent(&health));
    qd_json_end_object(w);
    return QD_OK;
}

qd_status qd_api_nodes(qd_request *rq, qd_error *err)
{
    static const char *const ROLES[] = {"cluster_manager", "data", "ingest"};
    const qd_api *api = rq->api;
    qd_json *w = &rq->json;
    (void)err;
    qd_json_begin_object(w);
    qd_json_key(w, "_nodes");
    qd_json_begin_object(w);
    qd_json_kv_i64(w, "total", 1);
    qd_json_kv_i64(w, "successful", 1);
    qd_json_kv_i64(w, "failed", 0);
    qd_json_end_object(w);
    qd_json_kv_z(w, "cluster_name", api->cluster_name);
    qd_json_key(w, "nodes");
    qd_json_begin_object(w);
    qd_json_key(w, api->node_id);
    qd_json_begin_object(w);
    qd_json_kv_z(w, "name", api->node_name);
    qd_json_kv_z(w, "version", QD_DIALECT_VERSION);
    qd_json_key(w, "roles");
    qd_json_begin_array(w);
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++)
        qd_json_z(w, ROLES[i]);
    qd_json_end_array(w);
    qd_json_key(w, "http");
    qd_json_begin_object(w);
    qd_json_kv_z(w, "publish_address", api->address);
    qd_json_end_object(w);
    qd_json_end_object(w);
    qd_json_end_object(w);
    qd_json_end_object(w);
    return QD_OK;
}
