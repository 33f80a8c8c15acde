/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields with several values: from the column, or from the stored document. */
#include "query/segment_docs_impl.h"
#include "query/source_path.h"

uint32_t qd_segment_count(void *arg, int i, uint32_t row)
{
    qd_segment_docs *d = arg;
    slot *s = qd_segment_slot(d, i);
    bool is_loose;
    if (!s || row >= d->n || s->kind == SLOT_MISSING)
        return 0;
    if (s->kind != SLOT_SOURCE)
        return qd_segment_open_column(d, s) ? qd_column_count(s->column, d->docs[row]) : 0;
    const qd_stored *doc = qd_segment_stored(d, row, &is_loose);
    return doc ? qd_source_values(doc->source, qd_str_of(s->path), 0, NULL) : 0;
}

static bool source_value_at(qd_segment_docs *d, const slot *s, uint32_t row, uint32_t at, qd_value *out)
{
    bool is_loose;
    qd_str token;
    const qd_stored *doc = qd_segment_stored(d, row, &is_loose);
    if (!doc || qd_source_values(doc->source, qd_str_of(s->path), at, &token) <= at ||
        !qd_scan_scalar(token, d->text, out))
        return false;
    return out->type != QD_STRING || qd_segment_keep_text(d, is_loose, &out->as.s);
}

bool qd_segment_value_at(void *arg, int i, uint32_t row, uint32_t at, qd_value *out)
{
    qd_segment_docs *d = arg;
    slot *s = qd_segment_slot(d, i);
    uint64_t ord;
    if (!s || row >= d->n || s->kind == SLOT_MISSING)
        return false;
    if (s->kind == SLOT_SOURCE)
        return source_value_at(d, s, row, at, out);
    if (!qd_segment_open_column(d, s) || at >= qd_column_count(s->column, d->docs[row]))
        return false;
    if (s->kind == SLOT_STRING)
        return qd_segment_read_ords(d, s) && qd_column_nth_ord(s->column, d->docs[row], at, &ord) &&
               qd_segment_string_of(d, s, ord, out);
    if (s->is_float) {
        out->type = QD_F64;
        return qd_column_nth_f64(s->column, d->docs[row], at, &out->as.f);
    }
    int64_t n;
    if (!qd_column_nth_i64(s->column, d->docs[row], at, &n))
        return false;
    *out = s->kind == SLOT_BOOL ? (qd_value){QD_BOOL, {.b = n != 0}} : (qd_value){QD_I64, {.i = n}};
    return true;
}
