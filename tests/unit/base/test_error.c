/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_qd.h"
#include "quidditch/version.h"

static void test_table__every_code__has_its_own_row(void **state)
{
    (void)state;
    static const qd_status CODES[] = {QD_OK,
                                      QD_EINVAL,
                                      QD_ENOMEM,
                                      QD_EIO,
                                      QD_EINTERNAL,
                                      QD_ENOTFOUND,
                                      QD_ECONFLICT,
                                      QD_ELIMIT,
                                      QD_EBUSY,
                                      QD_ETIMEOUT,
                                      QD_ECANCELED,
                                      QD_ETOOLARGE,
                                      QD_EUNSUPPORTED,
                                      QD_EMETHOD,
                                      QD_EUDF_NOTFOUND,
                                      QD_EUDF_EXISTS,
                                      QD_EUDF_PARAMS,
                                      QD_EUDF_WASM,
                                      QD_EUDF_COMPILE,
                                      QD_EUDF_PERMISSION,
                                      QD_EUDF_FULL,
                                      QD_EUDF_FAILED,
                                      QD_EUDF_TIMEOUT,
                                      QD_EUDF_MEMORY,
                                      QD_EUDF_DEPENDED,
                                      QD_EUDF_SIGNATURE,
                                      QD_ERATE,
                                      QD_EUDF_QUARANTINED,
                                      QD_EINDEX_NOTFOUND,
                                      QD_EINDEX_EXISTS,
                                      QD_EMAPPING,
                                      QD_EPARSE,
                                      QD_EQUERY,
                                      QD_EINDEX_NAME,
                                      QD_EINDEX_FAILED};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        const qd_status_info *info = qd_status_describe(CODES[i]);
        assert_int_equal(info->code, CODES[i]);
        assert_true(info->exit_status <= 125);
        assert_true(CODES[i] == QD_OK ? info->exit_status == 0 : info->exit_status > 10);
        assert_true(info->http_status >= 200 && info->http_status < 600);
        assert_non_null(info->api_code);
        assert_non_null(info->search_type);
    }
}

static void test_table__codes_of_the_functions_api__have_their_http_status(void **state)
{
    (void)state;
    static const struct {
        qd_status code;
        int http;
        const char *api;
    } EXPECTED[] = {{QD_EUDF_NOTFOUND, 404, "UDF_NOT_FOUND"},
                    {QD_EUDF_EXISTS, 409, "UDF_ALREADY_EXISTS"},
                    {QD_EUDF_PARAMS, 400, "INVALID_PARAMETERS"},
                    {QD_EUDF_WASM, 422, "INVALID_WASM"},
                    {QD_EUDF_COMPILE, 422, "COMPILATION_FAILED"},
                    {QD_ETOOLARGE, 413, "PAYLOAD_TOO_LARGE"},
                    {QD_EUDF_PERMISSION, 403, "PERMISSION_DENIED"},
                    {QD_EBUSY, 429, "RATE_LIMITED"},
                    {QD_EUDF_FULL, 503, "REGISTRY_FULL"},
                    {QD_EUDF_FAILED, 500, "EXECUTION_FAILED"},
                    {QD_EUDF_TIMEOUT, 504, "TIMEOUT"},
                    {QD_EUDF_MEMORY, 500, "MEMORY_LIMIT"},
                    {QD_EUDF_QUARANTINED, 503, "UDF_QUARANTINED"}};
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++) {
        const qd_status_info *info = qd_status_describe(EXPECTED[i].code);
        assert_int_equal(info->http_status, EXPECTED[i].http);
        assert_string_equal(info->api_code, EXPECTED[i].api);
    }
}

static void test_describe__unknown_code__gives_the_internal_row(void **state)
{
    (void)state;
    assert_string_equal(qd_status_name((qd_status)-9999), "QD_EINTERNAL");
    assert_string_equal(qd_status_name((qd_status)17), "QD_EINTERNAL");
    assert_string_equal(qd_status_name(QD_EMAPPING), "QD_EMAPPING");
}

static void test_fail__formats_and_returns_the_code(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_status status = qd_fail(&err, QD_EINVAL, "parameter '%s': expected %d", "boost", 7);
    assert_failed_with(status, &err, QD_EINVAL, "parameter 'boost': expected 7");
    assert_string_equal(err.field, "");
    assert_int_equal(qd_fail(NULL, QD_EIO, "nobody listens"), QD_EIO);
    assert_int_equal(qd_fail_nomem(&err), QD_ENOMEM);
    assert_string_equal(err.message, "out of memory");
}

static void test_fail_field__names_the_field(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(qd_fail_field(&err, QD_EUDF_PARAMS, "version", "not a version"), QD_EUDF_PARAMS);
    assert_string_equal(err.field, "version");
    assert_string_equal(err.message, "not a version");
    assert_int_equal(qd_fail_field(NULL, QD_EUDF_PARAMS, "version", "not a version"), QD_EUDF_PARAMS);
}

static void test_fail_at__keeps_the_place__until_the_next_failure(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_fail_at(&err, QD_EPARSE, 3, 14, "here");
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 14);
    qd_fail(&err, QD_EIO, "elsewhere");
    assert_int_equal(err.line, 0);
    assert_int_equal(err.column, 0);
}

static void test_fail__message_quoting_the_previous_one__works(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_fail(&err, QD_EIO, "first");
    qd_fail(&err, QD_EIO, "second, after %s", err.message);
    assert_string_equal(err.message, "second, after first");
}

static void test_fail__too_long__is_cut_between_characters(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char text[2048];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\xA6\x89", 4);
        text[sizeof text - 1] = '\0';
        qd_fail_field(&err, QD_EINVAL, text, "%s", text);
        assert_true(strlen(err.message) > sizeof err.message - 5);
        assert_true(qd_str_is_utf8(qd_str_of(err.message)));
        assert_true(qd_str_is_utf8(qd_str_of(err.field)));
    }
}

static void test_prefix__stands_before_the_message__and_keeps_the_rest(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_fail_at(&err, QD_EPARSE, 1, 2, "unknown clause");
    qd_error_prefix(&err, "index '%s': ", "a");
    assert_failed_with(err.code, &err, QD_EPARSE, "index 'a': unknown clause");
    assert_int_equal(err.column, 2);
    qd_error_prefix(NULL, "nobody");
    for (int i = 0; i < 100; i++)
        qd_error_prefix(&err, "0123456789");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_take__moves_the_pointer(void **state)
{
    (void)state;
    char *p = strdup("x"), *q = p;
    char *taken = QD_TAKE(p);
    assert_null(p);
    assert_ptr_equal(taken, q);
    free(taken);
}

static void test_version__is_the_headers(void **state)
{
    (void)state;
    assert_string_equal(qd_version(), QD_VERSION_STRING);
}

static void test_fail__quotes_bytes_that_are_no_text__message_is_utf8(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_fail(&err, QD_EPARSE, "near %s.", "a\xff\xe4\xb8z");
    assert_string_equal(err.message, "near a???z.");
    qd_fail(&err, QD_EPARSE, "near %.*s.", 4, "ab\xe4\xb8\xad");
    assert_string_equal(err.message, "near ab??.");
    qd_fail(&err, QD_EPARSE, "near '%s'", "\xe4\xb8\xad\xf0\x9f\xa7\xb9");
    assert_string_equal(err.message, "near '\xe4\xb8\xad\xf0\x9f\xa7\xb9'");
}

static void assert_part(const qd_error *err, qd_error_part part, const char *expected)
{
    qd_str text = qd_error_text(err, part);
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
}

static void test_set_function__names_function_document_and_reason(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_str id = QD_STR("d'1");
    qd_fail(&err, QD_EUDF_FAILED, "trap: unreachable");
    qd_error_set_function(&err, "f@1.0.0", &id);
    assert_string_equal(err.message, "function 'f@1.0.0', document 'd'1': trap: unreachable");
    assert_part(&err, err.function, "f@1.0.0");
    assert_part(&err, err.document, "d'1");
    assert_part(&err, err.reason, "trap: unreachable");
    qd_error_set_function(&err, "other@2.0.0", NULL); /* it is said already */
    qd_error_prefix(&err, "index '%s': ", "a");
    assert_string_equal(err.message, "index 'a': function 'f@1.0.0', document 'd'1': trap: unreachable");
    assert_part(&err, err.function, "f@1.0.0");
    assert_part(&err, err.document, "d'1");
    assert_part(&err, err.reason, "trap: unreachable");
}

static void test_set_function__without_document__no_such_part(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_fail(&err, QD_EUDF_MEMORY, "no instance");
    qd_error_set_function(&err, "f@1.0.0", NULL);
    assert_string_equal(err.message, "function 'f@1.0.0': no instance");
    assert_part(&err, err.document, "");
    assert_part(&err, err.reason, "no instance");
    qd_fail(&err, QD_EUDF_WASM, "function 'g@2.0.0': starts with 9 KiB");
    qd_error_set_function(&err, "g@2.0.0", NULL);
    assert_string_equal(err.message, "function 'g@2.0.0': starts with 9 KiB");
    assert_part(&err, err.function, "g@2.0.0");
    qd_error_mark_function(&err, QD_STR("starts"));
    assert_part(&err, err.function, "g@2.0.0");
    qd_fail(&err, QD_EUDF_NOTFOUND, "function 'g' has no version '3.0.0'");
    qd_error_mark_function(&err, QD_STR("g"));
    qd_error_mark_version(&err, QD_STR("3.0.0"));
    qd_error_mark_version(&err, QD_STR("4.0.0"));
    qd_error_prefix(&err, "[%s] ", "wasm_udf");
    assert_part(&err, err.function, "g");
    assert_part(&err, err.version, "3.0.0");
    qd_error_set_function(NULL, "g@2.0.0", NULL);
    qd_error_mark_function(NULL, QD_STR("g"));
}

static void test_set_function__long_id__cut_between_characters_and_the_reason_stays(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char bytes[512] = "x";
    for (size_t i = 1; i + 2 < sizeof bytes; i += 3)
        memcpy(bytes + i, "\xE2\x82\xAC", 3);
    qd_str id = {bytes, sizeof bytes - 2};
    qd_fail(&err, QD_EUDF_FAILED, "trap: unreachable");
    qd_error_set_function(&err, "f@1.0.0", &id);
    assert_part(&err, err.reason, "trap: unreachable");
    assert_int_equal(err.document.n, 199); /* 1 + 66 * 3 */
    assert_memory_equal(qd_error_text(&err, err.document).p, bytes, 199);
}

static void test_parts__cut_message__never_beyond_its_end(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char long_text[600];
    memset(long_text, 'y', sizeof long_text);
    qd_fail(&err, QD_EUDF_FAILED, "trap");
    qd_error_set_function(&err, "f@1.0.0", NULL);
    qd_error_prefix(&err, "%.*s", 500, long_text);
    assert_int_equal(strlen(err.message), 511);
    assert_part(&err, err.function, "f");
    assert_part(&err, err.reason, "");
    qd_error_prefix(&err, "%.*s", 500, long_text);
    assert_part(&err, err.function, "");
}

static void test_append__stands_behind_the_message__and_keeps_the_rest(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char long_text[600];
    qd_fail_field(&err, QD_EUDF_FAILED, "a.b", "trap");
    strcpy(err.stack, "f (func 0, offset 0x1)");
    qd_error_append(&err, " at %s", "f");
    assert_string_equal(err.message, "trap at f");
    assert_string_equal(err.field, "a.b");
    assert_string_equal(err.stack, "f (func 0, offset 0x1)");
    assert_int_equal(err.code, QD_EUDF_FAILED);
    memset(long_text, 'y', sizeof long_text);
    qd_error_append(&err, "%.*s\xE2\x82\xAC", 500, long_text); /* room for two bytes of the last three */
    assert_int_equal(strlen(err.message), 509);
    qd_error_append(&err, "\xE2\x82\xAC");
    assert_int_equal(strlen(err.message), 509);
    qd_error_append(&err, "zzz");
    assert_int_equal(strlen(err.message), 511);
    qd_error_append(&err, "z");
    assert_int_equal(strlen(err.message), 511);
    qd_error_append(NULL, "z");
}

static void test_fail__forgets_the_stack_of_the_error_before__prefix_keeps_it(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_fail(&err, QD_EUDF_FAILED, "trap");
    strcpy(err.stack, "f (func 0, offset 0x1)");
    qd_error_set_function(&err, "f@1.0.0", NULL);
    assert_string_equal(err.stack, "f (func 0, offset 0x1)");
    qd_fail(&err, QD_EINVAL, "another");
    assert_string_equal(err.stack, "");
    assert_part(&err, err.function, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail__quotes_bytes_that_are_no_text__message_is_utf8),
        cmocka_unit_test(test_table__every_code__has_its_own_row),
        cmocka_unit_test(test_table__codes_of_the_functions_api__have_their_http_status),
        cmocka_unit_test(test_describe__unknown_code__gives_the_internal_row),
        cmocka_unit_test(test_fail__formats_and_returns_the_code),
        cmocka_unit_test(test_fail_field__names_the_field),
        cmocka_unit_test(test_fail_at__keeps_the_place__until_the_next_failure),
        cmocka_unit_test(test_fail__message_quoting_the_previous_one__works),
        cmocka_unit_test(test_fail__too_long__is_cut_between_characters),
        cmocka_unit_test(test_prefix__stands_before_the_message__and_keeps_the_rest),
        cmocka_unit_test(test_take__moves_the_pointer),
        cmocka_unit_test(test_version__is_the_headers),
        cmocka_unit_test(test_set_function__names_function_document_and_reason),
        cmocka_unit_test(test_set_function__without_document__no_such_part),
        cmocka_unit_test(test_set_function__long_id__cut_between_characters_and_the_reason_stays),
        cmocka_unit_test(test_parts__cut_message__never_beyond_its_end),
        cmocka_unit_test(test_append__stands_behind_the_message__and_keeps_the_rest),
        cmocka_unit_test(test_fail__forgets_the_stack_of_the_error_before__prefix_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
