/* SPDX-License-Identifier: Apache-2.0
 *
 * Native code ahead of time, made for how the manifest says that the function is called. */
#ifndef QD_UDF_PRECOMPILE_H
#define QD_UDF_PRECOMPILE_H

#include <jansson.h>

#include "wasm/precompile.h"

/* As qd_wasm_precompile. `manifest` is what comes beside the module, which may hold its own; it must be what the
 * function will be registered with. Where there is none of either, the code serves any manifest, a little slower.
 * Errors: also those of qd_udf_merge_manifest, qd_manifest_parse and qd_manifest_fit. */
qd_status qd_udf_precompile(const json_t *manifest, const uint8_t *wasm, size_t n, const char *target, qd_buf *out,
                            qd_error *err);

#endif
