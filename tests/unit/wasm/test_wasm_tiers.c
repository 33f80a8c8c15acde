/* SPDX-License-Identifier: Apache-2.0
 *
 * Which code a module runs, and how it is replaced: tiers, code without epoch checks, code made ahead of time. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/precompile_impl.h"

/* f(i64 context) -> f64: the sum of 0 … 9, by a loop, so that it needs epoch checks. */
#define LOOPED                                                                                                         \
    "(module (func (export \"f\") (param i64) (result f64) (local $i i32) (local $sum f64)"                            \
    " (loop $again"                                                                                                    \
    "  (local.set $sum (f64.add (local.get $sum) (f64.convert_i32_s (local.get $i))))"                                 \
    "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"                                                          \
    "  (br_if $again (i32.lt_s (local.get $i) (i32.const 10))))"                                                       \
    " (local.get $sum)))"

static void setup_with(fixture *f, const qd_wasm_engine_options *options)
{
    qd_wasm_engine_free(f->engine);
    f->engine = NULL;
    assert_int_equal(qd_wasm_engine_new(options, &f->engine, &f->err), QD_OK);
}

/* Tests change the engine: each gets its own. */
static int fresh_engine(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.direct_code_bytes = 0;
    fixture_reset(state);
    setup_with(f, &options);
    return 0;
}

static qd_wasm_status status_of(fixture *f)
{
    qd_wasm_status s;
    qd_wasm_module_read_status(f->module, &s);
    return s;
}

static qd_wasm_counters counters_of(fixture *f)
{
    qd_wasm_counters c;
    qd_wasm_engine_read_counters(f->engine, &c);
    return c;
}

static void assert_gives_45(qd_instance *i)
{
    qd_error err;
    assert_int_equal(qd_instance_run(i, 3, NULL, &err), QD_OK);
    for (int row = 0; row < 3; row++)
        assert_true(((const double *)qd_instance_results(i))[row] == 45);
}

/* ---- tiers ------------------------------------------------------------------------------------------------------- */

static void test_tiers__baseline_serves__optimized_replaces_it(void **state)
{
    fixture *f = *state;
    qd_instance *next = NULL;
    assert_int_equal(fixture_load(f, LOOPED, QD_SHAPE_ROW, 0, NULL), QD_OK);
    qd_wasm_engine_drain(f->engine);
    qd_wasm_status s = status_of(f);
    assert_int_equal(s.tier, QD_TIER_OPTIMIZED);
    assert_int_equal(s.source, QD_SOURCE_COMPILED);
    assert_string_equal(qd_wasm_tier_name(s.tier), "optimized");
    assert_string_equal(qd_wasm_source_name(s.source), "compiled");
    assert_true(s.compile_ns[QD_TIER_BASELINE] > 0 && s.compile_ns[QD_TIER_OPTIMIZED] > 0);
    assert_false(s.is_optimizing);
    assert_true(s.has_epoch_checks);
    assert_int_equal(s.instances, 1);
    qd_wasm_counters c = counters_of(f);
    assert_int_equal(c.tier_transitions, 1);
    assert_true(c.compiled[QD_TIER_BASELINE] == 1 && c.compiled[QD_TIER_OPTIMIZED] == 1);
    assert_int_equal(c.queued, 0);

    /* Whoever was at work goes on with what it began with, though that may have been either. */
    assert_gives_45(f->instance);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &next, &f->err), QD_OK);
    assert_false(qd_instance_is_outdated(next));
    assert_gives_45(next);
    assert_int_equal(status_of(f).instances, 2);
    qd_instance_release(next);
    fixture_reset(state);
    assert_int_equal(counters_of(f).code_bytes, 0);
}

static void test_tiers__outdated_instance__knows_and_is_not_kept(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.has_baseline_only = true;
    setup_with(f, &options);
    assert_int_equal(fixture_load(f, LOOPED, QD_SHAPE_ROW, 0, NULL), QD_OK);
    assert_int_equal(status_of(f).tier, QD_TIER_BASELINE);
    assert_gives_45(f->instance);
    qd_instance_release(f->instance);
    f->instance = NULL;
    assert_int_equal(counters_of(f).idle_instances, 1);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    assert_int_equal(counters_of(f).instances_reused, 1);

    qd_instance *idle = NULL;
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &idle, &f->err), QD_OK);
    qd_instance_release(idle); /* waits for reuse with old code */
    assert_int_equal(counters_of(f).idle_instances, 1);
    assert_true(qd_optimizer_submit(f->engine->optimizer, f->module));
    qd_wasm_engine_drain(f->engine);
    assert_int_equal(counters_of(f).idle_instances, 0);
    assert_true(qd_instance_is_outdated(f->instance));
    assert_gives_45(f->instance);
    qd_instance_release(f->instance);
    f->instance = NULL;
    assert_int_equal(counters_of(f).idle_instances, 0);
    assert_int_equal(counters_of(f).instances, 0);
}

static void test_tiers__small_or_without_threads__optimized_at_once(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    setup_with(f, &options);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK); /* small */
    assert_int_equal(status_of(f).tier, QD_TIER_OPTIMIZED);
    assert_int_equal(counters_of(f).compiled[QD_TIER_BASELINE], 0);
    fixture_reset(state);
    options.compile_threads = 0;
    options.direct_code_bytes = 0;
    setup_with(f, &options);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    assert_int_equal(status_of(f).tier, QD_TIER_OPTIMIZED);
    assert_int_equal(counters_of(f).tier_transitions, 0);
    qd_wasm_engine_drain(f->engine); /* nothing to wait for */
}

/* `n` functions of some 400 bytes, called one after the other. */
static char *large_wat(int n)
{
    qd_buf b;
    qd_buf_init(&b, (size_t)16 << 20);
    qd_buf_add_z(&b, "(module ");
    for (int i = 0; i < n; i++) {
        qd_buf_addf(&b, "(func $f%d (param $x f64) (result f64) (loop $l", i);
        for (int k = 0; k < 40; k++)
            qd_buf_addf(&b, " (local.set $x (f64.sub (f64.add (local.get $x) (f64.const %d)) (f64.const %d)))", k, k);
        qd_buf_add_z(&b, ") (local.get $x))");
    }
    qd_buf_add_z(&b, "(func (export \"f\") (param i64) (result f64) (f64.const 45)");
    for (int i = 0; i < n; i++)
        qd_buf_addf(&b, "(call $f%d)", i);
    qd_buf_add_z(&b, "))");
    qd_buf_add_char(&b, '\0');
    return qd_buf_take(&b, NULL);
}

static void test_tiers__dropped_meanwhile__code_goes_with_it(void **state)
{
    fixture *f = *state;
    char *wat = large_wat(20);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(fixture_compile(f, wat, 0), QD_OK);
        fixture_reset(state); /* at whatever moment of its optimization */
    }
    assert_int_equal(fixture_compile(f, wat, 0), QD_OK);
    qd_wasm_engine_drain(f->engine);
    assert_int_equal(status_of(f).tier, QD_TIER_OPTIMIZED);
    assert_int_equal(counters_of(f).code_bytes, status_of(f).code_bytes); /* of twelve nothing is left */
    fixture_reset(state);
    assert_int_equal(fixture_compile(f, wat, 0), QD_OK);
    fixture_reset(state); /* and the engine goes while its last code is made */
    free(wat);
    assert_int_equal(counters_of(f).code_bytes, 0);
}

typedef struct user {
    fixture *f;
    atomic_bool *is_over;
    unsigned runs, tiers[3];
} user;

static void *use(void *arg)
{
    user *u = arg;
    qd_error err;
    qd_call call = {.deadline_ns = INT64_MAX};
    while (!atomic_load(u->is_over)) {
        qd_instance *i = NULL;
        if (qd_instance_acquire(u->f->program, 0, &call, &i, &err) != QD_OK)
            break;
        for (int k = 0; k < 3 && !qd_instance_is_outdated(i); k++)
            assert_gives_45(i);
        u->tiers[i->native->tier]++;
        u->runs++;
        qd_instance_release(i);
    }
    return NULL;
}

static void test_tiers__swap_under_use__every_result_is_right(void **state)
{
    fixture *f = *state;
    enum { USERS = 4 };
    pthread_t threads[USERS];
    user users[USERS];
    atomic_bool is_over = false;
    char *wat = large_wat(60);
    assert_int_equal(fixture_compile(f, wat, 0), QD_OK);
    free(wat);
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_OK);
    for (int i = 0; i < USERS; i++) {
        users[i] = (user){.f = f, .is_over = &is_over};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    qd_wasm_engine_drain(f->engine);
    user last = {.f = f, .is_over = &(atomic_bool){false}};
    qd_instance *i = NULL;
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &i, &f->err), QD_OK);
    last.tiers[i->native->tier]++;
    qd_instance_release(i);
    assert_int_equal(last.tiers[QD_TIER_OPTIMIZED], 1);
    atomic_store(&is_over, true);
    for (int k = 0; k < USERS; k++)
        pthread_join(threads[k], NULL);
    assert_int_equal(counters_of(f).tier_transitions, 1);
    assert_int_equal(counters_of(f).instances, 0);
}

/* What inspection accepts, the engine compiles: one module per feature, in each tier. */
static void test_tiers__features__what_inspection_accepts_compiles(void **state)
{
    static const char *const features[] = {
        "(func (export \"f\") (param v128) (result v128) (i8x16.add (local.get 0) (local.get 0)))",
        "(func (export \"f\") (param v128) (result v128) (f32x4.sqrt (f32x4.convert_i32x4_u (local.get 0))))",
        "(func (export \"f\") (param v128) (result v128) (i16x8.q15mulr_sat_s (local.get 0) (local.get 0)))",
        "(memory 1) (func (export \"f\") (result v128) (v128.load32_zero (i32.const 0)))",
        "(func (export \"f\") (param funcref) (result i32) (ref.is_null (local.get 0)))",
        "(table 3 funcref) (func $g) (elem declare func $g)"
        " (func (export \"f\") (table.set (i32.const 0) (ref.func $g)) (table.fill (i32.const 0) (ref.null func)"
        " (i32.const 1)) (drop (table.grow (ref.null func) (i32.const 1))) (drop (table.size)))",
        "(table 3 funcref) (table 3 funcref) (elem $e func) (func (export \"f\") (table.copy 0 1 (i32.const 0)"
        " (i32.const 0) (i32.const 1)) (table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e))",
        "(memory 1) (data $d \"abc\") (func (export \"f\") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))"
        " (data.drop $d) (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)))",
        "(func (export \"f\") (param i32) (result i32 i64 f64) (block (result i32 i64) (i32.const 1) (i64.const 2))"
        " (f64.const 3))",
        "(func (export \"f\") (param f64) (result i64) (i64.trunc_sat_f64_u (local.get 0)))",
        "(func (export \"f\") (param i64) (result i64) (i64.extend8_s (local.get 0)))",
        "(global $g (mut i64) (i64.const 1)) (func (export \"f\") (global.set $g (i64.const 2)))",
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        char wat[600];
        snprintf(wat, sizeof wat, "(module %s)", features[i]);
        if (fixture_compile(f, wat, 0))
            fail_msg("%s: %s", features[i], f->err.message);
        qd_wasm_engine_drain(f->engine);
        assert_int_equal(status_of(f).tier, QD_TIER_OPTIMIZED);
        fixture_reset(state);
    }
    static const char *const refused[] = {"(func (param externref))", "(table 1 externref)",
                                          "(func (result externref)"
                                          " (ref.null extern))"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char wat[200];
        snprintf(wat, sizeof wat, "(module %s)", refused[i]);
        assert_int_equal(fixture_compile(f, wat, 0), QD_EUDF_WASM);
        assert_message_has(f, "not valid WebAssembly");
    }
}

static void test_module__same_bytes_again__has_the_code_and_a_life_of_its_own(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.compile_threads = 0; /* optimized at once */
    setup_with(f, &options);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    qd_wasm_module *first = QD_TAKE(f->module), *second;
    qd_wasm_counters before = counters_of(f);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK);
    second = QD_TAKE(f->module);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(atomic_load(&first->native), atomic_load(&second->native));
    assert_int_equal(counters_of(f).code_bytes, before.code_bytes);
    assert_int_equal(counters_of(f).compiled[QD_TIER_OPTIMIZED], before.compiled[QD_TIER_OPTIMIZED]);
    assert_string_equal(qd_wasm_module_export_name(second, 0), "f");
    /* Other permissions are other checks. */
    assert_int_equal(fixture_compile(f, LOOPED, QD_PERM_LOG), QD_OK);
    assert_ptr_not_equal(atomic_load(&first->native), atomic_load(&f->module->native));
    qd_wasm_module_unref(QD_TAKE(f->module));

    /* It runs after the one that it was made from has gone, and counts for itself. */
    qd_wasm_module_ref(first);
    f->module = second;
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "again@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    assert_int_equal(atomic_load(&first->n_instances), 0);
    qd_wasm_module_unref(first);
    qd_wasm_module_unref(first);
    assert_gives_45(f->instance);
}

typedef struct maker {
    qd_wasm_engine *engine;
    const uint8_t *bytes;
    size_t n;
} maker;

static void *make_and_drop(void *arg)
{
    const maker *m = arg;
    const qd_wasm_module_options options = {0};
    for (int i = 0; i < 200; i++) {
        qd_wasm_module *made = NULL;
        qd_error err;
        assert_int_equal(qd_wasm_module_new(m->engine, m->bytes, m->n, &options, &made, &err), QD_OK);
        assert_string_equal(qd_wasm_module_export_name(made, 0), "f");
        qd_wasm_module_unref(made);
    }
    return NULL;
}

static void test_module__made_and_dropped_by_many_threads__is_whole(void **state)
{
    fixture *f = *state;
    pthread_t threads[4];
    uint8_t *bytes = NULL;
    maker m = {.engine = f->engine};
    assert_int_equal(qd_wasm_from_wat(QD_STR("(module (func (export \"f\")))"), &bytes, &m.n, &f->err), QD_OK);
    m.bytes = bytes;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_drop, &m), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counters_of(f).code_bytes, 0);
    free(bytes);
}

static void test_tiers__code_limit__is_an_error_of_its_own(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.max_code_bytes = 40000; /* one small module, page by page */
    setup_with(f, &options);
    qd_wasm_module *kept[8] = {NULL};
    qd_status rc = QD_OK;
    size_t n = 0;
    /* Each with permissions of its own, or they would be one code. */
    for (; n < 8 && !(rc = fixture_compile(f, LOOPED, (uint32_t)n)); n++)
        kept[n] = QD_TAKE(f->module);
    assert_true(n > 0);
    assert_int_equal(rc, QD_EUDF_FULL);
    assert_message_has(f, "the native code of all functions would take");
    assert_message_has(f, "the limit is 40000");
    assert_true(counters_of(f).code_bytes <= 40000);
    qd_wasm_module_unref(kept[0]);
    assert_int_equal(fixture_compile(f, LOOPED, 0), QD_OK); /* there is room again */
    for (size_t i = 1; i < n; i++)
        qd_wasm_module_unref(kept[i]);
}

/* ---- code without epoch checks ----------------------------------------------------------------------------------- */

static void test_bounded__provably_short__has_no_checks_and_short_runs(void **state)
{
    static const struct {
        const char *wat;
        bool has_checks;
        uint32_t min_rows, max_rows;
    } cases[] = {
        {"(func (export \"f\") (param i64) (result f64) (f64.const 1))", false, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
        {"(import \"env\" \"get_score\" (func $s (param i64) (result f64)))"
         " (func (export \"f\") (param i64) (result f64) (call $s (local.get 0)))",
         false, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
        {"(import \"env\" \"field_handle\" (func $h (param i32 i32) (result i32)))"
         " (import \"env\" \"field_f64\" (func $g (param i32) (result f64))) (memory (export \"memory\") 1)"
         " (func (export \"f\") (param i64) (result f64) (call $g (call $h (i32.const 0) (i32.const 5))))",
         false, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
        /* Host functions that may take their time; loops; recursion; memory by the page. */
        {"(import \"env\" \"has_field\" (func (param i64 i32 i32) (result i32)))"
         " (func (export \"f\") (param i64) (result f64) (f64.const 1))",
         true, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
        {"(import \"env\" \"log\" (func (param i32 i32 i32)))"
         " (func (export \"f\") (param i64) (result f64) (f64.const 1))",
         true, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
        {"(func (export \"f\") (param i64) (result f64) (loop) (f64.const 1))", true, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
        {"(func $f (export \"f\") (param i64) (result f64) (call $f (local.get 0)))", true, QD_BLOCK_DOCS,
         QD_BLOCK_DOCS},
        {"(memory 1) (func (export \"f\") (param i64) (result f64)"
         " (memory.fill (i32.const 0) (i32.const 0) (i32.const 9)) (f64.const 1))",
         true, QD_BLOCK_DOCS, QD_BLOCK_DOCS},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wat[400];
        snprintf(wat, sizeof wat, "(module %s)", cases[i].wat);
        assert_int_equal(fixture_compile(f, wat, ALL_PERMISSIONS), QD_OK);
        qd_wasm_engine_drain(f->engine);
        assert_int_equal(status_of(f).has_epoch_checks, cases[i].has_checks);
        assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_OK);
        assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
        assert_in_range(qd_instance_max_rows(f->instance), cases[i].min_rows, cases[i].max_rows);
        fixture_reset(state);
    }
}

static int resolve_and_cancel(void *arg, qd_str path)
{
    (void)path;
    __atomic_store_n(&((fixture *)arg)->canceled, true, __ATOMIC_RELAXED);
    return 0;
}

/* No tick meets such code: the lookup asks itself. */
static void test_bounded__canceled_in_a_lookup__ends_the_run(void **state)
{
    fixture *f = *state;
    const qd_doc_source docs = f->docs;
    assert_int_equal(fixture_compile(f,
                                     "(module (import \"env\" \"field_handle\" (func $h (param i32 i32) (result i32)))"
                                     "(memory (export \"memory\") 1) (func (export \"f\") (param i64) (result f64)"
                                     " (if (i64.eq (i64.and (local.get 0) (i64.const 255)) (i64.const 5))"
                                     "  (then (drop (call $h (i32.const 0) (i32.const 5))))) (f64.const 1)))",
                                     ALL_PERMISSIONS),
                     QD_OK);
    qd_wasm_engine_drain(f->engine);
    assert_false(status_of(f).has_epoch_checks);
    assert_int_equal(fixture_program(f, QD_SHAPE_HANDLE, NULL, "test@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    f->docs.arg = f;
    f->docs.resolve = resolve_and_cancel;
    assert_int_equal(fixture_run(f, 9), QD_ECANCELED);
    assert_message_has(f, "canceled");
    assert_true(f->failure.is_set);
    assert_int_equal(f->failure.row, 5);
    f->docs = docs;
}

/* A call tree of depth n, two calls each: 2^n paths. */
static char *doubling_wat(int depth)
{
    qd_buf b;
    qd_buf_init(&b, (size_t)1 << 20);
    qd_buf_add_z(&b, "(module (func $f0 (result f64) (f64.const 1))");
    for (int i = 1; i <= depth; i++)
        qd_buf_addf(&b, "(func $f%d (result f64) (f64.add (call $f%d) (call $f%d)))", i, i - 1, i - 1);
    qd_buf_addf(&b, "(func (export \"f\") (param i64) (result f64) (call $f%d)))", depth);
    qd_buf_add_char(&b, '\0');
    return qd_buf_take(&b, NULL);
}

static void test_bounded__longer_paths__shorter_runs_until_checks(void **state)
{
    fixture *f = *state;
    uint32_t rows_before = QD_BLOCK_DOCS;
    for (int depth = 1; depth <= 16; depth++) {
        char *wat = doubling_wat(depth);
        assert_int_equal(fixture_compile(f, wat, 0), QD_OK);
        free(wat);
        qd_wasm_engine_drain(f->engine);
        assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_OK);
        assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
        uint64_t path = 0;
        uint32_t rows = qd_instance_max_rows(f->instance);
        assert_true(qd_wasm_module_is_bounded(f->module, &path));
        assert_int_equal(status_of(f).has_epoch_checks, path > 65536);
        assert_true(path > 65536 ? rows == QD_BLOCK_DOCS : rows * path <= 2000000 && rows <= rows_before && rows > 0);
        if (path <= 65536)
            rows_before = rows;
        assert_int_equal(fixture_run(f, 1), QD_OK);
        assert_true(*(const double *)qd_instance_results(f->instance) == (double)(1 << depth));
        fixture_reset(state);
    }
    assert_true(rows_before < 100);
}

/* ---- code made ahead of time ------------------------------------------------------------------------------------- */

typedef struct made {
    uint8_t *wasm;
    size_t wasm_n;
    qd_buf native;
} made;

static made make(const char *wat, const char *target)
{
    made m = {0};
    qd_error err;
    assert_int_equal(qd_wasm_from_wat(qd_str_of(wat), &m.wasm, &m.wasm_n, &err), QD_OK);
    qd_buf_init(&m.native, (size_t)1 << 30);
    if (qd_wasm_precompile(m.wasm, m.wasm_n, NULL, NULL, target, &m.native, &err))
        fail_msg("%s", err.message);
    return m;
}

static void unmake(made *m)
{
    free(m->wasm);
    qd_buf_deinit(&m->native);
}

static qd_status load(fixture *f, const made *m, bool must_use)
{
    const qd_wasm_module_options options = {.permissions = ALL_PERMISSIONS,
                                            .native = (const uint8_t *)m->native.p,
                                            .native_n = m->native.n,
                                            .must_use_native = must_use};
    qd_wasm_module_unref(f->module);
    f->module = NULL;
    return qd_wasm_module_new(f->engine, m->wasm, m->wasm_n, &options, &f->module, &f->err);
}

#define BOUNDED "(module (func (export \"f\") (param i64) (result f64) (f64.const 45)))"

static void test_ahead_of_time__own_target__is_used(void **state)
{
    fixture *f = *state;
    static const char *const wats[] = {LOOPED, BOUNDED};
    for (size_t i = 0; i < 2; i++) {
        made m = make(wats[i], NULL);
        assert_int_equal(load(f, &m, true), QD_OK);
        assert_int_equal(status_of(f).source, QD_SOURCE_AOT);
        assert_int_equal(status_of(f).tier, QD_TIER_OPTIMIZED);
        assert_int_equal(status_of(f).has_epoch_checks, i == 0);
        assert_string_equal(qd_wasm_source_name(QD_SOURCE_AOT), "aot");
        assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_OK);
        assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
        assert_gives_45(f->instance);
        assert_int_equal(counters_of(f).compiled[QD_TIER_OPTIMIZED], 0);
        unmake(&m);
        fixture_reset(state);
    }
}

static void test_ahead_of_time__unfit__is_refused_or_compiled_anew(void **state)
{
    fixture *f = *state;
    made good = make(LOOPED, NULL), other = make(BOUNDED, NULL), foreign = make(LOOPED, "aarch64"),
         host = make(LOOPED, "x86_64");
    static const struct {
        size_t at;
        char byte;
        const char *message;
    } cases[] = {
        {0, 'X', "native code: not code made by 'qctl udf compile'"},
        {8, 0, "native code: not code made by 'qctl udf compile'"},
        {8, QD_BACKEND_BOUNDED, "native code: it was made without the checks by which this module can be stopped"},
        {16, '!', "native code: it was made from another module"},
        {80, 'z', "native code: it was made for z"},
        {96, 'X', "native code: it was made by X"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char before = good.native.p[cases[i].at];
        good.native.p[cases[i].at] = cases[i].byte;
        assert_int_equal(load(f, &good, true), QD_EUDF_COMPILE);
        assert_message_has(f, cases[i].message);
        assert_int_equal(load(f, &good, false), QD_OK);
        assert_int_equal(status_of(f).source, QD_SOURCE_COMPILED);
        good.native.p[cases[i].at] = before;
    }
    made swapped = {.wasm = good.wasm, .wasm_n = good.wasm_n, .native = other.native};
    assert_int_equal(load(f, &swapped, true), QD_EUDF_COMPILE);
    assert_message_has(f, "native code: it was made from another module (SHA-256 ");
    made *elsewhere = strcmp(qd_precompile_target_at(0), "x86_64") == 0 ? &foreign : &host;
    assert_int_equal(load(f, elsewhere, true), QD_EUDF_COMPILE);
    assert_message_has(f, "native code: it was made for aarch64, this node is x86_64");
    /* Even under a header that says otherwise, Wasmtime sees what it is. */
    memset(elsewhere->native.p + 80, 0, 16);
    memcpy(elsewhere->native.p + 80, "x86_64", 6);
    assert_int_equal(load(f, elsewhere, true), QD_EUDF_COMPILE);
    assert_message_has(f, "native code: ");
    good.native.n = 100;
    assert_int_equal(load(f, &good, true), QD_EUDF_COMPILE);
    unmake(&good);
    unmake(&other);
    unmake(&foreign);
    unmake(&host);
}

static void test_ahead_of_time__bad_requests__are_refused(void **state)
{
    (void)state;
    qd_buf out;
    qd_error err;
    qd_buf_init(&out, 1 << 20);
    assert_int_equal(qd_wasm_precompile((const uint8_t *)"\0asm\1\0\0\0", 8, NULL, NULL, "sparc", &out, &err),
                     QD_EINVAL);
    assert_string_equal(err.message, "the target 'sparc' is unknown: expected x86_64 or aarch64");
    assert_int_equal(qd_wasm_precompile((const uint8_t *)"hello", 5, NULL, NULL, NULL, &out, &err), QD_EUDF_WASM);
    assert_int_equal(out.n, 0);
    assert_string_equal(qd_precompile_target_at(1), "aarch64");
    assert_null(qd_precompile_target_at(2));
    qd_buf_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_engine, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_tiers__baseline_serves__optimized_replaces_it),
        TEST(test_tiers__outdated_instance__knows_and_is_not_kept),
        TEST(test_tiers__small_or_without_threads__optimized_at_once),
        TEST(test_tiers__dropped_meanwhile__code_goes_with_it),
        TEST(test_tiers__swap_under_use__every_result_is_right),
        TEST(test_tiers__features__what_inspection_accepts_compiles),
        TEST(test_module__same_bytes_again__has_the_code_and_a_life_of_its_own),
        TEST(test_module__made_and_dropped_by_many_threads__is_whole),
        TEST(test_tiers__code_limit__is_an_error_of_its_own),
        TEST(test_bounded__provably_short__has_no_checks_and_short_runs),
        TEST(test_bounded__canceled_in_a_lookup__ends_the_run),
        TEST(test_bounded__longer_paths__shorter_runs_until_checks),
        TEST(test_ahead_of_time__own_target__is_used),
        TEST(test_ahead_of_time__unfit__is_refused_or_compiled_anew),
        TEST(test_ahead_of_time__bad_requests__are_refused),
    };
    return cmocka_run_group_tests_name("wasm_tiers", tests, fixture_setup, fixture_teardown);
}
