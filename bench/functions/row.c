/* SPDX-License-Identifier: Apache-2.0
 *
 * The benchmark's scorer in the row shape: two reads of fields and one of the score, by host functions;
 * and two reads alone. */
#include <math.h>

#include "quidditch.h"

QD_EXPORT(score)
double score(qd_context ctx)
{
    double price = 0, rating = 0;
    qd_get_f64(ctx, "price", &price);
    qd_get_f64(ctx, "rating", &rating);
    return qd_get_score(ctx) * log(1 + price) * rating;
}

QD_EXPORT(two_reads)
double two_reads(qd_context ctx)
{
    double price = 0, rating = 0;
    qd_get_f64(ctx, "price", &price);
    qd_get_f64(ctx, "rating", &rating);
    return (1 + 0.001 * price) * rating;
}
