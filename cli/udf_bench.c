/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf bench`: what a function costs per document, measured in this process with the engine that the server has. Blocks
 * as in a query, fields from columns in memory, so that it is the function which is measured and what calling it costs;
 * a search adds its own work. Of an aggregate the documents of a segment go into a state, and what becomes of the state
 * is measured beside: a query pays it once for each segment. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "bench_docs.h"
#include "command.h"
#include "local.h"
#include "text.h"
#include "udf/aggregate.h"

#define NS               INT64_C(1000000000)
#define WARM_UP_NS       (NS / 5)
#define OPTIMIZE_NS      (10 * NS) /* the optimizing compiler works on large modules for seconds */
#define STARTS           50        /* instances made to tell what one costs */
#define PS_PER_NS        1000
#define MAX_SCORE_SPREAD 16
#define STATE_BLOCKS     64 /* of an aggregate: one that keeps what it has seen would fill its memory otherwise */

typedef struct bench {
    local_function function;
    qd_binding *binding;
    bench_docs docs;
    qd_doc_source source;
    const char *origin; /* of the documents */
    json_t *cases;      /* of the project; NULL: none */
    float scores[QD_BLOCK_DOCS];
    double out[QD_BLOCK_DOCS];
    uint8_t valid[QD_BLOCK_DOCS];
    qd_value values[QD_BLOCK_DOCS];
    /* figures */
    qd_histogram per_doc_ps, start_ns, state_ns;
    uint64_t n_docs, n_results, host_calls;
    int64_t total_ns;
    size_t state_bytes; /* the largest state of an aggregate */
} bench;

/* The function at work: one of the two. */
typedef struct worker {
    qd_runner *runner;
    qd_aggregator *aggregator;
    uint32_t n_blocks; /* in the aggregator's state */
} worker;

/* ---- making it ready --------------------------------------------------------------------------------------------- */

static bool is_aggregate(const bench *b)
{
    return b->function.udf->manifest->kind == QD_KIND_AGGREGATE;
}

/* What a transform gives may be a text, and 0 is as good as any. */
static bool is_transform(const bench *b)
{
    return b->function.udf->manifest->kind == QD_KIND_TRANSFORM;
}

/* The first case that is to succeed: it says which parameters make sense. NULL: none. */
static const json_t *usable_case(const bench *b)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(b->cases, "cases"), i, c) {
        if (json_is_object(c) && !json_object_get(c, "error"))
            return c;
    }
    return NULL;
}

/* --parameters or --context, else those of the project's own case. *out: owned by caller, NULL when there are none. */
static qd_status call_input(const bench *b, const args *a, const char *name, json_t **out, qd_error *err)
{
    const char *text = args_text(a, name, NULL);
    if (text)
        return read_json(text, name, out, err);
    *out = json_incref(json_object_get(usable_case(b), name));
    return QD_OK;
}

static qd_status bind(bench *b, const args *a, qd_error *err)
{
    json_t *params = NULL, *context = NULL;
    qd_status rc = call_input(b, a, "parameters", &params, err);
    if (!rc)
        rc = call_input(b, a, "context", &context, err);
    const qd_binding_spec spec = {.params = params, .context = context, .is_aggregation = is_aggregate(b)};
    if (!rc)
        rc = qd_binding_new(b->function.udf, &spec, &b->binding, err);
    json_decref(params);
    json_decref(context);
    return rc;
}

static qd_status choose_documents(bench *b, const args *a, qd_error *err)
{
    const char *file = args_text(a, "documents", NULL);
    qd_status rc = QD_OK;
    if (file) {
        rc = bench_docs_read(&b->docs, file, err);
        b->origin = file;
    } else if (bench_docs_from_cases(&b->docs, json_object_get(b->cases, "cases"))) {
        b->origin = "cases.json";
    } else {
        rc = bench_docs_make(&b->docs, b->function.udf->manifest, err);
        b->origin = "made up";
    }
    b->source = bench_docs_source(&b->docs);
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
        b->scores[row] = 0.5f + (float)(row % MAX_SCORE_SPREAD);
    return rc;
}

/* A directory's cases.json, when there is one that can be read. */
static void load_cases(bench *b, const char *where)
{
    struct stat st;
    qd_buf at;
    qd_buf_init(&at, 64 << 10);
    qd_buf_addf(&at, "@%s/cases.json", where);
    qd_buf_add_char(&at, '\0');
    if (!at.failed && stat(at.p + 1, &st) == 0 && read_json(at.p, at.p + 1, &b->cases, NULL))
        b->cases = NULL;
    qd_buf_deinit(&at);
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static const qd_run_control CONTROL = {.deadline_ns = INT64_MAX};

static qd_status worker_open(const bench *b, worker *w, qd_error *err)
{
    *w = (worker){0};
    return is_aggregate(b) ? qd_aggregator_open(b->binding, &b->source, &CONTROL, &w->aggregator, err)
                           : qd_runner_open(b->binding, &b->source, &CONTROL, &w->runner, err);
}

static uint64_t worker_host_calls(const worker *w)
{
    return w->aggregator ? qd_aggregator_host_calls(w->aggregator) : qd_runner_host_calls(w->runner);
}

static void worker_close(worker *w)
{
    qd_runner_close(w->runner);
    qd_aggregator_close(w->aggregator);
    *w = (worker){0};
}

static qd_status run_block(bench *b, worker *w, size_t *next, uint32_t n, int64_t *took_ns, qd_error *err)
{
    b->docs.first = *next;
    b->docs.block = n;
    *next = (*next + n) % b->docs.n;
    int64_t start = qd_clock_mono_ns();
    qd_status rc = w->aggregator     ? qd_aggregator_update(w->aggregator, n, b->scores, err)
                   : is_transform(b) ? qd_runner_run_values(w->runner, n, b->scores, b->values, err)
                                     : qd_runner_run(w->runner, n, b->scores, b->out, b->valid, err);
    *took_ns = qd_clock_mono_ns() - start;
    w->n_blocks++;
    return rc;
}

/* What a query does with a segment's state: takes it as bytes, merges it into another, and asks that for the result. */
static qd_status end_state(bench *b, worker *w, bool is_measured, qd_error *err)
{
    qd_aggregator *last = NULL;
    qd_value result;
    qd_buf state;
    qd_buf_init(&state, QD_MAX_STATE_BYTES);
    int64_t start = qd_clock_mono_ns();
    qd_status rc = qd_aggregator_serialize(w->aggregator, &state, err);
    if (!rc)
        rc = qd_aggregator_open(b->binding, NULL, &CONTROL, &last, err);
    if (!rc)
        rc = qd_aggregator_merge(last, qd_buf_str(&state), err);
    if (!rc)
        rc = qd_aggregator_finish(last, &result, err);
    if (!rc && is_measured && !qd_histogram_record(&b->state_ns, (uint64_t)(qd_clock_mono_ns() - start), 1))
        rc = qd_fail_nomem(err);
    b->state_bytes = state.n > b->state_bytes ? state.n : b->state_bytes;
    qd_aggregator_close(last);
    qd_buf_deinit(&state);
    return rc;
}

/* A full state, or the last one, ends; the next block begins another. */
static qd_status renew(bench *b, worker *w, bool is_measured, qd_error *err)
{
    qd_status rc = end_state(b, w, is_measured, err);
    if (!rc && is_measured)
        b->host_calls += worker_host_calls(w);
    worker_close(w);
    return rc ? rc : worker_open(b, w, err);
}

static bool is_settled(const bench *b)
{
    qd_wasm_status status;
    qd_wasm_module_read_status(b->function.udf->module, &status);
    return status.tier == QD_TIER_OPTIMIZED && !status.is_optimizing;
}

static qd_status count_block(bench *b, int64_t took_ns, qd_error *err)
{
    b->total_ns += took_ns;
    b->n_docs += QD_BLOCK_DOCS;
    for (uint32_t row = 0; !is_aggregate(b) && row < QD_BLOCK_DOCS; row++)
        b->n_results += is_transform(b) ? b->values[row].type != QD_NULL : b->valid[row] && b->out[row] != 0;
    return qd_histogram_record(&b->per_doc_ps, (uint64_t)(took_ns * PS_PER_NS / QD_BLOCK_DOCS), 1) ? QD_OK
                                                                                                   : qd_fail_nomem(err);
}

/* Blocks until `stop_ns`, and in the warm-up until the code is as good as it gets. */
static qd_status run_until(bench *b, worker *w, int64_t stop_ns, bool is_measured, qd_error *err)
{
    size_t next = 0;
    int64_t took_ns, give_up_ns = stop_ns + (is_measured ? 0 : OPTIMIZE_NS);
    qd_status rc = QD_OK;
    for (int64_t now = 0; !rc && (now < stop_ns || (now < give_up_ns && !is_settled(b))); now = qd_clock_mono_ns()) {
        if (w->n_blocks == STATE_BLOCKS && w->aggregator && (rc = renew(b, w, is_measured, err)))
            break;
        rc = run_block(b, w, &next, QD_BLOCK_DOCS, &took_ns, err);
        if (!rc && is_measured)
            rc = count_block(b, took_ns, err);
    }
    return rc || !w->aggregator ? rc : renew(b, w, is_measured, err);
}

/* What a query pays once per segment: an instance, and its first document. */
static qd_status measure_starts(bench *b, qd_error *err)
{
    for (int i = 0; i < STARTS; i++) {
        worker w;
        size_t next = 0;
        int64_t took_ns, start = qd_clock_mono_ns();
        qd_status rc = worker_open(b, &w, err);
        if (!rc)
            rc = run_block(b, &w, &next, 1, &took_ns, err);
        worker_close(&w);
        if (rc)
            return rc;
        if (!qd_histogram_record(&b->start_ns, (uint64_t)(qd_clock_mono_ns() - start), 1))
            return qd_fail_nomem(err);
    }
    return QD_OK;
}

static qd_status measure(bench *b, double seconds, qd_error *err)
{
    worker w;
    qd_status rc = worker_open(b, &w, err);
    if (!rc)
        rc = run_until(b, &w, qd_clock_mono_ns() + WARM_UP_NS, false, err);
    worker_close(&w);
    if (!rc && !(rc = worker_open(b, &w, err)))
        rc = run_until(b, &w, qd_clock_mono_ns() + (int64_t)(seconds * 1e9), true, err);
    if (!rc && !w.aggregator) /* those of aggregators were counted as their states ended */
        b->host_calls = worker_host_calls(&w);
    worker_close(&w);
    return rc ? rc : measure_starts(b, err);
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

static double per_doc_ns(const bench *b, double percent)
{
    return (double)qd_histogram_percentile(&b->per_doc_ps, percent) / PS_PER_NS;
}

static void report(const qctl *q, const bench *b)
{
    qd_wasm_status status;
    qd_wasm_module_read_status(b->function.udf->module, &status);
    const qd_manifest *m = b->function.udf->manifest;
    double mean_ns = (double)b->total_ns / (double)b->n_docs;
    double calls = (double)b->host_calls / (double)b->n_docs;
    double start_us = (double)qd_histogram_percentile(&b->start_ns, 50) / 1000;
    double state_us = (double)qd_histogram_percentile(&b->state_ns, 50) / 1000;
    if (q->is_json) {
        json_t *v = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "name",
                              b->function.udf->label, "kind", qd_udf_kind_name(m->kind), "abi", qd_udf_abi_name(m->abi),
                              "tier", qd_wasm_tier_name(status.tier), "documents_from", b->origin, "documents",
                              (json_int_t)b->docs.n_distinct, "calls", (json_int_t)b->n_docs, "mean_ns_per_document",
                              mean_ns, "p50_ns_per_document", per_doc_ns(b, 50), "p99_ns_per_document",
                              per_doc_ns(b, 99), "host_calls_per_document", calls, "start_us", start_us);
        if (is_aggregate(b))
            json_object_update_new(
                v, json_pack("{s:I, s:f}", "state_bytes", (json_int_t)b->state_bytes, "state_us", state_us));
        json_dumpf(v, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(v);
        return;
    }
    char documents[TEXT_SIZE], n_calls[TEXT_SIZE], state[TEXT_SIZE];
    printf("%s: %s %s of the %s shape, %s code%s\n", b->function.udf->label, is_aggregate(b) ? "an" : "a",
           qd_udf_kind_name(m->kind), qd_udf_abi_name(m->abi), qd_wasm_tier_name(status.tier),
           status.has_epoch_checks ? "" : ", provably short");
    printf("documents      %s, %s\n", text_count((int64_t)b->docs.n_distinct, documents), b->origin);
    printf("per document   %.2f ns mean, %.2f p50, %.2f p99 (of %s calls, in blocks of %d)\n", mean_ns,
           per_doc_ns(b, 50), per_doc_ns(b, 99), text_count((int64_t)b->n_docs, n_calls), QD_BLOCK_DOCS);
    if (is_aggregate(b))
        printf("               %.2f host calls\n"
               "a state        %s; %.1f us p50 to serialize, merge and finish (a query pays it for each segment)\n",
               calls, text_bytes((int64_t)b->state_bytes, state), state_us);
    else
        printf("               %.2f host calls; %.0f %% have a result%s\n", calls,
               100 * (double)b->n_results / (double)b->n_docs, is_transform(b) ? "" : " that is not 0");
    printf("a start        %.1f us p50 (a query pays it for each segment)\n", start_us);
}

static void bench_deinit(bench *b)
{
    qd_binding_free(b->binding);
    local_close(&b->function);
    bench_docs_deinit(&b->docs);
    json_decref(b->cases);
    qd_histogram_deinit(&b->per_doc_ps);
    qd_histogram_deinit(&b->start_ns);
    qd_histogram_deinit(&b->state_ns);
}

qd_status udf_bench(qctl *q, const args *a, qd_error *err)
{
    registration r;
    int64_t ms = 2000;
    qd_status rc = args_i64(a, "ms", 1, 600000, &ms, err);
    if (rc || (rc = registration_load(&r, a->words[0], a, err)))
        return rc;
    bench *b = calloc(1, sizeof *b);
    if (!b) {
        registration_deinit(&r);
        return qd_fail_nomem(err);
    }
    qd_histogram_init(&b->per_doc_ps);
    qd_histogram_init(&b->start_ns);
    qd_histogram_init(&b->state_ns);
    load_cases(b, a->words[0]);
    if (!(rc = local_open(&b->function, &r, err)) && !(rc = bind(b, a, err)) && !(rc = choose_documents(b, a, err)) &&
        !(rc = measure(b, (double)ms / 1000, err)))
        report(q, b);
    bench_deinit(b);
    free(b);
    registration_deinit(&r);
    return rc;
}
