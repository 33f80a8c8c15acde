/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include <stdlib.h>

#include "base/buf.h"
#include "node/ids.h"
#include "node/record.h"

/* In memory of its exact size, so that a sanitizer sees a byte read too many. */
static char *bytes_of(const qd_record *r, size_t *n)
{
    qd_buf buf;
    uint8_t header[QD_RECORD_HEADER_SIZE];
    qd_buf_init(&buf, 1 << 20);
    qd_record_write_header(r, header);
    qd_buf_add(&buf, header, sizeof header);
    qd_buf_add_str(&buf, r->id);
    qd_buf_add_str(&buf, r->source);
    *n = buf.n;
    char *exact = malloc(buf.n);
    memcpy(exact, buf.p, buf.n);
    qd_buf_deinit(&buf);
    return exact;
}

static void test_record__written_and_read__is_the_same(void **state)
{
    (void)state;
    static const qd_record CASES[] = {
        {false, true, 3, {"id", 2}, {"{\"a\":1}", 7}},
        {false, false, INT64_MAX, {"x", 1}, {"", 0}},
        {true, true, 1, {"gone", 4}, {"", 0}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t n;
        char *bytes = bytes_of(&CASES[i], &n);
        qd_record r;
        qd_error err = QD_ERROR_INIT;
        assert_status_ok(qd_record_read(7, (qd_str){bytes, n}, &r, &err), &err);
        assert_int_equal(r.is_delete, CASES[i].is_delete);
        assert_int_equal(r.replaces, CASES[i].replaces);
        assert_int_equal(r.version, CASES[i].version);
        assert_true(qd_str_eq(r.id, CASES[i].id));
        assert_true(qd_str_eq(r.source, CASES[i].source));
        free(bytes);
    }
}

static void test_record__damaged__is_refused_by_number(void **state)
{
    (void)state;
    const qd_record good = {false, false, 1, {"id", 2}, {"{}", 2}};
    size_t n;
    char *bytes = bytes_of(&good, &n);
    qd_record r;
    qd_error err = QD_ERROR_INIT;
    for (size_t cut = 0; cut < QD_RECORD_HEADER_SIZE + 2; cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, bytes, cut);
        assert_int_equal(qd_record_read(7, (qd_str){exact, cut}, &r, &err), QD_EIO);
        free(exact);
    }
    static const struct {
        size_t at;
        char byte;
    } DAMAGE[] = {{0, 9}, {1, 3}, {2, 2}, {3, 1}, {4, 100}, {4, 0}, {7, 1}, {8, 0}, {15, -1}};
    for (size_t i = 0; i < sizeof DAMAGE / sizeof *DAMAGE; i++) {
        char was = bytes[DAMAGE[i].at];
        bytes[DAMAGE[i].at] = DAMAGE[i].byte;
        assert_int_equal(qd_record_read(7, (qd_str){bytes, n}, &r, &err), QD_EIO);
        bytes[DAMAGE[i].at] = was;
    }
    bytes[1] = 2;
    assert_failed_with(qd_record_read(7, (qd_str){bytes, n}, &r, &err), &err, QD_EIO,
                       "record 7 of the op log is damaged: an id of 2 bytes and version 1 do not fit");
    free(bytes);
}

static void test_ids__made_here__differ_and_are_well_formed(void **state)
{
    (void)state;
    char first[QD_AUTO_ID_SIZE], second[QD_AUTO_ID_SIZE], uuid[QD_UUID_SIZE];
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_auto_id(first, &err), &err);
    assert_status_ok(qd_auto_id(second, &err), &err);
    assert_int_equal(strlen(first), 20);
    assert_string_not_equal(first, second);
    assert_memory_equal(first, second, 6);
    assert_status_ok(qd_uuid_new(uuid, &err), &err);
    assert_true(qd_uuid_is_valid(qd_str_of(uuid)));
    assert_false(qd_uuid_is_valid(QD_STR("../../../etc/passwd---")));
    assert_false(qd_uuid_is_valid(QD_STR("short")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__written_and_read__is_the_same),
        cmocka_unit_test(test_record__damaged__is_refused_by_number),
        cmocka_unit_test(test_ids__made_here__differ_and_are_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
