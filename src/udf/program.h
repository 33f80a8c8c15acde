/* SPDX-License-Identifier: Apache-2.0
 *
 * What a manifest says of a function, as the wasm room wants it: shape, types of columns, what is returned. */
#ifndef QD_UDF_PROGRAM_H
#define QD_UDF_PROGRAM_H

#include "udf/manifest.h"

/* The export that is called for documents: the manifest's function_name; of an aggregate, with "_update" behind it.
 * `buffer` may hold it. */
#define QD_EXPORT_NAME_SIZE 256
qd_str qd_manifest_export(const qd_manifest *m, char buffer[QD_EXPORT_NAME_SIZE]);

/* A qd_wasm_entry_fn: fits the manifest, `arg`, to the module (qd_manifest_fit) and says how its function is called
 * where a query gives only what the manifest's parameters do not come from. */
qd_status qd_manifest_entry(void *arg, const qd_wasm_module *module, qd_wasm_entry *out, qd_error *err);

/* The program of one export of the manifest's kind and shape. `label` for errors. Errors: as qd_wasm_program_new. */
qd_status qd_manifest_program(const qd_manifest *m, qd_wasm_module *module, qd_str export_name, const char *label,
                              qd_wasm_program **out, qd_error *err);

/* The same for another function of the module, of the same kind, shape and parameters: it is checked as the manifest's
 * own was at registration. Errors: QD_EUDF_PARAMS with the field "function". */
qd_status qd_manifest_other_program(const qd_manifest *m, qd_wasm_module *module, qd_str function, const char *label,
                                    qd_wasm_program **out, qd_error *err);

/* Programs of a function's other exports, kept by name, up to a bound; more are made for each use. Threads: any. */
typedef struct qd_udf_programs qd_udf_programs;
qd_udf_programs *qd_udf_programs_new(void); /* NULL when out of memory */
void qd_udf_programs_free(qd_udf_programs *p);
/* *out: a reference, owned by caller. Errors: as qd_manifest_other_program. */
qd_status qd_udf_programs_get(qd_udf_programs *p, const qd_manifest *m, qd_wasm_module *module, qd_str function,
                              const char *label, qd_wasm_program **out, qd_error *err);

/* Whether any parameter is a string. */
bool qd_manifest_has_strings(const qd_manifest *m);
/* What the function gives for a document: QD_BOOL for filters, QD_F64 for scores, else `returns`, else what the
 * signature's number is. */
qd_type qd_manifest_result(const qd_manifest *m, const qd_wasm_signature *s);

#endif
