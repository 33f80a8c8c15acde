/* SPDX-License-Identifier: Apache-2.0
 *
 * An uploaded module, the whole way: checked, compiled, fitted to a manifest, and called for two documents within
 * limits. */
#include <stdlib.h>

#include "udf/binding.h"
#include "udf/udf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES 4096 /* larger ones test the compiler's patience only */

static const char MANIFEST[] =
    "{\"name\":\"fuzzed\",\"version\":\"1.0.0\",\"function_name\":\"f\","
    "\"permissions\":[\"read_document\",\"read_score\",\"log\",\"random\",\"clock\"],"
    "\"limits\":{\"memory_bytes\":1048576,\"table_elements\":100,\"call_ms\":5,\"log_bytes\":1000}}";
static const char CALL[] = "{\"documents\":[{\"a\":1,\"b\":\"text\"},{\"a\":[1.5,2]}],\"score\":1.5}";

static qd_wasm_engine *engine(void)
{
    static qd_wasm_engine *made;
    const qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    if (!made && qd_wasm_engine_new(&options, &made, NULL) != QD_OK)
        abort();
    return made;
}

static void call(qd_udf *udf)
{
    qd_buf out;
    qd_json w;
    qd_error err = QD_ERROR_INIT;
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    json_t *body = json_loads(CALL, 0, NULL);
    qd_buf_init(&out, (size_t)1 << 20);
    qd_json_init(&w, &out, false);
    qd_udf_test(udf, body, &control, &w, &err);
    qd_buf_deinit(&out);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *section;
    size_t n;
    qd_error err = QD_ERROR_INIT;
    qd_manifest *manifest = NULL;
    json_t *given = NULL, *merged = NULL;
    qd_udf *udf = NULL;
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    const qd_wasm_module_options checked = {.permissions = QD_PERM_READ_DOCUMENT};
    if (qd_wasm_custom_section(data, size, "quidditch.manifest", &section, &n) &&
        (section < data || section + n > data + size))
        abort();
    if (size > MAX_BYTES || qd_wasm_module_check(data, size, &checked, &err) == QD_EUDF_WASM)
        return 0;
    given = json_loads(MANIFEST, 0, NULL);
    if (qd_udf_merge_manifest(given, data, size, &merged, &err) == QD_OK &&
        qd_manifest_parse(merged, &manifest, &err) == QD_OK &&
        qd_udf_build(engine(), &options, manifest, data, size, 0, &udf, &err) == QD_OK) {
        call(udf);
        qd_udf_unref(udf);
    }
    json_decref(given);
    json_decref(merged);
    return 0;
}
