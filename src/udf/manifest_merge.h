/* SPDX-License-Identifier: Apache-2.0
 *
 * A registration's whole manifest: what the module holds and what was given beside it. */
#ifndef QD_UDF_MANIFEST_MERGE_H
#define QD_UDF_MANIFEST_MERGE_H

#include "base/json.h"

/* The manifest inside the module (custom section "quidditch.manifest") with the members of `given` laid over it.
 * *out: owned by caller (json_decref). Errors: QD_EUDF_PARAMS (the section is not a JSON object; `given` is not an
 * object). */
qd_status qd_udf_merge_manifest(const json_t *given, const uint8_t *wasm, size_t n, json_t **out, qd_error *err);

#endif
