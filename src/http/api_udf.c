/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions API: register, look at, delete. */
#include "base/clock.h"
#include "http/api.h"
#include "http/registration.h"
#include "wasm/module.h"

static void write_registered(qd_json *w, const qd_udf *u, const qd_registered *result)
{
    char at[QD_ISO8601_SIZE];
    qd_wasm_status code;
    qd_wasm_module_read_status(u->module, &code);
    qd_json_begin_object(w);
    qd_json_kv_bool(w, "success", true);
    qd_json_key(w, "name");
    qd_json_str(w, u->manifest->name);
    qd_json_key(w, "version");
    qd_json_str(w, u->manifest->version);
    qd_json_key(w, "function_name");
    qd_json_str(w, u->manifest->function_name);
    qd_json_kv_i64(w, "wasm_size", (int64_t)u->wasm_size);
    qd_json_kv_z(w, "hash", u->hash);
    qd_json_kv_z(w, "registered_at", qd_clock_iso8601(u->registered_at_ms, at));
    qd_json_kv_z(w, "status", result->is_active ? "active" : "inactive");
    qd_json_kv_z(w, "tier", qd_wasm_tier_name(code.tier));
    qd_json_end_object(w);
}

qd_status qd_api_udf_register(qd_request *rq, qd_error *err)
{
    qd_upload upload = {0};
    qd_udf *u = NULL;
    qd_registered result = {0};
    qd_status status = qd_upload_read(rq, rq->api->max_module_bytes, false, &upload, err);
    if (status == QD_OK) {
        qd_registration reg = qd_upload_registration(&upload, qd_api_actor(rq));
        reg.canceled = &rq->canceled;
        status = qd_registry_register(rq->api->registry, &reg, &u, &result, err);
    }
    if (status == QD_OK) {
        write_registered(&rq->json, u, &result);
        rq->http_status = result.existed ? 200 : 201;
        qd_udf_unref(u);
    }
    qd_upload_deinit(&upload);
    return status;
}

qd_status qd_api_udf_list(qd_request *rq, qd_error *err)
{
    qd_udf_filter f = {0};
    const struct {
        const char *param;
        qd_str *value;
    } TEXTS[] = {
        {"name", &f.name},     {"tag", &f.tag},           {"category", &f.category},
        {"author", &f.author}, {"language", &f.language}, {"q", &f.text},
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        qd_request_str(rq, TEXTS[i].param, TEXTS[i].value);
    qd_status status = qd_request_page(rq, &f.page, &f.size, err);
    return status == QD_OK ? qd_registry_list(rq->api->registry, &f, &rq->json, err) : status;
}

qd_status qd_api_udf_get(qd_request *rq, qd_error *err)
{
    return qd_registry_describe(rq->api->registry, qd_request_arg(rq, 0), qd_request_version(rq), &rq->json, err);
}

qd_status qd_api_udf_versions(qd_request *rq, qd_error *err)
{
    return qd_registry_versions(rq->api->registry, qd_request_arg(rq, 0), &rq->json, err);
}

/* A version was to follow, but it is empty, as a script's variable may be: that must not mean all of them. */
static bool has_empty_version(const qd_request *rq)
{
    qd_str path = rq->uri.path;
    return rq->n_args == 1 && path.n > 0 && path.p[path.n - 1] == '/';
}

qd_status qd_api_udf_delete(qd_request *rq, qd_error *err)
{
    size_t removed = 0;
    qd_str name = qd_request_arg(rq, 0), version = qd_request_version(rq);
    qd_actor who = qd_api_actor(rq);
    if (has_empty_version(rq))
        return qd_fail_field(
            err, QD_EUDF_PARAMS, "version",
            "version: empty; to delete all versions, send DELETE /api/v1/udfs/%.*s with nothing behind",
            QD_STR_FMT(name));
    qd_status status = qd_registry_remove(rq->api->registry, name, version, &who, &removed, err);
    if (status != QD_OK)
        return status;
    const char *message = version.n
                              ? qd_arena_printf(rq->arena, "deleted %.*s@%.*s", QD_STR_FMT(name), QD_STR_FMT(version))
                              : qd_arena_printf(rq->arena, "deleted %zu version%s of %.*s", removed,
                                                removed == 1 ? "" : "s", QD_STR_FMT(name));
    qd_json_begin_object(&rq->json);
    qd_json_kv_bool(&rq->json, "success", true);
    qd_json_kv_z(&rq->json, "message", message);
    qd_json_end_object(&rq->json);
    return QD_OK;
}
