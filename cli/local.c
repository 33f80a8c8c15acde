/* SPDX-License-Identifier: Apache-2.0 */
#include "local.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER_BYTES ((size_t)64 << 20)

qd_status local_open(local_function *f, const registration *r, qd_error *err)
{
    const qd_wasm_engine_options engine_options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    uint8_t *assembled = NULL;
    qd_registration reg = {.manifest = r->manifest, .wasm = (const uint8_t *)r->module.p, .wasm_size = r->module.n};
    memset(f, 0, sizeof *f);
    qd_status rc = qd_wasm_engine_new(&engine_options, &f->engine, err);
    if (!rc)
        rc = qd_kv_memory_open(&f->kv, err);
    if (!rc)
        rc = qd_registry_open(f->kv, f->engine, &options, NULL, NULL, &f->registry, err);
    if (!rc && r->is_text && !(rc = qd_wasm_from_wat(qd_buf_str(&r->module), &assembled, &reg.wasm_size, err)))
        reg.wasm = assembled;
    if (!rc)
        rc = qd_registry_prepare(f->registry, &reg, &f->udf, err);
    free(assembled);
    return rc;
}

void local_close(local_function *f)
{
    if (f->udf)
        qd_udf_unref(f->udf);
    if (f->registry)
        qd_registry_close(f->registry);
    if (f->kv)
        qd_kv_close(f->kv);
    if (f->engine)
        qd_wasm_engine_free(f->engine);
    memset(f, 0, sizeof *f);
}

qd_status local_test(local_function *f, const json_t *body, json_t **out, qd_error *err)
{
    qd_buf text;
    qd_json w;
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    qd_buf_init(&text, MAX_ANSWER_BYTES);
    qd_json_init(&w, &text, false);
    qd_status rc = qd_udf_test(f->udf, body, &control, &w, err);
    if (!rc)
        rc = text.failed ? qd_fail_nomem(err) : qd_json_parse(qd_buf_str(&text), out, err);
    qd_buf_deinit(&text);
    return rc;
}
