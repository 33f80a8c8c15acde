/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions API: register, look at, delete, try out. */
#include "base/clock.h"
#include "http/api.h"
#include "http/registration.h"
#include "udf/binding.h"

#define DEFAULT_PAGE_SIZE 20
#define MAX_PAGE_SIZE     1000

static void write_registered(qd_json *w, const qd_udf *u)
{
    char at[QD_ISO8601_SIZE];
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
    qd_json_kv_z(w, "status", "active");
    qd_json_kv_z(w, "tier", "optimized");
    qd_json_end_object(w);
}

qd_status qd_api_udf_register(qd_request *rq, qd_error *err)
{
    qd_upload upload = {0};
    qd_udf *u = NULL;
    qd_registered result = {0};
    qd_status status = qd_upload_read(rq, rq->api->max_module_bytes, false, &upload, err);
    if (status == QD_OK) {
        qd_registration reg = {.manifest = upload.manifest, .wasm = upload.wasm, .wasm_size = upload.wasm_size};
        status = qd_registry_register(rq->api->registry, &reg, &u, &result, err);
    }
    if (status == QD_OK) {
        write_registered(&rq->json, u);
        rq->http_status = result.existed ? 200 : 201;
        qd_udf_unref(u);
    }
    qd_upload_deinit(&upload);
    return status;
}

qd_status qd_api_udf_list(qd_request *rq, qd_error *err)
{
    qd_udf_filter f = {0};
    int64_t page = 1, size = DEFAULT_PAGE_SIZE;
    const struct {
        const char *param;
        qd_str *value;
    } TEXTS[] = {
        {"name", &f.name},     {"tag", &f.tag},           {"category", &f.category},
        {"author", &f.author}, {"language", &f.language}, {"q", &f.text},
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        qd_request_str(rq, TEXTS[i].param, TEXTS[i].value);
    qd_status status = qd_request_i64(rq, "page", 1, INT32_MAX, &page, err);
    if (status == QD_OK)
        status = qd_request_i64(rq, "size", 1, MAX_PAGE_SIZE, &size, err);
    f.page = (uint32_t)page;
    f.size = (uint32_t)size;
    return status == QD_OK ? qd_registry_list(rq->api->registry, &f, &rq->json, err) : status;
}

static qd_str version_of(const qd_request *rq)
{
    qd_str version = qd_request_arg(rq, 1);
    qd_request_str(rq, "version", &version);
    return version;
}

qd_status qd_api_udf_get(qd_request *rq, qd_error *err)
{
    return qd_registry_describe(rq->api->registry, qd_request_arg(rq, 0), version_of(rq), &rq->json, err);
}

qd_status qd_api_udf_versions(qd_request *rq, qd_error *err)
{
    return qd_registry_versions(rq->api->registry, qd_request_arg(rq, 0), &rq->json, err);
}

qd_status qd_api_udf_delete(qd_request *rq, qd_error *err)
{
    size_t removed = 0;
    qd_str name = qd_request_arg(rq, 0), version = version_of(rq);
    qd_status status = qd_registry_remove(rq->api->registry, name, version, NULL, &removed, err);
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

/* ---- trying out -------------------------------------------------------------------------------------------------- */

static qd_status call(qd_request *rq, qd_udf *u, const json_t *test, qd_error *err)
{
    int64_t timeout_ns = rq->api->default_timeout_ns;
    qd_run_control control = {.deadline_ns =
                                  timeout_ns > INT64_MAX - rq->start_ns ? INT64_MAX : rq->start_ns + timeout_ns,
                              .canceled = &rq->canceled};
    return qd_udf_test(u, test, &control, &rq->json, err);
}

qd_status qd_api_udf_test(qd_request *rq, qd_error *err)
{
    json_t *body = NULL;
    qd_udf *u = NULL;
    qd_str version = QD_STR("");
    qd_status status = qd_request_json(rq, false, &body, err);
    if (status == QD_OK)
        status = qd_json_get_str(body, "test", "version", QD_EUDF_PARAMS, &version, err);
    if (status == QD_OK)
        status = qd_registry_get(rq->api->registry, qd_request_arg(rq, 0), version, &u, err);
    if (status == QD_OK) {
        json_object_del(body, "version");
        status = call(rq, u, body, err);
        qd_udf_unref(u);
    }
    json_decref(body);
    return status;
}

/* A registration up to the point where it would be kept. *u: reference owned by caller. */
static qd_status prepare(const qd_request *rq, bool with_test, qd_upload *upload, qd_udf **u, qd_error *err)
{
    qd_status status = qd_upload_read(rq, rq->api->max_module_bytes, with_test, upload, err);
    if (status != QD_OK)
        return status;
    qd_registration reg = {.manifest = upload->manifest, .wasm = upload->wasm, .wasm_size = upload->wasm_size};
    return qd_registry_prepare(rq->api->registry, &reg, u, err);
}

qd_status qd_api_udf_dry_run(qd_request *rq, qd_error *err)
{
    qd_upload upload = {0};
    qd_udf *u = NULL;
    qd_status status = prepare(rq, true, &upload, &u, err);
    if (status == QD_OK && !upload.test && !(upload.test = json_object()))
        status = qd_fail_nomem(err);
    if (status == QD_OK)
        status = call(rq, u, upload.test, err);
    if (u)
        qd_udf_unref(u);
    qd_upload_deinit(&upload);
    return status;
}

static void write_names(qd_json *w, const char *key, const char *(*name)(const qd_wasm_module *m, size_t i),
                        const qd_wasm_module *m)
{
    qd_json_key(w, key);
    qd_json_begin_array(w);
    const char *text;
    for (size_t i = 0; (text = name(m, i)) != NULL; i++)
        qd_json_z(w, text);
    qd_json_end_array(w);
}

static void write_validated(qd_json *w, const qd_udf *u)
{
    uint64_t longest_path = 0;
    bool is_bounded = qd_wasm_module_is_bounded(u->module, &longest_path);
    qd_json_begin_object(w);
    qd_json_kv_bool(w, "valid", true);
    qd_json_kv_z(w, "abi", qd_udf_abi_name(u->manifest->abi));
    qd_json_kv_z(w, "kind", qd_udf_kind_name(u->manifest->kind));
    write_names(w, "imports", qd_wasm_module_import_name, u->module);
    write_names(w, "exports", qd_wasm_module_export_name, u->module);
    qd_json_kv_i64(w, "memory_pages", (int64_t)qd_wasm_module_memory_pages(u->module));
    qd_json_kv_bool(w, "bounded", is_bounded);
    qd_json_end_object(w);
}

qd_status qd_api_udf_validate(qd_request *rq, qd_error *err)
{
    qd_upload upload = {0};
    qd_udf *u = NULL;
    qd_status status = prepare(rq, false, &upload, &u, err);
    if (status == QD_OK) {
        write_validated(&rq->json, u);
        qd_udf_unref(u);
    }
    qd_upload_deinit(&upload);
    return status;
}
