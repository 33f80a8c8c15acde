/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters: what a manifest declares of one, and values in their declared types. Used by the manifest (defaults) and
 * by bindings (a query's values, documents' values); nobody outside the room needs it. */
#ifndef QD_UDF_PARAM_H
#define QD_UDF_PARAM_H

#include "udf/manifest.h"

/* A value in the declared type: bool, string; i32 and i64 as QD_I64 (i32 within its range); f32 (rounded to it) and f64
 * as QD_F64. Numbers convert, nothing else does. False: wrong type or out of range. */
bool qd_param_convert(qd_type type, qd_value v, qd_value *out);

/* The manifest's `parameters`: an array of objects. Errors: QD_EUDF_PARAMS with err->field "parameters[1].default". */
qd_status qd_params_parse(const json_t *v, qd_arena *arena, qd_udf_param **out, size_t *n, qd_error *err);

/* Can a reference give a value of this type at all? The score is a number, the id a string; fields are known per
 * document. */
bool qd_ref_fits(const qd_ref *ref, qd_type type);

/* "a number", "a string", "true or false", "an integer", "a 32-bit integer": what a value of the type looks like. */
const char *qd_param_expected(qd_type type);

/* A number for a message: the shortest text that reads back as the same, or NaN, infinity, -infinity. Returns `out`. */
#define QD_NUMBER_TEXT_SIZE 40
const char *qd_number_text(double v, char out[QD_NUMBER_TEXT_SIZE]);

#endif
