/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that do not end, eat memory or stack, or fail at their start. */
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOP_IN_ROW_3                                                                                                  \
    "(module (func $spin (export \"f\") (param i32) (result i32)"                                                      \
    " (loop $l (br_if $l (i32.eq (local.get 0) (i32.const 3)))) (local.get 0)))"

#define MS 1000000

/* That it ends, and not before its time, is tested here; how soon is measured elsewhere: on a machine that does other
 * things too, ticks come late. */
static void load_loop(fixture *f, uint32_t call_ms)
{
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.call_ms = call_ms;
    if (fixture_load(f, LOOP_IN_ROW_3, QD_SHAPE_TYPED, 1, &limits))
        fail_msg("%s", f->err.message);
    int32_t *a = qd_instance_column(f->instance, 0);
    for (int i = 0; i < 10; i++)
        a[i] = i;
}

static void test_endless_loop__ends_at_call_limit(void **state)
{
    fixture *f = *state;
    load_loop(f, 20);
    int64_t start = qd_clock_mono_ns();
    assert_int_equal(fixture_run(f, 10), QD_EUDF_TIMEOUT);
    assert_true(qd_clock_mono_ns() - start >= 19 * MS);
    assert_int_equal(f->failure.row, 3);
    assert_message_has(
        f, "ran longer than its limit of 20 ms for one document (limits.call_ms) at spin (func 0, offset 0x");
}

static void test_endless_loop__ends_at_query_deadline(void **state)
{
    fixture *f = *state;
    /* A busy machine may not come to run it before its deadline: then with a later one. */
    for (int64_t after = 10 * MS; f->failure.row != 3; after *= 4) {
        fixture_reset(state);
        load_loop(f, 600000);
        f->call.deadline_ns = qd_clock_mono_ns() + after;
        assert_int_equal(fixture_run(f, 10), QD_EUDF_TIMEOUT);
        assert_true(qd_clock_mono_ns() >= f->call.deadline_ns);
        assert_true(f->failure.row == 0 || f->failure.row == 3);
    }
    assert_message_has(f, "the query's deadline passed while the function ran at spin");
}

static void test_deadline_passed__nothing_runs(void **state)
{
    fixture *f = *state;
    load_loop(f, 100);
    f->call.deadline_ns = qd_clock_mono_ns() - 1;
    assert_int_equal(fixture_run(f, 1), QD_EUDF_TIMEOUT);
    assert_true(f->failure.is_set);
    assert_int_equal(f->failure.row, 0);
}

static void *cancel_soon(void *arg)
{
    fixture *f = arg;
    usleep(5000);
    __atomic_store_n(&f->canceled, true, __ATOMIC_RELAXED);
    return NULL;
}

static void test_canceled__ends_the_run(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    load_loop(f, 600000);
    int64_t start = qd_clock_mono_ns();
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, f), 0);
    qd_status rc = fixture_run(f, 10);
    pthread_join(thread, NULL);
    assert_int_equal(rc, QD_ECANCELED);
    assert_true(qd_clock_mono_ns() - start >= 5 * MS);
}

static void test_long_block_of_short_calls__passes_call_limit(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.call_ms = 10;
    /* Some 50 us per row, some 100 ms in all: no single document takes long. */
    assert_int_equal(fixture_load(f,
                                  "(module (func (export \"f\") (param i32) (result i32) (local $i i32)"
                                  " (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))"
                                  " (i32.const 50000)))) (local.get $i)))",
                                  QD_SHAPE_TYPED, 0, &limits),
                     QD_OK);
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
}

static void test_memory_bomb__grow_is_refused_and_the_trap_names_memory(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        fixture_load(f,
                     "(module (memory (export \"memory\") 1) (func (export \"f\") (param i32) (result i32)"
                     " (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable))",
                     QD_SHAPE_TYPED, 0, NULL),
        QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_MEMORY);
    assert_message_has(f, "trap: unreachable executed with 16384 KiB of linear memory in use, of 16384 KiB allowed "
                          "(limits.memory_bytes) at f (func 0");
}

static void test_memory_at_start__over_the_limit__is_refused(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.memory_bytes = 1 << 20;
    assert_int_equal(fixture_load(f,
                                  "(module (memory 17) (func (export \"f\") (param i64) (result i32) (i32.const 1)))",
                                  QD_SHAPE_ROW, 0, &limits),
                     QD_EUDF_MEMORY);
    assert_string_equal(
        f->err.message,
        "function 'test@1.0.0': starts with 1088 KiB of linear memory; the limit is 1024 KiB (limits.memory_bytes)");
    assert_string_equal(f->err.field, "memory_bytes");
}

static void test_table_at_start__over_the_limit__is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        fixture_load(f, "(module (table 10001 funcref) (func (export \"f\") (param i64) (result i32) (i32.const 1)))",
                     QD_SHAPE_ROW, 0, NULL),
        QD_EUDF_MEMORY);
    assert_string_equal(
        f->err.message,
        "function 'test@1.0.0': starts with a table of 10001 elements; the limit is 10000 (limits.table_elements)");
}

static void test_table_bomb__grow_is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  "(module (table $t 1 funcref) (func (export \"f\") (param i32) (result i32)"
                                  " (table.grow $t (ref.null func) (i32.const 10000))))",
                                  QD_SHAPE_TYPED, 0, NULL),
                     QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(*(const int32_t *)qd_instance_results(f->instance), -1);
}

static void test_tables_at_start__together_over_the_limit__are_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  "(module (table 6000 funcref) (table 4001 funcref)"
                                  " (func (export \"f\") (param i64) (result i32) (i32.const 1)))",
                                  QD_SHAPE_ROW, 0, NULL),
                     QD_EUDF_MEMORY);
    assert_string_equal(
        f->err.message,
        "function 'test@1.0.0': starts with a table of 10001 elements; the limit is 10000 (limits.table_elements)");
}

static void test_tables__grow_from_one_budget_and_the_trap_names_them(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  "(module (table $t 1 funcref) (table $u 1 funcref)"
                                  " (func (export \"f\") (param i32) (result i32)"
                                  " (drop (table.grow $t (ref.null func) (i32.const 6000)))"
                                  " (if (i32.eq (table.grow $u (ref.null func) (i32.const 6000)) (i32.const -1))"
                                  "  (then unreachable)) (i32.const 1)))",
                                  QD_SHAPE_TYPED, 0, NULL),
                     QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_MEMORY);
    assert_message_has(f, "trap: unreachable executed with 6002 table elements in use, of 10000 allowed "
                          "(limits.table_elements) at f (func 0");
}

/* Past its own maximum a memory does not grow either, and that costs nothing of the budget. */
static void test_memory__past_its_own_maximum__takes_nothing_of_the_budget(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.memory_bytes = 2 << 16;
    assert_int_equal(fixture_load(f,
                                  "(module (memory (export \"memory\") 1 2) (func (export \"f\") (param i32)"
                                  " (result i32) (drop (memory.grow (i32.const 2))) (memory.grow (i32.const 1))))",
                                  QD_SHAPE_TYPED, 0, &limits),
                     QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(*(const int32_t *)qd_instance_results(f->instance), 1);
}

static void test_small_memory_limit__leaves_room_for_the_driver(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.memory_bytes = 0;
    assert_int_equal(fixture_load(f,
                                  "(module (func (export \"f\") (param f64 f64 f64 f64) (result f64) (local.get 0)))",
                                  QD_SHAPE_TYPED, 15, &limits),
                     QD_OK);
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
}

static void test_stack_bomb__names_the_stack(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  "(module (func $r (export \"f\") (param i64) (result i32) (call $r (local.get 0))))",
                                  QD_SHAPE_ROW, 0, NULL),
                     QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_MEMORY);
    assert_message_has(f, "trap: call stack of 512 KiB exhausted at r (func 0, offset 0x");
    assert_message_has(f, ", …");
    assert_int_equal(f->failure.row, 0);
}

static void test_start_function__traps__acquire_fails(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  "(module (func $boot unreachable) (start $boot)"
                                  " (func (export \"f\") (param i64) (result i32) (i32.const 1)))",
                                  QD_SHAPE_ROW, 0, NULL),
                     QD_EUDF_FAILED);
    assert_message_has(f, "trap: unreachable executed at boot (func 0, offset 0x");
    assert_null(f->instance);
}

static void test_start_function__loops__acquire_times_out(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.call_ms = 10;
    int64_t start = qd_clock_mono_ns();
    assert_int_equal(fixture_load(f,
                                  "(module (func $boot (loop $l (br $l))) (start $boot)"
                                  " (func (export \"f\") (param i64) (result i32) (i32.const 1)))",
                                  QD_SHAPE_ROW, 0, &limits),
                     QD_EUDF_TIMEOUT);
    assert_true(qd_clock_mono_ns() - start >= 9 * MS);
}

static void test_initialize__runs_and_may_trap(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        fixture_load(f,
                     "(module (global $g (mut i32) (i32.const 0)) (func (export \"_initialize\") (global.set $g "
                     "(i32.const 5)))"
                     " (func (export \"f\") (param i64) (result i32) (global.get $g)))",
                     QD_SHAPE_ROW, 0, NULL),
        QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(*(const int32_t *)qd_instance_results(f->instance), 5);
    fixture_reset(state);
    assert_int_equal(
        fixture_load(f,
                     "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func $r (param i32 i32) (result i32)))"
                     " (memory (export \"memory\") 1) (global $g (mut i32) (i32.const -1))"
                     " (func (export \"_initialize\") (global.set $g (call $r (i32.const 0) (i32.const 8))))"
                     " (func (export \"f\") (param i64) (result i32)"
                     "  (i32.add (global.get $g) (i64.ne (i64.load (i32.const 0)) (i64.const 0)))))",
                     QD_SHAPE_ROW, 0, NULL),
        QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(*(const int32_t *)qd_instance_results(f->instance), 1); /* host functions see its memory */
    fixture_reset(state);
    assert_int_equal(fixture_load(f,
                                  "(module (memory 1) (func (export \"_initialize\") (drop (i32.load (i32.const -1))))"
                                  " (func (export \"f\") (param i64) (result i32) (i32.const 1)))",
                                  QD_SHAPE_ROW, 0, NULL),
                     QD_EUDF_FAILED);
    assert_message_has(f, "trap: memory access out of bounds at func 0, offset 0x");
}

static void test_hostile_function_names__stay_printable(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        fixture_load(f, "(module (func $\"a\\n\\1b[31m\\22\" (export \"f\") (param i64) (result i32) unreachable))",
                     QD_SHAPE_ROW, 0, NULL),
        QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
    assert_message_has(f, "trap: unreachable executed at a??[31m\" (func 0, offset");
}

static void test_instances__past_the_limit__are_busy(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_wasm_engine *shared = f->engine;
    options.max_live_instances = 2;
    assert_int_equal(qd_wasm_engine_new(&options, &f->engine, &f->err), QD_OK);
    assert_int_equal(fixture_load(f, "(module (memory 1) (func (export \"f\") (param f64) (result f64) (local.get 0)))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_OK);
    qd_instance *second = NULL, *third = NULL;
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &second, &f->err), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &third, &f->err), QD_EBUSY);
    assert_string_equal(f->err.message, "2 function calls are under way, which is the limit: try again later");
    qd_instance_release(second);
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &third, &f->err), QD_OK);
    qd_instance_release(third);
    qd_wasm_engine *own = f->engine;
    f->engine = shared;
    fixture_reset(state);
    qd_wasm_engine_free(own);
}

static void test_idle_instances__make_room_for_others(void **state)
{
    fixture *f = *state;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_wasm_engine *shared = f->engine;
    options.max_live_instances = 2;
    assert_int_equal(qd_wasm_engine_new(&options, &f->engine, &f->err), QD_OK);
    assert_int_equal(fixture_load(f, "(module (func (export \"f\") (param f64) (result f64) (local.get 0)))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_OK);
    qd_instance *second = NULL;
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &second, &f->err), QD_OK);
    qd_instance_release(second); /* idle, of the driver with a column */
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &second, &f->err), QD_OK);
    assert_int_equal(qd_instance_run(second, 5, NULL, &f->err), QD_OK);
    qd_instance_release(second);
    qd_wasm_engine *own = f->engine;
    f->engine = shared;
    fixture_reset(state);
    qd_wasm_engine_free(own);
}

typedef struct hammer {
    fixture *f;
    unsigned failures;
} hammer;

static void *run_and_trap(void *arg)
{
    hammer *h = arg;
    for (int round = 0; round < 200; round++) {
        qd_instance *i = NULL;
        qd_run_failure failure;
        qd_error err;
        if (qd_instance_acquire(h->f->program, 1, &h->f->call, &i, &err)) {
            h->failures++;
            continue;
        }
        int32_t *a = qd_instance_column(i, 0);
        for (int k = 0; k < 100; k++)
            a[k] = k == round % 100 && round % 3 == 0 ? 0 : 1;
        qd_status rc = qd_instance_run(i, 100, &failure, &err);
        if (round % 3 == 0)
            h->failures += rc != QD_EUDF_FAILED || failure.row != (uint32_t)round % 100;
        else
            h->failures += rc != QD_OK;
        qd_instance_release(i);
    }
    return NULL;
}

static void test_many_threads__run_and_trap_apart(void **state)
{
    fixture *f = *state;
    pthread_t threads[4];
    hammer hammers[4];
    static const char *const modules[] = {
        "(module (func (export \"f\") (param i32) (result i32) (i32.div_u (i32.const 7) (local.get 0))))",
        "(module (memory (export \"memory\") 2) (func (export \"f\") (param i32) (result i32)"
        " (i32.store (i32.const 9) (local.get 0)) (i32.div_u (i32.const 7) (i32.load (i32.const 9)))))",
    };
    for (int m = 0; m < 2; m++) {
        assert_int_equal(fixture_load(f, modules[m], QD_SHAPE_TYPED, 1, NULL), QD_OK);
        for (int t = 0; t < 4; t++) {
            hammers[t] = (hammer){.f = f};
            assert_int_equal(pthread_create(&threads[t], NULL, run_and_trap, &hammers[t]), 0);
        }
        for (int t = 0; t < 4; t++) {
            pthread_join(threads[t], NULL);
            assert_int_equal(hammers[t].failures, 0);
        }
        fixture_reset(state);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_endless_loop__ends_at_call_limit),
        TEST(test_endless_loop__ends_at_query_deadline),
        TEST(test_deadline_passed__nothing_runs),
        TEST(test_canceled__ends_the_run),
        TEST(test_long_block_of_short_calls__passes_call_limit),
        TEST(test_memory_bomb__grow_is_refused_and_the_trap_names_memory),
        TEST(test_memory_at_start__over_the_limit__is_refused),
        TEST(test_table_at_start__over_the_limit__is_refused),
        TEST(test_table_bomb__grow_is_refused),
        TEST(test_tables_at_start__together_over_the_limit__are_refused),
        TEST(test_tables__grow_from_one_budget_and_the_trap_names_them),
        TEST(test_memory__past_its_own_maximum__takes_nothing_of_the_budget),
        TEST(test_small_memory_limit__leaves_room_for_the_driver),
        TEST(test_stack_bomb__names_the_stack),
        TEST(test_start_function__traps__acquire_fails),
        TEST(test_start_function__loops__acquire_times_out),
        TEST(test_initialize__runs_and_may_trap),
        TEST(test_hostile_function_names__stay_printable),
        TEST(test_instances__past_the_limit__are_busy),
        TEST(test_idle_instances__make_room_for_others),
        TEST(test_many_threads__run_and_trap_apart),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
