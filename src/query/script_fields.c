/* SPDX-License-Identifier: Apache-2.0 */
#include "query/script_fields.h"

#include <stdlib.h>

#include "query/segment_docs.h"

#define MAX_TEXT_BYTES ((size_t)64 << 20)

/* The functions at work on one segment. */
typedef struct segment_work {
    qd_segment_docs *docs;
    qd_runner *runners[QD_MAX_SCRIPT_FIELDS];
} segment_work;

/* A hit of the page, to be put in the order of documents. */
typedef struct place {
    size_t task, hit; /* hit: on the page */
    uint32_t doc;
    float score;
} place;

static int by_position(const void *pa, const void *pb)
{
    const place *a = pa, *b = pb;
    if (a->task != b->task)
        return a->task < b->task ? -1 : 1;
    return a->doc < b->doc ? -1 : a->doc > b->doc;
}

bool qd_script_fields_need_scores(const qd_run *run)
{
    for (size_t i = 0; i < run->body.n_script_fields; i++)
        if (run->body.script_fields[i].use->needs_score)
            return true;
    return false;
}

static void stop_work(const qd_body *body, segment_work *w)
{
    for (size_t i = 0; i < body->n_script_fields; i++)
        qd_runner_close(w->runners[i]);
    qd_segment_docs_close(w->docs);
    *w = (segment_work){0};
}

static qd_status begin_work(const qd_run *run, size_t task, segment_work *w, qd_error *err)
{
    const qd_task *t = &run->tasks[task];
    const qd_run_control control = {.deadline_ns = run->deadline_ns, .canceled = run->rq->canceled};
    *w = (segment_work){.docs = qd_segment_docs_open(run->rq->targets[t->target].searcher, t->segment)};
    qd_status st = w->docs ? QD_OK : qd_fail_nomem(err);
    for (size_t i = 0; i < run->body.n_script_fields && st == QD_OK; i++)
        st = qd_runner_open(run->body.script_fields[i].use->binding, qd_segment_docs_source(w->docs), &control,
                            &w->runners[i], err);
    if (st != QD_OK)
        stop_work(&run->body, w);
    return st;
}

/* A filter without a result for a document says no, as elsewhere. Strings are the runner's. */
static qd_status keep(qd_script_fields *f, const qd_use *use, qd_value v, qd_value *out, qd_error *err)
{
    if (use->is_filter)
        v = (qd_value){.type = QD_BOOL, .as.b = v.type == QD_BOOL && v.as.b};
    if (v.type == QD_STRING && !(v.as.s = qd_arena_str(f->texts, v.as.s)).p)
        return qd_fail(err, QD_ELIMIT,
                       "[script_fields] the strings of the page take more than %zu MiB: ask for fewer "
                       "hits at once",
                       MAX_TEXT_BYTES >> 20);
    *out = v;
    return QD_OK;
}

/* Up to QD_BLOCK_DOCS places of one task. */
static qd_status run_block(qd_script_fields *f, segment_work *w, const place *places, uint32_t n, qd_error *err)
{
    uint32_t docs[QD_BLOCK_DOCS];
    float scores[QD_BLOCK_DOCS];
    const qd_body *body = &f->c->run->body;
    qd_status st = QD_OK;
    qd_value *out = malloc(QD_BLOCK_DOCS * sizeof *out);
    if (!out)
        return qd_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        docs[i] = places[i].doc;
        scores[i] = places[i].score;
    }
    qd_segment_docs_begin(w->docs, n, docs);
    for (size_t k = 0; k < body->n_script_fields && st == QD_OK; k++) {
        const qd_use *use = body->script_fields[k].use;
        st = qd_runner_run_values(w->runners[k], n, scores, out, err);
        for (uint32_t i = 0; i < n && st == QD_OK; i++)
            st = keep(f, use, out[i], &f->values[places[i].hit * body->n_script_fields + k], err);
    }
    if (st == QD_OK)
        st = qd_segment_docs_status(w->docs, err);
    for (uint32_t i = 0; i < n && st == QD_OK; i++)
        f->is_computed[places[i].hit] = true;
    free(out);
    return st;
}

static qd_status run_task(qd_script_fields *f, const place *places, size_t n, qd_error *err)
{
    segment_work w;
    qd_status st = begin_work(f->c->run, places[0].task, &w, err);
    if (st != QD_OK)
        return st;
    for (size_t i = 0; i < n && st == QD_OK; i += QD_BLOCK_DOCS)
        st = run_block(f, &w, places + i, (uint32_t)(n - i < QD_BLOCK_DOCS ? n - i : QD_BLOCK_DOCS), err);
    stop_work(&f->c->run->body, &w);
    return st;
}

static qd_status compute(qd_script_fields *f, size_t n, qd_error *err)
{
    const qd_collection *c = f->c;
    qd_status st = QD_OK;
    place *places = malloc(n * sizeof *places);
    if (!places)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const qd_hit *hit = &c->hits[c->run->body.from + i];
        places[i] = (place){hit->task, i, hit->doc, hit->score};
    }
    qsort(places, n, sizeof *places, by_position);
    for (size_t first = 0, end; first < n && st == QD_OK; first = end) {
        for (end = first + 1; end < n && places[end].task == places[first].task;)
            end++;
        st = run_task(f, places + first, end - first, err);
    }
    free(places);
    return st;
}

qd_status qd_script_fields_init(qd_script_fields *f, const qd_collection *c, qd_error *err)
{
    const qd_body *body = &c->run->body;
    size_t n = c->n_hits > body->from ? c->n_hits - body->from : 0;
    *f = (qd_script_fields){.c = c};
    if (body->n_script_fields == 0 || n == 0)
        return QD_OK;
    f->values = calloc(n * body->n_script_fields, sizeof *f->values);
    f->is_computed = calloc(n, sizeof *f->is_computed);
    f->texts = qd_arena_new(MAX_TEXT_BYTES);
    if (!f->values || !f->is_computed || !f->texts)
        return qd_fail_nomem(err);
    qd_status st = compute(f, n, err);
    /* The query's own deadline ends it with what it has. */
    if (st == QD_EUDF_TIMEOUT && qd_run_deadline_passed(c->run))
        st = QD_OK;
    if (st != QD_OK)
        qd_run_fail_late(c->run, st, err);
    return st;
}

void qd_script_fields_deinit(qd_script_fields *f)
{
    free(f->values);
    free(f->is_computed);
    qd_arena_free(f->texts);
    *f = (qd_script_fields){0};
}

/* With `ignore_failure` (or skipping), a field without a result is left out. */
static bool is_shown(const qd_script_fields *f, size_t at, size_t field)
{
    const qd_body *body = &f->c->run->body;
    return f->values[at * body->n_script_fields + field].type != QD_NULL ||
           body->script_fields[field].use->on_error != QD_ON_ERROR_SKIP;
}

void qd_script_fields_write(const qd_script_fields *f, size_t hit, qd_json *w)
{
    const qd_body *body = &f->c->run->body;
    size_t at = hit - body->from;
    bool has_any = false;
    if (!f->values || !f->is_computed[at])
        return;
    for (size_t k = 0; k < body->n_script_fields; k++) {
        if (!is_shown(f, at, k))
            continue;
        if (!has_any) {
            qd_json_key(w, "fields");
            qd_json_begin_object(w);
            has_any = true;
        }
        qd_json_key_str(w, body->script_fields[k].name);
        qd_json_begin_array(w);
        qd_json_scalar(w, f->values[at * body->n_script_fields + k]);
        qd_json_end_array(w);
    }
    if (has_any)
        qd_json_end_object(w);
}
