/* SPDX-License-Identifier: Apache-2.0
 *
 * Sorting by fields. Each key of a document becomes a rank: a 64-bit integer that orders as the key does, smallest
 * first, whatever its type and direction; documents compare by their ranks, then by position. Ranks of strings hold
 * within one segment only: beyond it the strings themselves are compared. Where OpenSearch gives a missing number the
 * greatest or least value of its type, so does the rank. */
#ifndef QD_QUERY_SORT_H
#define QD_QUERY_SORT_H

#include "base/json.h"
#include "index/column.h"
#include "query/run.h"

typedef enum qd_key_class { QD_KEY_I64, QD_KEY_F64, QD_KEY_STRING, QD_KEY_SCORE, QD_KEY_DOC } qd_key_class;

typedef struct qd_sort_key {
    const qd_sort_spec *spec;
    qd_key_class class;
    const qd_field *field; /* NULL: not mapped here, every value is missing */
    bool is_i32, is_f32;   /* the type's own greatest and least values stand for a missing one; shown as such */
    int64_t missing;       /* the rank of a missing value, but for strings with `missing_text` */
    qd_str missing_text;   /* a string that stands for missing values; p NULL: none */
} qd_sort_key;

typedef struct qd_sort {
    qd_sort_key *keys;
    size_t n;
    bool needs_scores; /* a key is the score, or scores are tracked: then hits show theirs */
} qd_sort;

/* The request's sort for one target, in the arena. Errors: QD_EQUERY, QD_EINVAL for a field that cannot be sorted by.
 */
qd_status qd_sort_compile(const qd_run *run, size_t target, qd_sort *out, qd_error *err);
/* Must all targets agree on the classes of keys; else their values cannot be compared. */
qd_status qd_sort_agree(const qd_sort *a, const qd_sort *b, qd_error *err);

static inline int64_t qd_rank_flip(const qd_sort_key *k, int64_t natural)
{
    return k->spec->is_desc ? ~natural : natural;
}
int64_t qd_rank_f64(double v);
double qd_rank_to_f64(int64_t natural);
/* Is it the rank of a missing string? */
bool qd_rank_is_missing_string(int64_t rank);

/* One key over one segment. */
typedef struct qd_key_reader {
    const qd_sort_key *key;
    qd_column *column; /* NULL: none has a value */
    int64_t missing;   /* with `missing_text`: where that string stands among the segment's */
    uint32_t doc_base; /* of the segment in its shard */
    bool is_single;    /* no document has several values */
} qd_key_reader;
qd_status qd_key_reader_open(qd_key_reader *r, const qd_sort_key *k, const qd_searcher *s, uint32_t segment,
                             qd_error *err);
void qd_key_reader_close(qd_key_reader *r);
/* Ranks of n documents, n <= QE_BLOCK_DOCS. `scores` may be NULL unless the key is the score. */
void qd_key_reader_ranks(const qd_key_reader *r, size_t n, const uint32_t *docs, const float *scores, int64_t *ranks);
/* The string behind a rank, in the arena; p NULL: missing. */
qd_status qd_key_reader_text(qd_key_reader *r, int64_t rank, qd_arena *arena, qd_str *out, qd_error *err);

/* Writes a key's value as a hit's "sort" shows it. */
void qd_sort_write(const qd_sort_key *k, int64_t rank, qd_str text, qd_json *w);

#endif
