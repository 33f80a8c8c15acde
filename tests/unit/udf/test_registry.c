/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "store/scratch_dir.h"
#include "udf/registry.h"
#include "wat_udf.h"

#define NONE ((qd_str){0})

static qd_wasm_engine *engine;
static scratch_dir dir;
static qd_kv *kv;
static qd_registry *registry;
static char last_log[512];

static void keep_log(void *arg, const char *line)
{
    (void)arg;
    snprintf(last_log, sizeof last_log, "%s", line);
}

static void open_all(const qd_registry_options *options)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_kv_lmdb_open(dir.path, (size_t)64 << 20, &kv, &err), &err);
    assert_status_ok(qd_registry_open(kv, engine, options, keep_log, NULL, &registry, &err), &err);
}

static void close_all(void)
{
    qd_registry_close(registry);
    qd_kv_close(kv);
    registry = NULL;
    kv = NULL;
}

static void reopen(void)
{
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    close_all();
    last_log[0] = 0;
    open_all(&options);
}

static int setup(void **state)
{
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    (void)state;
    scratch_dir_init(&dir);
    open_all(&options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_all();
    scratch_dir_deinit(&dir);
    return 0;
}

static int group_setup(void **state)
{
    const qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    (void)state;
    return qd_wasm_engine_new(&options, &engine, NULL);
}

static int group_teardown(void **state)
{
    (void)state;
    qd_wasm_engine_free(engine);
    return 0;
}

/* A module that differs by its number. */
static void make_wat(int number, char out[160])
{
    snprintf(out, 160, "(module (func (export \"filter\") (result f64) f64.const %d))", number);
}

static qd_status register_json(json_t *manifest, int number, bool *existed, qd_error *err)
{
    char wat[160];
    qd_udf *u = NULL;
    qd_registration reg = {.manifest = manifest};
    make_wat(number, wat);
    uint8_t *bytes = wat_bytes(wat, &reg.wasm_size);
    reg.wasm = bytes;
    qd_registered result;
    qd_status st = qd_registry_register(registry, &reg, &u, &result, err);
    if (st == QD_OK) {
        assert_non_null(u);
        *existed = result.existed;
    }
    qd_udf_unref(u);
    free(bytes);
    return st;
}

static qd_status try_register(const char *name, const char *version, int number, bool *existed, qd_error *err)
{
    json_t *manifest = json_pack("{s:s, s:s}", "name", name, "version", version);
    qd_status st = register_json(manifest, number, existed, err);
    json_decref(manifest);
    return st;
}

static void register_ok(const char *name, const char *version, int number)
{
    qd_error err = QD_ERROR_INIT;
    bool existed = true;
    assert_status_ok(try_register(name, version, number, &existed, &err), &err);
    assert_false(existed);
}

/* The label of what a name (and version) stands for now, or the error's message. */
static const char *label_of(const char *name, const char *version)
{
    static char text[600];
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    qd_status st = qd_registry_get(registry, qd_str_of(name), version ? qd_str_of(version) : NONE, &u, &err);
    snprintf(text, sizeof text, "%s", st == QD_OK ? u->label : err.message);
    qd_udf_unref(u);
    return text;
}

static void test_register__again__is_a_no_op_or_a_conflict(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    bool existed = false;
    register_ok("f", "1.0.0", 1);
    assert_status_ok(try_register("f", "1.0.0", 1, &existed, &err), &err);
    assert_true(existed);
    assert_int_equal(qd_registry_count(registry), 1);
    assert_failed_with(
        try_register("f", "1.0.0", 2, &existed, &err), &err, QD_EUDF_EXISTS,
        "function 'f' version 1.0.0 is registered with other bytes; a version never changes: use a new one");
    json_t *other = json_of("{\"version\":\"1.0.0\",\"name\":\"f\",\"author\":\"me\"}");
    assert_failed_with(
        register_json(other, 1, &existed, &err), &err, QD_EUDF_EXISTS,
        "function 'f' version 1.0.0 is registered with another manifest; a version never changes: use a new one");
    json_decref(other);
    json_t *reordered = json_of("{\"version\":\"1.0.0\",\"name\":\"f\"}");
    assert_status_ok(register_json(reordered, 1, &existed, &err), &err);
    assert_true(existed);
    json_decref(reordered);
}

static void test_get__names_and_versions__resolve(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    register_ok("f", "1.9.0", 1);
    register_ok("f", "1.10.0", 2);
    register_ok("f", "1.0.0-rc.1", 3);
    assert_string_equal(label_of("f", NULL), "f@1.0.0-rc.1"); /* what was registered last */
    assert_string_equal(label_of("f", "active"), "f@1.0.0-rc.1");
    assert_string_equal(label_of("f", "latest"), "f@1.10.0");
    assert_string_equal(label_of("f", "1.10.0"), "f@1.10.0");
    assert_string_equal(label_of("f", "^1"), "f@1.10.0");
    assert_string_equal(label_of("f", "1.9"), "f@1.9.0");
    assert_string_equal(label_of("f", ">=1.0.0-rc.0 <1.0.0"), "f@1.0.0-rc.1");
    assert_string_equal(label_of("f", "^2"),
                        "function 'f' has no version in the range '^2'; it has 1.10.0, 1.9.0, 1.0.0-rc.1");
    assert_string_equal(label_of("f", "one"),
                        "function 'f': version range 'one': expected a version such as 1, 1.2, 1.x or 1.2.3, "
                        "got 'one'");
    assert_string_equal(label_of("f", "2.0.0"),
                        "function 'f' has no version '2.0.0'; it has 1.10.0, 1.9.0, 1.0.0-rc.1");
    assert_string_equal(label_of("g", NULL), "no function 'g' is registered");
    assert_string_equal(label_of("g", "1.0.0"), "no function 'g' version 1.0.0 is registered");
    assert_status_ok(qd_registry_get_spec(registry, QD_STR("f@1.10.0"), &u, &err), &err);
    assert_string_equal(u->label, "f@1.10.0");
    qd_udf_unref(u);
    assert_status_ok(qd_registry_get_spec(registry, QD_STR("f"), &u, &err), &err);
    assert_string_equal(u->label, "f@1.0.0-rc.1");
    qd_udf_unref(u);
    assert_status_ok(qd_registry_get_spec(registry, QD_STR("f@~1.9"), &u, &err), &err);
    assert_string_equal(u->label, "f@1.9.0");
    qd_udf_unref(u);
    assert_int_equal(qd_registry_get_spec(registry, QD_STR("f@"), &u, &err), QD_EUDF_PARAMS);
    assert_int_equal(qd_registry_get_spec(registry, QD_STR("h"), &u, &err), QD_EUDF_NOTFOUND);
}

static void test_open__again__has_everything(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    bool existed = false;
    register_ok("f", "1.9.0", 1);
    register_ok("f", "1.10.0", 2);
    register_ok("g", "0.1.0", 1);
    reopen();
    assert_string_equal(last_log, "");
    assert_int_equal(qd_registry_count(registry), 3);
    assert_string_equal(label_of("f", NULL), "f@1.10.0");
    assert_string_equal(label_of("g", NULL), "g@0.1.0");
    assert_status_ok(try_register("f", "1.10.0", 2, &existed, &err), &err);
    assert_true(existed);
}

static size_t remove_ok(const char *name, const char *version)
{
    qd_error err = QD_ERROR_INIT;
    size_t removed = 0;
    assert_status_ok(
        qd_registry_remove(registry, qd_str_of(name), version ? qd_str_of(version) : NONE, NULL, &removed, &err), &err);
    return removed;
}

static bool count_key(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    (void)key, (void)value, (void)revision;
    ++*(int *)arg;
    return true;
}

static int keys_with(const char *prefix)
{
    int n = 0;
    assert_int_equal(qd_kv_visit(kv, QD_STR("udf"), qd_str_of(prefix), count_key, &n, NULL), QD_OK);
    return n;
}

static void test_remove__active_version__the_one_before_is_active(void **state)
{
    (void)state;
    register_ok("f", "1.0.0", 1);
    register_ok("f", "1.9.0", 2);
    register_ok("f", "1.10.0", 2);
    register_ok("g", "1.0.0", 1);
    assert_int_equal(keys_with("module/"), 2);
    assert_int_equal(remove_ok("f", "1.0.0"), 1);
    assert_string_equal(label_of("f", NULL), "f@1.10.0");
    assert_int_equal(keys_with("module/"), 2); /* g has the same bytes */
    register_ok("f", "1.2.0", 2);
    assert_int_equal(remove_ok("f", "1.2.0"), 1);
    assert_string_equal(label_of("f", NULL), "f@1.10.0");
    reopen();
    assert_string_equal(label_of("f", NULL), "f@1.10.0");
    assert_int_equal(remove_ok("f", "1.10.0"), 1);
    assert_string_equal(label_of("f", NULL), "f@1.9.0");
    assert_int_equal(remove_ok("f", NULL), 1);
    assert_string_equal(label_of("f", NULL), "no function 'f' is registered");
    assert_int_equal(remove_ok("g", NULL), 1);
    assert_int_equal(keys_with(""), 0);
    assert_int_equal(qd_registry_count(registry), 0);
    register_ok("f", "1.0.0", 7); /* a removed version may be used again */
}

static void test_remove__all_versions__counts_them(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    register_ok("f", "1.0.0", 1);
    register_ok("f", "2.0.0", 2);
    assert_int_equal(remove_ok("f", NULL), 2);
    assert_int_equal(keys_with(""), 0);
    assert_failed_with(qd_registry_remove(registry, QD_STR("f"), NONE, NULL, NULL, &err), &err, QD_EUDF_NOTFOUND,
                       "no function 'f' is registered");
    reopen();
    assert_int_equal(qd_registry_count(registry), 0);
}

static void test_remove__function_in_use__lives_until_released(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    register_ok("f", "1.0.0", 1);
    assert_status_ok(qd_registry_get(registry, QD_STR("f"), NONE, &u, &err), &err);
    remove_ok("f", NULL);
    assert_string_equal(u->label, "f@1.0.0");
    assert_int_equal(qd_wasm_program_signature(u->program)->result, QD_WASM_F64);
    qd_udf_unref(u);
}

static void test_open__damaged_entries__are_listed_as_failed(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    qd_buf out;
    qd_json w;
    bool existed = true;
    char key[96];
    register_ok("f", "1.0.0", 1);
    register_ok("g", "1.0.0", 2);
    assert_status_ok(qd_registry_get(registry, QD_STR("f"), NONE, &u, &err), &err);
    snprintf(key, sizeof key, "module/%s", u->hash);
    qd_udf_unref(u);
    assert_status_ok(qd_kv_put(kv, QD_STR("udf"), qd_str_of(key), QD_STR("garbage"), QD_KV_ANY, NULL, &err), &err);
    assert_status_ok(qd_kv_put(kv, QD_STR("udf"), QD_STR("entry/h@1.0.0"), QD_STR("{}"), QD_KV_ANY, NULL, &err), &err);
    reopen();
    assert_non_null(strstr(last_log, "skipped the unreadable registry entry 'h@1.0.0'"));
    assert_string_equal(label_of("g", NULL), "g@1.0.0");
    assert_non_null(strstr(label_of("f", NULL), "function 'f@1.0.0' cannot be loaded: the stored module is damaged"));
    assert_int_equal(qd_registry_count(registry), 2);
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_registry_describe(registry, QD_STR("f"), NONE, &w, &err), &err);
    qd_buf_add_char(&out, 0);
    assert_non_null(strstr(out.p, "\"status\":\"failed\",\"error\":\"the stored module is damaged"));
    qd_buf_deinit(&out);
    /* The same function again mends it. */
    assert_status_ok(try_register("f", "1.0.0", 1, &existed, &err), &err);
    assert_false(existed);
    assert_string_equal(label_of("f", NULL), "f@1.0.0");
    assert_int_equal(qd_registry_count(registry), 2);
    reopen();
    assert_string_equal(label_of("f", NULL), "f@1.0.0");
}

static void test_open__crash_between_steps__leaves_no_orphans(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    register_ok("f", "1.0.0", 1);
    register_ok("f", "1.1.0", 2);
    assert_status_ok(qd_kv_put(kv, QD_STR("udf"), QD_STR("module/0000"), QD_STR("bytes"), QD_KV_ANY, NULL, &err), &err);
    assert_status_ok(qd_kv_remove(kv, QD_STR("udf"), QD_STR("function/f"), QD_KV_ANY, &err), &err);
    reopen();
    assert_int_equal(keys_with("module/"), 2);
    assert_string_equal(label_of("f", NULL), "f@1.1.0");
}

static void test_register__limits__are_kept(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    bool existed = false;
    options.max_functions = 2;
    options.max_module_bytes = 60;
    close_all();
    open_all(&options);
    register_ok("f", "1.0.0", 1);
    register_ok("f", "1.1.0", 1);
    assert_failed_with(try_register("f", "1.2.0", 1, &existed, &err), &err, QD_EUDF_FULL,
                       "2 function versions are registered, which is the limit (udf.max_functions); delete some first");
    assert_status_ok(try_register("f", "1.0.0", 1, &existed, &err), &err);
    qd_udf *u = NULL;
    uint8_t big[61] = {0};
    json_t *manifest = json_of("{\"name\":\"f\",\"version\":\"1.0.0\"}");
    qd_registration reg = {.manifest = manifest, .wasm = big, .wasm_size = sizeof big};
    qd_registered result;
    assert_failed_with(qd_registry_register(registry, &reg, &u, &result, &err), &err, QD_ETOOLARGE,
                       "the module has 61 bytes; at most 60 are accepted");
    reg.wasm_size = 0;
    assert_failed_with(qd_registry_register(registry, &reg, &u, &result, &err), &err, QD_EUDF_WASM,
                       "the module is empty");
    options.max_functions = 3;
    close_all();
    open_all(&options);
    json_object_set_new(manifest, "version", json_string("3.0.0"));
    reg.wasm_size = 60;
    assert_int_equal(qd_registry_register(registry, &reg, &u, &result, &err), QD_EUDF_WASM);
    assert_non_null(strstr(err.message, "function 'f@3.0.0': "));
    assert_int_equal(keys_with("entry/"), 2);
    json_decref(manifest);
}

static void test_prepare__dry_run__keeps_nothing(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char wat[160];
    qd_udf *u = NULL;
    json_t *manifest = json_of("{\"name\":\"f\",\"version\":\"1.0.0\"}");
    qd_registration reg = {.manifest = manifest};
    make_wat(1, wat);
    uint8_t *bytes = wat_bytes(wat, &reg.wasm_size);
    reg.wasm = bytes;
    assert_status_ok(qd_registry_prepare(registry, &reg, &u, &err), &err);
    assert_string_equal(u->label, "f@1.0.0");
    assert_int_equal(u->manifest->kind, QD_KIND_SCORE);
    qd_udf_unref(u);
    assert_int_equal(qd_registry_count(registry), 0);
    assert_int_equal(keys_with(""), 0);
    json_decref(manifest);
    free(bytes);
}

static qd_status register_wat(const char *wat, const volatile bool *canceled, qd_error *err)
{
    qd_udf *u = NULL;
    qd_registered ignored;
    json_t *manifest = json_of("{\"name\":\"f\",\"version\":\"1.0.0\",\"limits\":{\"call_ms\":10}}");
    qd_registration reg = {.manifest = manifest, .canceled = canceled};
    uint8_t *bytes = wat_bytes(wat, &reg.wasm_size);
    reg.wasm = bytes;
    qd_status st = qd_registry_register(registry, &reg, &u, &ignored, err);
    qd_udf_unref(u);
    free(bytes);
    json_decref(manifest);
    return st;
}

static void test_register__canceled__stores_nothing(void **state)
{
    (void)state;
    static const char *const WATS[] = {
        "(module (func (export \"filter\") (result f64) f64.const 1))",
        "(module (func $s (loop $l (br $l))) (start $s) (func (export \"filter\") (result f64) f64.const 1))"};
    volatile bool canceled = true;
    qd_error err = QD_ERROR_INIT;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(register_wat(WATS[i], &canceled, &err), QD_ECANCELED);
        assert_int_equal(keys_with(""), 0);
    }
    canceled = false;
    assert_status_ok(register_wat(WATS[0], &canceled, &err), &err);
    canceled = true; /* the same again changes nothing: it may be answered */
    assert_status_ok(register_wat(WATS[0], &canceled, &err), &err);
}

static void test_register__fails_when_instantiated__is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *parts, *reason;
    } CASES[] = {
        {"(func $s unreachable) (start $s)", "trap: unreachable executed"},
        {"(func (export \"_initialize\") unreachable)", "trap: unreachable executed"},
        {"(func $s (loop $l (br $l))) (start $s)", "10 ms"},
        {"(memory 1) (data (i32.const 65535) \"beyond\")", "out of bounds"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char wat[200];
        qd_error err = QD_ERROR_INIT;
        snprintf(wat, sizeof wat, "(module %s (func (export \"filter\") (result f64) f64.const 1))", CASES[i].parts);
        assert_int_equal(register_wat(wat, NULL, &err), QD_EUDF_WASM);
        assert_int_equal(strncmp(err.message, "function 'f@1.0.0' fails when it is instantiated: ", 50), 0);
        if (!strstr(err.message, CASES[i].reason))
            fail_msg("case %zu: %s", i, err.message);
        assert_string_equal(err.field, "wasm");
        assert_int_equal(qd_registry_count(registry), 0);
        assert_int_equal(keys_with(""), 0);
    }
}

/* As SDKs do: a global's constructor takes a handle, and gives up without one. */
static void test_register__fields_are_named_at_the_start__is_taken(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(
        register_wat("(module (import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"
                     "(memory (export \"memory\") 1) (data (i32.const 0) \"price\")"
                     "(func (export \"_initialize\") (if (i32.lt_s (call $handle (i32.const 0)"
                     " (i32.const 5)) (i32.const 0)) (then unreachable)))"
                     "(func (export \"filter\") (result f64) f64.const 1))",
                     NULL, &err),
        &err);
}

/* ---- the manifest inside the module ---- */

/* Appends a custom section; lengths below 128 need one byte each. */
static size_t add_section(uint8_t *wasm, size_t n, const char *name, const char *text)
{
    size_t name_n = strlen(name), text_n = strlen(text), size = 1 + name_n + text_n;
    wasm[n++] = 0;
    wasm[n++] = (uint8_t)(0x80 | (size & 0x7f));
    wasm[n++] = (uint8_t)(size >> 7);
    wasm[n++] = (uint8_t)name_n;
    memcpy(wasm + n, name, name_n);
    memcpy(wasm + n + name_n, text, text_n);
    return n + name_n + text_n;
}

static void test_register__manifest_in_module__is_the_base(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char wat[160];
    uint8_t wasm[1024];
    size_t n;
    qd_registered result;
    qd_udf *u = NULL;
    make_wat(1, wat);
    uint8_t *bytes = wat_bytes(wat, &n);
    memcpy(wasm, bytes, n);
    free(bytes);
    size_t with = add_section(wasm, n, "quidditch.manifest",
                              "{\"name\":\"inner\",\"version\":\"1.0.0\",\"author\":\"in\",\"kind\":\"transform\"}");
    json_t *manifest = json_of("{\"author\":\"out\"}");
    qd_registration reg = {.manifest = manifest, .wasm = wasm, .wasm_size = with};
    assert_status_ok(qd_registry_register(registry, &reg, &u, &result, &err), &err);
    assert_string_equal(u->label, "inner@1.0.0");
    assert_int_equal(u->manifest->kind, QD_KIND_TRANSFORM);
    assert_str_equal(u->manifest->author, "out");
    qd_udf_unref(u);
    reopen();
    assert_string_equal(label_of("inner", NULL), "inner@1.0.0");
    reg.wasm_size = add_section(wasm, n, "quidditch.manifest", "{\"name\":");
    assert_int_equal(qd_registry_register(registry, &reg, &u, &result, &err), QD_EUDF_PARAMS);
    assert_non_null(strstr(err.message, "the module's section 'quidditch.manifest': malformed JSON"));
    json_decref(manifest);
}

/* ---- what the API shows ---- */

typedef qd_status write_fn(void *arg, qd_json *w, qd_error *err);

static json_t *written(write_fn *fn, void *arg)
{
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    json_t *v = NULL;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(fn(arg, &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &v, &err), &err);
    qd_buf_deinit(&out);
    return v;
}

static qd_status write_list(void *arg, qd_json *w, qd_error *err)
{
    return qd_registry_list(registry, arg, w, err);
}

static qd_status write_f(void *arg, qd_json *w, qd_error *err)
{
    return qd_registry_describe(registry, QD_STR("f"), qd_str_of(arg), w, err);
}

static qd_status write_versions(void *arg, qd_json *w, qd_error *err)
{
    (void)arg;
    return qd_registry_versions(registry, QD_STR("f"), w, err);
}

static void assert_json(const json_t *v, const char *key, const char *expected)
{
    char *text = json_dumps(json_object_get(v, key), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text ? text : "nothing", expected);
    free(text);
}

static void register_manifest(const char *text, int number)
{
    qd_error err = QD_ERROR_INIT;
    bool existed;
    json_t *manifest = json_of(text);
    assert_status_ok(register_json(manifest, number, &existed, &err), &err);
    json_decref(manifest);
}

static size_t listed(const qd_udf_filter *f, const char *names)
{
    char text[256] = "";
    json_t *v = written(write_list, (void *)f);
    const json_t *udfs = json_object_get(v, "udfs");
    for (size_t i = 0; i < json_array_size(udfs); i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s ", json_string_value(json_object_get(json_array_get(udfs, i), "name")));
    }
    assert_string_equal(text, names);
    size_t total = (size_t)json_integer_value(json_object_get(v, "total"));
    json_decref(v);
    return total;
}

static void test_list__filters_and_pages__by_name(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    register_manifest("{\"name\":\"geo\",\"version\":\"1.0.0\",\"tags\":[\"map\",\"distance\"],\"author\":\"ann\","
                      "\"language\":\"c\"}",
                      1);
    register_manifest("{\"name\":\"edit\",\"version\":\"1.0.0\",\"tags\":[\"text\"],\"category\":\"fuzzy\","
                      "\"description\":\"Edit Distance\"}",
                      2);
    register_manifest("{\"name\":\"zero\",\"version\":\"1.0.0\"}", 3);
    assert_int_equal(listed(&(qd_udf_filter){.page = 1, .size = 20}, "edit geo zero "), 3);
    assert_int_equal(listed(&(qd_udf_filter){.page = 2, .size = 2}, "zero "), 3);
    assert_int_equal(listed(&(qd_udf_filter){.page = 4294967295u, .size = 1000}, ""), 3);
    assert_int_equal(listed(&(qd_udf_filter){.page = 1, .size = 20, .tag = QD_STR("map")}, "geo "), 1);
    assert_int_equal(listed(&(qd_udf_filter){.page = 1, .size = 20, .text = QD_STR("DISTANCE")}, "edit geo "), 2);
    assert_int_equal(
        listed(&(qd_udf_filter){.page = 1, .size = 20, .author = QD_STR("ann"), .language = QD_STR("c")}, "geo "), 1);
    assert_int_equal(listed(&(qd_udf_filter){.page = 1, .size = 20, .category = QD_STR("fuzz")}, ""), 0);
    assert_int_equal(listed(&(qd_udf_filter){.page = 1, .size = 20, .name = QD_STR("zero")}, "zero "), 1);
    assert_int_equal(qd_registry_list(registry, &(qd_udf_filter){.page = 0, .size = 20}, NULL, &err), QD_EUDF_PARAMS);
    assert_int_equal(qd_registry_list(registry, &(qd_udf_filter){.page = 1, .size = 1001}, NULL, &err), QD_EUDF_PARAMS);
    assert_string_equal(err.message, "'size': expected a number from 1 to 1000, got 1001");
}

static void test_list__entry__has_the_documented_members(void **state)
{
    (void)state;
    qd_udf_filter f = {.page = 1, .size = 20};
    register_ok("f", "1.9.0", 2);
    register_ok("f", "2.0.0", 3);
    register_manifest("{\"name\":\"f\",\"version\":\"1.10.0\",\"tags\":[\"t\"],\"author\":\"a\",\"category\":\"c\","
                      "\"description\":\"d\"}",
                      1);
    json_t *v = written(write_list, &f), *udf = json_array_get(json_object_get(v, "udfs"), 0);
    assert_json(udf, "versions", "[\"1.9.0\",\"1.10.0\",\"2.0.0\"]");
    assert_json(udf, "active_version", "\"1.10.0\"");
    assert_json(udf, "latest_version", "\"2.0.0\"");
    assert_json(udf, "tags", "[\"t\"]");
    assert_json(udf, "author", "\"a\"");
    assert_non_null(json_object_get(udf, "registered_at"));
    assert_json(v, "page", "1");
    json_decref(v);
    v = written(write_versions, NULL);
    assert_json(v, "name", "\"f\"");
    assert_json(v, "versions", "[\"1.9.0\",\"1.10.0\",\"2.0.0\"]");
    assert_json(v, "active_version", "\"1.10.0\"");
    json_decref(v);
}

static void test_describe__version__is_manifest_and_state(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    register_manifest("{\"name\":\"f\",\"version\":\"1.0.0\",\"custom\":{\"x\":1},\"permissions\":[]}", 1);
    json_t *v = written(write_f, (void *)"");
    assert_json(v, "name", "\"f\"");
    assert_json(v, "version", "\"1.0.0\"");
    assert_json(v, "function_name", "\"filter\"");
    assert_json(v, "kind", "\"score\"");
    assert_json(v, "abi", "\"typed\"");
    assert_json(v, "custom", "{\"x\":1}");
    assert_json(v, "permissions", "[]");
    assert_json(v, "status", "\"active\"");
    assert_json(v, "tier", "\"optimized\"");
    assert_json(v, "last_used_at", "null");
    assert_int_equal(json_string_length(json_object_get(v, "hash")), 64);
    assert_true(json_integer_value(json_object_get(v, "wasm_size")) > 8);
    assert_true(json_equal(json_object_get(v, "registered_at"), json_object_get(v, "updated_at")));
    json_decref(v);
    assert_int_equal(qd_registry_describe(registry, QD_STR("f"), QD_STR("9.0.0"), NULL, &err), QD_EUDF_NOTFOUND);
    assert_int_equal(qd_registry_versions(registry, QD_STR("g"), NULL, &err), QD_EUDF_NOTFOUND);
}

/* ---- many threads ---- */

static void *register_and_remove(void *arg)
{
    int number = *(int *)arg;
    char version[24];
    for (int i = 0; i < 10; i++) {
        bool existed;
        qd_error err = QD_ERROR_INIT;
        snprintf(version, sizeof version, "1.%d.%d", number, i);
        json_t *manifest = json_pack("{s:s, s:s}", "name", "f", "version", version);
        if (register_json(manifest, number, &existed, &err) != QD_OK ||
            register_json(manifest, number, &existed, &err) != QD_OK || !existed)
            return arg;
        json_decref(manifest);
        if (i % 2 && qd_registry_remove(registry, QD_STR("f"), qd_str_of(version), NULL, NULL, &err) != QD_OK)
            return arg;
        qd_udf *u = NULL;
        (void)qd_registry_get(registry, QD_STR("f"), NONE, &u, NULL);
        qd_udf_unref(u);
    }
    return NULL;
}

static void test_register__from_many_threads__all_are_there(void **state)
{
    (void)state;
    enum { N = 4 };
    pthread_t threads[N];
    int numbers[N];
    for (int i = 0; i < N; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, register_and_remove, &numbers[i]);
    }
    for (int i = 0; i < N; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(qd_registry_count(registry), N * 5);
    reopen();
    assert_int_equal(qd_registry_count(registry), N * 5);
    assert_int_equal(keys_with("module/"), N);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_register__again__is_a_no_op_or_a_conflict),
        TEST(test_get__names_and_versions__resolve),
        TEST(test_open__again__has_everything),
        TEST(test_remove__active_version__the_one_before_is_active),
        TEST(test_remove__all_versions__counts_them),
        TEST(test_remove__function_in_use__lives_until_released),
        TEST(test_open__damaged_entries__are_listed_as_failed),
        TEST(test_open__crash_between_steps__leaves_no_orphans),
        TEST(test_register__limits__are_kept),
        TEST(test_prepare__dry_run__keeps_nothing),
        TEST(test_register__canceled__stores_nothing),
        TEST(test_register__fails_when_instantiated__is_refused),
        TEST(test_register__fields_are_named_at_the_start__is_taken),
        TEST(test_register__manifest_in_module__is_the_base),
        TEST(test_list__filters_and_pages__by_name),
        TEST(test_list__entry__has_the_documented_members),
        TEST(test_describe__version__is_manifest_and_state),
        TEST(test_register__from_many_threads__all_are_there),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
