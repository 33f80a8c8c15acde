/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns of one segment. One handle per thread. See engine.h for the meaning of values, validity and ordinals. */
#ifndef QD_INDEX_COLUMN_H
#define QD_INDEX_COLUMN_H

#include "index/searcher.h"

typedef qe_column qd_column;

/* *out NULL: no document of the segment has a value. `field_id`: qd_field.id (for geo points also id + 1), or
 * QE_FIELD_SEQ_NO / QE_FIELD_VERSION. */
qd_status qd_column_open(const qd_searcher *s, uint32_t segment, uint32_t field_id, qd_column **out, qd_error *err);
void qd_column_free(qd_column *c);
static inline bool qd_column_f64(const qd_column *c, size_t n, const uint32_t *docs, double *out, uint8_t *valid,
                                 bool *all)
{
    return qe_column_f64(c, n, docs, out, valid, all);
}
static inline bool qd_column_i64(const qd_column *c, size_t n, const uint32_t *docs, int64_t *out, uint8_t *valid,
                                 bool *all)
{
    return qe_column_i64(c, n, docs, out, valid, all);
}
static inline bool qd_column_ords(const qd_column *c, size_t n, const uint32_t *docs, uint64_t *out, uint8_t *valid,
                                  bool *all)
{
    return qe_column_ords(c, n, docs, out, valid, all);
}
static inline bool qd_column_is_single(const qd_column *c)
{
    return qe_column_is_single(c);
}
static inline uint32_t qd_column_count(const qd_column *c, uint32_t doc)
{
    return qe_column_count(c, doc);
}
static inline bool qd_column_nth_f64(const qd_column *c, uint32_t doc, uint32_t i, double *out)
{
    return qe_column_nth_f64(c, doc, i, out);
}
static inline bool qd_column_nth_i64(const qd_column *c, uint32_t doc, uint32_t i, int64_t *out)
{
    return qe_column_nth_i64(c, doc, i, out);
}
static inline bool qd_column_nth_ord(const qd_column *c, uint32_t doc, uint32_t i, uint64_t *out)
{
    return qe_column_nth_ord(c, doc, i, out);
}

/* All strings of the column, when they are in memory (engine.h): views valid as long as the handle. */
typedef qe_strings qd_strings;
static inline bool qd_column_strings(const qd_column *c, size_t wanted, qd_strings *out)
{
    return qe_column_strings(c, wanted, out);
}
/* `ord` < s->n. */
static inline qd_str qd_strings_at(const qd_strings *s, uint64_t ord)
{
    return (qd_str){s->bytes + s->starts[ord], s->starts[ord + 1] - s->starts[ord]};
}
/* View valid until the next call on this handle. */
qd_status qd_column_string(qd_column *c, uint64_t ord, qd_str *out, qd_error *err);

#endif
