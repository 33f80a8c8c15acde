/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/precompile.h"

#include "udf/manifest_merge.h"
#include "udf/program.h"

qd_status qd_udf_precompile(const json_t *manifest, const uint8_t *wasm, size_t n, const char *target, qd_buf *out,
                            qd_error *err)
{
    json_t *merged = NULL;
    qd_manifest *m = NULL;
    qd_status st = qd_udf_merge_manifest(manifest, wasm, n, &merged, err);
    if (st == QD_OK && json_object_size(merged) == 0)
        st = qd_wasm_precompile(wasm, n, NULL, NULL, target, out, err);
    else if (st == QD_OK && (st = qd_manifest_parse(merged, &m, err)) == QD_OK)
        st = qd_wasm_precompile(wasm, n, qd_manifest_entry, m, target, out, err);
    qd_manifest_free(m);
    json_decref(merged);
    return st;
}
