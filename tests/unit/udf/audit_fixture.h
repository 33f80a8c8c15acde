/* SPDX-License-Identifier: Apache-2.0
 *
 * An audit log in a directory of the test's own, on a clock that stands still. */
#ifndef QD_TESTS_AUDIT_FIXTURE_H
#define QD_TESTS_AUDIT_FIXTURE_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_qd.h"
#include "store/scratch_dir.h"
#include "udf/audit_impl.h"

#define HASH     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define START_MS INT64_C(1790000000000) /* 2026-09-21T14:13:20Z */
#define ZEROS    "0000000000000000000000000000000000000000000000000000000000000000"

static scratch_dir dir;
static _Atomic int64_t now_ms;

static inline int64_t fake_clock(void)
{
    return now_ms;
}

static inline int setup(void **state)
{
    (void)state;
    scratch_dir_init(&dir);
    now_ms = START_MS;
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    scratch_dir_deinit(&dir);
    return 0;
}

/* Nothing gathered is written before it is asked for, or the log closes. */
static inline qd_audit_options options(void)
{
    qd_audit_options o = QD_AUDIT_OPTIONS_INIT;
    o.window_ms = 3600 * 1000;
    o.wall_ms = fake_clock;
    return o;
}

/* In a directory of its own, so that a test can look into the log and forge it; test_audit_commit.c has one in a kv. */
static inline qd_status open_in_dir(void *arg, size_t max_bytes, qd_log **out, qd_error *err)
{
    (void)arg;
    return qd_log_lmdb_open(dir.path, max_bytes, out, err);
}

static inline qd_audit *open_audit(size_t max_bytes)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = NULL;
    qd_audit_options o = options();
    o.max_bytes = max_bytes;
    assert_status_ok(qd_audit_open_with(open_in_dir, NULL, &o, &a, &err), &err);
    return a;
}

static inline qd_audit_entry entry(qd_audit_action action, const char *name, const char *version)
{
    return (qd_audit_entry){.action = action,
                            .outcome = QD_AUDIT_OK,
                            .remote = QD_STR("127.0.0.1"),
                            .name = qd_str_of(name),
                            .version = qd_str_of(version),
                            .hash = QD_STR(HASH)};
}

static inline void append(qd_audit *a, qd_audit_action action, const char *name, const char *version)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit_entry e = entry(action, name, version);
    assert_status_ok(qd_audit_append(a, &e, &err), &err);
}

static inline void deny(qd_audit *a, const char *name, const char *detail)
{
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, name, "1.0.0");
    e.outcome = QD_AUDIT_DENIED;
    e.detail = qd_str_of(detail);
    assert_int_equal(qd_audit_append(a, &e, NULL), QD_OK);
}

static inline void flush(qd_audit *a)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_audit_flush(a, &err), &err);
}

/* The first note is written at once, by the thread; after a write the rest waits for the window. */
static inline void close_window(qd_audit *a)
{
    flush(a);
}

static inline json_t *list(qd_audit *a, const qd_audit_filter *filter)
{
    const qd_audit_filter any = QD_AUDIT_FILTER_INIT;
    qd_error err = QD_ERROR_INIT;
    qd_buf text;
    qd_json w;
    json_t *v = NULL;
    qd_buf_init(&text, 8 << 20);
    qd_json_init(&w, &text, false);
    assert_status_ok(qd_audit_list(a, filter ? filter : &any, &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&text), &v, &err), &err);
    qd_buf_deinit(&text);
    return v;
}

static inline const char *member(const json_t *v, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(v, "entries"), i), key));
}

static inline json_int_t number(const json_t *v, size_t i, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(json_object_get(v, "entries"), i), key));
}

static inline json_int_t total(const json_t *v)
{
    return json_integer_value(json_object_get(v, "total"));
}

static inline size_t count(const json_t *v)
{
    return json_array_size(json_object_get(v, "entries"));
}

static inline qd_audit_report verify(qd_audit *a)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit_report r;
    assert_status_ok(qd_audit_verify(a, &r, &err), &err);
    return r;
}

#define assert_intact(a, n)                                                                                            \
    do {                                                                                                               \
        qd_audit_report report_ = verify(a);                                                                           \
        if (!report_.is_intact)                                                                                        \
            fail_msg("entry %d: %s", (int)report_.bad_seq, report_.reason);                                            \
        assert_int_equal(report_.entries, n);                                                                          \
    } while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
