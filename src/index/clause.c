/* SPDX-License-Identifier: Apache-2.0 */
#include "index/clause.h"

#include <stdio.h>
#include <stdlib.h>

#include "index/clause_value.h"
#include "index/seam.h"

#define MAX_TERMS        65536 /* as index.max_terms_count */
#define MAX_RANGE_TERMS  1024  /* of types without terms, where each value is a pass over the column */

void qd_clause_free(qd_clause *c)
{
    qe_query_free(c);
}

qd_clause *qd_clause_all(void)
{
    return qe_query_all();
}

qd_clause *qd_clause_none(void)
{
    return qe_query_none();
}

static qd_status give(qd_clause *c, qd_clause **out, qd_error *err)
{
    if (!c)
        return qd_fail_nomem(err);
    *out = c;
    return QD_OK;
}

/* A query that scores 1 whatever it matches. */
static qd_clause *flat(qd_clause *c)
{
    return c ? qe_query_constant(c, 1.0f) : NULL;
}

static bool has_terms(const qd_field *f)
{
    return f->indexed && f->type != QD_FIELD_DOUBLE && f->type != QD_FIELD_FLOAT && f->type != QD_FIELD_DATE;
}

/* ---- term, terms, ids ---- */

/* Can the field be searched for single values, and by what? */
static qd_status check_searchable(const qd_field *f, qd_error *err)
{
    if (has_terms(f) || f->type == QD_FIELD_GEO_POINT)
        return QD_OK;
    if (f->type == QD_FIELD_BOOLEAN || !f->has_column)
        return qd_clause_fail(f, "Cannot search on it since it is not indexed", err);
    return QD_OK;
}

static qd_clause *value_clause(const qd_searcher *s, const qd_field *f, const qd_clause_value *v)
{
    if (v->fit != QD_FITS)
        return qe_query_none();
    if (!has_terms(f))
        return flat(qe_query_range(s->engine, f->id, &v->lower, &v->upper));
    qd_clause *c = qe_query_term(s->engine, f->id, &v->term);
    /* Text and booleans are scored by BM25; all else counts the same, as OpenSearch 3 has it. */
    return f->type == QD_FIELD_TEXT || f->type == QD_FIELD_BOOLEAN ? c : flat(c);
}

qd_status qd_clause_term(const qd_searcher *s, const qd_field *f, const json_t *value, qd_clause **out, qd_error *err)
{
    qd_clause_value v;
    if (!f)
        return give(qe_query_none(), out, err);
    qd_status st = check_searchable(f, err);
    if (st == QD_OK)
        st = qd_clause_value_read(f, value, &v, err);
    return st == QD_OK ? give(value_clause(s, f, &v), out, err) : st;
}

/* Any of the values of a type without terms, as ranges. */
static qd_clause *any_range(const qd_searcher *s, const qd_field *f, const qd_clause_value *values, size_t n)
{
    qe_occur *occurs = calloc(n + 1, sizeof *occurs);
    qd_clause **clauses = calloc(n + 1, sizeof *clauses), *any = NULL;
    size_t made = 0;
    while (occurs && clauses && made < n && (clauses[made] = value_clause(s, f, &values[made])) != NULL)
        occurs[made++] = QE_SHOULD;
    if (made == n && n > 0)
        any = flat(qe_query_bool(n, occurs, clauses, 1));
    else
        while (made > 0)
            qe_query_free(clauses[--made]);
    free(occurs);
    free(clauses);
    return any;
}

static qd_clause *any_term(const qd_searcher *s, const qd_field *f, const qd_clause_value *values, size_t n)
{
    qe_term *terms = calloc(n + 1, sizeof *terms);
    size_t kept = 0;
    for (size_t i = 0; terms && i < n; i++)
        if (values[i].fit == QD_FITS)
            terms[kept++] = values[i].term;
    qd_clause *c = !terms ? NULL : kept ? qe_query_terms(s->engine, f->id, terms, kept) : qe_query_none();
    free(terms);
    return c;
}

qd_status qd_clause_terms(const qd_searcher *s, const qd_field *f, const json_t *array, qd_clause **out, qd_error *err)
{
    size_t n = json_array_size(array), max = !f || has_terms(f) ? MAX_TERMS : MAX_RANGE_TERMS;
    if (n > max)
        return qd_fail(
            err, QD_EQUERY,
            "The number of terms [%zu] used in the Terms Query request has exceeded the allowed maximum of [%zu]", n,
            max);
    if (!f || n == 0)
        return give(qe_query_none(), out, err);
    qd_status st = check_searchable(f, err);
    qd_clause_value *values = calloc(n, sizeof *values);
    if (st == QD_OK && !values)
        st = qd_fail_nomem(err);
    for (size_t i = 0; i < n && st == QD_OK; i++)
        st = qd_clause_value_read(f, json_array_get(array, i), &values[i], err);
    if (st == QD_OK)
        st = give(has_terms(f) ? any_term(s, f, values, n) : any_range(s, f, values, n), out, err);
    free(values);
    return st;
}

qd_status qd_clause_ids(const qd_searcher *s, const json_t *array, qd_clause **out, qd_error *err)
{
    size_t n = json_array_size(array);
    if (n > MAX_TERMS)
        return qd_fail(err, QD_EQUERY, "[ids] query: %zu values, at most %d are allowed", n, MAX_TERMS);
    qe_term *ids = calloc(n + 1, sizeof *ids);
    char(*numbers)[QD_NUMBER_SIZE] = calloc(n + 1, sizeof *numbers);
    qd_status st = ids && numbers ? QD_OK : qd_fail_nomem(err);
    for (size_t i = 0; i < n && st == QD_OK; i++) {
        const json_t *v = json_array_get(array, i);
        ids[i].kind = QE_KEYWORD;
        if (json_is_string(v)) {
            ids[i].s = json_string_value(v);
            ids[i].n = json_string_length(v);
        } else if (json_is_integer(v)) {
            ids[i].s = numbers[i];
            ids[i].n = qd_number_i64(json_integer_value(v), numbers[i]);
        } else {
            st = qd_fail(err, QD_EQUERY, "[ids] query: expected strings in 'values', got %s", qd_json_type_name(v));
        }
    }
    if (st == QD_OK)
        st = give(n ? qe_query_ids(s->engine, ids, n) : qe_query_none(), out, err);
    free(ids);
    free(numbers);
    return st;
}

/* ---- range ---- */

qd_status qd_clause_range(const qd_searcher *s, const qd_field *f, const qd_range_bounds *b, qd_clause **out,
                          qd_error *err)
{
    qd_clause_bound lower = {.fit = QD_FITS_ALWAYS}, upper = {.fit = QD_FITS_ALWAYS};
    if (!f)
        return give(qe_query_none(), out, err);
    qd_status st = QD_OK;
    if (b->lower)
        st = qd_clause_bound_read(f, b->lower, true, b->lower_inclusive, &lower, err);
    if (st == QD_OK && b->upper)
        st = qd_clause_bound_read(f, b->upper, false, b->upper_inclusive, &upper, err);
    if (st != QD_OK)
        return st;
    if (!b->lower && !b->upper)
        return qd_clause_exists(s, qd_str_of(f->path), out, err);
    if (!f->has_column)
        return qd_clause_fail(f, "ranges need doc_values, which this field was mapped without", err);
    if (lower.fit == QD_FITS_NEVER || upper.fit == QD_FITS_NEVER)
        return give(qe_query_none(), out, err);
    if (lower.fit == QD_FITS_ALWAYS && upper.fit == QD_FITS_ALWAYS)
        return qd_clause_exists(s, qd_str_of(f->path), out, err);
    return give(qe_query_range(s->engine, f->id, lower.fit == QD_FITS ? &lower.bound : NULL,
                               upper.fit == QD_FITS ? &upper.bound : NULL),
                out, err);
}

/* ---- exists ---- */

static bool can_tell_existence(const qd_field *f)
{
    return f->has_column || (f->type == QD_FIELD_TEXT && f->indexed);
}

static qd_status exists_under(const qd_searcher *s, qd_str object, qd_clause **out, qd_error *err)
{
    const qd_mapping *m = s->mapping;
    qe_occur *occurs = calloc(m->n_fields + 1, sizeof *occurs);
    qd_clause **clauses = calloc(m->n_fields + 1, sizeof *clauses);
    qd_status st = occurs && clauses ? QD_OK : qd_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < m->n_fields && st == QD_OK; i++) {
        const qd_field *f = m->fields[i];
        size_t path_n = strlen(f->path);
        if (path_n <= object.n || f->path[object.n] != '.' || memcmp(f->path, object.p, object.n) != 0 ||
            !can_tell_existence(f))
            continue;
        occurs[n] = QE_SHOULD;
        clauses[n] = qe_query_exists(s->engine, f->id);
        st = clauses[n] ? QD_OK : qd_fail_nomem(err);
        n += st == QD_OK;
    }
    if (st == QD_OK)
        st = give(n ? flat(qe_query_bool(n, occurs, clauses, 1)) : qe_query_none(), out, err);
    else
        while (n > 0)
            qe_query_free(clauses[--n]);
    free(occurs);
    free(clauses);
    return st;
}

qd_status qd_clause_exists(const qd_searcher *s, qd_str path, qd_clause **out, qd_error *err)
{
    const qd_field *f = qd_mapping_find(s->mapping, path);
    if (!f)
        return qd_map_get(s->mapping->objects, path) ? exists_under(s, path, out, err)
                                                     : give(qe_query_none(), out, err);
    if (!can_tell_existence(f))
        return qd_clause_fail(f, "exists needs doc_values (or, on text, an index), which this field was mapped without",
                              err);
    return give(qe_query_exists(s->engine, f->id), out, err);
}

/* ---- the seam's own ---- */

qd_clause *qd_clause_token(const qd_searcher *s, const qd_field *f, qd_str token)
{
    qe_term term = {.kind = QE_TEXT, .s = token.p, .n = token.n};
    return f->type == QD_FIELD_TEXT && f->indexed ? qe_query_term(s->engine, f->id, &term) : qe_query_none();
}

qd_clause *qd_clause_bool(size_t n, const qe_occur *occurs, qd_clause *const *clauses, uint32_t minimum_should_match)
{
    return qe_query_bool(n, occurs, clauses, minimum_should_match);
}

qd_clause *qd_clause_boost(qd_clause *inner, float boost)
{
    return qe_query_boost(inner, boost);
}

qd_clause *qd_clause_constant(qd_clause *inner, float score)
{
    return qe_query_constant(inner, score);
}

qd_clause *qd_clause_dis_max(size_t n, qd_clause *const *clauses, float tie_breaker)
{
    return qe_query_dis_max(n, clauses, tie_breaker);
}

qd_clause *qd_clause_blocks(qd_clause *inner, bool needs_inner_scores, const qe_block_fns *fns, void *arg)
{
    return qe_query_blocks(inner, needs_inner_scores, fns, arg);
}

qd_status qd_weight_new(const qd_searcher *s, qd_clause *taken, bool wants_scores, qd_weight **out, qd_error *err)
{
    qe_error seam = {0};
    qe_weight *w = NULL;
    int rc = qe_weight_new(s->engine, taken, wants_scores, &w, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot prepare the query", err);
    *out = w;
    return QD_OK;
}

void qd_weight_free(qd_weight *w)
{
    qe_weight_free(w);
}

qd_status qd_weight_run(const qd_weight *w, size_t segment, qe_collect_fn *cb, void *arg, qd_error *err)
{
    qe_error seam = {0};
    return qd_seam_status(qe_weight_run(w, segment, cb, arg, &seam), &seam, "cannot run the query", err);
}

qd_status qd_weight_top(const qd_weight *w, size_t segment, qe_top_fn *cb, void *arg, qd_error *err)
{
    qe_error seam = {0};
    return qd_seam_status(qe_weight_top(w, segment, cb, arg, &seam), &seam, "cannot run the query", err);
}

qd_status qd_weight_count(const qd_weight *w, size_t segment, bool only_if_cheap, bool *is_cheap, uint64_t *count,
                          qd_error *err)
{
    qe_error seam = {0};
    return qd_seam_status(qe_weight_count(w, segment, only_if_cheap, is_cheap, count, &seam), &seam,
                          "cannot count matches", err);
}
