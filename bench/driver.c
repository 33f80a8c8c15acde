/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_driver: what the function runtime itself costs, without an index or a server, on one thread. Prints JSON, the
 * best of many passes. Nanoseconds per document for a scorer of two fields and the score:
 *
 *   c_ns, typed_ns             called for each document
 *   c_loop_ns                  a loop over a block in C: -O3 for any x86-64, so SSE2, the width of wasm's vectors
 *   c_block_ns                 the same with what the batch shape gives its functions besides: results that are zero
 *                              and valid at the start, and columns that were looked at for missing values
 *   batch_…                    the same loop in wasm with 1, 4 or 16 documents a turn: the last two with vectors. It
 *                              checks the epoch at each turn, and keeps what a check could clobber on the stack
 *   handle_ns                  with columns laid down for each block
 *   …_with_checks_ns           the same function in a module with a loop, which is compiled with epoch checks
 *   row_two_reads_…            by host functions
 *
 * Microseconds to acquire and release an instance, the first block's page faults included. And how long past its
 * deadline a function that never ends goes on: by the clock, which includes what it waits for a processor, and in time
 * of its thread. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "wasm/program.h"

#define PASSES 3000
#define ROUNDS 2000
#define STOPS  300

static double prices[QD_BLOCK_DOCS], ratings[QD_BLOCK_DOCS], relevances[QD_BLOCK_DOCS], results[QD_BLOCK_DOCS];
static float scores[QD_BLOCK_DOCS];

#define TYPED                                                                                                          \
    "(func (export \"typed\") (param f64 f64 f64) (result f64)"                                                        \
    " (f64.mul (local.get 0) (f64.add (f64.const 1) (f64.mul (local.get 1) (local.get 2)))))"
/* Of a module with this export too, nothing proves that its functions end. */
#define LOOP "(func (export \"other\") (loop $l (br $l)))"
static const char STATELESS[] = "(module " TYPED ")";
static const char CHECKED[] = "(module " TYPED LOOP ")";
static const char STATEFUL[] =
    "(module (import \"env\" \"get_field_f64\" (func $field (param i64 i32 i32 i32) (result i32)))"
    "(import \"env\" \"get_score\" (func $score (param i64) (result f64)))"
    "(memory (export \"memory\") 17) (global $sp (mut i32) (i32.const 65536))"
    "(data (i32.const 1024) \"price\") (data (i32.const 1032) \"rating\")" TYPED
    "(func (export \"row\") (param $c i64) (result f64)"
    " (drop (call $field (local.get $c) (i32.const 1024) (i32.const 5) (i32.const 2048)))"
    " (drop (call $field (local.get $c) (i32.const 1032) (i32.const 6) (i32.const 2056)))"
    " (f64.mul (call $score (local.get $c)) (f64.add (f64.const 1)"
    "  (f64.mul (f64.load (i32.const 2048)) (f64.load (i32.const 2056))))))"
    "(func (export \"read2\") (param $c i64) (result f64)"
    " (drop (call $field (local.get $c) (i32.const 1024) (i32.const 5) (i32.const 2048)))"
    " (drop (call $field (local.get $c) (i32.const 1032) (i32.const 6) (i32.const 2056)))"
    " (f64.mul (f64.load (i32.const 2048)) (f64.load (i32.const 2056)))))";

#define HANDLE(more)                                                                                                   \
    "(module (import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"                            \
    "(import \"env\" \"field_f64\" (func $f64 (param i32) (result f64)))"                                              \
    "(import \"env\" \"score\" (func $score (result f64)))"                                                            \
    "(memory (export \"memory\") 1) (data (i32.const 0) \"price\") (data (i32.const 8) \"rating\")"                    \
    "(global $p (mut i32) (i32.const 0)) (global $r (mut i32) (i32.const 0))"                                          \
    "(func (export \"_initialize\") (global.set $p (call $handle (i32.const 0) (i32.const 5)))"                        \
    " (global.set $r (call $handle (i32.const 8) (i32.const 6))))"                                                     \
    "(func (export \"handle\") (param i64) (result f64) (f64.mul (call $score) (f64.add (f64.const 1)"                 \
    " (f64.mul (call $f64 (global.get $p)) (call $f64 (global.get $r))))))" more ")"
/* As a compiler makes it of the loop: the three columns and the results, some documents a turn. */
#define BATCH(step, body)                                                                                              \
    "(module (memory (export \"memory\") 1) (func (export \"batch\") (param $n i32) (param $c i32) (param $o i32)"     \
    " (local $a i32) (local $b i32) (local $d i32) (local $r i32) (local $end i32)"                                    \
    " (local.set $a (i32.load (local.get $c))) (local.set $b (i32.load offset=16 (local.get $c)))"                     \
    " (local.set $d (i32.load offset=32 (local.get $c))) (local.set $r (i32.load (local.get $o)))"                     \
    " (local.set $end (i32.add (local.get $r) (i32.shl (local.get $n) (i32.const 3))))"                                \
    " (loop $l " body " (local.set $a (i32.add (local.get $a) (i32.const " step ")))"                                  \
    "  (local.set $b (i32.add (local.get $b) (i32.const " step ")))"                                                   \
    "  (local.set $d (i32.add (local.get $d) (i32.const " step ")))"                                                   \
    "  (br_if $l (i32.lt_u (local.tee $r (i32.add (local.get $r) (i32.const " step "))) (local.get $end))))))"
static const char BATCH_SCALAR[] =
    BATCH("8", "(f64.store (local.get $r) (f64.mul (f64.load (local.get $a)) (f64.add (f64.const 1)"
               " (f64.mul (f64.load (local.get $b)) (f64.load (local.get $d))))))");
#define VECTOR(at)                                                                                                     \
    "(v128.store offset=" at " (local.get $r) (f64x2.mul (v128.load offset=" at " (local.get $a))"                     \
    " (f64x2.add (v128.const f64x2 1 1) (f64x2.mul (v128.load offset=" at " (local.get $b))"                           \
    "  (v128.load offset=" at " (local.get $d))))))"
static const char BATCH_SIMD[] = BATCH("32", VECTOR("0") VECTOR("16"));
static const char BATCH_UNROLLED[] = BATCH("128", VECTOR("0") VECTOR("16") VECTOR("32") VECTOR("48") VECTOR("64")
                                                      VECTOR("80") VECTOR("96") VECTOR("112"));

static int resolve(void *arg, qd_str path)
{
    (void)arg;
    return qd_str_is(path, "price") ? 0 : 1;
}

static bool block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    (void)arg;
    memcpy(out, slot == 0 ? prices : ratings, sizeof prices);
    memset(valid, 1, QD_BLOCK_DOCS);
    *all_valid = true;
    return true;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    (void)arg;
    *out = (qd_value){.type = QD_F64, .as.f = slot == 0 ? prices[row] : ratings[row]};
    return true;
}

static const qd_doc_source docs = {.resolve = resolve, .block_f64 = block_f64, .value = value};
static qd_call call = {.docs = &docs, .scores = scores, .deadline_ns = INT64_MAX};

static void require(qd_status rc, const qd_error *err)
{
    if (rc == QD_OK)
        return;
    fprintf(stderr, "bench_driver: %s\n", err->message);
    exit(1);
}

static qd_status give_entry(void *arg, const qd_wasm_module *m, qd_wasm_entry *out, qd_error *err)
{
    (void)m, (void)err;
    *out = *(const qd_wasm_entry *)arg;
    return QD_OK;
}

/* Compiled for the use that is measured, as the registry does by the manifest. */
static qd_wasm_program *load(qd_wasm_engine *e, const char *wat, const char *export_name, qd_wasm_shape shape,
                             uint64_t varying)
{
    qd_error err;
    uint8_t *bytes = NULL;
    size_t n = 0;
    qd_wasm_module *m = NULL;
    qd_wasm_program *p = NULL;
    require(qd_wasm_from_wat(qd_str_of(wat), &bytes, &n, &err), &err);
    qd_wasm_entry entry = {.export_name = qd_str_of(export_name), .shape = shape, .varying = varying};
    const qd_wasm_module_options options = {
        .permissions = QD_PERM_READ_DOCUMENT | QD_PERM_READ_SCORE, .entry = give_entry, .entry_arg = &entry};
    require(qd_wasm_module_new(e, bytes, n, &options, &m, &err), &err);
    static const qd_type columns[] = {QD_F64, QD_F64, QD_F64};
    const qd_wasm_program_spec spec = {.export_name = qd_str_of(export_name),
                                       .shape = shape,
                                       .params = columns,
                                       .n_params = 3,
                                       .result = QD_F64,
                                       .name = export_name};
    require(qd_wasm_program_new(m, &spec, &p, &err), &err);
    qd_wasm_module_unref(m);
    free(bytes);
    return p;
}

static __attribute__((noinline)) double native(double relevance, double price, double rating)
{
    __asm__ volatile("");
    return relevance * (1 + price * rating);
}

static void run_native(void)
{
    for (int i = 0; i < QD_BLOCK_DOCS; i++)
        results[i] = native(relevances[i], prices[i], ratings[i]);
}

static __attribute__((noinline)) void run_native_loop(void)
{
    for (int i = 0; i < QD_BLOCK_DOCS; i++)
        results[i] = relevances[i] * (1 + prices[i] * ratings[i]);
    __asm__ volatile("" ::"r"(results) : "memory");
}

static __attribute__((noinline)) void run_native_block(void)
{
    static uint8_t valid[4][QD_BLOCK_DOCS];
    const double *columns[] = {relevances, prices, ratings};
    for (int k = 0; k < 3; k++)
        __asm__ volatile("" ::"r"(columns[k]), "r"(memchr(valid[k], 1, QD_BLOCK_DOCS)) : "memory");
    memset(results, 0, sizeof results);
    memset(valid[3], 0, QD_BLOCK_DOCS);
    __asm__ volatile("" ::"r"(results), "r"(valid[3]) : "memory");
    run_native_loop();
}

static double best_native_ns(void (*run)(void))
{
    int64_t best = INT64_MAX;
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t start = qd_clock_mono_ns();
        run();
        int64_t took = qd_clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    return (double)best / QD_BLOCK_DOCS;
}

static void fill_columns(qd_instance *i)
{
    memcpy(qd_instance_column(i, 0), relevances, sizeof relevances);
    memcpy(qd_instance_column(i, 1), prices, sizeof prices);
    memcpy(qd_instance_column(i, 2), ratings, sizeof ratings);
}

static double best_run_ns(qd_wasm_program *p, uint64_t varying)
{
    qd_instance *i = NULL;
    qd_error err;
    int64_t best = INT64_MAX;
    require(qd_instance_acquire(p, varying, &call, &i, &err), &err);
    if (varying)
        fill_columns(i);
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t start = qd_clock_mono_ns();
        require(qd_instance_run(i, QD_BLOCK_DOCS, NULL, &err), &err);
        int64_t took = qd_clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    qd_instance_release(i);
    return (double)best / QD_BLOCK_DOCS;
}

/* Acquire, one block, release, less the time of the block in a warm instance: what a query pays per segment. */
static double acquire_us(qd_wasm_program *p, uint64_t varying, double block_ns)
{
    qd_error err;
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        qd_instance *i = NULL;
        int64_t start = qd_clock_mono_ns();
        require(qd_instance_acquire(p, varying, &call, &i, &err), &err);
        if (varying)
            fill_columns(i);
        require(qd_instance_run(i, QD_BLOCK_DOCS, NULL, &err), &err);
        qd_instance_release(i);
        int64_t took = qd_clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    return ((double)best - block_ns * QD_BLOCK_DOCS) / 1000;
}

typedef struct overruns {
    double p50_ms, p99_ms, worst_ms, worst_own_ms;
} overruns;

static int64_t own_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static overruns measure_overruns(qd_wasm_engine *e)
{
    enum { ALLOWED_NS = 3000000 };
    static int64_t over[STOPS];
    int64_t worst_own = 0;
    qd_wasm_program *p =
        load(e, "(module (func (export \"f\") (result i32) (loop $l (br $l)) (i32.const 0)))", "f", QD_SHAPE_TYPED, 0);
    for (int round = 0; round < STOPS; round++) {
        qd_instance *i = NULL;
        qd_error err;
        qd_call timed = call;
        require(qd_instance_acquire(p, 0, &timed, &i, &err), &err);
        int64_t own_start = own_ns();
        timed.deadline_ns = qd_clock_mono_ns() + ALLOWED_NS;
        if (qd_instance_run(i, 1, NULL, &err) != QD_EUDF_TIMEOUT)
            require(QD_EINTERNAL, &err);
        over[round] = qd_clock_mono_ns() - timed.deadline_ns;
        int64_t own = own_ns() - own_start - ALLOWED_NS;
        worst_own = own > worst_own ? own : worst_own;
        qd_instance_release(i);
    }
    qd_wasm_program_unref(p);
    qsort(over, STOPS, sizeof *over, compare);
    return (overruns){(double)over[STOPS / 2] / 1e6, (double)over[STOPS * 99 / 100] / 1e6,
                      (double)over[STOPS - 1] / 1e6, (double)worst_own / 1e6};
}

int main(void)
{
    qd_wasm_engine *e = NULL;
    qd_error err;
    for (int i = 0; i < QD_BLOCK_DOCS; i++) {
        prices[i] = 1 + i * 0.25;
        ratings[i] = 1 + i % 50 / 10.0;
        relevances[i] = scores[i] = (float)(1.0 / (1 + i));
    }
    require(qd_wasm_engine_new(NULL, &e, &err), &err);
    struct {
        const char *wat, *export_name;
        qd_wasm_shape shape;
        uint64_t varying;
        const char *ns_key, *acquire_key; /* NULL: not printed */
    } rows[] = {
        {STATELESS, "typed", QD_SHAPE_TYPED, 7, "typed_ns", "acquire_stateless_us"},
        {CHECKED, "typed", QD_SHAPE_TYPED, 7, "typed_with_checks_ns", NULL},
        {STATEFUL, "typed", QD_SHAPE_TYPED, 7, NULL, "acquire_with_memory_us"},
        {HANDLE(""), "handle", QD_SHAPE_HANDLE, 0, "handle_ns", "acquire_handle_us"},
        {HANDLE(LOOP), "handle", QD_SHAPE_HANDLE, 0, "handle_with_checks_ns", NULL},
        {BATCH_SCALAR, "batch", QD_SHAPE_BATCH, 7, "batch_ns", NULL},
        {BATCH_SIMD, "batch", QD_SHAPE_BATCH, 7, "batch_simd_ns", "acquire_batch_us"},
        {BATCH_UNROLLED, "batch", QD_SHAPE_BATCH, 7, "batch_simd_unrolled_ns", NULL},
        {STATEFUL, "read2", QD_SHAPE_ROW, 0, "row_two_reads_ns", "acquire_row_us"},
        {STATEFUL, "row", QD_SHAPE_ROW, 0, "row_two_reads_and_score_ns", NULL},
    };
    printf("{\"c_ns\": %.2f, \"c_loop_ns\": %.2f, \"c_block_ns\": %.2f,\n", best_native_ns(run_native),
           best_native_ns(run_native_loop), best_native_ns(run_native_block));
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        qd_wasm_program *p = load(e, rows[k].wat, rows[k].export_name, rows[k].shape, rows[k].varying);
        double ns = best_run_ns(p, rows[k].varying);
        if (rows[k].ns_key)
            printf(" \"%s\": %.2f,\n", rows[k].ns_key, ns);
        if (rows[k].acquire_key)
            printf(" \"%s\": %.1f,\n", rows[k].acquire_key, acquire_us(p, rows[k].varying, ns));
        qd_wasm_program_unref(p);
    }
    overruns o = measure_overruns(e);
    printf(" \"overrun_p50_ms\": %.2f, \"overrun_p99_ms\": %.2f, \"overrun_ms\": %.2f, \"overrun_own_ms\": %.2f}\n",
           o.p50_ms, o.p99_ms, o.worst_ms, o.worst_own_ms);
    qd_wasm_engine_free(e);
    return 0;
}
