/* SPDX-License-Identifier: Apache-2.0
 *
 * One scalar value as functions and fields see it: what a parameter holds, what a column or `_source` gives. */
#ifndef QD_BASE_VALUE_H
#define QD_BASE_VALUE_H

#include "base/str.h"

typedef enum qd_type { QD_NULL, QD_BOOL, QD_I64, QD_F64, QD_STRING, QD_I32, QD_F32 } qd_type;

typedef struct qd_value {
    qd_type type; /* QD_I32 and QD_F32 are types of parameters; values hold QD_I64 and QD_F64 */
    union {
        bool b;
        int64_t i;
        double f;
        qd_str s; /* view; valid as the giver says */
    } as;
} qd_value;

const char *qd_type_name(qd_type t);           /* "i64" */
bool qd_type_parse(qd_str name, qd_type *out); /* the manifest's names */

/* Numbers convert between integer and float (float to integer truncates toward zero and must fit); bool, string and
 * number never convert into each other. False: wrong type. */
bool qd_value_to_i64(qd_value v, int64_t *out);
bool qd_value_to_f64(qd_value v, double *out);
bool qd_value_to_bool(qd_value v, bool *out);

#endif
