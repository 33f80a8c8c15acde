/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that import other modules' functions. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "wasm/instance.h"

static qd_wasm_module *made[16];
static size_t n_made;

static int start(void **state)
{
    n_made = 0;
    return fixture_reset(state);
}

static int end(void **state)
{
    fixture_reset(state);
    for (size_t i = 0; i < n_made; i++)
        qd_wasm_module_unref(made[i]);
    n_made = 0;
    return 0;
}

static qd_status try_module(fixture *f, const char *wat, const qd_wasm_dependency *deps, size_t n, qd_wasm_module **out)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (qd_wasm_from_wat(qd_str_of(wat), &bytes, &size, &f->err))
        fail_msg("%s", f->err.message);
    const qd_wasm_module_options options = {.permissions = ALL_PERMISSIONS, .deps = deps, .n_deps = n};
    qd_status rc = qd_wasm_module_new(f->engine, bytes, size, &options, out, &f->err);
    free(bytes);
    return rc;
}

static qd_wasm_module *module(fixture *f, const char *wat, const qd_wasm_dependency *deps, size_t n)
{
    qd_wasm_module *m = NULL;
    if (try_module(f, wat, deps, n, &m))
        fail_msg("%s", f->err.message);
    return made[n_made++] = m;
}

static void use(fixture *f, qd_wasm_module *m, qd_wasm_shape shape)
{
    qd_wasm_module_ref(m);
    f->module = m;
    if (fixture_program(f, shape, NULL, "test@1.0.0") ||
        qd_instance_acquire(f->program, shape == QD_SHAPE_TYPED, &f->call, &f->instance, &f->err))
        fail_msg("%s", f->err.message);
}

/* A table of squares in its own memory, laid down by its start function; `calls` counts. */
#define SQUARES                                                                                                        \
    "(module (memory 1) (global $calls (mut i32) (i32.const 0))"                                                       \
    " (func $fill (local $i i32) (loop $l"                                                                             \
    "  (i32.store (i32.mul (local.get $i) (i32.const 4)) (i32.mul (local.get $i) (local.get $i)))"                     \
    "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"                                                          \
    "  (br_if $l (i32.lt_u (local.get $i) (i32.const 100)))))"                                                         \
    " (func (export \"square\") (param i32) (result i32)"                                                              \
    "  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))"                                                \
    "  (i32.load (i32.mul (local.get 0) (i32.const 4))))"                                                              \
    " (func (export \"calls\") (result i32) (global.get $calls))"                                                      \
    " (func (export \"wide\") (param v128)) (start $fill))"
#define HALF "(module (func (export \"half\") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2))))"

static void test_link__chain__computes_with_memories_apart(void **state)
{
    fixture *f = *state;
    qd_wasm_module *squares = module(f, SQUARES, NULL, 0), *half = module(f, HALF, NULL, 0);
    const qd_wasm_dependency below[] = {{QD_STR("squares"), squares}, {QD_STR("half"), half}};
    qd_wasm_module *middle = module(f,
                                    "(module (import \"squares\" \"square\" (func $s (param i32) (result i32)))"
                                    " (import \"half\" \"half\" (func $h (param f64) (result f64))) (memory 1)"
                                    " (func (export \"half_square\") (param i32) (result f64)"
                                    "  (call $h (f64.convert_i32_s (call $s (local.get 0))))))",
                                    below, 2);
    const qd_wasm_dependency deps[] = {{QD_STR("numbers"), middle}, {QD_STR("sq"), squares}};
    qd_wasm_module *top = module(f,
                                 "(module (import \"numbers\" \"half_square\" (func $hs (param i32) (result f64)))"
                                 " (import \"sq\" \"calls\" (func $calls (result i32)))"
                                 " (import \"env\" \"get_score\" (func $score (param i64) (result f64)))"
                                 " (memory (export \"memory\") 1)"
                                 " (data (i32.const 0) \"own memory\")"
                                 " (func (export \"f\") (param i64) (result f64) (f64.add (call $score (local.get 0))"
                                 "  (f64.add (call $hs (i32.const 10)) (f64.convert_i32_s (call $calls))))))",
                                 deps, 2);
    assert_string_equal(qd_wasm_module_import_name(top, 0), "numbers.half_square");
    assert_false(qd_wasm_module_is_bounded(top, NULL));
    qd_wasm_status s;
    qd_wasm_module_read_status(top, &s);
    assert_int_equal(s.tier, QD_TIER_OPTIMIZED);
    assert_true(s.has_epoch_checks);
    use(f, top, QD_SHAPE_ROW);
    assert_int_equal(fixture_run(f, 3), QD_OK);
    for (int row = 0; row < 3; row++) /* score + 50 + calls so far: `squares` is there once for both */
        assert_true(((const double *)qd_instance_results(f->instance))[row] == row / 4.0 + 50 + row + 1);
    assert_memory_equal(f->instance->memory_data, "own memory", 10);
    assert_int_equal(f->engine->n_stores, 4);
    qd_instance_release(f->instance);
    f->instance = NULL;
    assert_int_equal(f->engine->n_stores, 0);

    /* Nothing of the first is there for the second. */
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_true(*(const double *)qd_instance_results(f->instance) == 51);
}

static void test_link__trap_in_a_dependency__frames_name_their_modules(void **state)
{
    fixture *f = *state;
    qd_wasm_module *below = module(f,
                                   "(module $divisions (memory 3) (func $divide (export \"divide\") (param i32)"
                                   " (result i32) (i32.div_s (i32.const 1) (local.get 0))))",
                                   NULL, 0);
    const qd_wasm_dependency dep = {QD_STR("d"), below};
    qd_wasm_module *top = module(f,
                                 "(module $ranking (import \"d\" \"divide\" (func $d (param i32) (result i32)))"
                                 " (memory (export \"memory\") 1)"
                                 " (func $rank (export \"f\") (param i64) (result i32)"
                                 "  (call $d (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 48))))))",
                                 &dep, 1);
    use(f, top, QD_SHAPE_ROW);
    assert_int_equal(qd_instance_linear_bytes(f->instance), 4 * 65536); /* both */
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
    unsigned inner, outer;
    int end = 0;
    assert_int_equal(
        sscanf(f->err.stack,
               "divide (func 0, offset 0x%x, module divisions)\nrank (func 1, offset 0x%x, module ranking)%n", &inner,
               &outer, &end),
        2);
    assert_true(end > 0 && f->err.stack[end] == 0);
    assert_message_has(f, "trap: integer divide by zero at divide (func 0, offset 0x");
}

static void test_link__dependency_outlives_its_owner(void **state)
{
    fixture *f = *state;
    qd_wasm_module *half = NULL;
    assert_int_equal(try_module(f, HALF, NULL, 0, &half), QD_OK);
    const qd_wasm_dependency dep = {QD_STR("half"), half};
    qd_wasm_module *top = module(f,
                                 "(module (import \"half\" \"half\" (func $h (param f64) (result f64)))"
                                 " (func (export \"f\") (param f64) (result f64) (call $h (local.get 0))))",
                                 &dep, 1);
    qd_wasm_module_unref(half);
    use(f, top, QD_SHAPE_TYPED);
    *(double *)qd_instance_column(f->instance, 0) = 9;
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_true(*(const double *)qd_instance_results(f->instance) == 4.5);
}

static void test_link__unfit__is_refused(void **state)
{
    fixture *f = *state;
    qd_wasm_module *squares = module(f, SQUARES, NULL, 0), *out = NULL;
    qd_wasm_module *host = module(f,
                                  "(module (import \"env\" \"get_score\" (func (param i64) (result f64)))"
                                  " (func (export \"x\")))",
                                  NULL, 0);
    const struct {
        const char *name;
        qd_wasm_module *module;
        const char *import, *message;
    } cases[] = {
        {"sq", squares, "(import \"sq\" \"cube\" (func))",
         "import 'sq.cube': the dependency 'sq' exports no such function"},
        {"sq", squares, "(import \"sq\" \"square\" (global i32))",
         "import 'sq.square': the dependency 'sq' exports no such function"},
        {"sq", squares, "(import \"sq\" \"square\" (func (param f64) (result i32)))",
         "import 'sq.square' has the signature (f64) -> i32; the dependency has (i32) -> i32"},
        {"sq", squares, "(import \"sq\" \"wide\" (func (param v128)))",
         "import 'sq.wide' has the signature (another type); between functions only numbers pass"},
        {"sq", squares, "(import \"cubes\" \"cube\" (func))", "import 'cubes.cube' is unknown"},
        {"env", squares, "", "dependency 'env': that name stands for the host's functions"},
        {"uses_host", host, "",
         "dependency 'uses_host' imports 'env.get_score': a function that others import can use no host functions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wat[300];
        const qd_wasm_dependency dep = {qd_str_of(cases[i].name), cases[i].module};
        snprintf(wat, sizeof wat, "(module %s (func (export \"f\") (param i64) (result f64) (f64.const 1)))",
                 cases[i].import);
        assert_int_equal(try_module(f, wat, &dep, 1, &out), QD_EUDF_COMPILE);
        assert_message_has(f, cases[i].message);
        assert_null(out);
    }
}

static void test_link__more_than_eight_in_all__is_refused(void **state)
{
    fixture *f = *state;
    qd_wasm_module *last = module(f, "(module (func (export \"f\") (param i64) (result f64) (f64.const 1)))", NULL, 0);
    for (int depth = 1; depth <= QD_WASM_MAX_DEPENDENCIES; depth++) {
        const qd_wasm_dependency dep = {QD_STR("below"), last};
        last = module(f,
                      "(module (import \"below\" \"f\" (func $f (param i64) (result f64)))"
                      " (func (export \"f\") (param i64) (result f64)"
                      "  (f64.add (f64.const 1) (call $f (local.get 0)))))",
                      &dep, 1);
    }
    use(f, last, QD_SHAPE_ROW);
    assert_int_equal(fixture_run(f, 2), QD_OK);
    assert_true(((const double *)qd_instance_results(f->instance))[1] == 1 + QD_WASM_MAX_DEPENDENCIES);
    const qd_wasm_dependency dep = {QD_STR("below"), last};
    qd_wasm_module *out = NULL;
    assert_int_equal(try_module(f, "(module)", &dep, 1, &out), QD_EUDF_COMPILE);
    assert_string_equal(f->err.message, "the module needs more than 8 other modules, with those that they need");
}

static void test_link__limits__count_dependencies(void **state)
{
    fixture *f = *state;
    qd_wasm_module *big = module(f, "(module (memory 200) (func (export \"x\")))", NULL, 0);
    const qd_wasm_dependency dep = {QD_STR("big"), big};
    f->module =
        module(f, "(module (memory 100) (func (export \"f\") (param i64) (result f64) (f64.const 1)))", &dep, 1);
    qd_wasm_module_ref(f->module);
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_EUDF_MEMORY);
    assert_message_has(f, "starts with 19200 KiB of linear memory in its dependencies and itself; the limit is 16384");
}

/* "eat" grows its memory and its table by as much as it gets, one at a time, and tells how much that is. */
#define EATER                                                                                                          \
    "(module (memory 1) (table $t 1 funcref)"                                                                          \
    " (func (export \"eat\") (result i32) (local $n i32)"                                                              \
    "  (loop $l (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1))"                                               \
    "   (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $l))))"                                        \
    "  (local.get $n))"                                                                                                \
    " (func (export \"seat\") (result i32) (table.grow $t (ref.null func) (i32.const 90))))"

static void test_link__growth__is_one_budget(void **state)
{
    fixture *f = *state;
    qd_wasm_module *first = module(f, EATER, NULL, 0), *second = module(f, EATER "\n;; as the first", NULL, 0);
    const qd_wasm_dependency deps[] = {{QD_STR("first"), first}, {QD_STR("second"), second}};
    f->module = module(f,
                       "(module (import \"first\" \"eat\" (func $eat (result i32)))"
                       " (import \"first\" \"seat\" (func $seat (result i32)))"
                       " (import \"second\" \"eat\" (func $eat2 (result i32)))"
                       " (import \"second\" \"seat\" (func $seat2 (result i32)))"
                       " (memory (export \"memory\") 3) (table 1 funcref)"
                       " (func (export \"f\") (param i32) (result i32)"
                       "  (if (i32.eq (local.get 0) (i32.const 1)) (then (return (call $eat))))"
                       "  (if (i32.eq (local.get 0) (i32.const 2)) (then (return (call $eat2))))"
                       "  (if (i32.eq (local.get 0) (i32.const 3)) (then (return (memory.grow (i32.const 1)))))"
                       "  (if (i32.eq (local.get 0) (i32.const 4)) (then (return (call $seat))))"
                       "  (if (i32.eq (local.get 0) (i32.const 5)) (then (return (call $seat2))))"
                       "  (drop (memory.grow (i32.const 1))) unreachable))",
                       deps, 2);
    qd_wasm_module_ref(f->module);
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.memory_bytes = 20 << 16;
    limits.table_elements = 100;
    assert_int_equal(fixture_program(f, QD_SHAPE_TYPED, &limits, "test@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &f->instance, &f->err), QD_OK);
    static const int32_t what[] = {1, 2, 3, 4, 5}, expected[] = {15, 0, -1, 1, -1};
    memcpy(qd_instance_column(f->instance, 0), what, sizeof what);
    assert_int_equal(fixture_run(f, 5), QD_OK);
    assert_memory_equal(qd_instance_results(f->instance), expected, sizeof expected);
    assert_int_equal(f->instance->budget.used_bytes, limits.memory_bytes);
    assert_int_equal(f->instance->budget.used_elements, 93);

    *(int32_t *)qd_instance_column(f->instance, 0) = 6;
    assert_int_equal(fixture_run(f, 1), QD_EUDF_MEMORY);
    assert_message_has(f, "trap: unreachable executed with 1280 KiB of linear memory in use by the function and its "
                          "dependencies, of 1280 KiB allowed (limits.memory_bytes) at f (func 4");
}

static void test_link__tables_at_start__are_counted_together(void **state)
{
    fixture *f = *state;
    qd_wasm_module *big = module(f, "(module (table 6000 funcref) (func (export \"x\")))", NULL, 0);
    const qd_wasm_dependency dep = {QD_STR("big"), big};
    f->module = module(f, "(module (table 5000 funcref) (func (export \"f\") (param i64) (result f64) (f64.const 1)))",
                       &dep, 1);
    qd_wasm_module_ref(f->module);
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_EUDF_MEMORY);
    assert_string_equal(f->err.field, "table_elements");
    assert_message_has(f, "starts with tables of 11000 elements in its dependencies and itself; the limit is 10000");
}

static void test_link__dependency_traps_or_loops__is_stopped(void **state)
{
    fixture *f = *state;
    qd_wasm_module *bad = module(f,
                                 "(module (func (export \"trap\") unreachable)"
                                 " (func (export \"loop\") (loop $l (br $l))))",
                                 NULL, 0);
    const qd_wasm_dependency dep = {QD_STR("bad"), bad};
    static const struct {
        const char *name, *message;
        qd_status status;
    } cases[] = {{"trap", "trap: unreachable executed", QD_EUDF_FAILED},
                 {"loop", "ran longer than its limit of 100 ms", QD_EUDF_TIMEOUT}};
    for (size_t i = 0; i < 2; i++) {
        char wat[200];
        snprintf(wat, sizeof wat,
                 "(module (import \"bad\" \"%s\" (func $x))"
                 " (func (export \"f\") (param i64) (result f64) (call $x) (f64.const 1)))",
                 cases[i].name);
        use(f, module(f, wat, &dep, 1), QD_SHAPE_ROW);
        assert_int_equal(fixture_run(f, 1), cases[i].status);
        assert_message_has(f, cases[i].message);
        fixture_reset(state);
    }
    qd_wasm_module *start_loops = module(f, "(module (func $l (loop $x (br $x))) (start $l))", NULL, 0);
    const qd_wasm_dependency looping = {QD_STR("looping"), start_loops};
    f->module = module(f, "(module (func (export \"f\") (param i64) (result f64) (f64.const 1)))", &looping, 1);
    qd_wasm_module_ref(f->module);
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_EUDF_TIMEOUT);
    assert_int_equal(f->engine->n_stores, 0);
}

/* A dependency may be named and not used. Its place in the pool must come back too, however the instance goes. */
static void test_link__dependency_that_is_not_imported__gives_its_place_back(void **state)
{
    fixture *f = *state;
    const qd_wasm_dependency dep = {QD_STR("half"), module(f, HALF, NULL, 0)};
    qd_wasm_module *top = module(f, "(module (func (export \"f\") (param f64) (result f64) (local.get 0)))", &dep, 1);
    use(f, top, QD_SHAPE_TYPED);
    assert_int_equal(f->engine->n_stores, 2);
    fixture_reset(state);
    assert_int_equal(f->engine->n_idle, 0);
    assert_int_equal(f->engine->n_stores, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(test_link__chain__computes_with_memories_apart),
        TEST(test_link__trap_in_a_dependency__frames_name_their_modules),
        TEST(test_link__dependency_outlives_its_owner),
        TEST(test_link__unfit__is_refused),
        TEST(test_link__more_than_eight_in_all__is_refused),
        TEST(test_link__limits__count_dependencies),
        TEST(test_link__growth__is_one_budget),
        TEST(test_link__tables_at_start__are_counted_together),
        TEST(test_link__dependency_traps_or_loops__is_stopped),
        TEST(test_link__dependency_that_is_not_imported__gives_its_place_back),
    };
    return cmocka_run_group_tests_name("wasm_link", tests, fixture_setup, fixture_teardown);
}
