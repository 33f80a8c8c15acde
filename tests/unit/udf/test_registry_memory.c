/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry out of memory: what fails has changed nothing, for readers and in the store, and works the next time. */
#include <stdio.h>

#include "../failing_alloc.h"
#include "registry_fixture.h"

/* ---- before: f@1.0.0, and f@1.1.0, which is active ---- */

static void begin(void)
{
    options = (qd_registry_options)QD_REGISTRY_OPTIONS_INIT;
    fake_kv_init(&kv);
    open_registry();
    add_version("f", "1.0.0", 1);
    add_version("f", "1.1.0", 2);
}

static void begin_unloaded(void)
{
    begin();
    reopen();
}

static void begin_closed(void)
{
    begin();
    qd_registry_close(registry);
    registry = NULL;
}

static void end(void)
{
    qd_registry_close(registry);
    registry = NULL;
    fake_kv_deinit(&kv);
}

/* Now, and as it is read again. */
static void expect(const char *version, const char *label)
{
    for (int i = 0; i < 2; i++) {
        assert_string_equal(label_of("f", version), label);
        reopen();
    }
}

static void end_as_before(qd_status st)
{
    (void)st;
    if (!registry)
        open_registry();
    expect("", "f@1.1.0");
    expect("1.0.0", "f@1.0.0");
    assert_int_equal(qd_registry_count(registry), 2);
    end();
}

/* ---- changes ---- */

static json_t *manifest;
static uint8_t *wasm;
static size_t wasm_size;

static void begin_registering(void)
{
    begin();
    manifest = json_of("{\"name\":\"f\",\"version\":\"2.0.0\",\"description\":\"a third\",\"tags\":[\"x\",\"y\"],"
                       "\"limits\":{\"call_ms\":20},\"custom\":{\"a\":[1,{\"b\":null}]}}");
    wasm = wat_bytes("(module (func (export \"filter\") (result f64) f64.const 3))", &wasm_size);
}

static qd_status register_one(qd_error *err)
{
    const qd_registration reg = {
        .manifest = manifest, .wasm = wasm, .wasm_size = wasm_size, .who = {QD_STR("ann"), QD_STR("10.0.0.7")}};
    qd_registered result;
    qd_udf *u = NULL;
    qd_status st = qd_registry_register(registry, &reg, &u, &result, err);
    qd_udf_unref(u);
    return st;
}

static void end_registering(qd_status st)
{
    qd_error err = QD_ERROR_INIT;
    if (st != QD_OK) {
        expect("", "f@1.1.0");
        assert_int_equal(qd_registry_count(registry), 2);
        st = register_one(&err);
        assert_status_ok(st, &err);
    }
    expect("", "f@2.0.0");
    assert_int_equal(qd_registry_count(registry), 3);
    json_decref(manifest);
    free(wasm);
    end();
}

static qd_status activate(qd_error *err)
{
    qd_alias_move move;
    return qd_registry_activate(registry, QD_STR("f"), QD_STR("~1.0"), NULL, &move, err);
}

static qd_status rollback(qd_error *err)
{
    qd_alias_move move;
    return qd_registry_rollback(registry, QD_STR("f"), (qd_str){0}, NULL, &move, err);
}

static qd_status remove_active(qd_error *err)
{
    return qd_registry_remove(registry, QD_STR("f"), QD_STR("1.1.0"), NULL, NULL, err);
}

static void end_moving(qd_status st)
{
    expect("", st == QD_OK ? "f@1.0.0" : "f@1.1.0");
    assert_int_equal(qd_registry_count(registry), 2);
    end();
}

/* This store makes changes one by one, so the first may be made when a later one fails: nobody sees it before the next
 * start, which clears the rest away. */
static void end_removing(qd_status st)
{
    assert_int_equal(qd_registry_count(registry), st == QD_OK ? 1 : 2);
    assert_string_equal(label_of("f", ""), st == QD_OK ? "f@1.0.0" : "f@1.1.0");
    reopen();
    bool is_gone = qd_registry_count(registry) == 1;
    assert_true(is_gone || st != QD_OK);
    expect("", is_gone ? "f@1.0.0" : "f@1.1.0");
    assert_int_equal(keys_with("entry/"), is_gone ? 1 : 2);
    assert_int_equal(keys_with("module/"), is_gone ? 1 : 2);
    end();
}

/* ---- reading ---- */

static qd_status open_again(qd_error *err)
{
    qd_registry *r = NULL;
    qd_status st = qd_registry_open(&kv.kv, engine, &options, NULL, NULL, &r, err);
    if (st == QD_OK)
        assert_int_equal(qd_registry_count(r), 2);
    qd_registry_close(r);
    return st;
}

static qd_status get(qd_error *err)
{
    qd_udf *u = NULL;
    qd_status st = qd_registry_get_spec(registry, QD_STR("f@^1.0"), &u, err);
    if (st == QD_OK)
        assert_string_equal(u->label, "f@1.1.0");
    qd_udf_unref(u);
    return st;
}

static qd_status get_many(qd_error *err)
{
    qd_udf_want wants[] = {{.name = QD_STR("f@1.0.0")}, {.name = QD_STR("f")}, {.name = QD_STR("f@1.1.0")}};
    size_t failed = 0;
    qd_status st = qd_registry_get_many(registry, wants, 3, &failed, err);
    for (size_t i = 0; i < 3; i++) {
        assert_true((wants[i].udf != NULL) == (st == QD_OK));
        qd_udf_unref(wants[i].udf);
    }
    return st;
}

/* ---- showing ---- */

static qd_status show_list(qd_json *w, qd_error *err)
{
    const qd_udf_filter filter = {.name = QD_STR("*"), .text = QD_STR("F"), .page = 1, .size = 10};
    return qd_registry_list(registry, &filter, w, err);
}

static qd_status show_one(qd_json *w, qd_error *err)
{
    return qd_registry_describe(registry, QD_STR("f"), QD_STR("1.0.0"), w, err);
}

static qd_status show_versions(qd_json *w, qd_error *err)
{
    return qd_registry_versions(registry, QD_STR("f"), w, err);
}

static qd_status show_history(qd_json *w, qd_error *err)
{
    return qd_registry_history(registry, QD_STR("f"), 1, 10, w, err);
}

static qd_status show_status(qd_json *w, qd_error *err)
{
    return qd_registry_status(registry, QD_STR("f"), (qd_str){0}, w, err);
}

/* An answer that is given is whole. */
static qd_status show(qd_status (*write)(qd_json *w, qd_error *err), qd_error *err)
{
    json_t *answer = NULL;
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = write(&w, err);
    failing_alloc_pause();
    if (st == QD_OK && out.failed)
        st = qd_fail_nomem(err);
    if (st == QD_OK) {
        qd_error why = QD_ERROR_INIT;
        assert_status_ok(qd_json_parse(qd_buf_str(&out), &answer, &why), &why);
        json_decref(answer);
    }
    failing_alloc_resume();
    qd_buf_deinit(&out);
    return st;
}

#define SHOW(what)                                                                                                     \
    static qd_status run_##what(qd_error *err)                                                                         \
    {                                                                                                                  \
        return show(what, err);                                                                                        \
    }
SHOW(show_list)
SHOW(show_one)
SHOW(show_versions)
SHOW(show_history)
SHOW(show_status)

static qd_status read_wasm(qd_error *err)
{
    char hash[QD_SHA256_HEX_SIZE];
    qd_buf out;
    qd_buf_init(&out, 1 << 20);
    qd_status st = qd_registry_wasm(registry, QD_STR("f"), QD_STR("1.0.0"), &out, hash, err);
    qd_buf_deinit(&out);
    return st;
}

static const memory_case CASES[] = {
    {"register", begin_registering, register_one, end_registering},
    {"activate", begin, activate, end_moving},
    {"rollback", begin, rollback, end_moving},
    {"remove", begin, remove_active, end_removing},
    {"open", begin_closed, open_again, end_as_before},
    {"get, loading the code", begin_unloaded, get, end_as_before},
    {"get many, loading the code", begin_unloaded, get_many, end_as_before},
    {"get many", begin, get_many, end_as_before},
    {"list", begin, run_show_list, end_as_before},
    {"describe", begin_unloaded, run_show_one, end_as_before},
    {"versions", begin, run_show_versions, end_as_before},
    {"history", begin, run_show_history, end_as_before},
    {"status", begin, run_show_status, end_as_before},
    {"wasm", begin_unloaded, read_wasm, end_as_before},
};

int main(void)
{
    return memory_cases_run(CASES, sizeof CASES / sizeof *CASES, group_setup, group_teardown);
}
