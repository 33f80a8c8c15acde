/* SPDX-License-Identifier: Apache-2.0
 * match and multi_match: analyzed text to one clause per token. */
#include "query/minimum_match.h"
#include "query/plan.h"

typedef struct token_list {
    qd_arena *arena;
    qd_str *items;
    size_t n, cap;
    bool failed;
} token_list;

static void add_token(void *arg, const char *token, size_t len, uint32_t position, uint32_t start, uint32_t end)
{
    token_list *l = arg;
    (void)position, (void)start, (void)end;
    /* One more than allowed is kept, so that it can be said that there were too many. */
    if (l->failed || l->n > QD_MAX_CLAUSES)
        return;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        qd_str *items = qd_arena_array(l->arena, cap, sizeof *items);
        if (!items) {
            l->failed = true;
            return;
        }
        if (l->n)
            memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    qd_str copy = qd_arena_str(l->arena, (qd_str){token, len});
    l->failed = !copy.p;
    if (copy.p)
        l->items[l->n++] = copy;
}

static qd_status analyze(qd_planner *pl, qd_str text, token_list *l)
{
    *l = (token_list){.arena = pl->arena};
    qd_analyze(text, add_token, l);
    if (l->failed)
        return qd_plan_nomem(pl);
    pl->tokens += l->n;
    if (pl->tokens > QD_MAX_CLAUSES)
        return qd_fail(pl->err, QD_EQUERY,
                       "too many clauses: maxClauseCount is set to [%d] by [indices.query.bool.max_clause_count]",
                       QD_MAX_CLAUSES);
    return QD_OK;
}

static qd_status minimum(qd_planner *pl, qd_str spec, size_t optional, size_t *out)
{
    *out = 0;
    if (spec.n == 0 || qd_minimum_match(spec, optional, out))
        return QD_OK;
    return qd_fail(pl->err, QD_EPARSE,
                   "[minimum_should_match] [%.*s] is malformed: expected an integer or a percentage", QD_STR_FMT(spec));
}

static qd_status several_tokens(qd_planner *pl, const qd_match *m, const qd_field *f, const token_list *tokens,
                                qd_clause **out)
{
    size_t must_match = 0, optional = m->is_and ? 0 : tokens->n;
    qd_clause_list list = {0};
    qd_status st = minimum(pl, m->minimum_should_match, optional, &must_match);
    if (st == QD_OK && must_match > optional)
        return qd_plan_give(pl, qd_clause_none(), 1.0f, out);
    if (st == QD_OK)
        st = qd_clause_list_init(pl, &list, tokens->n);
    for (size_t i = 0; i < tokens->n && st == QD_OK; i++) {
        qd_clause *c = qd_clause_token(pl->searcher, f, tokens->items[i]);
        if (c)
            qd_clause_list_add(&list, m->is_and ? QE_MUST : QE_SHOULD, c);
        else
            st = qd_plan_nomem(pl);
    }
    if (st == QD_OK)
        st = qd_clause_list_to_bool(pl, &list, m->is_and ? 0 : (uint32_t)(must_match > 1 ? must_match : 1), out);
    qd_clause_list_deinit(&list);
    return st;
}

static qd_status match_text(qd_planner *pl, const qd_match *m, const qd_field *f, qd_clause **out)
{
    token_list tokens;
    qd_status st = analyze(pl, m->text, &tokens);
    if (st != QD_OK)
        return st;
    if (tokens.n == 0)
        return qd_plan_give(pl, m->zero_terms_all ? qd_clause_all() : qd_clause_none(), 1.0f, out);
    if (tokens.n == 1)
        return qd_plan_give(pl, qd_clause_token(pl->searcher, f, tokens.items[0]), 1.0f, out);
    return several_tokens(pl, m, f, &tokens, out);
}

static qd_status match_field(qd_planner *pl, const qd_match *m, qd_str path, qd_clause **out)
{
    const qd_field *f = qd_mapping_find(pl->searcher->mapping, path);
    if (f && f->type == QD_FIELD_TEXT) {
        if (f->indexed)
            return match_text(pl, m, f, out);
        return qd_fail(pl->err, QD_EQUERY, "Cannot search on field [%s] since it is not indexed.", f->path);
    }
    qd_status st = qd_clause_term(pl->searcher, f, m->value, out, pl->err);
    if (st == QD_EQUERY && m->is_lenient) {
        *pl->err = (qd_error)QD_ERROR_INIT;
        st = qd_plan_give(pl, qd_clause_none(), 1.0f, out);
    }
    return st;
}

qd_status qd_plan_match(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    qd_status st = match_field(pl, &node->as.match, node->as.match.field, &out->clause);
    return st == QD_OK ? qd_plan_give(pl, out->clause, node->in_filter ? 1.0f : boost, &out->clause) : st;
}

/* The best field's score, and `tie_breaker` times the others'; most_fields is the sum: a tie breaker of 1. */
qd_status qd_plan_multi_match(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    const qd_multi_match *m = &node->as.multi_match;
    qd_clause_list list = {0};
    qd_status st = qd_clause_list_init(pl, &list, m->n);
    for (size_t i = 0; i < m->n && st == QD_OK; i++) {
        qd_clause *c = NULL;
        st = match_field(pl, &m->match, m->fields[i], &c);
        if (st == QD_OK)
            st = qd_plan_give(pl, c, m->boosts[i] * boost, &c);
        if (st == QD_OK)
            qd_clause_list_add(&list, QE_SHOULD, c);
    }
    if (st == QD_OK && list.n == 1) {
        out->clause = list.items[0];
        list.n = 0;
    } else if (st == QD_OK) {
        qd_clause *c = qd_clause_dis_max(list.n, list.items, m->tie_breaker);
        list.n = 0;
        st = qd_plan_give(pl, c, 1.0f, &out->clause);
    }
    qd_clause_list_deinit(&list);
    return st;
}
