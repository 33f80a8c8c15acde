/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions: WebAssembly modules that queries run next to the documents. */
#ifndef QUIDDITCH_UDF_H
#define QUIDDITCH_UDF_H

#include "quidditch/error.h"
#include "quidditch/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Validates, compiles, stores and activates a function. `manifest`: its JSON (name, version, parameters, …; what it
 * lacks is taken from the module's custom section "quidditch.manifest"). `module`: WebAssembly, binary or text. The
 * same again is a no-op. Errors: QD_EUDF_PARAMS (err->field names the manifest's field), QD_EUDF_WASM, QD_EUDF_COMPILE,
 * QD_EUDF_PERMISSION, QD_EUDF_EXISTS (that version holds something else). */
qd_status qd_database_register_udf(qd_database *db, const char *manifest, size_t manifest_len, const void *module,
                                   size_t module_len, qd_error *err);

/* Calls a function for documents given in JSON: {"document": {…} or "documents": […], "parameters": {…}, "score": 1.5}.
 * `version` NULL: the active one. The answer is that of POST /api/v1/udfs/{name}/test.
 * Errors: QD_EUDF_NOTFOUND, QD_EUDF_PARAMS, QD_EUDF_FAILED, QD_EUDF_TIMEOUT, QD_EUDF_MEMORY. */
qd_status qd_database_test_udf(qd_database *db, const char *name, const char *version, const char *body,
                               size_t body_len, char **answer, qd_error *err);

/* Removes one version, or all (`version` NULL). Queries that run keep theirs to their end. Errors: QD_EUDF_NOTFOUND. */
qd_status qd_database_remove_udf(qd_database *db, const char *name, const char *version, qd_error *err);

#ifdef __cplusplus
}
#endif
#endif
