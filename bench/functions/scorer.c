/* SPDX-License-Identifier: Apache-2.0
 *
 * The scorers and the filter of the benchmark, in the typed shape: what the peer's scripts compute. Also built
 * natively, for the distance to plain C (bench/scorer.c). */
#include <math.h>

double score(double relevance, double price, double rating);
double score_alone(double price, double rating);
double score_plain(double relevance, double price, double rating);
double score_fields(double price, double rating);
int filter(double price, double rating, double t);

/* _score * Math.log(1 + doc['price'].value) * doc['rating'].value */
double score(double relevance, double price, double rating)
{
    return relevance * log(1 + price) * rating;
}

double score_alone(double price, double rating)
{
    return log(1 + price) * rating;
}

/* Arithmetic alone: both sides run the same instructions, none from a mathematics library. */
double score_plain(double relevance, double price, double rating)
{
    return relevance * (1 + 0.001 * price) * rating;
}

double score_fields(double price, double rating)
{
    return (1 + 0.001 * price) * rating;
}

int filter(double price, double rating, double t)
{
    return price * rating > t;
}

/* With a loop anywhere a module is no longer known to be short: all of it is compiled with epoch checks. */
#ifdef HAS_LOOP
__attribute__((export_name("loop"))) double loop(double x)
{
    while (x > 1)
        x = x / 2 + x / 4;
    return x;
}
#endif
