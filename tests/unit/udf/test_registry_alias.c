/* SPDX-License-Identifier: Apache-2.0
 *
 * The active version: moved, rolled back, remembered, and right after an end between any two writes. */
#include "registry_fixture.h"

static const qd_actor BOB = {{"bob", 3}, {"10.0.0.8", 8}};

static const char *activate(const char *name, const char *version)
{
    static char text[600];
    qd_error err = QD_ERROR_INIT;
    qd_alias_move move;
    qd_status st = qd_registry_activate(registry, qd_str_of(name), qd_str_of(version), &BOB, &move, &err);
    snprintf(text, sizeof text, st == QD_OK ? "%s from %s" : "%s", st == QD_OK ? move.active : err.message,
             st == QD_OK ? move.previous : "");
    return text;
}

static const char *roll_back(const char *name, const char *to)
{
    static char text[600];
    qd_error err = QD_ERROR_INIT;
    qd_alias_move move;
    qd_status st = qd_registry_rollback(registry, qd_str_of(name), qd_str_of(to), &BOB, &move, &err);
    snprintf(text, sizeof text, st == QD_OK ? "%s from %s" : "%s", st == QD_OK ? move.active : err.message,
             st == QD_OK ? move.previous : "");
    return text;
}

static void remove_ok(const char *name, const char *version)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_registry_remove(registry, qd_str_of(name), qd_str_of(version), &BOB, NULL, &err), &err);
}

/* "action version by, …", newest first. */
static const char *history_of(const char *name, uint32_t page, uint32_t size)
{
    static char text[2000];
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    json_t *v = NULL;
    size_t n = 0;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    text[0] = 0;
    qd_status st = qd_registry_history(registry, qd_str_of(name), page, size, &w, &err);
    if (st != QD_OK) {
        snprintf(text, sizeof text, "%s", err.message);
    } else {
        assert_status_ok(qd_json_parse(qd_buf_str(&out), &v, &err), &err);
        const json_t *lines = json_object_get(v, "history");
        for (size_t i = 0; i < json_array_size(lines); i++) {
            const json_t *line = json_array_get(lines, i);
            assert_int_equal(json_string_length(json_object_get(line, "at")), 24);
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %s %s", n ? ", " : "",
                                  json_string_value(json_object_get(line, "action")),
                                  json_string_value(json_object_get(line, "version")),
                                  json_string_value(json_object_get(line, "by")));
        }
    }
    json_decref(v);
    qd_buf_deinit(&out);
    return text;
}

static void test_register__new_version__is_active_unless_told_not_to(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_registered result;
    add_version("f", "2.0.0", 2);
    assert_status_ok(register_as("{\"name\":\"f\",\"version\":\"1.0.0\"}", 1, false, &result, &err), &err);
    assert_true(result.is_active && !result.existed);
    assert_string_equal(label_of("f", ""), "f@1.0.0");
    assert_status_ok(register_as("{\"name\":\"f\",\"version\":\"3.0.0\"}", 3, true, &result, &err), &err);
    assert_false(result.is_active || result.existed);
    assert_string_equal(label_of("f", ""), "f@1.0.0");
    assert_string_equal(label_of("f", "3"), "f@3.0.0");
    /* The same again moves nothing. */
    assert_status_ok(register_as("{\"name\":\"f\",\"version\":\"3.0.0\"}", 3, false, &result, &err), &err);
    assert_true(result.existed && !result.is_active);
    reopen();
    assert_string_equal(label_of("f", ""), "f@1.0.0");
    assert_string_equal(history_of("f", 1, 20), "register 3.0.0 ann, register 1.0.0 ann, register 2.0.0 ann");
}

static void test_register__first_version_inactive__must_be_asked_for(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(register_as("{\"name\":\"f\",\"version\":\"1.0.0\"}", 1, true, NULL, &err), &err);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(label_of("f", ""), "function 'f' has no active version; activate one of 1.0.0 or ask for "
                                               "one");
        assert_string_equal(label_of("f", "latest"), "f@1.0.0");
        reopen();
    }
    assert_string_equal(roll_back("f", ""), "function 'f' has no version that was active; say which one with 'to'");
    assert_string_equal(activate("f", "^1"), "1.0.0 from ");
    assert_string_equal(label_of("f", ""), "f@1.0.0");
}

static void test_rollback__again_and_again__goes_back_one_each(void **state)
{
    (void)state;
    add_version("f", "1.0.0", 1);
    add_version("f", "2.0.0", 2);
    add_version("f", "3.0.0", 3);
    assert_string_equal(roll_back("f", ""), "2.0.0 from 3.0.0");
    reopen();
    assert_string_equal(label_of("f", ""), "f@2.0.0");
    assert_string_equal(roll_back("f", ""), "1.0.0 from 2.0.0");
    assert_string_equal(roll_back("f", ""), "function 'f' has no version that was active before 1.0.0; say which one "
                                            "with 'to'");
    assert_string_equal(roll_back("f", "3.0.0"), "3.0.0 from 1.0.0");
    assert_string_equal(roll_back("f", ""), "1.0.0 from 3.0.0");
    assert_string_equal(activate("f", "2.0.0"), "2.0.0 from 1.0.0");
    assert_string_equal(activate("f", "2.0.0"), "2.0.0 from 2.0.0");
    assert_string_equal(activate("f", ""), "'version': expected the version to activate");
    assert_string_equal(activate("f", "4"), "function 'f' has no version in the range '4'; it has 3.0.0, 2.0.0, 1.0.0");
    assert_string_equal(activate("g", "4"), "no function 'g' version 4 is registered");
    assert_string_equal(roll_back("g", ""), "no function 'g' is registered");
    assert_string_equal(roll_back("f", ""), "1.0.0 from 2.0.0");
    assert_string_equal(history_of("f", 1, 4), "rollback 1.0.0 bob, activate 2.0.0 bob, rollback 1.0.0 bob, "
                                               "rollback 3.0.0 bob");
    assert_string_equal(history_of("f", 3, 4), "register 1.0.0 ann");
    assert_string_equal(history_of("f", 4, 4), "");
    assert_string_equal(history_of("g", 1, 4), "no function 'g' is registered");
    assert_string_equal(history_of("f", 0, 4), "expected 'page' from 1 and 'size' from 1 to 1000, got 0 and 4");
}

static void test_remove__versions_of_the_stack__are_passed_over(void **state)
{
    (void)state;
    add_version("f", "1.0.0", 1);
    add_version("f", "2.0.0", 2);
    assert_string_equal(activate("f", "1.0.0"), "1.0.0 from 2.0.0");
    add_version("f", "3.0.0", 3);
    remove_ok("f", "1.0.0"); /* 1 2 1 3 is now 2 3 */
    assert_string_equal(roll_back("f", ""), "2.0.0 from 3.0.0");
    remove_ok("f", "3.0.0");
    assert_string_equal(history_of("f", 1, 2), "delete 3.0.0 bob, rollback 2.0.0 bob");
    assert_string_equal(label_of("f", ""), "f@2.0.0");
    remove_ok("f", "2.0.0"); /* the last one */
    assert_int_equal(keys_with(""), 0);
    add_version("f", "1.0.0", 1);
    assert_string_equal(history_of("f", 1, 20), "register 1.0.0 ann");
}

/* The others were never made active, and a deletion is no way of doing that. */
static void test_remove__active_version_with_none_before_it__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    add_version("f", "1.0.0", 1);
    assert_status_ok(register_as("{\"name\":\"f\",\"version\":\"2.0.0\"}", 2, true, NULL, &err), &err);
    for (int i = 0; i < 2; i++) {
        assert_failed_with(qd_registry_remove(registry, QD_STR("f"), QD_STR("1.0.0"), &BOB, NULL, &err), &err,
                           QD_EUDF_DEPENDED,
                           "function 'f@1.0.0' is the active version, and no other was active before it; activate "
                           "another version first, or delete the function with all its versions");
        assert_string_equal(err.field, "version");
        assert_string_equal(label_of("f", ""), "f@1.0.0");
        assert_string_equal(history_of("f", 1, 20), "register 2.0.0 ann, register 1.0.0 ann");
        reopen();
    }
    assert_string_equal(activate("f", "2.0.0"), "2.0.0 from 1.0.0");
    remove_ok("f", "2.0.0"); /* back to the one before it */
    assert_string_equal(label_of("f", ""), "f@1.0.0");
    remove_ok("f", "1.0.0");
    assert_int_equal(keys_with(""), 0);
}

static void test_history__long__is_bounded(void **state)
{
    (void)state;
    add_version("f", "1.0.0", 1);
    add_version("f", "2.0.0", 2);
    for (int i = 0; i < 510; i++) {
        assert_string_equal(activate("f", "1.0.0"), "1.0.0 from 2.0.0");
        assert_string_equal(activate("f", "2.0.0"), "2.0.0 from 1.0.0");
    }
    assert_string_equal(history_of("f", 1000, 1), "activate 1.0.0 bob");
    assert_string_equal(history_of("f", 1001, 1), "");
    for (int i = 0; i < 2; i++)
        assert_string_equal(roll_back("f", ""), i ? "2.0.0 from 1.0.0" : "1.0.0 from 2.0.0");
}

static void test_remove__needs_whole_version(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    add_version("f", "1.0.0", 1);
    assert_failed_with(qd_registry_remove(registry, QD_STR("f"), QD_STR("^1"), NULL, NULL, &err), &err, QD_EUDF_PARAMS,
                       "'^1': deleting needs one whole version such as 1.2.3, or none for all");
    assert_failed_with(qd_registry_remove(registry, QD_STR("f"), QD_STR("1.0.1"), NULL, NULL, &err), &err,
                       QD_EUDF_NOTFOUND, "function 'f' has no version '1.0.1'; it has 1.0.0");
}

/* ---- the process ends between two writes ---- */

static void begin(void)
{
    add_version("f", "1.0.0", 1);
    add_version("f", "2.0.0", 2);
    assert_string_equal(activate("f", "1.0.0"), "1.0.0 from 2.0.0");
}

static qd_status do_register(qd_error *err)
{
    return try_version("f", "3.0.0", 3, err);
}

static qd_status do_register_first(qd_error *err)
{
    return try_version("g", "1.0.0", 4, err);
}

static qd_status do_remove_active(qd_error *err)
{
    return qd_registry_remove(registry, QD_STR("f"), QD_STR("1.0.0"), &BOB, NULL, err);
}

static qd_status do_remove_all(qd_error *err)
{
    return qd_registry_remove(registry, QD_STR("f"), QD_STR(""), &BOB, NULL, err);
}

static qd_status do_roll_back(qd_error *err)
{
    return qd_registry_rollback(registry, QD_STR("f"), QD_STR(""), &BOB, NULL, err);
}

static void test_crash__between_any_two_writes__leaves_a_usable_registry(void **state)
{
    static const struct {
        qd_status (*change)(qd_error *err);
        const char *name, *before, *after; /* what the name stands for */
        const char *history;               /* its newest lines when all is done */
    } CHANGES[] = {
        {do_register, "f", "f@1.0.0", "f@3.0.0", "register 3.0.0 ann, activate 1.0.0 bob"},
        {do_register_first, "g", "no function 'g' is registered", "g@1.0.0", "register 1.0.0 ann"},
        {do_roll_back, "f", "f@1.0.0", "f@2.0.0", "rollback 2.0.0 bob, activate 1.0.0 bob"},
        {do_remove_active, "f", "f@1.0.0", "f@2.0.0", NULL},
        {do_remove_all, "f", "f@1.0.0", "no function 'f' is registered", NULL},
    };
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        bool is_done = false;
        for (int writes = 0; !is_done; writes++) {
            qd_error err = QD_ERROR_INIT;
            assert_true(writes < 12);
            teardown(state);
            setup(state);
            begin();
            atomic_store(&kv.changes_left, writes);
            is_done = CHANGES[i].change(&err) == QD_OK;
            reopen();
            const char *now = label_of(CHANGES[i].name, "");
            if (strcmp(now, CHANGES[i].after) != 0 && (is_done || strcmp(now, CHANGES[i].before) != 0))
                fail_msg("change %zu, ended after %d writes: '%s'", i, writes, now);
            /* Again, as a client would whose request was not answered. */
            if (!is_done && strcmp(now, CHANGES[i].after) != 0)
                assert_status_ok(CHANGES[i].change(&err), &err);
            assert_string_equal(label_of(CHANGES[i].name, ""), CHANGES[i].after);
            if (CHANGES[i].history)
                assert_string_equal(history_of(CHANGES[i].name, 1, 2), CHANGES[i].history);
            reopen();
            assert_string_equal(label_of(CHANGES[i].name, ""), CHANGES[i].after);
            int entries = keys_with("entry/");
            assert_int_equal(entries, (int)qd_registry_count(registry));
            assert_int_equal(keys_with("module/"), entries);
            assert_int_equal(keys_with("function/"), CHANGES[i].change == do_register_first ? 2
                                                     : CHANGES[i].change == do_remove_all   ? 0
                                                                                            : 1);
        }
    }
}

static void test_register__store_fails__can_be_done_later_in_the_same_process(void **state)
{
    (void)state;
    for (int writes = 0; writes < 3; writes++) {
        qd_error err = QD_ERROR_INIT;
        char version[16];
        snprintf(version, sizeof version, "1.0.%d", writes);
        atomic_store(&kv.changes_left, writes);
        assert_failed_with(try_version("f", version, writes, &err), &err, QD_EIO, "no space left on device");
        atomic_store(&kv.changes_left, -1);
        atomic_store(&kv.is_full, false);
        assert_string_equal(label_of("f", ""), "no function 'f' is registered");
        assert_string_equal(history_of("f", 1, 20), "no function 'f' is registered");
    }
    add_version("f", "2.0.0", 9);
    assert_string_equal(history_of("f", 1, 20), "register 2.0.0 ann");
    reopen();
    assert_int_equal(keys_with("module/"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_register__new_version__is_active_unless_told_not_to),
        TEST(test_register__first_version_inactive__must_be_asked_for),
        TEST(test_rollback__again_and_again__goes_back_one_each),
        TEST(test_remove__versions_of_the_stack__are_passed_over),
        TEST(test_remove__active_version_with_none_before_it__is_refused),
        TEST(test_history__long__is_bounded),
        TEST(test_remove__needs_whole_version),
        TEST(test_crash__between_any_two_writes__leaves_a_usable_registry),
        TEST(test_register__store_fails__can_be_done_later_in_the_same_process),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
