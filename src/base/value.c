/* SPDX-License-Identifier: Apache-2.0 */
#include "base/value.h"

static const char *const NAMES[] = {
    [QD_NULL] = "null",     [QD_BOOL] = "bool", [QD_I64] = "i64", [QD_F64] = "f64",
    [QD_STRING] = "string", [QD_I32] = "i32",   [QD_F32] = "f32",
};

const char *qd_type_name(qd_type t)
{
    return (size_t)t < sizeof NAMES / sizeof *NAMES ? NAMES[t] : "unknown";
}

bool qd_type_parse(qd_str name, qd_type *out)
{
    /* A parameter cannot be declared null. */
    for (size_t t = QD_BOOL; t < sizeof NAMES / sizeof *NAMES; t++) {
        if (qd_str_is(name, NAMES[t])) {
            *out = (qd_type)t;
            return true;
        }
    }
    return false;
}

bool qd_value_to_i64(qd_value v, int64_t *out)
{
    if (v.type == QD_I64 || v.type == QD_I32) {
        *out = v.as.i;
        return true;
    }
    /* 2^63 itself does not fit; NaN fails both comparisons. */
    if ((v.type == QD_F64 || v.type == QD_F32) && v.as.f >= -0x1p63 && v.as.f < 0x1p63) {
        *out = (int64_t)v.as.f;
        return true;
    }
    return false;
}

bool qd_value_to_f64(qd_value v, double *out)
{
    if (v.type == QD_F64 || v.type == QD_F32)
        *out = v.as.f;
    else if (v.type == QD_I64 || v.type == QD_I32)
        *out = (double)v.as.i;
    else
        return false;
    return true;
}

bool qd_value_to_bool(qd_value v, bool *out)
{
    if (v.type != QD_BOOL)
        return false;
    *out = v.as.b;
    return true;
}
