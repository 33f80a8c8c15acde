/* SPDX-License-Identifier: Apache-2.0 */
#include "index/dates.h"

#include "base/clock.h"
#include "index/document.h"

#define MS_PER_DAY    INT64_C(86400000)
#define MS_PER_HOUR   INT64_C(3600000)
#define MS_PER_MINUTE INT64_C(60000)
#define MS_PER_SECOND INT64_C(1000)

/* "yyyy/MM/dd" or "yyyy/MM/dd HH:mm:ss" as ISO 8601; returns false when it does not look like one. */
static bool from_slashes(qd_str s, char out[20])
{
    if ((s.n != 10 && s.n != 19) || s.p[4] != '/' || s.p[7] != '/' || (s.n == 19 && s.p[10] != ' '))
        return false;
    memcpy(out, s.p, s.n);
    out[4] = out[7] = '-';
    if (s.n == 19)
        out[10] = 'T';
    return true;
}

static bool parse_calendar(qd_str s, int64_t *out_ms)
{
    char iso[20];
    if (qd_clock_parse_iso8601(s, out_ms))
        return true;
    return from_slashes(s, iso) && qd_clock_parse_iso8601((qd_str){iso, s.n}, out_ms);
}

bool qd_date_parse(qd_str s, int64_t *out_ms)
{
    return parse_calendar(s, out_ms) || qd_str_to_i64(s, out_ms);
}

bool qd_date_detect(qd_str s)
{
    int64_t ms;
    double number;
    if (s.n < 7 || s.n > 40 || s.p[0] < '0' || s.p[0] > '9')
        return false;
    return !qd_str_to_f64(s, &number) && parse_calendar(s, &ms);
}

int64_t qd_date_of_number(int64_t n)
{
    char text[5] = {0};
    int64_t ms = n;
    if (n >= 1000 && n <= 9999) {
        for (int i = 3; i >= 0; i--, n /= 10)
            text[i] = (char)('0' + n % 10);
        (void)qd_clock_parse_iso8601((qd_str){text, 4}, &ms);
    }
    return ms;
}

/* How long what the time of day leaves out lasts, less a millisecond. */
static int64_t time_left_out(qd_str s)
{
    size_t i = 0, digits = 0;
    while (i < s.n && s.p[i] != 'T' && s.p[i] != ' ')
        i++;
    for (i++; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == ':' || s.p[i] == '.' || s.p[i] == ','); i++) {
        if (s.p[i] == '.' || s.p[i] == ',')
            return 0;
        digits += s.p[i] != ':';
    }
    return (digits == 0 ? MS_PER_DAY : digits == 2 ? MS_PER_HOUR : digits == 4 ? MS_PER_MINUTE : MS_PER_SECOND) - 1;
}

bool qd_date_parse_up(qd_str s, int64_t *out_ms)
{
    int64_t ms;
    if (!parse_calendar(s, &ms))
        return qd_str_to_i64(s, out_ms);
    *out_ms = ms + time_left_out(s);
    return true;
}
