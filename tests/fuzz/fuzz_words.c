/* SPDX-License-Identifier: Apache-2.0
 *
 * The small parsers: dates, versions, numbers, minimum_should_match, names and patterns of indices. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "index/document.h"
#include "node/names.h"
#include "query/minimum_match.h"
#include "udf/semver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_date(qd_str s)
{
    int64_t ms, again;
    char text[QD_ISO8601_SIZE];
    qd_date_parse(s, &ms);
    if (!qd_clock_parse_iso8601(s, &ms))
        return;
    if (!qd_clock_parse_iso8601(qd_str_of(qd_clock_iso8601(ms, text)), &again) || again != ms)
        abort();
}

static void check_number(qd_str s)
{
    int64_t i, i_again;
    double d, d_again;
    char text[QD_NUMBER_SIZE];
    if (qd_str_to_i64(s, &i) && (!qd_str_to_i64((qd_str){text, qd_number_i64(i, text)}, &i_again) || i != i_again))
        abort();
    if (!qd_str_to_f64(s, &d))
        return;
    if (!isfinite(d) || !qd_str_to_f64((qd_str){text, qd_number_f64(d, text)}, &d_again) || d != d_again)
        abort();
}

static void check_version(qd_str s)
{
    qd_semver version;
    if (qd_semver_parse(s, &version) && qd_semver_cmp(&version, &version) != 0)
        abort();
}

static void check_names(qd_str s)
{
    qd_error err = QD_ERROR_INIT;
    size_t half = s.n / 2;
    qd_index_name_matches((qd_str){s.p, half}, (qd_str){s.p + half, s.n - half});
    if (qd_index_name_check(s, &err) == QD_OK && (s.n == 0 || memchr(s.p, '/', s.n) || memchr(s.p, '*', s.n)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qd_str s = {(const char *)data, size};
    size_t needed = 0;
    check_date(s);
    check_number(s);
    check_version(s);
    check_names(s);
    if (qd_minimum_match(s, 7, &needed) && needed > (size_t)1 << 32)
        abort();
    return 0;
}
