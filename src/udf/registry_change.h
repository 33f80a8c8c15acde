/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of changing the registry that write: to the store and the audit log at once, then to the table. All are
 * called with write_mutex. */
#ifndef QD_UDF_REGISTRY_CHANGE_H
#define QD_UDF_REGISTRY_CHANGE_H

#include "udf/audit.h"
#include "udf/depends.h"
#include "udf/registry_store.h"

#define QD_NATIVE_GROWTH 16 /* how many times larger than the largest module its native code may be */

/* A registration on its way. */
typedef struct qd_candidate {
    const qd_registration *reg;
    qd_str name, version;  /* views into the manifest, wherever that is */
    qd_manifest *manifest; /* until the function is built */
    char *manifest_text;   /* canonical */
    char hash[QD_SHA256_HEX_SIZE], manifest_hash[QD_SHA256_HEX_SIZE];
    qd_trust_result trust;
    qd_pins pins;
    qd_udf *deps[QD_WASM_MAX_DEPENDENCIES];
    bool has_deps; /* references in `deps`, one for each pin */
    bool is_again; /* it is there, and cannot be loaded or was not signed */
    qd_udf *udf;
} qd_candidate;

/* Stores a built candidate and shows it. *is_active: its name alone means it now. */
qd_status qd_registry_keep(qd_registry *r, qd_candidate *c, bool *is_active, qd_error *err);
/* Forgets what is known about a version beside its entry: before the entry goes, and again before a new version of that
 * name comes, since a query that had begun before the deletion may have left something behind it. Errors: QD_EIO. */
qd_status qd_registry_forget(qd_registry *r, qd_str name, qd_str version, qd_error *err);
/* What the audit log is told of a change; `detail` and `who` may be NULL. A view. */
qd_audit_entry qd_registry_audit_entry(qd_audit_action action, qd_str name, qd_str version, qd_str hash,
                                       const char *detail, const qd_actor *who);

#endif
