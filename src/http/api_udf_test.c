/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions API: trying functions out, registered or not. */
#include "http/api.h"
#include "http/registration.h"
#include "udf/binding.h"

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
    qd_registration reg = qd_upload_registration(upload, qd_api_actor(rq));
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
