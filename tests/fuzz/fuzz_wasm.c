/* SPDX-License-Identifier: Apache-2.0
 *
 * An uploaded module, the whole way: checked, compiled by either compiler or ahead of time, fitted to a manifest, and
 * called for some documents within limits. The module's own manifest (custom section "quidditch.manifest") says shape
 * and kind; without one it is a function named f. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "udf/binding.h"
#include "udf/udf.h"
#include "udf/precompile.h"
#include "wasm_mutate.h"

#define MAX_BYTES     4096 /* larger ones test the compiler's patience only */
#define MAX_AOT_BYTES ((size_t)16 << 20)

static const char MANIFEST[] =
    "{\"name\":\"fuzzed\",\"version\":\"1.0.0\","
    "\"permissions\":[\"read_document\",\"read_score\",\"log\",\"random\",\"clock\"],"
    "\"limits\":{\"memory_bytes\":1048576,\"table_elements\":100,\"call_ms\":5,\"log_bytes\":1000}}";
static const char CALL[] =
    "{\"documents\":[{\"a\":1,\"b\":\"text\"},{\"a\":[1.5,2]},{},{\"a\":-7,\"b\":[\"x\",\"\"]},{\"a\":true}],"
    "\"score\":1.5}";

typedef enum compiler { OPTIMIZED, BASELINE, AHEAD_OF_TIME, COMPILERS } compiler;

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static qd_wasm_engine *engine(bool has_baseline_only)
{
    static qd_wasm_engine *made[2];
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.compile_threads = 0;
    options.has_baseline_only = has_baseline_only;
    if (!made[has_baseline_only])
        expect(qd_wasm_engine_new(&options, &made[has_baseline_only], NULL) == QD_OK);
    return made[has_baseline_only];
}

static void expect_error(const qd_error *err)
{
    expect(err->code != QD_OK && err->message[0] && qd_str_is_utf8(qd_str_of(err->message)));
}

static void call(qd_udf *udf)
{
    qd_buf out;
    qd_json w;
    qd_error err = QD_ERROR_INIT;
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    json_t *body = json_loads(CALL, 0, NULL), *answer = NULL;
    qd_buf_init(&out, (size_t)64 << 20);
    qd_json_init(&w, &out, false);
    if (qd_udf_test(udf, body, &control, &w, &err) == QD_OK)
        answer = json_loadb(out.p, out.n, JSON_ALLOW_NUL, NULL);
    else
        expect_error(&err);
    expect(answer || err.code != QD_OK);
    qd_buf_deinit(&out);
    json_decref(answer);
    json_decref(body);
}

static void build_and_call(const uint8_t *data, size_t size, const json_t *merged, compiler how)
{
    qd_error err = QD_ERROR_INIT;
    qd_manifest *manifest = NULL;
    qd_udf *udf = NULL;
    qd_buf native;
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    qd_udf_source source = {.wasm = data, .wasm_size = size};
    qd_buf_init(&native, MAX_AOT_BYTES);
    if (how == AHEAD_OF_TIME && qd_udf_precompile(merged, data, size, NULL, &native, &err) == QD_OK) {
        source.native = (const uint8_t *)native.p;
        source.native_size = native.n;
        source.must_use_native = true;
    }
    if (qd_manifest_parse(merged, &manifest, &err) == QD_OK &&
        qd_udf_build_from(engine(how == BASELINE), &options, manifest, &source, &udf, &err) == QD_OK) {
        call(udf);
        qd_udf_unref(udf);
    } else {
        expect_error(&err);
    }
    qd_buf_deinit(&native);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *section;
    size_t n;
    qd_error err = QD_ERROR_INIT;
    json_t *given = NULL, *merged = NULL;
    const qd_wasm_module_options checked = {.permissions = QD_PERM_READ_DOCUMENT};
    bool has_manifest = qd_wasm_custom_section(data, size, "quidditch.manifest", &section, &n);
    expect(!has_manifest || (section >= data && section + n <= data + size));
    if (size > MAX_BYTES || qd_wasm_module_check(data, size, &checked, &err) == QD_EUDF_WASM)
        return 0;
    given = json_loads(MANIFEST, 0, NULL);
    if (!has_manifest)
        json_object_set_new(given, "function_name", json_string("f"));
    if (qd_udf_merge_manifest(given, data, size, &merged, &err) == QD_OK)
        build_and_call(data, size, merged, (compiler)(size % COMPILERS));
    else
        expect_error(&err);
    json_decref(given);
    json_decref(merged);
    return 0;
}

/* libFuzzer's hook, which it finds by name. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return qd_wasm_mutate(data, size, max_size, seed);
}
