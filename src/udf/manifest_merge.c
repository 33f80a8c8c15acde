/* SPDX-License-Identifier: Apache-2.0
 *
 * The two places where a manifest may stand, as one. Signing needs it without an engine, so it stands alone. */
#include "udf/manifest_merge.h"

#include "wasm/sections.h"

#define MANIFEST_SECTION "quidditch.manifest"

qd_status qd_udf_merge_manifest(const json_t *given, const uint8_t *wasm, size_t n, json_t **out, qd_error *err)
{
    size_t at = 0;
    qd_wasm_custom section;
    json_t *merged = NULL;
    qd_status st = QD_OK;
    if (!json_is_object(given))
        return qd_fail(err, QD_EUDF_PARAMS, "the manifest: expected an object, got %s", qd_json_type_name(given));
    if (qd_wasm_next_custom(wasm, n, MANIFEST_SECTION, &at, &section)) {
        st = qd_json_parse(section.data, &merged, err);
        if (st == QD_OK && !json_is_object(merged))
            st = qd_fail(err, QD_EUDF_PARAMS, "expected an object, got %s", qd_json_type_name(merged));
        if (st != QD_OK) {
            qd_error_prefix(err, "the module's section '" MANIFEST_SECTION "': ");
            if (err)
                err->code = QD_EUDF_PARAMS;
            json_decref(merged);
            return QD_EUDF_PARAMS;
        }
    }
    if (!merged)
        merged = json_object();
    if (!merged || json_object_update(merged, (json_t *)given) != 0) {
        json_decref(merged);
        return qd_fail_nomem(err);
    }
    *out = merged;
    return QD_OK;
}
