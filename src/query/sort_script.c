/* SPDX-License-Identifier: Apache-2.0 */
#include "query/sort_script.h"

#include <math.h>
#include <stdlib.h>

#include "query/segment_docs.h"

struct qd_sort_scripts {
    const qd_sort *sort;
    qd_segment_docs *docs;
    qd_runner *runners[QD_MAX_SORT_KEYS]; /* by key; NULL: it is no script */
    double values[QE_BLOCK_DOCS];
    uint8_t valid[QE_BLOCK_DOCS];
};

bool qd_sort_scripts_need_scores(const qd_run *run)
{
    for (size_t i = 0; i < run->body.n_sort; i++)
        if (run->body.sort[i].by == QD_SORT_BY_SCRIPT && run->body.sort[i].use->needs_score)
            return true;
    return false;
}

static qd_status open_all(const qd_run *run, size_t task, qd_sort_scripts *s, qd_error *err)
{
    const qd_task *t = &run->tasks[task];
    const qd_run_control control = {.deadline_ns = run->deadline_ns, .canceled = run->rq->canceled};
    s->docs = qd_segment_docs_open(run->rq->targets[t->target].searcher, t->segment);
    qd_status st = s->docs ? QD_OK : qd_fail_nomem(err);
    for (size_t i = 0; i < s->sort->n && st == QD_OK; i++) {
        const qd_sort_spec *spec = s->sort->keys[i].spec;
        if (spec->by == QD_SORT_BY_SCRIPT)
            st = qd_runner_open(spec->use->binding, qd_segment_docs_source(s->docs), &control, &s->runners[i], err);
    }
    return st;
}

qd_status qd_sort_scripts_open(const qd_run *run, size_t task, const qd_sort *sort, qd_sort_scripts **out,
                               qd_error *err)
{
    size_t n = 0;
    *out = NULL;
    for (size_t i = 0; i < sort->n; i++)
        n += sort->keys[i].spec->by == QD_SORT_BY_SCRIPT;
    if (n == 0)
        return QD_OK;
    qd_sort_scripts *s = calloc(1, sizeof *s);
    if (!s)
        return qd_fail_nomem(err);
    s->sort = sort;
    qd_status st = open_all(run, task, s, err);
    if (st == QD_OK)
        *out = QD_TAKE(s);
    qd_sort_scripts_close(s);
    return st;
}

void qd_sort_scripts_close(qd_sort_scripts *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < QD_MAX_SORT_KEYS; i++)
        qd_runner_close(s->runners[i]);
    qd_segment_docs_close(s->docs);
    free(s);
}

qd_status qd_sort_scripts_ranks(qd_sort_scripts *s, size_t n, const uint32_t *docs, const float *scores, int64_t *ranks,
                                qd_error *err)
{
    qd_status st = QD_OK;
    qd_segment_docs_begin(s->docs, n, docs);
    for (size_t k = 0; k < s->sort->n && st == QD_OK; k++) {
        const qd_sort_key *key = &s->sort->keys[k];
        if (!s->runners[k])
            continue;
        st = qd_runner_run(s->runners[k], (uint32_t)n, scores, s->values, s->valid, err);
        for (size_t i = 0; i < n && st == QD_OK; i++)
            ranks[k * QE_BLOCK_DOCS + i] =
                s->valid[i] && !isnan(s->values[i]) ? qd_rank_flip(key, qd_rank_f64(s->values[i])) : key->missing;
    }
    return st == QD_OK ? qd_segment_docs_status(s->docs, err) : st;
}
