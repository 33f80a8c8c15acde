/* SPDX-License-Identifier: Apache-2.0
 *
 * Engines, the text format, the epoch clock, generated drivers. */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "wasm/clock.h"
#include "wasm/driver.h"
#include "wasm/engine_impl.h"

static void test_engine__bad_options__are_refused(void **state)
{
    (void)state;
    qd_wasm_engine *e = NULL;
    qd_error err;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.max_live_instances = 0;
    assert_int_equal(qd_wasm_engine_new(&options, &e, &err), QD_EINVAL);
    assert_string_equal(err.message,
                        "engine options: max_live_instances must be 1 to 8192 and max_stack_bytes 16 KiB to 4 MiB");
    assert_null(e);
    qd_wasm_engine_free(NULL);
}

static void test_engine__several_at_once_and_freed_in_any_order(void **state)
{
    (void)state;
    qd_wasm_engine *a = NULL, *b = NULL;
    qd_wasm_module *m = NULL;
    qd_error err;
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_int_equal(qd_wasm_engine_new(NULL, &a, &err), QD_OK);
    assert_int_equal(qd_wasm_engine_new(NULL, &b, &err), QD_OK);
    assert_int_equal(qd_wasm_from_wat(QD_STR("(module)"), &bytes, &n, &err), QD_OK);
    assert_int_equal(qd_wasm_module_new(a, bytes, n, &no_permissions, &m, &err), QD_OK);
    free(bytes);
    qd_wasm_engine_free(a); /* the module holds it */
    qd_wasm_engine_free(b);
    assert_int_equal(qd_wasm_module_memory_pages(m), 0);
    qd_wasm_module_unref(m);
}

static void test_wat__error__has_line_and_column(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(qd_wasm_from_wat(QD_STR("(module\n  (func (export \"f\") (i32.cnst 1)))"), &bytes, &n, &err),
                     QD_EUDF_WASM);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 23);
    assert_string_equal(err.message, "WAT: unknown operator or unexpected token at line 2, column 23");
    assert_null(bytes);
    assert_int_equal(qd_wasm_from_wat(QD_STR("\xff\xfe"), &bytes, &n, &err), QD_EUDF_WASM);
    assert_int_equal(qd_wasm_from_wat(QD_STR(""), &bytes, &n, &err), QD_EUDF_WASM);
    assert_null(bytes);
}

static void test_wat__deep_nesting__is_refused(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t n = 0, depth = 200000;
    qd_error err = QD_ERROR_INIT;
    char *wat = malloc(depth);
    memset(wat, '(', depth);
    assert_int_equal(qd_wasm_from_wat((qd_str){wat, depth}, &bytes, &n, &err), QD_EUDF_WASM);
    free(wat);
}

static void test_clock__ticks_while_running_and_sleeps_after(void **state)
{
    fixture *f = *state;
    qd_epoch_clock *c = &f->engine->clock;
    while (!atomic_load(&c->is_asleep))
        usleep(1000);
    qd_epoch_clock_enter(c);
    while (atomic_load(&c->is_asleep))
        usleep(1000);
    usleep(300000); /* longer than it lingers */
    assert_false(atomic_load(&c->is_asleep));
    qd_epoch_clock_leave(c);
    while (!atomic_load(&c->is_asleep))
        usleep(1000);
}

static void test_driver__layout__columns_are_apart_and_inside(void **state)
{
    (void)state;
    qd_wasm_signature s = {.n_params = 4, .n_results = 1, .result = QD_WASM_F32};
    const qd_wasm_valtype types[] = {QD_WASM_I32, QD_WASM_F64, QD_WASM_I64, QD_WASM_F32};
    memcpy(s.params, types, sizeof types);
    qd_driver_spec spec = {.shape = QD_SHAPE_TYPED, .varying = 0xb, .signature = &s};
    qd_driver d = {0};
    qd_buf code;
    qd_buf_init(&code, 65536);
    assert_true(qd_driver_generate(&spec, &d, &code));
    assert_true(d.results >= QD_DRIVER_CELL_CONSTANTS + 8 * QD_WASM_MAX_PARAMS);
    assert_true(d.columns[0] >= d.results + 4 * QD_BLOCK_DOCS);
    assert_true(d.columns[1] >= d.columns[0] + 4 * QD_BLOCK_DOCS);
    assert_int_equal(d.columns[2], 0);
    assert_true(d.columns[3] >= d.columns[1] + 8 * QD_BLOCK_DOCS);
    assert_true(d.memory_bytes >= d.columns[3] + 4 * QD_BLOCK_DOCS);
    assert_int_equal(d.columns[1] % 8, 0);
    qd_buf_deinit(&code);
}

static void test_driver_cache__many_kinds__stays_bounded_and_right(void **state)
{
    fixture *f = *state;
    qd_driver_cache *c = qd_driver_cache_new(&f->engine->backends[QD_BACKEND_OPTIMIZED]);
    qd_wasm_signature s = {.n_params = 11, .n_results = 1, .result = QD_WASM_I32};
    qd_driver *first = NULL, *d = NULL;
    qd_driver_spec spec = {.shape = QD_SHAPE_TYPED, .varying = 0, .signature = &s};
    assert_int_equal(qd_driver_cache_get(c, &spec, &first, &f->err), QD_OK);
    assert_int_equal(qd_driver_cache_get(c, &spec, &d, &f->err), QD_OK);
    assert_ptr_equal(first, d);
    qd_driver_cache_put(c, d);
    for (spec.varying = 1; spec.varying < 1100;
         spec.varying++) { /* more than it keeps; `first` is in use all the while */
        assert_int_equal(qd_driver_cache_get(c, &spec, &d, &f->err), QD_OK);
        qd_driver_cache_put(c, d);
    }
    spec.varying = 0;
    assert_int_equal(qd_driver_cache_get(c, &spec, &d, &f->err), QD_OK);
    assert_ptr_not_equal(first, d); /* it was the oldest */
    qd_driver_cache_put(c, d);
    qd_driver_cache_put(c, first);
    qd_driver_cache_free(c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_engine__bad_options__are_refused),
        TEST(test_engine__several_at_once_and_freed_in_any_order),
        TEST(test_wat__error__has_line_and_column),
        TEST(test_wat__deep_nesting__is_refused),
        TEST(test_clock__ticks_while_running_and_sleeps_after),
        TEST(test_driver__layout__columns_are_apart_and_inside),
        TEST(test_driver_cache__many_kinds__stays_bounded_and_right),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
