/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: functions from wat text and manifests from JSON text, built without a registry. */
#ifndef QD_TEST_WAT_UDF_H
#define QD_TEST_WAT_UDF_H

#include <stdlib.h>

#include "cmocka_qd.h"
#include "udf/udf.h"

static inline uint8_t *wat_bytes(const char *wat, size_t *n)
{
    qd_error err = QD_ERROR_INIT;
    uint8_t *bytes = NULL;
    assert_status_ok(qd_wasm_from_wat(qd_str_of(wat), &bytes, n, &err), &err);
    return bytes;
}

static inline json_t *json_of(const char *text)
{
    qd_error err = QD_ERROR_INIT;
    json_t *v = NULL;
    assert_status_ok(qd_json_parse(qd_str_of(text), &v, &err), &err);
    return v;
}

static inline qd_status try_wat_udf(qd_wasm_engine *e, const char *manifest, const char *wat, qd_udf **out,
                                    qd_error *err)
{
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    qd_manifest *m = NULL;
    json_t *json = json_of(manifest);
    size_t n = 0;
    uint8_t *bytes = wat_bytes(wat, &n);
    qd_status st = qd_manifest_parse(json, &m, err);
    if (st == QD_OK)
        st = qd_udf_build(e, &options, m, bytes, n, 1000, out, err);
    json_decref(json);
    free(bytes);
    return st;
}

static inline qd_udf *wat_udf(qd_wasm_engine *e, const char *manifest, const char *wat)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    assert_status_ok(try_wat_udf(e, manifest, wat, &u, &err), &err);
    return u;
}

#endif
