/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_scorer SCORER.wasm [DOCS]: the benchmark's scorer over the same columns, as C compiled with -O2 and as a
 * function in the sandbox; no index, no server, one thread. Both take blocks of documents: the columns are copied to
 * where the function reads them, then it runs. Prints nanoseconds per document as JSON, medians of many passes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wasm/program.h"

#define PASSES    201
#define N_COLUMNS 3

/* bench/functions/scorer.c, compiled for this machine. */
double score(double relevance, double price, double rating);
double score_plain(double relevance, double price, double rating);

typedef double scorer(double relevance, double price, double rating);

static const struct {
    const char *export_name;
    scorer *native;
    const char *native_label, *wasm_label;
} SCORERS[] = {
    {"score_plain", score_plain, "arithmetic only, C -O2", "arithmetic only, wasm typed shape"},
    {"score", score, "with a logarithm, C -O2 (the system's log)",
     "with a logarithm, wasm typed shape (wasi-libc's log)"},
};

typedef struct bench {
    size_t n_docs;
    double *columns[N_COLUMNS];
    double check; /* the sum of all results: both must give it */
    double native_ns[PASSES], wasm_ns[PASSES];
} bench;

static uint8_t *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc((size_t)1 << 20);
    *n = f && bytes ? fread(bytes, 1, (size_t)1 << 20, f) : 0;
    if (f)
        fclose(f);
    return bytes;
}

static bool fill(bench *b)
{
    uint64_t state = 42;
    for (size_t c = 0; c < N_COLUMNS; c++) {
        if (!(b->columns[c] = malloc(b->n_docs * sizeof(double))))
            return false;
    }
    for (size_t i = 0; i < b->n_docs; i++) {
        double random[N_COLUMNS];
        for (size_t c = 0; c < N_COLUMNS; c++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            random[c] = (double)(state >> 11) / 9007199254740992.0;
        }
        b->columns[0][i] = (double)(float)(1 + random[0] * 8); /* a score */
        b->columns[1][i] = floor(pow(10, 4 * random[1]));      /* a price, 1 to 10,000 */
        b->columns[2][i] = floor(100 + 400 * random[2]) / 100; /* a rating, 1 to 5 */
    }
    return true;
}

static size_t block_size(const bench *b, size_t start)
{
    return b->n_docs - start < QD_BLOCK_DOCS ? b->n_docs - start : QD_BLOCK_DOCS;
}

static void pass_native(bench *b, scorer *f, double *sum)
{
    static double block[N_COLUMNS][QD_BLOCK_DOCS], results[QD_BLOCK_DOCS];
    for (size_t start = 0; start < b->n_docs; start += QD_BLOCK_DOCS) {
        size_t n = block_size(b, start);
        for (size_t c = 0; c < N_COLUMNS; c++)
            memcpy(block[c], b->columns[c] + start, n * sizeof(double));
        for (size_t i = 0; i < n; i++)
            results[i] = f(block[0][i], block[1][i], block[2][i]);
        for (size_t i = 0; i < n; i++)
            *sum += results[i];
    }
}

static qd_status pass_wasm(bench *b, qd_instance *instance, double *sum, qd_error *err)
{
    for (size_t start = 0; start < b->n_docs; start += QD_BLOCK_DOCS) {
        size_t n = block_size(b, start);
        for (uint32_t c = 0; c < N_COLUMNS; c++)
            memcpy(qd_instance_column(instance, c), b->columns[c] + start, n * sizeof(double));
        qd_status rc = qd_instance_run(instance, (uint32_t)n, NULL, err);
        if (rc)
            return rc;
        const double *results = qd_instance_results(instance);
        for (size_t i = 0; i < n; i++)
            *sum += results[i];
    }
    return QD_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One pass by `instance`, or by `f` when that is NULL; *out: nanoseconds per document. */
static qd_status pass(bench *b, scorer *f, qd_instance *instance, double *out, qd_error *err)
{
    double sum = 0;
    qd_status rc = QD_OK;
    int64_t start_ns = qd_clock_mono_ns();
    if (instance)
        rc = pass_wasm(b, instance, &sum, err);
    else
        pass_native(b, f, &sum);
    *out = (double)(qd_clock_mono_ns() - start_ns) / (double)b->n_docs;
    if (!rc && b->check != 0 && fabs(sum - b->check) > 1e-9 * fabs(b->check))
        rc = qd_fail(err, QD_EINTERNAL, "the results differ: %.17g and %.17g in all", sum, b->check);
    b->check = sum;
    return rc;
}

static double median(double *values)
{
    qsort(values, PASSES, sizeof *values, by_value);
    return values[PASSES / 2];
}

/* Both sides of one scorer, as a line of the result. */
static qd_status compare(bench *b, qd_wasm_module *module, size_t which, qd_error *err)
{
    const qd_wasm_program_spec spec = {
        .export_name = qd_str_of(SCORERS[which].export_name), .shape = QD_SHAPE_TYPED, .name = "scorer"};
    qd_call call = {.deadline_ns = INT64_MAX};
    qd_wasm_program *program = NULL;
    qd_instance *instance = NULL;
    qd_status rc = qd_wasm_program_new(module, &spec, &program, err);
    if (rc || (rc = qd_instance_acquire(program, 7, &call, &instance, err)))
        goto done;
    b->check = 0;
    /* In turn, so that whatever else the machine does falls on both. */
    for (size_t i = 0; i < PASSES; i++) {
        if ((rc = pass(b, SCORERS[which].native, NULL, &b->native_ns[i], err)) ||
            (rc = pass(b, NULL, instance, &b->wasm_ns[i], err)))
            goto done;
    }
    printf("%s\"%s\": %.3f,\n \"%s\": %.3f", which ? ",\n " : "{", SCORERS[which].native_label, median(b->native_ns),
           SCORERS[which].wasm_label, median(b->wasm_ns));
done:
    if (instance)
        qd_instance_release(instance);
    if (program)
        qd_wasm_program_unref(program);
    return rc;
}

int main(int argc, char **argv)
{
    int status = 1;
    qd_error err = QD_ERROR_INIT;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_wasm_engine *engine = NULL;
    qd_wasm_module *module = NULL;
    size_t n = 0;
    uint8_t *bytes = argc > 1 ? read_all(argv[1], &n) : NULL;
    bench b = {.n_docs = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000};

    if (!bytes || !n || b.n_docs == 0 || b.n_docs > 100000000 || !fill(&b)) {
        fputs("usage: bench_scorer SCORER.wasm [DOCS]\n", stderr);
        goto done;
    }
    if (qd_wasm_engine_new(&options, &engine, &err) || qd_wasm_module_new(engine, bytes, n, 0, &module, &err))
        goto failed;
    for (size_t i = 0; i < sizeof SCORERS / sizeof *SCORERS; i++) {
        if (compare(&b, module, i, &err))
            goto failed;
    }
    puts("}");
    status = 0;
    goto done;
failed:
    fprintf(stderr, "bench_scorer: %s: %s\n", argv[1], err.message);
done:
    if (module)
        qd_wasm_module_unref(module);
    if (engine)
        qd_wasm_engine_free(engine);
    for (size_t c = 0; c < N_COLUMNS; c++)
        free(b.columns[c]);
    free(bytes);
    return status;
}
