/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { PRICE, STOCK, FLAG, NAME, EXTRA, HUGE_VALUE, UNKNOWN };
static const char *const names[] = {"price", "stock", "flag", "name", "extra", "huge"};

static int resolve(void *arg, qd_str path)
{
    const fixture *f = arg;
    if (qd_str_is(path, "one.too.many"))
        return -1;
    for (int i = 0; i < UNKNOWN; i++)
        if (qd_str_is(path, names[i]))
            return i;
    return f->has_a_slot_per_name ? UNKNOWN + (int)path.n : UNKNOWN;
}

static bool value_at(int slot, uint32_t row, char text[32], qd_value *out)
{
    switch (slot) {
    case PRICE:
        *out = (qd_value){.type = QD_F64, .as.f = 1.5 * row};
        return row % 7 != 3;
    case STOCK:
        *out = (qd_value){.type = QD_I64, .as.i = 10 * (int64_t)row};
        return true;
    case FLAG:
        *out = (qd_value){.type = QD_BOOL, .as.b = row & 1};
        return true;
    case NAME:
        snprintf(text, 32, "doc%u", row);
        *out = (qd_value){.type = QD_STRING, .as.s = qd_str_of(text)};
        return true;
    case EXTRA:
        *out = (qd_value){.type = QD_I64, .as.i = 1000 + (int64_t)row};
        return true;
    case HUGE_VALUE:
        *out = (qd_value){.type = QD_F64, .as.f = 1e300};
        return true;
    default:
        return false;
    }
}

static bool block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    fixture *f = arg;
    qd_value v;
    char text[32];
    if (slot != PRICE && slot != HUGE_VALUE)
        return false;
    f->n_blocks++;
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++) {
        valid[row] = value_at(slot, row, text, &v);
        out[row] = valid[row] ? v.as.f : 0;
    }
    *all_valid = slot == HUGE_VALUE;
    return true;
}

static bool block_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    fixture *f = arg;
    if (slot != STOCK && slot != FLAG)
        return false;
    f->n_blocks++;
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++) {
        out[row] = slot == STOCK ? 10 * (int64_t)row : row & 1;
        valid[row] = 1;
    }
    *all_valid = true;
    return true;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    static char text[32];
    ((fixture *)arg)->n_values++;
    return value_at(slot, row, text, out);
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    static char text[32];
    (void)arg;
    snprintf(text, sizeof text, "id%u", row);
    *out = qd_str_of(text);
    return row != 5;
}

static int param(void *arg, qd_str name, uint32_t row, qd_value *out)
{
    (void)arg;
    if (qd_str_is(name, "target"))
        *out = (qd_value){.type = QD_STRING, .as.s = QD_STR("postgresql")};
    else if (qd_str_is(name, "boost"))
        *out = (qd_value){.type = QD_F64, .as.f = 2.5};
    else if (qd_str_is(name, "limit"))
        *out = (qd_value){.type = QD_I64, .as.i = 42 + (int64_t)row};
    else if (qd_str_is(name, "fuzzy"))
        *out = (qd_value){.type = QD_BOOL, .as.b = true};
    else
        return 1;
    return 0;
}

static void log_message(void *arg, int level, qd_str message)
{
    fixture *f = arg;
    f->n_logs++;
    f->log_bytes += message.n;
    f->last_level = level;
    snprintf(f->last_log, sizeof f->last_log, "%.*s", QD_STR_FMT(message));
}

int fixture_reset(void **state)
{
    fixture *f = *state;
    qd_wasm_engine *engine = f->engine;
    qd_instance_release(f->instance);
    qd_wasm_program_unref(f->program);
    qd_wasm_module_unref(f->module);
    memset(f, 0, sizeof *f);
    f->engine = engine;
    f->docs = (qd_doc_source){
        .arg = f, .resolve = resolve, .block_f64 = block_f64, .block_i64 = block_i64, .value = value, .id = id};
    for (uint32_t i = 0; i < QD_BLOCK_DOCS; i++)
        f->scores[i] = (float)i / 4;
    f->call = (qd_call){.docs = &f->docs,
                        .scores = f->scores,
                        .param = param,
                        .param_arg = f,
                        .log = log_message,
                        .log_arg = f,
                        .deadline_ns = INT64_MAX,
                        .canceled = &f->canceled};
    return 0;
}

int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    assert_non_null(f);
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    options.has_baseline_only = getenv("QD_TEST_BASELINE");
    if (qd_wasm_engine_new(&options, &f->engine, &f->err))
        fail_msg("%s", f->err.message);
    return fixture_reset(state);
}

int fixture_teardown(void **state)
{
    fixture *f = *state;
    fixture_reset(state);
    qd_wasm_engine_free(f->engine);
    free(f);
    return 0;
}

static qd_status give_entry(void *arg, const qd_wasm_module *m, qd_wasm_entry *out, qd_error *err)
{
    const fixture *f = arg;
    (void)m, (void)err;
    *out = f->entry;
    return QD_OK;
}

qd_status fixture_compile(fixture *f, const char *wat, uint32_t permissions)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (qd_wasm_from_wat(qd_str_of(wat), &bytes, &n, &f->err))
        fail_msg("%s", f->err.message);
    const qd_wasm_module_options options = {
        .permissions = permissions, .entry = f->is_joined ? give_entry : NULL, .entry_arg = f};
    qd_status rc = qd_wasm_module_new(f->engine, bytes, n, &options, &f->module, &f->err);
    free(bytes);
    return rc;
}

qd_status fixture_program(fixture *f, qd_wasm_shape shape, const qd_wasm_limits *limits, const char *name)
{
    const qd_wasm_program_spec spec = {.export_name = QD_STR("f"), .shape = shape, .limits = limits, .name = name};
    return qd_wasm_program_new(f->module, &spec, &f->program, &f->err);
}

qd_status fixture_load(fixture *f, const char *wat, qd_wasm_shape shape, uint64_t varying, const qd_wasm_limits *limits)
{
    f->is_joined = getenv("QD_TEST_JOINED");
    f->entry = (qd_wasm_entry){.export_name = QD_STR("f"), .shape = shape, .varying = varying};
    qd_status rc = fixture_compile(f, wat, ALL_PERMISSIONS);
    if (!rc)
        rc = fixture_program(f, shape, limits, "test@1.0.0");
    if (!rc)
        rc = qd_instance_acquire(f->program, varying, &f->call, &f->instance, &f->err);
    return rc;
}

void fixture_row(fixture *f, const char *wat)
{
    if (fixture_load(f, wat, QD_SHAPE_ROW, 0, NULL))
        fail_msg("%s", f->err.message);
}

qd_status fixture_run(fixture *f, uint32_t n)
{
    return qd_instance_run(f->instance, n, &f->failure, &f->err);
}

void assert_message_has(const fixture *f, const char *part)
{
    if (!strstr(f->err.message, part))
        fail_msg("the message has no \"%s\": %s", part, f->err.message);
}
