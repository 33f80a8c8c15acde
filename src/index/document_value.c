/* SPDX-License-Identifier: Apache-2.0 */
#include "index/document_value.h"

#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "index/dates.h"
#include "index/document.h"
#include "index/geo.h"

#define MAX_TERM_BYTES 32766 /* as Lucene has it */
#define PREVIEW_BYTES  80

/* ---- messages ---- */

/* The value's text; a number's is written to `number`. */
static qd_str text_of(qe_event event, const qe_json_value *v, char number[QD_NUMBER_SIZE])
{
    switch (event) {
    case QE_STRING:
        return (qd_str){v->s, v->n};
    case QE_NUMBER_I64:
        return (qd_str){number, qd_number_i64(v->i, number)};
    case QE_NUMBER_F64:
        return (qd_str){number, qd_number_f64(v->f, number)};
    default:
        return event == QE_TRUE ? QD_STR("true") : QD_STR("false");
    }
}

/* At most `max` bytes of it, whole characters. */
static qd_str cut(qd_str s, size_t max)
{
    if (s.n > max)
        for (s.n = max; s.n > 0 && ((unsigned char)s.p[s.n] & 0xC0) == 0x80; s.n--)
            ;
    return s;
}

qd_status qd_document_fail_value(const qd_field *f, qe_event event, const qe_json_value *v, qd_str id, const char *why,
                                 qd_error *err)
{
    char number[QD_NUMBER_SIZE];
    qd_str preview = v ? cut(text_of(event, v, number), PREVIEW_BYTES) : (qd_str){"", 0};
    qd_str shown = cut(id, 100);
    return qd_fail_field(
        err, QD_EMAPPING, f->path,
        "failed to parse field [%.100s] of type [%s] in document with id '%.*s'. Preview of field's value: '%.*s': %s",
        f->path, qd_field_type_name(f->type), QD_STR_FMT(shown), QD_STR_FMT(preview), why);
}

/* ---- one function per type ---- */

typedef struct value {
    qe_doc *doc;
    const qd_field *f;
    qe_event event;
    const qe_json_value *v;
    qd_str id;
    qd_error *err;
} value;

static qd_status refuse(const value *a, const char *why)
{
    return qd_document_fail_value(a->f, a->event, a->v, a->id, why, a->err);
}

static qd_status out_of_range(const value *a, const char *type)
{
    char number[QD_NUMBER_SIZE], why[160];
    qd_str text = cut(text_of(a->event, a->v, number), PREVIEW_BYTES);
    snprintf(why, sizeof why, "Value [%.*s] is out of range for %s", QD_STR_FMT(text), type);
    return refuse(a, why);
}

static bool is_kept(const qd_field *f)
{
    return f->indexed || f->has_column;
}

static qd_status add_text(const value *a)
{
    char number[QD_NUMBER_SIZE];
    qd_str s = text_of(a->event, a->v, number);
    if (a->f->indexed)
        qe_doc_add_str(a->doc, a->f->id, s.p, s.n);
    return QD_OK;
}

static size_t count_characters(qd_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

static qd_status add_keyword(const value *a)
{
    char number[QD_NUMBER_SIZE];
    qd_str s = text_of(a->event, a->v, number);
    if (a->f->ignore_above && s.n > a->f->ignore_above && count_characters(s) > a->f->ignore_above)
        return QD_OK;
    if (!is_kept(a->f))
        return QD_OK;
    if (s.n > MAX_TERM_BYTES)
        return qd_fail_field(
            a->err, QD_EMAPPING, a->f->path,
            "Document contains at least one immense term in field=\"%s\" (whose UTF8 encoding is longer than the "
            "max length %d), all of which were skipped. It is %zu bytes long; shorten it or set ignore_above.",
            a->f->path, MAX_TERM_BYTES, s.n);
    qe_doc_add_str(a->doc, a->f->id, s.p, s.n);
    return QD_OK;
}

/* Whole numbers: fractions are cut off, as "coerce" does. */
static qd_status whole_number(const value *a, int64_t *out)
{
    double d;
    qd_str s = {a->v->s, a->v->n};
    if (a->event == QE_NUMBER_I64) {
        *out = a->v->i;
        return QD_OK;
    }
    if (a->event == QE_STRING && qd_str_to_i64(s, out))
        return QD_OK;
    if (!qd_document_number(a->event, a->v, &d)) {
        char why[160];
        char number[QD_NUMBER_SIZE];
        s = cut(text_of(a->event, a->v, number), PREVIEW_BYTES);
        snprintf(why, sizeof why, "For input string: \"%.*s\"", QD_STR_FMT(s));
        return refuse(a, why);
    }
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0))
        return out_of_range(a, a->f->type == QD_FIELD_INTEGER ? "an integer" : "a long");
    *out = (int64_t)d;
    return QD_OK;
}

static bool is_empty_string(const value *a)
{
    return a->event == QE_STRING && a->v->n == 0;
}

static qd_status add_long(const value *a)
{
    int64_t i;
    if (is_empty_string(a))
        return QD_OK;
    qd_status st = whole_number(a, &i);
    if (st == QD_OK && a->f->type == QD_FIELD_INTEGER && (i < INT32_MIN || i > INT32_MAX))
        st = out_of_range(a, "an integer");
    if (st == QD_OK && is_kept(a->f))
        qe_doc_add_i64(a->doc, a->f->id, i);
    return st;
}

static qd_status add_double(const value *a)
{
    double d;
    if (is_empty_string(a))
        return QD_OK;
    if (!qd_document_number(a->event, a->v, &d)) {
        char number[QD_NUMBER_SIZE], why[160];
        qd_str s = cut(text_of(a->event, a->v, number), PREVIEW_BYTES);
        snprintf(why, sizeof why, "For input string: \"%.*s\"", QD_STR_FMT(s));
        return refuse(a, why);
    }
    if (a->f->type == QD_FIELD_FLOAT) {
        if (fabs(d) > 3.4028235677973366e38) /* the least that rounds to infinity */
            return refuse(a, "[float] supports only finite values");
        d = (double)(float)d;
    }
    if (is_kept(a->f))
        qe_doc_add_f64(a->doc, a->f->id, d);
    return QD_OK;
}

static qd_status add_boolean(const value *a)
{
    bool b = a->event == QE_TRUE;
    if (a->event == QE_STRING) {
        qd_str s = {a->v->s, a->v->n};
        b = qd_str_is(s, "true");
        if (!b && s.n > 0 && !qd_str_is(s, "false"))
            return refuse(a, "only [true] or [false] are allowed");
    } else if (a->event != QE_TRUE && a->event != QE_FALSE) {
        return refuse(a, "only [true] or [false] are allowed");
    }
    if (is_kept(a->f))
        qe_doc_add_bool(a->doc, a->f->id, b);
    return QD_OK;
}

static qd_status add_date(const value *a)
{
    int64_t ms = 0;
    bool ok = false;
    if (a->event == QE_STRING) {
        ok = qd_date_parse((qd_str){a->v->s, a->v->n}, &ms);
    } else if (a->event == QE_NUMBER_I64) {
        ms = qd_date_of_number(a->v->i);
        ok = true;
    } else if (a->event == QE_NUMBER_F64 && fabs(a->v->f) < 9.2e18) {
        ms = (int64_t)a->v->f;
        ok = true;
    }
    if (!ok)
        return refuse(a, "expected a date of the format [strict_date_optional_time||epoch_millis]");
    if (is_kept(a->f))
        qe_doc_add_i64(a->doc, a->f->id, ms);
    return QD_OK;
}

static qd_status add_geo_point(const value *a)
{
    double lat, lon;
    if (a->event != QE_STRING || !qd_geo_parse_text((qd_str){a->v->s, a->v->n}, &lat, &lon))
        return refuse(a, "expected {\"lat\", \"lon\"}, [lon, lat], \"lat,lon\" or \"POINT (lon lat)\"");
    return qd_document_add_point(a->doc, a->f, lat, lon, a->id, a->err);
}

typedef qd_status add_fn(const value *a);

static add_fn *const ADD[] = {
    [QD_FIELD_TEXT] = add_text,      [QD_FIELD_KEYWORD] = add_keyword, [QD_FIELD_LONG] = add_long,
    [QD_FIELD_INTEGER] = add_long,   [QD_FIELD_DOUBLE] = add_double,   [QD_FIELD_FLOAT] = add_double,
    [QD_FIELD_BOOLEAN] = add_boolean, [QD_FIELD_DATE] = add_date,      [QD_FIELD_GEO_POINT] = add_geo_point,
};

qd_status qd_document_add_value(qe_doc *doc, const qd_field *f, qe_event event, const qe_json_value *v, qd_str id,
                                qd_error *err)
{
    value a = {doc, f, event, v, id, err};
    qd_status st = ADD[f->type](&a);
    for (const qd_field *sub = f->next_sub; sub && st == QD_OK; sub = sub->next_sub) {
        a.f = sub;
        st = ADD[sub->type](&a);
    }
    return st;
}

qd_status qd_document_add_point(qe_doc *doc, const qd_field *f, double lat, double lon, qd_str id, qd_error *err)
{
    const char *wrong = qd_geo_out_of_range(lat, lon);
    if (wrong) {
        char why[96];
        snprintf(why, sizeof why, "illegal %s value [%.17g]", wrong, *wrong == 'l' && wrong[1] == 'a' ? lat : lon);
        return qd_document_fail_value(f, QE_NULL, NULL, id, why, err);
    }
    if (is_kept(f)) {
        qe_doc_add_f64(doc, f->id, lat);
        qe_doc_add_f64(doc, f->id + 1, lon);
    }
    return QD_OK;
}

bool qd_document_number(qe_event event, const qe_json_value *v, double *out)
{
    if (event == QE_NUMBER_I64)
        *out = (double)v->i;
    else if (event == QE_NUMBER_F64)
        *out = v->f;
    else
        return event == QE_STRING && qd_str_to_f64((qd_str){v->s, v->n}, out);
    return true;
}
