/* SPDX-License-Identifier: Apache-2.0
 *
 * Making one qd_udf (registry.h) of a manifest and a module: the checks that need both, compiling, the label. Used by
 * the registry when it registers, loads and tries out; takes no lock. */
#ifndef QD_UDF_UDF_H
#define QD_UDF_UDF_H

#include "udf/registry.h"

/* The manifest inside the module (custom section "quidditch.manifest") with the members of `given` laid over it.
 * *out: owned by caller (json_decref). Errors: QD_EUDF_PARAMS (the section is not a JSON object; `given` is not an
 * object). */
qd_status qd_udf_merge_manifest(const json_t *given, const uint8_t *wasm, size_t n, json_t **out, qd_error *err);

/* Compiles and fits. The manifest is taken, even on failure. *out: one reference, owned by caller. Errors: as
 * qd_registry_register. */
qd_status qd_udf_build(qd_wasm_engine *e, const qd_registry_options *options, qd_manifest *m, const uint8_t *wasm,
                       size_t n, int64_t registered_at_ms, qd_udf **out, qd_error *err);

/* Puts "function 'name@version': ", or with `id` (may be NULL) "function 'name@version', document 'id': ", before the
 * message. A message that names the function already is left alone. */
void qd_udf_name_error(const char *label, const qd_str *id, qd_error *err);

#endif
