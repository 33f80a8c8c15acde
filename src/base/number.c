/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Powers of ten that a double holds exactly. */
static const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define POW10_MAX 22
/* Below this every integer is a double of its own. */
#define EXACT_INTEGER 9007199254740992.0

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

size_t qd_number_u64(uint64_t value, char *out)
{
    char reversed[20];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

size_t qd_number_i64(int64_t value, char *out)
{
    if (value >= 0)
        return qd_number_u64((uint64_t)value, out);
    out[0] = '-';
    return 1 + qd_number_u64(0 - (uint64_t)value, out + 1);
}

/* Writes digits / 10^decimals with at least one digit on each side of the point. */
static size_t write_fixed(bool is_negative, uint64_t digits, unsigned decimals, char *out)
{
    char text[QD_NUMBER_SIZE];
    size_t n = qd_number_u64(digits, text), at = 0;
    if (is_negative)
        out[at++] = '-';
    if (decimals == 0) {
        memcpy(out + at, text, n);
        memcpy(out + at + n, ".0", 2);
        return at + n + 2;
    }
    if (n > decimals) {
        memcpy(out + at, text, n - decimals);
        at += n - decimals;
        out[at++] = '.';
        memcpy(out + at, text + n - decimals, decimals);
        return at + decimals;
    }
    memcpy(out + at, "0.", 2);
    at += 2;
    memset(out + at, '0', decimals - n);
    memcpy(out + at + decimals - n, text, n);
    return at + decimals;
}

static bool reads_back_f64(double read, double value)
{
    return read == value;
}

/* `read` is the decimal rounded to double and stands for the decimal rounded to float. The two roundings could
 * only differ from one where `read` lies exactly between two floats: leave that to the slow path. */
static bool reads_back_f32(double read, double value)
{
    uint64_t bits;
    memcpy(&bits, &read, sizeof bits);
    return (double)(float)read == value && (bits & 0x1FFFFFFF) != 0x10000000;
}

/* Tries ever more decimals. r and 10^k are exact, and IEEE division rounds correctly, so r / 10^k is what reading
 * the text gives (Clinger 1990, the easy case); the first k that reads back is the shortest. 0: not of this kind. */
static size_t write_short(double value, unsigned max_decimals, bool (*reads_back)(double, double), char *out)
{
    double magnitude = fabs(value);
    if (magnitude != 0 && magnitude < 1e-5)
        return 0;
    for (unsigned k = 0; k <= max_decimals; k++) {
        double r = rint(magnitude * POW10[k]);
        if (r >= EXACT_INTEGER)
            return 0;
        if (reads_back(r / POW10[k], magnitude))
            return write_fixed(signbit(value) != 0, (uint64_t)r, k, out);
    }
    return 0;
}

/* Makes "1" to "1.0", so that a reader sees a floating-point number. */
static size_t with_point(char *out, int n)
{
    if (strcspn(out, ".e") < (size_t)n)
        return (size_t)n;
    memcpy(out + n, ".0", 2);
    return (size_t)n + 2;
}

size_t qd_number_f64(double value, char *out)
{
    size_t n = write_short(value, 17, reads_back_f64, out);
    if (n)
        return n;
    pthread_once(&c_locale_once, make_c_locale);
    locale_t before = uselocale(c_locale);
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, QD_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    uselocale(before);
    return with_point(out, length);
}

size_t qd_number_f32(float value, char *out)
{
    size_t n = write_short((double)value, 15, reads_back_f32, out);
    if (n)
        return n;
    pthread_once(&c_locale_once, make_c_locale);
    locale_t before = uselocale(c_locale);
    int length = 0;
    for (int digits = 1; digits <= 9; digits++) {
        length = snprintf(out, QD_NUMBER_SIZE, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value)
            break;
    }
    uselocale(before);
    return with_point(out, length);
}

/* A decimal literal taken apart: mantissa * 10^exponent, when the mantissa's digits fit. */
typedef struct literal {
    uint64_t mantissa;
    int64_t exponent;
    bool is_negative, is_exact;
} literal;

static size_t read_digits(qd_str s, size_t i, literal *number, bool is_fraction)
{
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (number->mantissa > (UINT64_MAX - digit) / 10)
            number->is_exact = false;
        else
            number->mantissa = number->mantissa * 10 + digit;
        number->exponent -= is_fraction;
    }
    return i;
}

static bool read_exponent(qd_str s, size_t i, literal *number)
{
    int64_t exponent;
    qd_str digits = {s.p + i, s.n - i};
    if (!qd_str_to_i64(digits, &exponent))
        return false;
    if (exponent < -100000 || exponent > 100000)
        number->is_exact = false;
    else
        number->exponent += exponent;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on one side of the point at least. */
static bool read_literal(qd_str s, literal *number)
{
    *number = (literal){.is_exact = true};
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    number->is_negative = i && s.p[0] == '-';
    size_t start = i, digits;
    i = read_digits(s, i, number, false);
    digits = i - start;
    if (i < s.n && s.p[i] == '.') {
        start = ++i;
        i = read_digits(s, i, number, true);
        digits += i - start;
    }
    if (digits == 0)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E'))
        return read_exponent(s, i + 1, number);
    return i == s.n;
}

bool qd_str_to_f64(qd_str s, double *out)
{
    /* Longer than the exact decimal expansion of any double; also what bounds the copy below. */
    char text[1200];
    literal number;
    if (s.n >= sizeof text || !read_literal(s, &number))
        return false;
    double value;
    if (number.is_exact && (double)number.mantissa < EXACT_INTEGER && number.exponent >= -POW10_MAX &&
        number.exponent <= POW10_MAX) {
        value = (double)number.mantissa;
        value = number.exponent < 0 ? value / POW10[-number.exponent] : value * POW10[number.exponent];
        value = number.is_negative ? -value : value;
    } else {
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        pthread_once(&c_locale_once, make_c_locale);
        value = strtod_l(text, NULL, c_locale);
    }
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}
