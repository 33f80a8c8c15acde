/* SPDX-License-Identifier: Apache-2.0
 *
 * A function of some 20 KB, most of it a mathematics library: for the time from upload to first answer. */
#include <math.h>

double score(double relevance, double x);

double score(double relevance, double x)
{
    double y = sin(x) + cos(2 * x) + tan(x / 3) + asin(fmin(x, 1)) + acos(fmin(x, 1)) + atan2(x, 2) + exp(-x) +
               log1p(x) + pow(x + 1, 0.3) + sinh(x / 100) + erf(x) + cbrt(x) + expm1(-x);
    return relevance * (1 + fabs(y));
}
