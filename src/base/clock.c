/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_DAY INT64_C(86400000)

int64_t qd_clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t qd_clock_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Days since 1970-01-01 and back, in the proleptic Gregorian calendar: eras of 400 years that begin on March 1
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

char *qd_clock_iso8601(int64_t wall_ms, char out[QD_ISO8601_SIZE])
{
    int64_t days = wall_ms / MS_PER_DAY, ms = wall_ms % MS_PER_DAY, year;
    if (ms < 0) {
        ms += MS_PER_DAY;
        days--;
    }
    unsigned month, day;
    civil_from_days(days, &year, &month, &day);
    /* Beyond four digits ISO 8601 asks for a sign. */
    const char *format = year > 9999 ? "+%04lld" : "%04lld";
    int n = snprintf(out, QD_ISO8601_SIZE, format, (long long)year);
    snprintf(out + n, QD_ISO8601_SIZE - (size_t)n, "-%02u-%02uT%02u:%02u:%02u.%03uZ", month, day,
             (unsigned)(ms / 3600000), (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
    return out;
}

typedef struct scanner {
    const char *p, *end;
} scanner;

static bool accept(scanner *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* Exactly `count` digits, between `low` and `high`. */
static bool number(scanner *s, unsigned count, unsigned low, unsigned high, unsigned *out)
{
    unsigned value = 0;
    if ((size_t)(s->end - s->p) < count)
        return false;
    for (unsigned i = 0; i < count; i++, s->p++) {
        if (*s->p < '0' || *s->p > '9')
            return false;
        value = value * 10 + (unsigned)(*s->p - '0');
    }
    *out = value;
    return value >= low && value <= high;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && is_leap ? 29 : DAYS[month - 1];
}

/* One to nine digits; what is finer than a millisecond is cut off. */
static bool fraction(scanner *s, unsigned *ms)
{
    unsigned digits = 0;
    for (*ms = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, digits++)
        if (digits < 3)
            *ms = *ms * 10 + (unsigned)(*s->p - '0');
    for (unsigned i = digits; i < 3; i++)
        *ms *= 10;
    return digits >= 1 && digits <= 9;
}

/* "Z", "+HH", "+HHMM", "+HH:MM" or nothing, as minutes to take off. */
static bool zone(scanner *s, int *minutes)
{
    unsigned hour, minute = 0;
    *minutes = 0;
    if (s->p == s->end || accept(s, 'Z'))
        return true;
    bool is_west = *s->p == '-';
    if (!accept(s, '-') && !accept(s, '+'))
        return false;
    if (!number(s, 2, 0, 18, &hour))
        return false;
    if (s->p < s->end) {
        accept(s, ':');
        if (!number(s, 2, 0, 59, &minute))
            return false;
    }
    *minutes = (int)(hour * 60 + minute) * (is_west ? -1 : 1);
    return true;
}

static bool time_of_day(scanner *s, int64_t *out_ms)
{
    unsigned hour, minute = 0, second = 0, ms = 0;
    int minutes_east;
    if (!number(s, 2, 0, 23, &hour))
        return false;
    if (accept(s, ':')) {
        if (!number(s, 2, 0, 59, &minute))
            return false;
        if (accept(s, ':')) {
            if (!number(s, 2, 0, 59, &second))
                return false;
            if (accept(s, '.') && !fraction(s, &ms))
                return false;
        }
    }
    if (!zone(s, &minutes_east))
        return false;
    *out_ms = ((int64_t)hour * 60 + minute - minutes_east) * 60000 + second * 1000 + ms;
    return true;
}

bool qd_clock_parse_iso8601(qd_str text, int64_t *out_ms)
{
    if (text.n == 0)
        return false;
    scanner s = {text.p, text.p + text.n};
    unsigned year, month = 1, day = 1;
    int64_t ms = 0;
    if (!number(&s, 4, 0, 9999, &year))
        return false;
    if (accept(&s, '-')) {
        if (!number(&s, 2, 1, 12, &month))
            return false;
        if (accept(&s, '-')) {
            if (!number(&s, 2, 1, days_in_month(year, month), &day))
                return false;
            if (accept(&s, 'T') && !time_of_day(&s, &ms))
                return false;
        }
    }
    if (s.p != s.end)
        return false;
    *out_ms = days_from_civil(year, month, day) * MS_PER_DAY + ms;
    return true;
}
