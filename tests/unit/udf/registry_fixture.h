/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the registry: one on a kv in memory that can fail, with functions whose result is a number. */
#ifndef QD_TEST_REGISTRY_FIXTURE_H
#define QD_TEST_REGISTRY_FIXTURE_H

#include "fake_kv.h"
#include "udf/registry.h"
#include "wat_udf.h"

#define UNUSED __attribute__((unused))

static qd_wasm_engine *engine;
static fake_kv kv;
static qd_registry *registry;
static qd_registry_options options;

static void open_registry(void)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_registry_open(&kv.kv, engine, &options, NULL, NULL, &registry, &err), &err);
}

/* As after kill -9: what the store took is there, whatever it refused after that is not. */
static UNUSED void reopen(void)
{
    qd_registry_close(registry);
    atomic_store(&kv.changes_left, -1);
    atomic_store(&kv.is_full, false);
    open_registry();
}

static UNUSED int setup(void **state)
{
    (void)state;
    options = (qd_registry_options)QD_REGISTRY_OPTIONS_INIT;
    fake_kv_init(&kv);
    open_registry();
    return 0;
}

static UNUSED int teardown(void **state)
{
    (void)state;
    qd_registry_close(registry);
    fake_kv_deinit(&kv);
    return 0;
}

static UNUSED int group_setup(void **state)
{
    const qd_wasm_engine_options engine_options = QD_WASM_ENGINE_OPTIONS_INIT;
    (void)state;
    return qd_wasm_engine_new(&engine_options, &engine, NULL);
}

static UNUSED int group_teardown(void **state)
{
    (void)state;
    qd_wasm_engine_free(engine);
    return 0;
}

/* Registers a manifest with a module that gives `number`. */
static UNUSED qd_status register_as(const char *manifest, int number, bool is_inactive, qd_registered *result,
                                    qd_error *err)
{
    char wat[160];
    qd_udf *u = NULL;
    qd_registered ignored;
    json_t *json = json_of(manifest);
    qd_registration reg = {.manifest = json, .is_inactive = is_inactive, .who = {QD_STR("ann"), QD_STR("10.0.0.7")}};
    snprintf(wat, sizeof wat, "(module (func (export \"filter\") (result f64) f64.const %d))", number);
    uint8_t *bytes = wat_bytes(wat, &reg.wasm_size);
    reg.wasm = bytes;
    qd_status st = qd_registry_register(registry, &reg, &u, result ? result : &ignored, err);
    qd_udf_unref(u);
    free(bytes);
    json_decref(json);
    return st;
}

static UNUSED qd_status try_version(const char *name, const char *version, int number, qd_error *err)
{
    char manifest[200];
    snprintf(manifest, sizeof manifest, "{\"name\":\"%s\",\"version\":\"%s\"}", name, version);
    return register_as(manifest, number, false, NULL, err);
}

static UNUSED void add_version(const char *name, const char *version, int number)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(try_version(name, version, number, &err), &err);
}

/* The label of what a name (and version) stands for now, or the error's message. */
static UNUSED const char *label_of(const char *name, const char *version)
{
    static char text[600];
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    qd_status st = qd_registry_get(registry, qd_str_of(name), qd_str_of(version), &u, &err);
    snprintf(text, sizeof text, "%s", st == QD_OK ? u->label : err.message);
    qd_udf_unref(u);
    return text;
}

static UNUSED bool count_key(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    (void)key, (void)value, (void)revision;
    ++*(int *)arg;
    return true;
}

static UNUSED int keys_with(const char *prefix)
{
    int n = 0;
    assert_int_equal(qd_kv_visit(&kv.kv, QD_STR("udf"), qd_str_of(prefix), count_key, &n, NULL), QD_OK);
    return n;
}

#endif
