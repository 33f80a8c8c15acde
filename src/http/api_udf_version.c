/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions API: what becomes of a version: which one is active, what it did, what it runs as. */
#include "http/api.h"
#include "udf/rating.h"

/* ---- the alias --------------------------------------------------------------------------------------------------- */

qd_status qd_api_udf_history(qd_request *rq, qd_error *err)
{
    uint32_t page, size;
    qd_status status = qd_request_page(rq, &page, &size, err);
    if (status != QD_OK)
        return status;
    return qd_registry_history(rq->api->registry, qd_request_arg(rq, 0), page, size, &rq->json, err);
}

static void write_move(qd_json *w, qd_str name, const qd_alias_move *move)
{
    qd_json_begin_object(w);
    qd_json_key(w, "name");
    qd_json_str(w, name);
    qd_json_kv_z(w, "active_version", move->active);
    qd_json_kv_z(w, "previous_version", move->previous[0] ? move->previous : NULL);
    qd_json_end_object(w);
}

typedef qd_status move_fn(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, qd_alias_move *out,
                          qd_error *err);

/* `key`: the one member that the body may have. */
static qd_status move_alias(qd_request *rq, const char *key, bool is_optional, move_fn *move, qd_error *err)
{
    const char *const MEMBERS[] = {key, NULL};
    json_t *body = NULL;
    qd_str name = qd_request_arg(rq, 0), version = QD_STR("");
    qd_actor who = qd_api_actor(rq);
    qd_alias_move moved;
    qd_status status = qd_request_json(rq, is_optional, &body, err);
    if (status == QD_OK && body)
        status = qd_json_only(body, "the body", MEMBERS, QD_EUDF_PARAMS, err);
    if (status == QD_OK && body)
        status = qd_json_get_str(body, "the body", key, QD_EUDF_PARAMS, &version, err);
    if (status == QD_OK && version.n == 0 && (!is_optional || json_object_get(body, key)))
        status = qd_fail_field(err, QD_EUDF_PARAMS, key, "%s: missing: say which version of '%.*s' is meant", key,
                               QD_STR_FMT(name));
    if (status == QD_OK)
        status = move(rq->api->registry, name, version, &who, &moved, err);
    if (status == QD_OK)
        write_move(&rq->json, name, &moved);
    json_decref(body);
    return status;
}

qd_status qd_api_udf_activate(qd_request *rq, qd_error *err)
{
    return move_alias(rq, "version", false, qd_registry_activate, err);
}

qd_status qd_api_udf_rollback(qd_request *rq, qd_error *err)
{
    return move_alias(rq, "to", true, qd_registry_rollback, err);
}

/* ---- what it did ------------------------------------------------------------------------------------------------- */

/* What "latest" or no version at all means at this moment. */
static qd_status resolve(const qd_request *rq, char version[QD_VERSION_SIZE], qd_error *err)
{
    return qd_registry_resolve(rq->api->registry, qd_request_arg(rq, 0), qd_request_version(rq), version, NULL, err);
}

static qd_status find_stats(const qd_request *rq, qd_udf_stats **out, qd_error *err)
{
    return qd_registry_version_stats(rq->api->registry, qd_request_arg(rq, 0), qd_request_version(rq), out, err);
}

qd_status qd_api_udf_stats(qd_request *rq, qd_error *err)
{
    char version[QD_VERSION_SIZE];
    qd_udf_stats *stats = NULL;
    qd_rating_facts facts;
    qd_str name = qd_request_arg(rq, 0);
    qd_registry *r = rq->api->registry;
    qd_status status = resolve(rq, version, err);
    if (status == QD_OK)
        status = qd_rating_facts_read(r, name, qd_str_of(version), &facts, err);
    if (status == QD_OK)
        status = qd_registry_version_stats(r, name, qd_str_of(version), &stats, err);
    if (status == QD_OK)
        status = qd_udf_stats_write_json(stats, &facts, &rq->json, err);
    qd_udf_stats_unref(stats);
    return status;
}

static void write_message(qd_request *rq, const char *before, const char *version, const char *after)
{
    qd_str name = qd_request_arg(rq, 0);
    qd_json_begin_object(&rq->json);
    qd_json_kv_z(&rq->json, "message",
                 qd_arena_printf(rq->arena, "%s%.*s@%s%s", before, QD_STR_FMT(name), version, after));
    qd_json_end_object(&rq->json);
}

qd_status qd_api_udf_stats_reset(qd_request *rq, qd_error *err)
{
    char version[QD_VERSION_SIZE];
    qd_udf_stats *stats = NULL;
    qd_status status = resolve(rq, version, err);
    if (status == QD_OK)
        status = find_stats(rq, &stats, err);
    if (status != QD_OK)
        return status;
    status = qd_udf_stats_reset(stats, err);
    qd_udf_stats_unref(stats);
    if (status == QD_OK)
        write_message(rq, "the statistics of ", version, " begin again");
    return status;
}

qd_status qd_api_udf_logs(qd_request *rq, qd_error *err)
{
    char version[QD_VERSION_SIZE];
    qd_udf_stats *stats = NULL;
    qd_status status = resolve(rq, version, err);
    if (status == QD_OK)
        status = find_stats(rq, &stats, err);
    if (status != QD_OK)
        return status;
    qd_recent_logs_write_json(qd_udf_stats_logs(stats), version, &rq->json);
    qd_udf_stats_unref(stats);
    return QD_OK;
}

/* ---- what it is -------------------------------------------------------------------------------------------------- */

qd_status qd_api_udf_status(qd_request *rq, qd_error *err)
{
    return qd_registry_status(rq->api->registry, qd_request_arg(rq, 0), qd_request_version(rq), &rq->json, err);
}

/* If-None-Match: "*", or a list of tags of which one is ours. A tag is the whole hash, so finding it is enough. */
static bool is_known(qd_str if_none_match, const char *tag)
{
    return qd_str_is(if_none_match, "*") || memmem(if_none_match.p, if_none_match.n, tag, strlen(tag)) != NULL;
}

qd_status qd_api_udf_wasm(qd_request *rq, qd_error *err)
{
    char version[QD_VERSION_SIZE], hash[QD_SHA256_HEX_SIZE];
    qd_str name = qd_request_arg(rq, 0);
    qd_registry *r = rq->api->registry;
    qd_status status = qd_registry_resolve(r, name, qd_request_version(rq), version, hash, err);
    if (status != QD_OK)
        return status;
    const char *tag = qd_arena_printf(rq->arena, "\"%s\"", hash);
    if (!tag)
        return qd_fail_nomem(err);
    bool has_it = is_known(rq->if_none_match, tag);
    if (!has_it)
        status = qd_registry_wasm(r, name, qd_str_of(version), &rq->out, hash, err);
    if (status != QD_OK)
        return status;
    rq->http_status = has_it ? 304 : 200;
    rq->answer_type = "application/wasm";
    qd_request_add_header(rq, "ETag", tag);
    qd_request_add_header(
        rq, "Content-Disposition",
        qd_arena_printf(rq->arena, "attachment; filename=\"%.*s-%s.wasm\"", QD_STR_FMT(name), version));
    return QD_OK;
}

qd_status qd_api_udf_reinstate(qd_request *rq, qd_error *err)
{
    char version[QD_VERSION_SIZE], hash[QD_SHA256_HEX_SIZE];
    bool was = false;
    qd_actor who = qd_api_actor(rq);
    qd_str name = qd_request_arg(rq, 0);
    qd_status status = qd_registry_resolve(rq->api->registry, name, qd_request_version(rq), version, hash, err);
    if (status == QD_OK)
        status =
            qd_quarantine_reinstate(qd_registry_quarantine(rq->api->registry), name, qd_str_of(version), &was, err);
    if (status == QD_OK && was) {
        qd_audit_entry entry = {.action = QD_AUDIT_REINSTATE,
                                .outcome = QD_AUDIT_OK,
                                .actor = who.by,
                                .remote = who.remote,
                                .name = name,
                                .version = qd_str_of(version),
                                .hash = qd_str_of(hash)};
        status = qd_audit_append(rq->api->audit, &entry, err);
    }
    if (status == QD_OK)
        write_message(rq, "", version, was ? " is used again" : " was not in quarantine");
    return status;
}
