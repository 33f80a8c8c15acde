/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka with the headers that it wants before it, and checks for what our functions give back. */
#ifndef QD_TESTS_CMOCKA_QD_H
#define QD_TESTS_CMOCKA_QD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "quidditch/error.h"

/* On failure the message says why; on success `err` may hold anything. */
#define assert_status_ok(status, err)                                                                                  \
    do {                                                                                                               \
        if ((status) != QD_OK)                                                                                         \
            fail_msg("%s", (err)->message);                                                                            \
    } while (0)

#define assert_failed_with(status, err, expected_code, expected_message)                                               \
    do {                                                                                                               \
        assert_string_equal(qd_status_name(status), qd_status_name(expected_code));                                    \
        assert_string_equal(qd_status_name((err)->code), qd_status_name(expected_code));                               \
        assert_string_equal((err)->message, expected_message);                                                         \
    } while (0)

#define assert_str_equal(s, expected)                                                                                  \
    do {                                                                                                               \
        qd_str got_ = (s), expected_ = qd_str_of(expected);                                                            \
        if (!qd_str_eq(got_, expected_))                                                                               \
            fail_msg("expected \"%s\", got \"%.*s\"", expected_.p, (int)got_.n, got_.p ? got_.p : "");                 \
    } while (0)

#endif
