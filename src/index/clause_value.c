/* SPDX-License-Identifier: Apache-2.0 */
#include "index/clause_value.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "index/dates.h"
#include "index/document.h"

#define TWO_63 9223372036854775808.0

qd_status qd_clause_fail(const qd_field *f, const char *why, qd_error *err)
{
    return qd_fail_field(err, QD_EQUERY, f->path, "failed to create query on field [%.100s] of type [%s]: %s", f->path,
                         qd_field_type_name(f->type), why);
}

/* ---- reading JSON ---- */

static qd_str string_of(const json_t *v)
{
    return (qd_str){json_string_value(v), json_string_length(v)};
}

/* A scalar's text; a number's is written to `buffer`. False: not a scalar. */
static bool text_of(const json_t *v, char buffer[QD_NUMBER_SIZE], qd_str *out)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        *out = string_of(v);
        return true;
    case JSON_INTEGER:
        *out = (qd_str){buffer, qd_number_i64(json_integer_value(v), buffer)};
        return true;
    case JSON_REAL:
        *out = (qd_str){buffer, qd_number_f64(json_real_value(v), buffer)};
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = json_is_true(v) ? QD_STR("true") : QD_STR("false");
        return true;
    default:
        return false;
    }
}

static qd_status fail_input(const qd_field *f, const json_t *v, const char *expected, qd_error *err)
{
    char number[QD_NUMBER_SIZE], why[256];
    qd_str text = {"", 0};
    if (text_of(v, number, &text))
        snprintf(why, sizeof why, "For input string: \"%.*s\": expected %s", (int)(text.n > 100 ? 100 : text.n), text.p,
                 expected);
    else
        snprintf(why, sizeof why, "expected %s, got %s", expected, qd_json_type_name(v));
    return qd_clause_fail(f, why, err);
}

static bool double_of(const json_t *v, double *out)
{
    if (json_is_number(v))
        *out = json_number_value(v);
    else
        return json_is_string(v) && qd_str_to_f64(string_of(v), out);
    return true;
}

/* A number as the largest integer not above it and whether that is all of it; beyond the type's range as the direction.
 */
typedef struct whole {
    int64_t floor;
    bool is_exact;
    int beyond; /* -1: below every value of the type, 1: above, 0: within */
} whole;

static qd_status whole_of(const qd_field *f, const json_t *v, whole *out, qd_error *err)
{
    int64_t low = f->type == QD_FIELD_INTEGER ? INT32_MIN : INT64_MIN,
            high = f->type == QD_FIELD_INTEGER ? INT32_MAX : INT64_MAX;
    double d;
    *out = (whole){.is_exact = true};
    if (json_is_integer(v)) {
        out->floor = json_integer_value(v);
    } else if (!json_is_string(v) || !qd_str_to_i64(string_of(v), &out->floor)) {
        if (!double_of(v, &d))
            return fail_input(f, v, "a number", err);
        if (!(d >= -TWO_63 && d < TWO_63)) {
            out->beyond = d < 0 ? -1 : 1;
            return QD_OK;
        }
        out->floor = (int64_t)floor(d);
        out->is_exact = floor(d) == d;
    }
    out->beyond = out->floor < low ? -1 : out->floor > high ? 1 : 0;
    return QD_OK;
}

static qd_status date_of(const qd_field *f, const json_t *v, bool up, int64_t *out, qd_error *err)
{
    bool ok = false;
    if (json_is_string(v)) {
        qd_str s = string_of(v);
        if (qd_str_is(s, "now")) {
            *out = qd_clock_wall_ms();
            return QD_OK;
        }
        ok = up ? qd_date_parse_up(s, out) : qd_date_parse(s, out);
        if (!ok && (qd_str_starts(s, "now") || (s.n > 1 && memmem(s.p, s.n, "||", 2))))
            return qd_clause_fail(f, "date math is not supported yet: give a date, milliseconds or \"now\"", err);
    } else if (json_is_integer(v)) {
        *out = qd_date_of_number(json_integer_value(v));
        ok = true;
    } else if (json_is_real(v) && fabs(json_real_value(v)) < 9.2e18) {
        *out = (int64_t)json_real_value(v);
        ok = true;
    }
    return ok ? QD_OK : fail_input(f, v, "a date of the format [strict_date_optional_time||epoch_millis]", err);
}

/* ---- single values ---- */

static qd_status value_string(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    qd_str s;
    if (!text_of(v, out->text, &s))
        return fail_input(f, v, "a string, a number or a boolean", err);
    out->term = (qe_term){.kind = f->type == QD_FIELD_TEXT ? QE_TEXT : QE_KEYWORD, .s = s.p, .n = s.n};
    out->lower = out->upper = (qe_bound){.inclusive = true, .s = s.p, .n = s.n};
    return QD_OK;
}

static qd_status value_whole(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    whole w;
    qd_status st = whole_of(f, v, &w, err);
    if (st != QD_OK)
        return st;
    out->fit = w.beyond || !w.is_exact ? QD_FITS_NEVER : QD_FITS;
    out->term = (qe_term){.kind = QE_I64, .i = w.floor};
    out->lower = out->upper = (qe_bound){.inclusive = true, .i = w.floor};
    return QD_OK;
}

static qd_status value_double(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    double d;
    if (!double_of(v, &d))
        return fail_input(f, v, "a number", err);
    if (f->type == QD_FIELD_FLOAT)
        d = (double)(float)d;
    out->fit = isfinite(d) ? QD_FITS : QD_FITS_NEVER;
    out->lower = out->upper = (qe_bound){.inclusive = true, .f = d};
    return QD_OK;
}

static qd_status value_boolean(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    char number[QD_NUMBER_SIZE];
    qd_str s = {"", 1};
    if (!text_of(v, number, &s) || !(s.n == 0 || qd_str_is(s, "true") || qd_str_is(s, "false")))
        return fail_input(f, v, "[true] or [false]", err);
    out->term = (qe_term){.kind = QE_BOOL, .i = qd_str_is(s, "true")};
    return QD_OK;
}

/* A date stands for all of what it leaves open, as in OpenSearch: "2026-01-01" is any time of that day. */
static qd_status value_date(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    out->lower.inclusive = out->upper.inclusive = true;
    qd_status st = date_of(f, v, false, &out->lower.i, err);
    return st == QD_OK ? date_of(f, v, true, &out->upper.i, err) : st;
}

static qd_status value_geo_point(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    (void)v, (void)out;
    return qd_clause_fail(f, "Geometry fields do not support exact searching, use dedicated geometry queries instead",
                          err);
}

typedef qd_status value_fn(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err);

static value_fn *const VALUES[] = {
    [QD_FIELD_TEXT] = value_string,     [QD_FIELD_KEYWORD] = value_string, [QD_FIELD_LONG] = value_whole,
    [QD_FIELD_INTEGER] = value_whole,   [QD_FIELD_DOUBLE] = value_double,  [QD_FIELD_FLOAT] = value_double,
    [QD_FIELD_BOOLEAN] = value_boolean, [QD_FIELD_DATE] = value_date,      [QD_FIELD_GEO_POINT] = value_geo_point,
};

qd_status qd_clause_value_read(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err)
{
    memset(out, 0, sizeof *out);
    return VALUES[f->type](f, v, out, err);
}

/* ---- bounds ---- */

static qd_status bound_string(const qd_field *f, const json_t *v, bool is_lower, qd_clause_bound *out, qd_error *err)
{
    qd_str s;
    (void)is_lower;
    if (!text_of(v, out->text, &s))
        return fail_input(f, v, "a string", err);
    out->bound.s = s.p;
    out->bound.n = s.n;
    return QD_OK;
}

/* Between two integers every bound is inclusive on the nearer one that it admits. */
static qd_status bound_whole(const qd_field *f, const json_t *v, bool is_lower, qd_clause_bound *out, qd_error *err)
{
    whole w;
    qd_status st = whole_of(f, v, &w, err);
    if (st != QD_OK)
        return st;
    out->bound.i = w.floor;
    if (w.beyond != 0) {
        out->fit = (w.beyond > 0) == is_lower ? QD_FITS_NEVER : QD_FITS_ALWAYS;
    } else if (!w.is_exact) {
        out->bound.inclusive = true;
        if (is_lower)
            out->bound.i = w.floor + 1; /* a fraction below 2^63 is below 2^53: this does not overflow */
    }
    return QD_OK;
}

static qd_status bound_double(const qd_field *f, const json_t *v, bool is_lower, qd_clause_bound *out, qd_error *err)
{
    double d;
    if (!double_of(v, &d))
        return fail_input(f, v, "a number", err);
    if (f->type == QD_FIELD_FLOAT)
        d = (double)(float)d;
    if (!isfinite(d))
        out->fit = (d > 0) == is_lower ? QD_FITS_NEVER : QD_FITS_ALWAYS;
    out->bound.f = d;
    return QD_OK;
}

static qd_status bound_date(const qd_field *f, const json_t *v, bool is_lower, qd_clause_bound *out, qd_error *err)
{
    /* gte and lt mean the start of what the text leaves open, gt and lte its end. */
    return date_of(f, v, is_lower != out->bound.inclusive, &out->bound.i, err);
}

static qd_status bound_refused(const qd_field *f, const json_t *v, bool is_lower, qd_clause_bound *out, qd_error *err)
{
    (void)v, (void)is_lower, (void)out;
    return qd_clause_fail(f, "ranges are not supported on this type; on text, use a keyword sub-field", err);
}

typedef qd_status bound_fn(const qd_field *f, const json_t *v, bool is_lower, qd_clause_bound *out, qd_error *err);

static bound_fn *const BOUNDS[] = {
    [QD_FIELD_TEXT] = bound_refused,    [QD_FIELD_KEYWORD] = bound_string,  [QD_FIELD_LONG] = bound_whole,
    [QD_FIELD_INTEGER] = bound_whole,   [QD_FIELD_DOUBLE] = bound_double,   [QD_FIELD_FLOAT] = bound_double,
    [QD_FIELD_BOOLEAN] = bound_refused, [QD_FIELD_DATE] = bound_date,       [QD_FIELD_GEO_POINT] = bound_refused,
};

qd_status qd_clause_bound_read(const qd_field *f, const json_t *v, bool is_lower, bool inclusive, qd_clause_bound *out,
                               qd_error *err)
{
    memset(out, 0, sizeof *out);
    out->bound.inclusive = inclusive;
    return BOUNDS[f->type](f, v, is_lower, out, err);
}
