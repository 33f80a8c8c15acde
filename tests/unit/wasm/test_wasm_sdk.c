/* SPDX-License-Identifier: Apache-2.0
 *
 * What authors of functions include, in C, Rust and AssemblyScript: each wraps every host function, and what it wraps
 * works. The guests are one program in three languages. (sdk/go is run by the system tests: a Go module takes a
 * second to compile.) */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "wasm/host.h"

#define MAX_GUEST_BYTES (1u << 20)

static const struct {
    const char *sdk, *path;
} guests[] = {
#ifdef SDK_GUEST_C
    {"sdk/c/quidditch.h", SDK_GUEST_C},
#endif
#ifdef SDK_GUEST_RUST
    {"sdk/rust", SDK_GUEST_RUST},
#endif
#ifdef SDK_GUEST_ASSEMBLYSCRIPT
    {"sdk/assemblyscript", SDK_GUEST_ASSEMBLYSCRIPT},
#endif
};
#define N_GUESTS (sizeof guests / sizeof *guests)

static void load_guest(fixture *f, const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(MAX_GUEST_BYTES);
    assert_non_null(file);
    assert_non_null(bytes);
    size_t n = fread(bytes, 1, MAX_GUEST_BYTES, file);
    fclose(file);
    qd_status rc = qd_wasm_module_new(f->engine, bytes, n, &all_permissions, &f->module, &f->err);
    free(bytes);
    if (rc)
        fail_msg("%s: %s", path, f->err.message);
}

static bool imports(const fixture *f, const char *name)
{
    const char *import;
    for (size_t k = 0; (import = qd_wasm_module_import_name(f->module, k)); k++) {
        if (strcmp(import, name) == 0)
            return true;
    }
    return false;
}

static void test_sdk__wraps_every_host_function(void **state)
{
    fixture *f = *state;
    for (size_t g = 0; g < N_GUESTS; g++) {
        const qd_host_function *row;
        load_guest(f, guests[g].path);
        for (size_t i = 0; (row = qd_host_function_at(i)); i++) {
            char name[128];
            snprintf(name, sizeof name, "%s.%s", row->module, row->name);
            if (strcmp(row->module, "env") != 0 || strstr(name, "int64") || strstr(name, "float64"))
                continue; /* other names for get_field_i64 and get_field_f64 */
            if (!imports(f, name))
                fail_msg("%s, or the guest of this test, lacks %s", guests[g].sdk, name);
        }
        fixture_reset(state);
    }
}

static void run_row(fixture *f, const char *sdk)
{
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "sdk@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    if (fixture_run(f, 5))
        fail_msg("%s: %s", sdk, f->err.message);
    const double *out = qd_instance_results(f->instance);
    for (int row = 0; row < 5; row++) {
        double expected = 1.5 * row + 10 * row + (row & 1) + 2.5 + 42 + row + 1 + row / 4.0 + 4 + 3 + 10 + 3;
        if (out[row] != (row == 3 ? -1 : expected))
            fail_msg("%s: row %d has %g, expected %g", sdk, row, out[row], row == 3 ? -1 : expected);
    }
    const uint8_t *valid = qd_instance_result_valid(f->instance);
    assert_non_null(valid);
    for (int row = 0; row < 5; row++)
        assert_int_equal(valid[row], row != 4);
    assert_int_equal(f->n_logs, 1);
    assert_string_equal(f->last_log, "no price");
    assert_int_equal(f->last_level, 2);
}

static void test_sdk__guest_runs(void **state)
{
    fixture *f = *state;
    for (size_t g = 0; g < N_GUESTS; g++) {
        load_guest(f, guests[g].path);
        run_row(f, guests[g].sdk);
        fixture_reset(state);
    }
}

static void test_sdk__batch__reads_columns_and_validity(void **state)
{
    fixture *f = *state;
    static const qd_type params[] = {QD_F64, QD_F64};
    const qd_wasm_program_spec spec = {.export_name = QD_STR("batch"),
                                       .shape = QD_SHAPE_BATCH,
                                       .params = params,
                                       .n_params = 2,
                                       .result = QD_F64,
                                       .name = "sdk@1.0.0"};
    for (size_t g = 0; g < N_GUESTS; g++) {
        load_guest(f, guests[g].path);
        assert_int_equal(qd_wasm_program_new(f->module, &spec, &f->program, &f->err), QD_OK);
        if (qd_instance_acquire(f->program, 3, &f->call, &f->instance, &f->err))
            fail_msg("%s: %s", guests[g].sdk, f->err.message);
        double *relevance = qd_instance_column(f->instance, 0), *price = qd_instance_column(f->instance, 1);
        for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++) {
            relevance[row] = row;
            price[row] = 2.5;
        }
        qd_instance_column_valid(f->instance, 1)[7] = 0;
        if (fixture_run(f, QD_BLOCK_DOCS))
            fail_msg("%s: %s", guests[g].sdk, f->err.message);
        const double *out = qd_instance_results(f->instance);
        const uint8_t *valid = qd_instance_result_valid(f->instance);
        for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++) {
            if (valid[row] != (row != 7) || (row != 7 && out[row] != 2.5 * row))
                fail_msg("%s: row %u has %g, valid %d", guests[g].sdk, row, out[row], valid[row]);
        }
        fixture_reset(state);
    }
}

/* Rust's panic handler and AssemblyScript's abort say where; C has no such thing. */
static void test_sdk__guest_panics__says_where(void **state)
{
    fixture *f = *state;
    for (size_t g = 0; g < N_GUESTS; g++) {
        load_guest(f, guests[g].path);
        const qd_wasm_program_spec spec = {.export_name = QD_STR("panics"), .shape = QD_SHAPE_ROW, .name = "sdk@1.0.0"};
        if (strstr(guests[g].sdk, "sdk/c")) {
            assert_int_equal(qd_wasm_program_new(f->module, &spec, &f->program, &f->err), QD_EUDF_WASM);
        } else {
            assert_int_equal(qd_wasm_program_new(f->module, &spec, &f->program, &f->err), QD_OK);
            assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
            assert_int_equal(fixture_run(f, 6), QD_EUDF_FAILED);
            assert_int_equal(f->failure.row, strstr(guests[g].sdk, "rust") ? 4 : 2);
            assert_message_has(f, "it logged: '");
            assert_message_has(f, strstr(guests[g].sdk, "rust") ? "sdk_guest.rs:" : "Index out of range at ");
        }
        fixture_reset(state);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {TEST(test_sdk__wraps_every_host_function), TEST(test_sdk__guest_runs),
                                       TEST(test_sdk__batch__reads_columns_and_validity),
                                       TEST(test_sdk__guest_panics__says_where)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
