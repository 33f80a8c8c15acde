/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_scorer FUNCTIONS [DOCS]: the benchmark's scorers over the same columns, as C and as functions in the sandbox
 * (modules of that directory, made by functions/build.sh); no index, no server, one thread. Both take blocks of
 * documents: the columns are copied to where the function reads them, then it runs. Prints nanoseconds per document as
 * JSON, medians of many passes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wasm/program.h"

#define PASSES    201
#define N_COLUMNS 3
#define MAX_PATH  4096

/* bench/functions/scorer.c and batch.c, compiled for this machine. */
double score(double relevance, double price, double rating);
double score_plain(double relevance, double price, double rating);
void score_columns(uint32_t n, const double *relevance, const double *price, const double *rating,
                   double *restrict result);

typedef double scorer(double relevance, double price, double rating);

static const struct {
    const char *label, *file, *export_name;
    qd_wasm_shape shape;
    scorer *native; /* NULL: score_columns */
} SCORERS[] = {
    {"arithmetic only, typed", "scorer.wasm", "score_plain", QD_SHAPE_TYPED, score_plain},
    {"the same with epoch checks", "scorer_checked.wasm", "score_plain", QD_SHAPE_TYPED, score_plain},
    {"arithmetic only, batch with SIMD, against a loop of C -O3", "batch.wasm", "score", QD_SHAPE_BATCH, NULL},
    {"with a logarithm (the system's; wasi-libc's), typed", "scorer.wasm", "score", QD_SHAPE_TYPED, score},
};
#define N_SCORERS (sizeof SCORERS / sizeof *SCORERS)

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
        if (!f)
            score_columns((uint32_t)n, block[0], block[1], block[2], results);
        for (size_t i = 0; i < n && f; i++)
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

static qd_status give_entry(void *arg, const qd_wasm_module *m, qd_wasm_entry *out, qd_error *err)
{
    const size_t *which = arg;
    (void)m, (void)err;
    *out = (qd_wasm_entry){
        .export_name = qd_str_of(SCORERS[*which].export_name), .shape = SCORERS[*which].shape, .varying = 7};
    return QD_OK;
}

static qd_status load(qd_wasm_engine *engine, const char *dir, size_t which, qd_wasm_module **out, qd_error *err)
{
    const qd_wasm_module_options options = {.entry = give_entry, .entry_arg = &which};
    const char *file = SCORERS[which].file;
    char path[MAX_PATH];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    uint8_t *bytes = read_all(path, &n);
    qd_status rc = bytes && n ? qd_wasm_module_new(engine, bytes, n, &options, out, err)
                              : qd_fail(err, QD_EIO, "%s cannot be read: functions/build.sh makes it", path);
    free(bytes);
    return rc;
}

/* Both sides of one scorer, as a line of the result. */
static qd_status compare(bench *b, qd_wasm_module *module, size_t which, qd_error *err)
{
    static const qd_type columns[N_COLUMNS] = {QD_F64, QD_F64, QD_F64};
    const qd_wasm_program_spec spec = {.export_name = qd_str_of(SCORERS[which].export_name),
                                       .shape = SCORERS[which].shape,
                                       .params = columns,
                                       .n_params = N_COLUMNS,
                                       .result = QD_F64,
                                       .name = SCORERS[which].file};
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
    printf("%s{\"scorer\": \"%s\", \"c_ns\": %.3f, \"wasm_ns\": %.3f}", which ? ",\n " : "[", SCORERS[which].label,
           median(b->native_ns), median(b->wasm_ns));
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
    bench b = {.n_docs = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000};
    options.compile_threads = 0; /* what is measured is the optimized code */

    if (argc < 2 || b.n_docs == 0 || b.n_docs > 100000000 || !fill(&b)) {
        fputs("usage: bench_scorer FUNCTIONS [DOCS]\n", stderr);
        goto done;
    }
    qd_status rc = qd_wasm_engine_new(&options, &engine, &err);
    for (size_t i = 0; i < N_SCORERS && rc == QD_OK; i++) {
        qd_wasm_module *module = NULL;
        rc = load(engine, argv[1], i, &module, &err);
        if (rc == QD_OK)
            rc = compare(&b, module, i, &err);
        if (module)
            qd_wasm_module_unref(module);
    }
    if (rc == QD_OK)
        puts("]");
    else
        fprintf(stderr, "bench_scorer: %s\n", err.message);
    status = rc == QD_OK ? 0 : 1;
done:
    if (engine)
        qd_wasm_engine_free(engine);
    for (size_t c = 0; c < N_COLUMNS; c++)
        free(b.columns[c]);
    return status;
}
