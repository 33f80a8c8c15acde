/* SPDX-License-Identifier: Apache-2.0
 *
 * The C header for authors of functions: it wraps every host function, and what it wraps works. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "wasm/host.h"

static void load_guest(fixture *f)
{
    FILE *file = fopen(SDK_GUEST, "rb");
    uint8_t *bytes = malloc(1 << 20);
    assert_non_null(file);
    assert_non_null(bytes);
    size_t n = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    qd_status rc = qd_wasm_module_new(f->engine, bytes, n, &all_permissions, &f->module, &f->err);
    free(bytes);
    if (rc)
        fail_msg("%s", f->err.message);
}

static void test_sdk__wraps_every_host_function(void **state)
{
    fixture *f = *state;
    load_guest(f);
    const qd_host_function *row;
    for (size_t i = 0; (row = qd_host_function_at(i)); i++) {
        char name[128];
        const char *import;
        snprintf(name, sizeof name, "%s.%s", row->module, row->name);
        if (strcmp(row->module, "env") != 0 || strstr(name, "int64") || strstr(name, "float64"))
            continue; /* other names for get_field_i64 and get_field_f64 */
        size_t k = 0;
        while ((import = qd_wasm_module_import_name(f->module, k)) && strcmp(import, name) != 0)
            k++;
        if (!import)
            fail_msg("sdk/c/quidditch.h, or the guest of this test, lacks %s", name);
    }
}

static void test_sdk__guest_runs(void **state)
{
    fixture *f = *state;
    load_guest(f);
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "sdk@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    if (fixture_run(f, 5))
        fail_msg("%s", f->err.message);
    const double *out = qd_instance_results(f->instance);
    for (int row = 0; row < 5; row++) {
        double expected = 1.5 * row + 10 * row + (row & 1) + 2.5 + 42 + row + 1 + row / 4.0 + 4 + 3 + 10 + 3;
        assert_true(out[row] == (row == 3 ? -1 : expected));
    }
    const uint8_t *valid = qd_instance_result_valid(f->instance);
    assert_non_null(valid);
    for (int row = 0; row < 5; row++)
        assert_int_equal(valid[row], row != 4);
    assert_int_equal(f->n_logs, 1);
    assert_string_equal(f->last_log, "no price");
    assert_int_equal(f->last_level, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {TEST(test_sdk__wraps_every_host_function), TEST(test_sdk__guest_runs)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
