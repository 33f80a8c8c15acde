/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry and the audit log in one store: each change and its entry are one commit. */
#include "registry_fixture.h"
#include "store/scratch_dir.h"
#include "udf/audit.h"

static scratch_dir dir;
static qd_kv *store;
static qd_audit *audit;

static void open_all(size_t max_store_bytes)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit_options o = QD_AUDIT_OPTIONS_INIT;
    assert_status_ok(qd_kv_lmdb_open(dir.path, max_store_bytes, &store, &err), &err);
    assert_status_ok(qd_audit_open(store, &o, &audit, &err), &err);
    options = (qd_registry_options)QD_REGISTRY_OPTIONS_INIT;
    options.audit = audit;
    assert_status_ok(qd_registry_open(store, engine, &options, NULL, NULL, &registry, &err), &err);
}

static void close_all(void)
{
    qd_registry_close(registry);
    qd_audit_close(audit);
    qd_kv_close(store);
}

static int setup_store(void **state)
{
    (void)state;
    scratch_dir_init(&dir);
    open_all(64u << 20);
    return 0;
}

static int teardown_store(void **state)
{
    (void)state;
    close_all();
    scratch_dir_deinit(&dir);
    return 0;
}

/* "action name version detail, …", newest first; the chain must be whole. */
static const char *entries(void)
{
    static char text[2000];
    const qd_audit_filter any = QD_AUDIT_FILTER_INIT;
    qd_error err = QD_ERROR_INIT;
    qd_audit_report report;
    qd_buf out;
    qd_json w;
    json_t *v = NULL;
    size_t i, n = 0;
    const json_t *item;
    text[0] = 0;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_audit_list(audit, &any, &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &v, &err), &err);
    json_array_foreach (json_object_get(v, "entries"), i, item)
        n += (size_t)snprintf(
            text + n, sizeof text - n, "%s%s %s %s %s", n ? ", " : "",
            json_string_value(json_object_get(item, "action")), json_string_value(json_object_get(item, "name")),
            json_string_value(json_object_get(item, "version")), json_string_value(json_object_get(item, "detail")));
    json_decref(v);
    qd_buf_deinit(&out);
    assert_status_ok(qd_audit_verify(audit, &report, &err), &err);
    assert_true(report.is_intact);
    return text;
}

static qd_status remove_versions(const char *name, const char *version, qd_error *err)
{
    return qd_registry_remove(registry, qd_str_of(name), qd_str_of(version), NULL, NULL, err);
}

static void test_changes__each__has_its_entry(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    add_version("f", "1.0.0", 1);
    add_version("f", "2.0.0", 2);
    add_version("f", "2.0.0", 2); /* changes nothing */
    assert_status_ok(qd_registry_rollback(registry, QD_STR("f"), QD_STR(""), NULL, NULL, &err), &err);
    assert_status_ok(qd_registry_activate(registry, QD_STR("f"), QD_STR("2.0.0"), NULL, NULL, &err), &err);
    assert_status_ok(remove_versions("f", "2.0.0", &err), &err);
    assert_status_ok(remove_versions("f", "", &err), &err);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(entries(), "delete f  1 version, delete f 2.0.0 , activate f 2.0.0 from 1.0.0, "
                                       "rollback f 1.0.0 from 2.0.0, register f 2.0.0 signature not checked, "
                                       "register f 1.0.0 signature not checked");
        assert_int_equal(qd_registry_count(registry), 0);
        close_all();
        open_all(64u << 20);
    }
}

static void test_remove__all_versions__is_one_entry_and_leaves_no_key(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    int keys = 0;
    size_t removed = 0;
    char version[16];
    for (int i = 0; i < 20; i++) { /* two versions for each module, one of which another function has too */
        snprintf(version, sizeof version, "1.0.%d", i);
        add_version("f", version, i / 2);
    }
    add_version("g", "1.0.0", 3);
    assert_status_ok(qd_registry_remove(registry, QD_STR("f"), QD_STR(""), NULL, &removed, &err), &err);
    assert_int_equal(removed, 20);
    assert_int_equal(strncmp(entries(), "delete f  20 versions, register g", 33), 0);
    assert_string_equal(label_of("f", ""), "no function 'f' is registered");
    for (int i = 0; i < 2; i++) {
        keys = 0;
        assert_int_equal(qd_kv_visit(store, QD_STR("udf"), QD_STR(""), count_key, &keys, NULL), QD_OK);
        assert_int_equal(keys, 3); /* g's module, alias and entry */
        close_all();
        open_all(64u << 20);
        assert_string_equal(label_of("g", ""), "g@1.0.0");
    }
}

/* Registers versions until the store is full; what was refused is neither in the registry nor in the log, and a
 * deletion is possible still. */
static void test_register__store_is_full__neither_is_there(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char manifest[40000], filler[30000], version[16];
    int n = 0;
    close_all();
    open_all(1u << 20);
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = 0;
    for (qd_status st = QD_OK; st == QD_OK; n++) {
        assert_true(n < 100);
        snprintf(version, sizeof version, "1.0.%d", n);
        snprintf(manifest, sizeof manifest, "{\"name\":\"f\",\"version\":\"%s\",\"custom\":{\"text\":\"%s\"}}", version,
                 filler);
        st = register_as(manifest, n, false, NULL, &err);
        assert_true(st == QD_OK || st == QD_ELIMIT);
    }
    assert_true(n > 2);
    assert_int_equal(strncmp(err.message, "the audit log could not be written: ", 36), 0);
    for (int i = 0; i < 2; i++) {
        char last[64];
        assert_int_equal(qd_registry_count(registry), n - 1);
        snprintf(last, sizeof last, "register f 1.0.%d signature not checked, ", n - 2);
        assert_int_equal(strncmp(entries(), last, strlen(last)), 0);
        close_all();
        open_all(1u << 20);
    }
    assert_status_ok(remove_versions("f", "1.0.0", &err), &err);
    assert_int_equal(strncmp(entries(), "delete f 1.0.0 , register f", 27), 0);
    assert_int_equal(qd_registry_count(registry), n - 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_store, teardown_store)
    const struct CMUnitTest tests[] = {
        TEST(test_changes__each__has_its_entry),
        TEST(test_remove__all_versions__is_one_entry_and_leaves_no_key),
        TEST(test_register__store_is_full__neither_is_there),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
