/* SPDX-License-Identifier: Apache-2.0 */
#include "query/sort.h"

#include <float.h>
#include <math.h>

#include "index/document.h"

/* Ordinals are spread over the odd numbers, so that a string which is not among them has a place between. */
static int64_t rank_of_ord(uint64_t ord)
{
    return (int64_t)(ord * 2 + 1);
}

int64_t qd_rank_f64(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits >= 0 ? bits : bits ^ INT64_MAX;
}

double qd_rank_to_f64(int64_t natural)
{
    int64_t bits = natural >= 0 ? natural : natural ^ INT64_MAX;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

bool qd_rank_is_missing_string(int64_t rank)
{
    return rank == INT64_MAX || rank == INT64_MIN;
}

/* ---- compiling ---- */

static const struct {
    const char *name;
    qd_key_class class;
    bool is_i32, is_f32;
    bool can_sort;
} TYPES[] = {
    [QD_FIELD_TEXT] = {"text", QD_KEY_STRING, false, false, false},
    [QD_FIELD_KEYWORD] = {"keyword", QD_KEY_STRING, false, false, true},
    [QD_FIELD_LONG] = {"long", QD_KEY_I64, false, false, true},
    [QD_FIELD_INTEGER] = {"integer", QD_KEY_I64, true, false, true},
    [QD_FIELD_DOUBLE] = {"double", QD_KEY_F64, false, false, true},
    [QD_FIELD_FLOAT] = {"float", QD_KEY_F64, false, true, true},
    [QD_FIELD_BOOLEAN] = {"boolean", QD_KEY_I64, false, false, true},
    [QD_FIELD_DATE] = {"date", QD_KEY_I64, false, false, true},
    [QD_FIELD_GEO_POINT] = {"geo_point", QD_KEY_F64, false, false, false},
};

static int type_named(qd_str name)
{
    for (size_t t = 0; t < sizeof TYPES / sizeof *TYPES; t++)
        if (qd_str_is(name, TYPES[t].name) && TYPES[t].can_sort)
            return (int)t;
    return -1;
}

static qd_status field_type(const qd_sort_spec *s, const qd_field *f, qd_field_type *out, qd_error *err)
{
    if (!f) {
        int type = type_named(s->unmapped_type);
        if (s->unmapped_type.n == 0)
            return qd_fail(err, QD_EQUERY, "No mapping found for [%.*s] in order to sort on", QD_STR_FMT(s->field));
        if (type < 0)
            return qd_fail(err, QD_EQUERY, "[sort] field [%.*s]: no mapper found for type [%.*s]", QD_STR_FMT(s->field),
                           QD_STR_FMT(s->unmapped_type));
        *out = (qd_field_type)type;
        return QD_OK;
    }
    if (f->type == QD_FIELD_TEXT)
        return qd_fail(
            err, QD_EINVAL,
            "Text fields are not optimised for operations that require per-document field data like aggregations "
            "and sorting, so these operations are disabled by default. Please use a keyword field instead of [%.*s].",
            QD_STR_FMT(s->field));
    if (!TYPES[f->type].can_sort)
        return qd_fail(err, QD_EINVAL,
                       "can't sort on %s field [%.*s] without using specific sorting feature, like geo_distance",
                       TYPES[f->type].name, QD_STR_FMT(s->field));
    if (!f->has_column)
        return qd_fail(
            err, QD_EINVAL,
            "Can't load fielddata on [%.*s] because fielddata is unsupported on fields of type [%s] without doc_values",
            QD_STR_FMT(s->field), TYPES[f->type].name);
    *out = f->type;
    return QD_OK;
}

/* What OpenSearch puts in the place of a missing value at the end or the start, as a natural rank. */
static int64_t missing_end(const qd_sort_key *k, bool at_high_end)
{
    if (k->class == QD_KEY_F64)
        return qd_rank_f64(at_high_end ? (double)INFINITY : (double)-INFINITY);
    if (k->is_i32)
        return at_high_end ? INT32_MAX : INT32_MIN;
    return at_high_end ? INT64_MAX : INT64_MIN;
}

static qd_status missing_value(const qd_sort_spec *s, qd_field_type type, qd_sort_key *k, qd_error *err)
{
    const json_t *v = s->missing_value;
    qd_str text = {json_string_value(v), json_string_length(v)};
    double f = json_number_value(v);
    int64_t i = json_is_integer(v) ? json_integer_value(v) : fabs(f) < 9.2e18 ? (int64_t)f : 0;
    bool is_read = json_is_number(v);
    if (k->class == QD_KEY_STRING && json_is_string(v)) {
        k->missing_text = text;
        return QD_OK;
    }
    if (type == QD_FIELD_DATE && json_is_string(v))
        is_read = qd_date_parse(text, &i);
    else if (type == QD_FIELD_BOOLEAN && json_is_boolean(v)) {
        i = json_is_true(v);
        is_read = true;
    } else if (json_is_string(v)) {
        is_read = qd_str_to_f64(text, &f);
        if (is_read && !qd_str_to_i64(text, &i))
            i = fabs(f) < 9.2e18 ? (int64_t)f : 0;
    }
    if (!is_read || k->class == QD_KEY_STRING)
        return qd_fail(err, QD_EINVAL, "[sort] field [%.*s]: missing is %s, which is no value of type [%s]",
                       QD_STR_FMT(s->field), qd_json_type_name(v), TYPES[type].name);
    k->missing = qd_rank_flip(k, k->class == QD_KEY_F64 ? qd_rank_f64(f) : i);
    return QD_OK;
}

static qd_status compile_key(const qd_run *run, const qd_mapping *m, const qd_sort_spec *s, qd_sort_key *k,
                             qd_error *err)
{
    qd_field_type type = QD_FIELD_LONG;
    *k = (qd_sort_key){.spec = s, .class = s->by == QD_SORT_BY_SCORE ? QD_KEY_SCORE : QD_KEY_DOC};
    if (s->by == QD_SORT_BY_SCRIPT) {
        k->class = QD_KEY_F64;
        k->missing = qd_rank_flip(k, missing_end(k, !s->is_desc));
    }
    if (s->by != QD_SORT_BY_FIELD)
        return QD_OK;
    k->field = qd_mapping_find(m, s->field);
    qd_status st = field_type(s, k->field, &type, err);
    if (st != QD_OK)
        return qd_run_place_error(run, s->at, st, err);
    k->class = TYPES[type].class;
    k->is_i32 = TYPES[type].is_i32;
    k->is_f32 = TYPES[type].is_f32;
    if (s->missing == QD_MISSING_VALUE)
        return qd_run_place_error(run, s->at, missing_value(s, type, k, err), err);
    bool is_last = s->missing == QD_MISSING_LAST;
    k->missing = qd_rank_flip(k, missing_end(k, is_last != s->is_desc));
    return QD_OK;
}

qd_status qd_sort_compile(const qd_run *run, size_t target, qd_sort *out, qd_error *err)
{
    const qd_body *b = &run->body;
    qd_sort sort = {.keys = qd_arena_array(run->arena, b->n_sort, sizeof *sort.keys),
                    .n = b->n_sort,
                    .needs_scores = b->track_scores};
    if (!sort.keys)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < b->n_sort; i++) {
        qd_status st = compile_key(run, run->rq->targets[target].searcher->mapping, &b->sort[i], &sort.keys[i], err);
        if (st != QD_OK)
            return st;
        sort.needs_scores |= sort.keys[i].class == QD_KEY_SCORE;
    }
    *out = sort;
    return QD_OK;
}

qd_status qd_sort_agree(const qd_sort *a, const qd_sort *b, qd_error *err)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->keys[i].class != b->keys[i].class)
            return qd_fail(err, QD_EINVAL, "can't sort on field [%.*s]: the indices searched give it different types",
                           QD_STR_FMT(a->keys[i].spec->field));
    return QD_OK;
}

/* ---- reading ---- */

/* The first ordinal whose string is not before `text`. The column's size is not told: past its end a look-up fails. */
static qd_status place_of_text(qd_column *c, qd_str text, int64_t *out)
{
    uint64_t low = 0, high = UINT64_C(1) << 33;
    bool is_equal = false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        qd_str at;
        int order = qd_column_string(c, middle, &at, NULL) == QD_OK ? qd_str_cmp(at, text) : 1;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
            is_equal = order == 0;
        }
    }
    *out = rank_of_ord(low) - !is_equal;
    return QD_OK;
}

qd_status qd_key_reader_open(qd_key_reader *r, const qd_sort_key *k, const qd_searcher *s, uint32_t segment,
                             qd_error *err)
{
    *r = (qd_key_reader){.key = k, .missing = k->missing};
    for (uint32_t i = 0; i < segment; i++)
        r->doc_base += qd_searcher_max_doc(s, i);
    if (!k->field)
        return QD_OK;
    qd_status st = qd_column_open(s, segment, k->field->id, &r->column, err);
    r->is_single = st == QD_OK && r->column && qd_column_is_single(r->column);
    if (st == QD_OK && k->missing_text.p && r->column) {
        int64_t natural;
        st = place_of_text(r->column, k->missing_text, &natural);
        r->missing = qd_rank_flip(k, natural);
    }
    return st;
}

void qd_key_reader_close(qd_key_reader *r)
{
    qd_column_free(r->column);
    r->column = NULL;
}

/* Of several values the least or the greatest counts. */
static void pick_i64(const qd_key_reader *r, uint32_t doc, uint32_t count, int64_t *best)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t v;
        if (qd_column_nth_i64(r->column, doc, i, &v) && (r->key->spec->takes_max ? v > *best : v < *best))
            *best = v;
    }
}

/* Of columns with single values, in loops without branches. `all_valid`: nothing is missing. */
static void finish_ranks(const qd_key_reader *r, size_t n, const uint8_t *restrict valid, bool all_valid,
                         int64_t *restrict ranks)
{
    int64_t flip = qd_rank_flip(r->key, 0), missing = r->missing;
    if (flip)
        for (size_t i = 0; i < n; i++)
            ranks[i] ^= flip;
    for (size_t i = 0; !all_valid && i < n; i++)
        ranks[i] = valid[i] ? ranks[i] : missing;
}

static void ranks_i64(const qd_key_reader *r, size_t n, const uint32_t *docs, int64_t *ranks)
{
    uint8_t valid[QE_BLOCK_DOCS];
    bool all_valid = false;
    qd_column_i64(r->column, n, docs, ranks, valid, &all_valid);
    for (size_t i = 0; !r->is_single && i < n; i++) {
        uint32_t count = valid[i] ? qd_column_count(r->column, docs[i]) : 0;
        if (count > 1)
            pick_i64(r, docs[i], count, &ranks[i]);
    }
    finish_ranks(r, n, valid, all_valid, ranks);
}

static void pick_f64(const qd_key_reader *r, uint32_t doc, uint32_t count, double *best)
{
    for (uint32_t i = 0; i < count; i++) {
        double v;
        if (qd_column_nth_f64(r->column, doc, i, &v) && (r->key->spec->takes_max ? v > *best : v < *best))
            *best = v;
    }
}

static void ranks_f64(const qd_key_reader *r, size_t n, const uint32_t *docs, int64_t *ranks)
{
    uint8_t valid[QE_BLOCK_DOCS];
    double values[QE_BLOCK_DOCS];
    bool all_valid = false;
    qd_column_f64(r->column, n, docs, values, valid, &all_valid);
    for (size_t i = 0; !r->is_single && i < n; i++) {
        uint32_t count = valid[i] ? qd_column_count(r->column, docs[i]) : 0;
        if (count > 1)
            pick_f64(r, docs[i], count, &values[i]);
    }
    for (size_t i = 0; i < n; i++)
        ranks[i] = qd_rank_f64(values[i]);
    finish_ranks(r, n, valid, all_valid, ranks);
}

static void ranks_string(const qd_key_reader *r, size_t n, const uint32_t *docs, int64_t *ranks)
{
    uint8_t valid[QE_BLOCK_DOCS];
    uint64_t ords[QE_BLOCK_DOCS];
    bool all_valid = false;
    qd_column_ords(r->column, n, docs, ords, valid, &all_valid);
    for (size_t i = 0; !r->is_single && i < n; i++) {
        uint32_t count = valid[i] ? qd_column_count(r->column, docs[i]) : 0;
        for (uint32_t k = 0; count > 1 && k < count; k++) {
            uint64_t ord;
            if (qd_column_nth_ord(r->column, docs[i], k, &ord) &&
                (r->key->spec->takes_max ? ord > ords[i] : ord < ords[i]))
                ords[i] = ord;
        }
    }
    for (size_t i = 0; i < n; i++)
        ranks[i] = rank_of_ord(ords[i]);
    finish_ranks(r, n, valid, all_valid, ranks);
}

void qd_key_reader_ranks(const qd_key_reader *r, size_t n, const uint32_t *docs, const float *scores, int64_t *ranks)
{
    qd_key_class class = r->key->class;
    if (class == QD_KEY_SCORE) {
        for (size_t i = 0; i < n; i++)
            ranks[i] = qd_rank_flip(r->key, qd_rank_f64((double)scores[i]));
    } else if (class == QD_KEY_DOC) {
        for (size_t i = 0; i < n; i++)
            ranks[i] = qd_rank_flip(r->key, (int64_t)r->doc_base + docs[i]);
    } else if (!r->column) {
        for (size_t i = 0; i < n; i++)
            ranks[i] = r->missing;
    } else if (class == QD_KEY_I64) {
        ranks_i64(r, n, docs, ranks);
    } else if (class == QD_KEY_F64) {
        ranks_f64(r, n, docs, ranks);
    } else {
        ranks_string(r, n, docs, ranks);
    }
}

qd_status qd_key_reader_text(qd_key_reader *r, int64_t rank, qd_arena *arena, qd_str *out, qd_error *err)
{
    qd_str text = {NULL, 0};
    *out = text;
    if (rank == r->missing && r->key->missing_text.p) {
        *out = r->key->missing_text;
        return QD_OK;
    }
    if (qd_rank_is_missing_string(rank) || !r->column)
        return QD_OK;
    int64_t natural = qd_rank_flip(r->key, rank);
    qd_status st = qd_column_string(r->column, (uint64_t)(natural - 1) / 2, &text, err);
    if (st != QD_OK)
        return st;
    *out = qd_arena_str(arena, text);
    return out->p ? QD_OK : qd_fail(err, QD_ELIMIT, "the sort values of the hits take too much memory");
}

/* ---- answers ---- */

/* JSON has no infinity: OpenSearch writes the word, as a string. */
static void write_f64(double v, bool is_f32, qd_json *w)
{
    if (isinf(v))
        qd_json_z(w, v > 0 ? "Infinity" : "-Infinity");
    else if (is_f32)
        qd_json_f32(w, (float)v);
    else
        qd_json_f64(w, v);
}

void qd_sort_write(const qd_sort_key *k, int64_t rank, qd_str text, qd_json *w)
{
    int64_t natural = qd_rank_flip(k, rank);
    switch (k->class) {
    case QD_KEY_STRING:
        if (text.p)
            qd_json_str(w, text);
        else
            qd_json_null(w);
        break;
    case QD_KEY_F64:
        write_f64(qd_rank_to_f64(natural), k->is_f32, w);
        break;
    case QD_KEY_SCORE:
        qd_json_f32(w, (float)qd_rank_to_f64(natural));
        break;
    default:
        qd_json_i64(w, natural);
    }
}
