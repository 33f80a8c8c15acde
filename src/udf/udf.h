/* SPDX-License-Identifier: Apache-2.0
 *
 * Making one qd_udf (registry.h) of a manifest and a module: the checks that need both, compiling, the label. Used by
 * the registry when it registers, loads and tries out; takes no lock. */
#ifndef QD_UDF_UDF_H
#define QD_UDF_UDF_H

#include "udf/manifest_merge.h"
#include "udf/registry.h"

/* What a function is built from; all borrowed. */
typedef struct qd_udf_source {
    const uint8_t *wasm;
    size_t wasm_size;
    const char *hash;      /* SHA-256 of wasm in hex; NULL: it is computed */
    const uint8_t *native; /* verified; NULL: none */
    size_t native_size;
    bool must_use_native; /* at registration: later, what has become unfit is compiled anew */
    qd_udf *const *deps; /* one for each of the manifest's dependencies, in their order */
    size_t n_deps;
    int64_t registered_at_ms;
} qd_udf_source;

/* Compiles and fits. The manifest is taken, even on failure. *out: one reference, owned by caller. Errors: as
 * qd_registry_register. */
qd_status qd_udf_build_from(qd_wasm_engine *e, const qd_registry_options *options, qd_manifest *m,
                            const qd_udf_source *source, qd_udf **out, qd_error *err);
/* The same of a module alone. */
qd_status qd_udf_build(qd_wasm_engine *e, const qd_registry_options *options, qd_manifest *m, const uint8_t *wasm,
                       size_t n, int64_t registered_at_ms, qd_udf **out, qd_error *err);

#endif
