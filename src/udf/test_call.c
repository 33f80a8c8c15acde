/* SPDX-License-Identifier: Apache-2.0
 *
 * The test call: a function on documents given as JSON, with everything that it says on the way. */
#include <stdlib.h>

#include "base/clock.h"
#include "udf/binding.h"
#include "udf/json_docs.h"
#include "udf/test_aggregate.h"

#define MAX_LOG_BYTES  (256u << 10)
#define MAX_TEXT_BYTES ((size_t)64 << 20)
#define DEFAULT_SCORE  1.0 /* what match_all gives */

static const char *const MEMBERS[] = {"version", "document", "documents", "parameters", "context",
                                      "score",   "id",       "split",     NULL};
#define MAX_SPLIT 64

typedef struct test_call {
    const json_t **docs; /* owned array of borrowed documents */
    size_t n_docs;
    bool is_single, is_aggregate; /* either has one result */
    int64_t split;                /* aggregates: into so many parts */
    double score;
    qd_str id;
    qd_buf log; /* a JSON array's content, without the brackets */
    qd_value out[QD_BLOCK_DOCS];
    qd_arena *texts; /* of strings in `out` */
    float scores[QD_BLOCK_DOCS];
    int64_t took_ns;
    uint64_t host_calls;
} test_call;

/* ---- the request ---- */

static qd_status read_documents(test_call *t, const json_t *body, qd_error *err)
{
    const json_t *one = json_object_get(body, "document"), *many = json_object_get(body, "documents");
    if (!one == !many)
        return qd_fail_field(err, QD_EUDF_PARAMS, "document", "expected either 'document' or 'documents'");
    if (many && !json_is_array(many))
        return qd_fail_field(err, QD_EUDF_PARAMS, "documents", "'documents': expected an array, got %s",
                             qd_json_type_name(many));
    if (json_array_size(many) > QD_BLOCK_DOCS)
        return qd_fail_field(err, QD_EUDF_PARAMS, "documents", "'documents': %zu of them, at most %d",
                             json_array_size(many), QD_BLOCK_DOCS);
    t->is_single = one != NULL;
    t->n_docs = one ? 1 : json_array_size(many);
    t->docs = calloc(t->n_docs + 1, sizeof *t->docs);
    if (!t->docs)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < t->n_docs; i++) {
        t->docs[i] = one ? one : json_array_get(many, i);
        if (!json_is_object(t->docs[i]))
            return qd_fail_field(err, QD_EUDF_PARAMS, one ? "document" : "documents", "'%s': expected %s, got %s",
                                 one ? "document" : "documents", one ? "an object" : "objects",
                                 qd_json_type_name(t->docs[i]));
    }
    return QD_OK;
}

static qd_status read_split(test_call *t, const json_t *body, qd_error *err)
{
    t->split = 1;
    if (!json_object_get(body, "split"))
        return QD_OK;
    if (!t->is_aggregate)
        return qd_fail_field(err, QD_EUDF_PARAMS, "split", "'split': only aggregates take documents in parts");
    qd_status st = qd_json_get_i64(body, "", "split", QD_EUDF_PARAMS, &t->split, err);
    if (st == QD_OK && (t->split < 1 || t->split > MAX_SPLIT))
        return qd_fail_field(err, QD_EUDF_PARAMS, "split", "'split': expected 1 to %d parts, got %lld", MAX_SPLIT,
                             (long long)t->split);
    return st;
}

static qd_status read_body(test_call *t, const json_t *body, qd_error *err)
{
    if (!json_is_object(body))
        return qd_fail(err, QD_EUDF_PARAMS, "the body: expected an object, got %s", qd_json_type_name(body));
    t->score = DEFAULT_SCORE;
    qd_status st = qd_json_only(body, "", MEMBERS, QD_EUDF_PARAMS, err);
    if (st == QD_OK)
        st = qd_json_get_f64(body, "", "score", QD_EUDF_PARAMS, &t->score, err);
    if (st == QD_OK)
        st = qd_json_get_str(body, "", "id", QD_EUDF_PARAMS, &t->id, err);
    if (st == QD_OK)
        st = read_split(t, body, err);
    return st == QD_OK ? read_documents(t, body, err) : st;
}

/* ---- running ---- */

static void keep_log(void *arg, int level, qd_str message)
{
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    test_call *t = arg;
    qd_json w;
    if (t->log.n + message.n > MAX_LOG_BYTES)
        return;
    if (t->log.n > 0)
        qd_buf_add_char(&t->log, ',');
    qd_json_init(&w, &t->log, false);
    qd_json_begin_object(&w);
    qd_json_kv_z(&w, "level", LEVELS[level & 3]);
    qd_json_key(&w, "message");
    qd_json_str(&w, message);
    qd_json_end_object(&w);
}

/* Strings are the runner's, which goes before the answer is written. */
static qd_status keep_text(test_call *t, qd_value *v, qd_error *err)
{
    if (v->type == QD_STRING)
        v->as.s = qd_arena_str(t->texts, v->as.s);
    return v->type != QD_STRING || v->as.s.p ? QD_OK : qd_fail_nomem(err);
}

static qd_status run_each(test_call *t, const qd_binding *binding, const qd_run_control *control, qd_error *err)
{
    qd_runner *runner = NULL;
    qd_json_docs docs;
    qd_json_docs_init(&docs, t->docs, t->n_docs, t->id);
    const qd_doc_source source = qd_json_docs_source(&docs);
    qd_status st = qd_runner_open(binding, &source, control, &runner, err);
    if (st == QD_OK) {
        int64_t start = qd_clock_mono_ns();
        st = qd_runner_run_values(runner, (uint32_t)t->n_docs, t->scores, t->out, err);
        t->took_ns = qd_clock_mono_ns() - start;
        for (size_t i = 0; i < t->n_docs && st == QD_OK; i++)
            st = keep_text(t, &t->out[i], err);
        t->host_calls = qd_runner_host_calls(runner);
    }
    qd_runner_close(runner);
    qd_json_docs_deinit(&docs);
    return st;
}

static qd_status run_aggregate(test_call *t, const qd_binding *binding, const qd_run_control *control, qd_error *err)
{
    const qd_test_documents documents = {
        .docs = t->docs, .n = (uint32_t)t->n_docs, .parts = (uint32_t)t->split, .id = t->id, .scores = t->scores};
    int64_t start = qd_clock_mono_ns();
    qd_status st = qd_test_aggregate(binding, &documents, control, t->texts, &t->out[0], &t->host_calls, err);
    t->took_ns = qd_clock_mono_ns() - start;
    return st;
}

static qd_status run(test_call *t, qd_udf *u, const json_t *body, const qd_run_control *control, qd_error *err)
{
    qd_binding *binding = NULL;
    qd_run_control own = *control;
    const qd_binding_spec spec = {.params = json_object_get(body, "parameters"),
                                  .context = json_object_get(body, "context"),
                                  .is_aggregation = t->is_aggregate};
    own.log = keep_log;
    own.log_arg = t;
    for (size_t i = 0; i < t->n_docs; i++)
        t->scores[i] = (float)t->score;
    t->texts = qd_arena_new(MAX_TEXT_BYTES);
    qd_status st = t->texts ? qd_binding_new(u, &spec, &binding, err) : qd_fail_nomem(err);
    if (st == QD_OK)
        st = t->is_aggregate ? run_aggregate(t, binding, &own, err) : run_each(t, binding, &own, err);
    qd_binding_free(binding);
    return st;
}

/* ---- the answer ---- */

static void write_result(const test_call *t, const qd_udf *u, size_t i, qd_json *w)
{
    qd_value v = t->out[i];
    if (u->manifest->kind == QD_KIND_FILTER) /* one without an argument is no match */
        v = (qd_value){.type = QD_BOOL, .as.b = v.type == QD_BOOL && v.as.b};
    qd_json_scalar(w, v);
}

static void write_answer(const test_call *t, const qd_udf *u, qd_json *w)
{
    qd_json_begin_object(w);
    bool has_one = t->is_single || t->is_aggregate;
    qd_json_key(w, has_one ? "result" : "results");
    if (!has_one)
        qd_json_begin_array(w);
    for (size_t i = 0; i < (has_one ? 1 : t->n_docs); i++)
        write_result(t, u, i, w);
    if (!has_one)
        qd_json_end_array(w);
    qd_json_kv_f64(w, "execution_time_ms", (double)t->took_ns / 1e6);
    qd_json_kv_i64(w, "host_calls", (int64_t)t->host_calls);
    qd_json_key(w, "logs");
    qd_json_begin_array(w);
    if (t->log.n > 0)
        qd_json_raw(w, qd_buf_str(&t->log));
    qd_json_end_array(w);
    qd_json_kv_z(w, "tier", "optimized");
    qd_json_end_object(w);
}

qd_status qd_udf_test(qd_udf *u, const json_t *body, const qd_run_control *control, qd_json *w, qd_error *err)
{
    test_call *t = calloc(1, sizeof *t);
    if (!t)
        return qd_fail_nomem(err);
    qd_buf_init(&t->log, 8u * MAX_LOG_BYTES); /* escaped text is longer than the text */
    t->is_aggregate = u->manifest->kind == QD_KIND_AGGREGATE;
    qd_status st = read_body(t, body, err);
    if (st == QD_OK)
        st = run(t, u, body, control, err);
    if (st == QD_OK && t->log.failed)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        write_answer(t, u, w);
    qd_buf_deinit(&t->log);
    qd_arena_free(t->texts);
    free(t->docs);
    free(t);
    return st;
}
