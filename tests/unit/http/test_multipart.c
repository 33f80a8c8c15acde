/* SPDX-License-Identifier: Apache-2.0 */
#include "http/multipart.h"

#include "base/buf.h"
#include "cmocka_qd.h"

static qd_part parts[QD_MULTIPART_MAX_PARTS];

static qd_status parse(qd_str body, size_t *n, qd_error *err)
{
    return qd_multipart_parse(body, QD_STR("b0"), parts, n, err);
}

static void test_boundary__forms(void **state)
{
    (void)state;
    qd_str b;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_multipart_boundary(QD_STR("multipart/form-data; boundary=abc"), &b, &err), &err);
    assert_str_equal(b, "abc");
    assert_status_ok(qd_multipart_boundary(QD_STR("multipart/form-data; charset=utf-8; Boundary=\"a;b c\" "), &b, &err),
                     &err);
    assert_str_equal(b, "a;b c");
    assert_failed_with(qd_multipart_boundary(QD_STR("multipart/form-data"), &b, &err), &err, QD_EINVAL,
                       "multipart: the Content-Type [multipart/form-data] has no boundary");
    assert_failed_with(qd_multipart_boundary(QD_STR("multipart/form-data; boundary="), &b, &err), &err, QD_EINVAL,
                       "multipart: a boundary has 1 to 70 characters, this one 0");
}

static void test_parse__fields_and_binary_file(void **state)
{
    (void)state;
    static const char BODY[] = "preamble\r\n--b0\r\n"
                               "Content-Disposition: form-data; name=\"name\"\r\n\r\n"
                               "geo\r\n--b0  \r\n"
                               "content-disposition: FORM-DATA; name=wasm; filename=\"a \\\"b\\\".wasm\"\r\n"
                               "Content-Type: application/wasm\r\n\r\n"
                               "\0asm\r\n--b\r\n\xff\r\n--b0\r\n"
                               "Content-Disposition: form-data; name=\"empty\"\r\n\r\n"
                               "\r\n--b0--\r\nepilogue";
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(parse((qd_str){BODY, sizeof BODY - 1}, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_str_equal(parts[0].name, "name");
    assert_str_equal(parts[0].data, "geo");
    assert_str_equal(parts[0].filename, "");
    assert_str_equal(parts[1].name, "wasm");
    assert_str_equal(parts[1].filename, "a \\\"b\\\".wasm");
    assert_str_equal(parts[1].content_type, "application/wasm");
    assert_int_equal(parts[1].data.n, 12);
    assert_memory_equal(parts[1].data.p, "\0asm\r\n--b\r\n\xff", 12);
    assert_str_equal(parts[2].data, "");
}

static void test_parse__no_parts(void **state)
{
    (void)state;
    size_t n = 9;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(parse(QD_STR("--b0--"), &n, &err), &err);
    assert_int_equal(n, 0);
}

static void test_parse__bad__refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } CASES[] = {
        {"", "multipart: the body does not hold its boundary 'b0'"},
        {"--b1\r\n", "multipart: the body does not hold its boundary 'b0'"},
        {"--b0", "multipart: a boundary is not followed by a line end"},
        {"--b0x\r\n", "multipart: a boundary is not followed by a line end"},
        {"--b0\r\n", "multipart: part 1 is cut off: no closing boundary"},
        {"--b0\r\nContent-Disposition: form-data; name=a\r\n\r\ndata",
         "multipart: part 1 is cut off: no closing boundary"},
        {"--b0\r\nnonsense\r\n\r\nx\r\n--b0--", "multipart: part 1: 'nonsense' is no header line"},
        {"--b0\r\nX: y\r\n\r\nx\r\n--b0--", "multipart: part 1 has no name"},
        {"--b0\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b0--",
         "multipart: part 1: expected the disposition form-data, got 'attachment; name=a'"},
        {"--b0\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b0--",
         "multipart: part 1: the transfer encoding 'base64' is not supported: send the bytes as they are"},
        {"--b0\r\nContent-Disposition: form-data; name=a\r\n--b0--",
         "multipart: part 1: its header does not end with an empty line within 8192 bytes"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t n = 0;
        qd_error err = QD_ERROR_INIT;
        assert_failed_with(parse(qd_str_of(CASES[i].body), &n, &err), &err, QD_EINVAL, CASES[i].message);
    }
}

static void test_parse__too_many_parts__refused(void **state)
{
    (void)state;
    qd_buf body;
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&body, 1 << 20);
    for (size_t i = 0; i <= QD_MULTIPART_MAX_PARTS; i++)
        qd_buf_add_z(&body, "--b0\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n");
    qd_buf_add_z(&body, "--b0--");
    assert_failed_with(parse(qd_buf_str(&body), &n, &err), &err, QD_EINVAL, "multipart: more than 64 parts");
    qd_buf_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundary__forms),
        cmocka_unit_test(test_parse__fields_and_binary_file),
        cmocka_unit_test(test_parse__no_parts),
        cmocka_unit_test(test_parse__bad__refused),
        cmocka_unit_test(test_parse__too_many_parts__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
