/* SPDX-License-Identifier: Apache-2.0
 *
 * Dependencies between functions. A manifest's `depends_on` names functions whose exports the module imports (the
 * import's module name is the dependency's name), each with a range of versions. Registering resolves each once, to the
 * highest version in its range, and pins it: a version never changes what it does. A pinned version cannot be deleted.
 *
 * Refused are a dependency on itself, a name that comes back anywhere below (so no cycle can ever be made, whatever the
 * versions), and more than 8 in all. */
#ifndef QD_UDF_DEPENDS_H
#define QD_UDF_DEPENDS_H

#include "udf/registry_table.h"

/* Versions that one depends on directly, in the manifest's order; a reference each. */
typedef struct qd_pins {
    qd_udf_version *items[QD_WASM_MAX_DEPENDENCIES];
    size_t n;
} qd_pins;
void qd_pins_deinit(qd_pins *p);

/* Resolves a manifest's dependencies. Takes table_lock (shared). Errors: QD_EUDF_NOTFOUND, QD_EUDF_PARAMS with field
 * "depends_on[i]". *out: deinit by caller. */
qd_status qd_pins_resolve(qd_registry *r, const qd_manifest *m, qd_pins *out, qd_error *err);
/* Those of a stored version. Takes table_lock (shared). Errors: QD_EUDF_NOTFOUND (the store was tampered with). */
qd_status qd_pins_of(qd_registry *r, const qd_udf_version *v, qd_pins *out, qd_error *err);
/* As the record has them. */
void qd_pins_pack(const qd_pins *p, qd_buf *out);
/* Are they all still there? Called with write_mutex. Errors: QD_EUDF_NOTFOUND. */
qd_status qd_pins_check(const qd_pins *p, qd_error *err);
/* One more (or less) that depends on them. Called with write_mutex. */
void qd_pins_count(const qd_registry *r, const qd_udf_version *v, int by);

/* May this version go (`v` NULL: all of `f`)? Called with write_mutex. Errors: QD_EUDF_DEPENDED naming who needs it. */
qd_status qd_depends_check_unneeded(const qd_registry *r, const qd_udf_function *f, const qd_udf_version *v,
                                    qd_error *err);

#endif
